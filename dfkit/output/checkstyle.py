"""Findings as Checkstyle's XML, which many services read.

https://checkstyle.org/config.html#Formatters
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report

_SEVERITIES = {"error": "error", "warning": "warning", "info": "info", "style": "info"}


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """One XML text with a line end."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<checkstyle version="4.3">']
    for report in reports:
        lines.append(f"  <file name={attribute(report.source.name)}>")
        for each in report.diagnostics:
            at = report.position(each)
            lines.append(
                f'    <error line="{at.line}" column="{at.column}" severity="{_SEVERITIES[each.severity]}"'
                f" message={attribute(each.message)} source={attribute(each.code)}/>"
            )
        lines.append("  </file>")
    return "\n".join([*lines, "</checkstyle>", ""])


def attribute(text: str) -> str:
    """A text as a quoted attribute, without the characters that XML 1.0 cannot have."""
    return quoteattr("".join([char for char in text if char >= " " and not "\ud800" <= char <= "\udfff"]))
