"""The options of `dfkit lint`."""

from __future__ import annotations

from dfkit.cli.arguments import add_build_args, add_config, add_rules, build_args
from dfkit.cli.lint import ALIASES, FORMATS, RENAMED
from dfkit.cli.parser import Parser
from dfkit.project import hadolint
from dfkit.project.config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.cli.parser import Options


def parse(arguments: list[str]) -> Options:
    """The options of a command line. Ends the process where they are wrong."""
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


def given(options: Options) -> Any:
    """What the command line says, as configuration."""
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
