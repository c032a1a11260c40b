"""Findings for programs: hadolint's JSON with more keys.

An array of objects. `file line column level code message` are hadolint's; besides there are `rule` (the name), `range` (start and
end line and column, the end after the last character), `aliases` (the rule's names in other tools), and `fix`: null or `title`,
`applicability` and `edits`, each with the `range` that is replaced and the `text` that takes its place.

Lines and columns count from 1, columns in code points. In profiles that imitate a tool `line` is where the instruction begins and
`column` is 1, as that tool prints them; `range` is exact in all profiles.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from dfkit.catalog import Catalog
    from dfkit.lint import Report
    from dfkit.text import Diagnostic, Fix, Source, Span


def render(reports: Iterable[Report], catalog: Catalog) -> str:
    """The findings as one JSON text with a line end."""
    aliases = {rule.name: rule.aliases for rule in catalog.rules}
    found = [
        as_object(report, diagnostic, aliases.get(diagnostic.rule, ())) for report in reports for diagnostic in report.diagnostics
    ]
    return json.dumps(found, indent=2) + "\n"


def as_object(report: Report, diagnostic: Diagnostic, aliases: Iterable[str] = ()) -> dict[str, Any]:
    """One finding."""
    source, start = report.source, report.position(diagnostic)
    return {
        "file": source.name,
        "line": start.line,
        "column": start.column,
        "level": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "rule": diagnostic.rule,
        "range": _range(source, diagnostic.span),
        "aliases": list(aliases),
        "fix": _fix(source, diagnostic.fix) if diagnostic.fix else None,
    }


def _fix(source: Source, fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability,
        "edits": [{"range": _range(source, edit.span), "text": edit.text} for edit in fix.edits],
    }


def _range(source: Source, span: Span) -> dict[str, dict[str, int]]:
    start, end = source.position(span.start), source.position(span.end)
    return {
        "start": {"line": start.line, "column": start.column},
        "end": {"line": end.line, "column": end.column},
    }
