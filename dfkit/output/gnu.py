"""Findings as compilers print them, which editors read: `file:line.column: CODE level: message`.

https://www.gnu.org/prep/standards/html_node/Errors.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """A line a finding; `dfkit` stands first, as the program that says it."""
    lines = []
    for report in reports:
        for each in report.diagnostics:
            at = report.position(each)
            lines.append(f"dfkit:{report.source.name}:{at.line}.{at.column}: {each.code} {each.severity}: {each.message}\n")
    return "".join(lines)
