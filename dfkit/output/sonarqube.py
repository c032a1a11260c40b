"""Findings for SonarQube's import of external issues.

https://docs.sonarsource.com/sonarqube-server/analyzing-source-code/importing-external-issues/generic-issue-import-format
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from dfkit.catalog import Catalog, Rule
    from dfkit.lint import Report
    from dfkit.text import Diagnostic

_SEVERITIES = {"error": "HIGH", "warning": "MEDIUM", "info": "LOW", "style": "INFO"}


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """One JSON text with a line end: the rules that are met, and the issues."""
    known = {rule.name: rule for rule in catalog.rules}
    rules: dict[str, dict[str, Any]] = {}
    issues = []
    for report in reports:
        for each in report.diagnostics:
            if each.code not in rules:
                rules[each.code] = _rule(each, known.get(each.rule), catalog)
            issues.append(_issue(report, each))
    return json.dumps({"rules": list(rules.values()), "issues": issues}, indent=2) + "\n"


def _rule(found: Diagnostic, rule: Rule | None, catalog: Catalog) -> dict[str, Any]:
    documentation = catalog.documentation(found.rule)
    is_security = rule is not None and "security" in rule.tags
    return {
        "id": found.code,
        "name": rule.summary if rule is not None else found.rule,
        "description": documentation.why if documentation is not None else found.message,
        "engineId": "dfkit",
        "cleanCodeAttribute": "TRUSTWORTHY" if is_security else "CONVENTIONAL",
        "type": "VULNERABILITY" if is_security else "CODE_SMELL",
        "impacts": [
            {"softwareQuality": "SECURITY" if is_security else "MAINTAINABILITY", "severity": _SEVERITIES[found.severity]}
        ],
    }


def _issue(report: Report, found: Diagnostic) -> dict[str, Any]:
    start, end = report.source.position(found.span.start), report.source.position(found.span.end)
    place: dict[str, int] = {"startLine": start.line}
    if (start.line, start.column) < (end.line, end.column):
        # SonarQube counts columns from 0, and refuses ranges without characters.
        place |= {"startColumn": start.column - 1, "endLine": end.line, "endColumn": end.column - 1}
    return {
        "ruleId": found.code,
        "primaryLocation": {"message": found.message, "filePath": report.source.name, "textRange": place},
    }
