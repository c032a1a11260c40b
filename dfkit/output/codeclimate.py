"""Findings for Code Climate: a JSON object each, a NUL after it.

https://github.com/codeclimate/platform/blob/master/spec/analyzers/SPEC.md
"""

from __future__ import annotations

import json

from dfkit import _data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from dfkit.catalog import Catalog
    from dfkit.lint import Report

_SEVERITIES = {"error": "blocker", "warning": "major", "info": "info", "style": "minor"}


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """The objects, each with a NUL and a line end after it."""
    return "".join([json.dumps(each) + "\0\n" for each in issues(reports)])


def issues(reports: Sequence[Report]) -> Iterator[dict[str, Any]]:
    """The findings as issues. Their fingerprints stay the same when lines above come or go."""
    for report in reports:
        seen: dict[str, int] = {}
        for each in report.diagnostics:
            text = report.source.slice(report.source.line(report.source.position(each.span.start).line)).strip()
            mark = _data.digest(report.source.name, each.code, text)
            seen[mark] = seen.get(mark, 0) + 1
            start = report.position(each)
            end = report.source.position(each.span.end)
            yield {
                "type": "issue",
                "check_name": each.code,
                "description": each.message,
                "categories": ["Bug Risk"],
                "severity": _SEVERITIES[each.severity],
                "fingerprint": mark if seen[mark] == 1 else f"{mark}-{seen[mark]}",
                "location": {"path": report.source.name, "lines": {"begin": start.line, "end": max(start.line, end.line)}},
            }
