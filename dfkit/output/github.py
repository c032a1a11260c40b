"""Findings as annotations of GitHub Actions.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report

_LEVELS = {"error": "error", "warning": "warning", "info": "notice", "style": "notice"}


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """A workflow command a finding."""
    lines = []
    for report in reports:
        position = report.source.position
        for each in report.diagnostics:
            start, end = position(each.span.start), position(each.span.end)
            values = {"file": report.source.name, "line": start.line, "endLine": end.line}
            if start.line == end.line:
                # GitHub shows columns within one line only.
                values |= {"col": start.column, "endColumn": end.column}
            values["title"] = f"{each.code} {each.rule}"
            where = ",".join([f"{key}={_escaped(str(value), ':,')}" for key, value in values.items()])
            lines.append(f"::{_LEVELS[each.severity]} {where}::{_escaped(each.message)}\n")
    return "".join(lines)


def _escaped(text: str, more: str = "") -> str:
    for char in f"%\r\n{more}":
        text = text.replace(char, f"%{ord(char):02X}")
    return text
