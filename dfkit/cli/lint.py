"""`dfkit lint`."""

from __future__ import annotations

import sys

from dfkit.text import at_least
from dfkit.workflow.configure import Planner
from dfkit.workflow.lint import lint_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import Any

    from dfkit.catalog import Catalog
    from dfkit.lint import Report

FORMATS = (
    "text", "json", "sarif", "github", "gitlab", "codeclimate", "checkstyle", "junit", "sonarqube", "markdown", "gnu", "tty", "codacy",
)  # fmt: skip
"""Each is a module of `dfkit.output` with a function `render`."""
ALIASES = {"gitlab_codeclimate": "gitlab"}
RENAMED = ("checkstyle", "codeclimate", "gitlab", "sonarqube", "junit")
"""Formats in which `--file-path-in-report` counts, as hadolint has it."""


def run(arguments: list[str]) -> int:
    """Lint files and folders; 1 if a finding reaches the threshold."""
    if arguments and not any(word.startswith("-") and word != "-" for word in arguments):
        # The common call needs no argument parser, whose import takes longer than linting a file.
        return _lint(arguments, Planner(), [], [], None, color=None)
    options = _parse(arguments)
    planner = Planner(_given(options), config=options.config, discover=not options.no_config)
    return _lint(
        options.paths,
        planner,
        options.format,
        options.output,
        options.file_path_in_report,
        color=False if options.no_color else None,
    )


def _parse(arguments: list[str]) -> Namespace:
    from dfkit.cli.arguments import Parser, add_build_args, add_config, add_rules

    parser = Parser("lint", "Say what is wrong with Dockerfiles.")
    parser.add_argument("paths", nargs="*", default=["."], help="files, folders, or - for standard input (default: this folder)")
    parser.add_argument(
        "-f", "--format", action="append", default=[], choices=(*FORMATS, *ALIASES), metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: text); may be repeated, each with its own --output",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", action="append", default=[], metavar="FILE", help="write there and not to standard output"
    )
    parser.add_argument(
        "-t", "--failure-threshold", metavar="LEVEL",
        help="exit with 1 from this level on: error, warning, info, style, none (default: warning; in the profile hadolint: info)",
    )  # fmt: skip
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 whatever is found")
    parser.add_argument(
        "--context", metavar="DIR", help="the build context (default: the Dockerfile's folder, if it has the files)"
    )
    parser.add_argument(
        "--check", metavar="OPTIONS",
        help="say what `docker build --check` says, with its options: skip=NAMES;error=true;experimental=NAMES (--profile buildkit)",
    )  # fmt: skip
    parser.add_argument("--no-shellcheck", action="store_true", help="do not run ShellCheck on the scripts")
    parser.add_argument("--no-color", action="store_true", help="write no colours")
    parser.add_argument("--file-path-in-report", metavar="PATH", help=f"the file's name in reports ({', '.join(RENAMED)})")
    add_build_args(parser)
    add_config(parser)
    add_rules(parser)
    _add_values(parser)
    options = parser.parse_args(arguments)
    if options.check is not None and options.profile not in (None, "buildkit"):
        parser.error(f"--check is for the profile buildkit, not for {options.profile}")
    if len(options.output) > len(options.format):
        parser.error("each --output needs a --format of its own")
    return options


def _add_values(parser: Any) -> None:
    group = parser.add_argument_group("what rules are told")
    for level in ("error", "warning", "info", "style"):
        group.add_argument(f"--{level}", action="append", default=[], metavar="RULE", help=f"give this rule the severity {level}")
    group.add_argument(
        "--trusted-registry", "--allowed-registry", action="append", dest="registry", metavar="REGISTRY",
        help="a registry that images may come from",
    )  # fmt: skip
    group.add_argument(
        "--require-label", action="append", metavar="NAME:TYPE",
        help="a label that the image must have: of the type text, rfc3339, semver, url, hash, spdx or email",
    )  # fmt: skip
    group.add_argument("--strict-labels", action="store_true", help="no other labels than those that are required")
    group.add_argument(
        "--disable-ignore-pragma", action="store_true", help="comments such as `# dfkit ignore=RULE` silence nothing"
    )


def _given(options: Namespace) -> Any:
    """What the command line says, as configuration."""
    from dfkit.cli.arguments import build_args
    from dfkit.project import hadolint
    from dfkit.project.config import Config

    levels = [(name, level) for level in ("error", "warning", "info", "style") for name in getattr(options, level)]
    values = {
        "profile": "buildkit" if options.check is not None else options.profile,
        "check": options.check,
        "select": tuple(options.select),
        "ignore": tuple(options.ignore),
        "severity": tuple(levels),
        "failure_threshold": hadolint.threshold(options.failure_threshold) if options.failure_threshold else None,
        "no_fail": options.no_fail,
        "context": options.context,
        "shellcheck": False if options.no_shellcheck else None,
        "allowed_registries": tuple(options.registry or ()),
        "labels": tuple([hadolint.label(text) for text in options.require_label or ()]),
        "strict_labels": options.strict_labels,
        "ignore_comments": False if options.disable_ignore_pragma else None,
        "rule_folders": tuple(options.rules),
        "build_args": tuple(build_args(options.build_arg).items()),
    }
    false = ("shellcheck", "ignore_comments")
    return Config("", {key: value for key, value in values.items() if value or (key in false and value is False)}, {})


def _lint(
    paths: list[str], planner: Planner, formats: list[str], outputs: list[str], renamed: str | None, *, color: bool | None
) -> int:
    done = list(lint_paths(paths, planner, notify=_notify))
    reports = [report for report, _ in done]
    plan = done[0][1]
    for index, name in enumerate(formats or [str(plan.values.get("format", "text"))]):
        name = ALIASES.get(name, name)
        output = outputs[index] if index < len(outputs) else None
        shown = _renamed(reports, renamed) if renamed is not None and name in RENAMED else reports
        _write(name, shown, plan.rules().catalog, output, color)
    failed = any(at_least(each.severity, plan.threshold) for report, plan in done for each in report.diagnostics)
    return 1 if failed else 0


def _write(name: str, reports: Sequence[Report], catalog: Catalog, output: str | None, color: bool | None) -> None:
    if name == "text":
        from dfkit.output import text as formatter

        wants = color is not False and output is None and formatter.wants_color(sys.stdout)
        said = "".join([f"{line}\n" for line in formatter.render(reports, catalog, color=wants)])
    else:
        said = _formatter(name).render(reports, catalog)
    if output is None:
        sys.stdout.write(said)
    else:
        from dfkit.workflow.read import put

        put(output, said)


def _formatter(name: str) -> Any:
    from importlib import import_module

    from dfkit.errors import UsageError

    if name not in FORMATS:
        raise UsageError(f"there is no format `{name}`; there are {', '.join(FORMATS)}")
    return import_module(f"dfkit.output.{name}")


def _renamed(reports: Sequence[Report], path: str) -> list[Report]:
    from dfkit._record import replace
    from dfkit.text import Source

    return [replace(report, source=Source(report.source.text, path)) for report in reports]


def _notify(sentence: str) -> None:
    print(f"dfkit: {sentence}", file=sys.stderr)
