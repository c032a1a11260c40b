"""Findings as a table in Markdown, for comments and summaries."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """A table a file with findings, then the summary."""
    from dfkit.output.text import summary

    lines = []
    for report in reports:
        if report.diagnostics:
            lines += [f"### {_cell(report.source.name)}", "", "| line | level | rule | what |", "|---:|---|---|---|"]
            for each in report.diagnostics:
                at = report.position(each)
                lines.append(f"| {at.line} | {each.severity} | {each.code} {each.rule} | {_cell(each.message)} |")
            lines.append("")
    return "\n".join([*lines, summary(reports), ""])


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
