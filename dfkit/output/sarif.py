"""Findings as SARIF 2.1.0: exact places, fixes, and what the rules are about.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import os
from urllib.parse import quote

from dfkit import __version__
from dfkit.text import SAFE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from dfkit.catalog import Catalog
    from dfkit.lint import Report
    from dfkit.text import Diagnostic, Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note", "style": "note"}


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """One JSON text with a line end."""
    known = {rule.name: rule for rule in catalog.rules}
    rules: dict[str, dict[str, Any]] = {}
    results = []
    for report in reports:
        for each in report.diagnostics:
            if each.code not in rules:
                rule = known.get(each.rule)
                rules[each.code] = _rule(each, rule.summary if rule is not None else each.rule, catalog)
            results.append(_result(report.source, each, list(rules).index(each.code)))
    driver = {"name": "dfkit", "version": __version__, "rules": list(rules.values())}
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(found: Diagnostic, summary: str, catalog: Catalog) -> dict[str, Any]:
    documentation = catalog.documentation(found.rule)
    rule: dict[str, Any] = {
        "id": found.code,
        "name": found.rule,
        "shortDescription": {"text": summary},
        "defaultConfiguration": {"level": _LEVELS[found.severity]},
    }
    if documentation is not None and documentation.why:
        rule["fullDescription"] = {"text": documentation.why}
    return rule


def _result(source: Source, found: Diagnostic, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVELS[found.severity],
        "message": {"text": _unicode(found.message)},
        "locations": [_location(source, found.span)],
    }
    if found.notes:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": _unicode(note.message)}, **_location(source, note.span)}
            for number, note in enumerate(found.notes, 1)
        ]
    if (
        found.fix is not None
        and found.fix.applicability == SAFE
        and all(edit.text == _unicode(edit.text) for edit in found.fix.edits)
    ):
        replacements = [
            {"deletedRegion": _region(source, edit.span), "insertedContent": {"text": edit.text}} for edit in found.fix.edits
        ]
        changes = [{"artifactLocation": {"uri": _uri(source)}, "replacements": replacements}]
        result["fixes"] = [{"description": {"text": _unicode(found.fix.title)}, "artifactChanges": changes}]
    return result


def _location(source: Source, span: Span) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(source)}, "region": _region(source, span)}}


def _uri(source: Source) -> str:
    return quote(source.name.replace(os.sep, "/").encode("utf-8", "surrogateescape"))


def _unicode(text: str) -> str:
    """A text without bytes of the file that are no UTF-8, which a reader of JSON may refuse."""
    return text.encode("utf-8", "replace").decode()


def _region(source: Source, span: Span) -> dict[str, int]:
    start, end = source.position(span.start), source.position(span.end)
    return {
        "startLine": start.line,
        "startColumn": _utf16(source, start.line, span.start),
        "endLine": end.line,
        "endColumn": _utf16(source, end.line, span.end),
    }


def _utf16(source: Source, line: int, offset: int) -> int:
    """A column in units of UTF-16, from 1."""
    before = source.text[source.line(line).start : offset]
    return 1 + len(before) + sum(char > "\uffff" for char in before)
