"""Findings as JUnit's XML: a test case a file, a failure a finding.

https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

from dfkit.output.checkstyle import attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """One XML text with a line end."""
    failures = sum(len(report.diagnostics) for report in reports)
    tests = sum(max(1, len(report.diagnostics)) for report in reports)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        f'  <testsuite name="dfkit" tests="{tests}" failures="{failures}" errors="0">',
    ]
    for report in reports:
        name = attribute(report.source.name)
        if not report.diagnostics:
            lines.append(f"    <testcase classname={name} name={name}/>")
        for each in report.diagnostics:
            at = report.position(each)
            place = f"{report.source.name}:{at.line}:{at.column}"
            lines += [
                f"    <testcase classname={name} name={attribute(f'{each.code} {place}')}>",
                f"      <failure type={attribute(each.severity)} message={attribute(f'{place}: {each.message}')}/>",
                "    </testcase>",
            ]
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])
