"""Findings for Codacy: a JSON object a line.

https://docs.codacy.com/related-tools/tool-developer-guide/#output-format
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """The objects, each in a line."""
    found = [
        {
            "filename": report.source.name,
            "patternId": each.code,
            "message": each.message,
            "line": report.position(each).line,
        }
        for report in reports
        for each in report.diagnostics
    ]
    return "".join([json.dumps(each) + "\n" for each in found])
