"""Findings in one line each, as hadolint prints them: `file:line CODE level: message`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """A line a finding, without colours."""
    return "".join(
        [
            f"{report.source.name}:{report.position(each).line} {each.code} {each.severity}: {each.message}\n"
            for report in reports
            for each in report.diagnostics
        ]
    )
