"""`dfkit lint`."""

from __future__ import annotations

import sys

from dfkit.text import WARNING, at_least
from dfkit.text.settings import Settings
from dfkit.workflow.lint import lint_paths, selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: list[str]) -> int:
    """Lint files and folders; 1 if a finding reaches the threshold."""
    if arguments and not any(word.startswith("-") and word != "-" for word in arguments):
        # The common call needs no argument parser, whose import takes longer than linting a file.
        return _lint(arguments, Settings(), "text", WARNING, [], {})
    options = _parse(arguments)
    from dfkit.cli.arguments import build_args

    settings = Settings(
        profile="buildkit" if options.check is not None else options.profile,
        check=options.check or "",
        select=tuple(options.select),
        ignore=tuple(options.ignore),
        shellcheck=not options.no_shellcheck,
        context=options.context,
    )
    return _lint(options.paths, settings, options.format, options.failure_threshold, options.rules, build_args(options.build_arg))


def _parse(arguments: list[str]) -> Namespace:
    from dfkit.cli.arguments import THRESHOLDS, Parser, add_build_args, add_rules

    parser = Parser("lint", "Say what is wrong with Dockerfiles.")
    parser.add_argument("paths", nargs="*", default=["."], help="files, folders, or - for standard input (default: this folder)")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument(
        "-t", "--failure-threshold", choices=THRESHOLDS, default=WARNING, metavar="LEVEL",
        help="exit with 1 from this level on: error, warning, info, style, none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--context", metavar="DIR", help="the build context (default: the Dockerfile's folder, if it has the files)"
    )
    parser.add_argument(
        "--check", metavar="OPTIONS",
        help="say what `docker build --check` says, with its options: skip=NAMES;error=true;experimental=NAMES (--profile buildkit)",
    )  # fmt: skip
    parser.add_argument("--no-shellcheck", action="store_true", help="do not run ShellCheck on the scripts")
    add_build_args(parser)
    add_rules(parser)
    options = parser.parse_args(arguments)
    if options.check is not None and options.profile not in ("recommended", "buildkit"):
        parser.error(f"--check is for the profile buildkit, not for {options.profile}")
    return options


def _lint(
    paths: list[str], settings: Settings, format_: str, threshold: str, rule_folders: list[str], build_args: dict[str, str]
) -> int:
    rules = selection(settings, rule_folders)
    reports = list(lint_paths(paths, rules, settings, build_args=build_args, notify=_notify))
    if format_ == "json":
        from dfkit.output import json

        sys.stdout.write(json.render(reports, rules.catalog))
    else:
        from dfkit.output import text

        for line in text.render(reports, rules.catalog, color=text.wants_color(sys.stdout)):
            print(line)
    failed = any(at_least(each.severity, threshold) for report in reports for each in report.diagnostics)
    return 1 if failed else 0


def _notify(sentence: str) -> None:
    print(f"dfkit: {sentence}", file=sys.stderr)
