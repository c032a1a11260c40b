"""`dfkit lint`."""

from __future__ import annotations

import sys

from dfkit.text import at_least
from dfkit.workflow.configure import Planner
from dfkit.workflow.lint import lint_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from dfkit.cli.lint_options import given, parse

    options = parse(arguments)
    planner = Planner(given(options), config=options.config, discover=not options.no_config)
    return _lint(
        options.paths,
        planner,
        options.format,
        options.output,
        options.file_path_in_report,
        color=False if options.no_color else None,
    )


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
        from dfkit.workflow.write import put

        put(output, said)


def _formatter(name: str) -> Any:
    from dfkit.errors import UsageError

    if name not in FORMATS:
        raise UsageError(f"there is no format `{name}`; there are {', '.join(FORMATS)}")
    # importlib would be imported for this line alone.
    return __import__(f"dfkit.output.{name}", fromlist=("render",))


def _renamed(reports: Sequence[Report], path: str) -> list[Report]:
    from dfkit._record import replace
    from dfkit.text import Source

    return [replace(report, source=Source(report.source.text, path)) for report in reports]


def _notify(sentence: str) -> None:
    print(f"dfkit: {sentence}", file=sys.stderr)
