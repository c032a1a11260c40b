"""The rules there are, for `dfkit rules`.

CODE     RULE              SEVERITY   FIX    WHAT
DL3004   sudo              warning    none   sudo is not needed in a build; use USER to change the user
"""

from __future__ import annotations

import json

from dfkit.output.table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dfkit.catalog import Rule
    from dfkit.catalog.signature import Signature


def render(rules: Iterable[Rule]) -> Iterator[str]:
    """The lines for a terminal."""
    rows = [(rule.code, rule.name, rule.severity, rule.fix, rule.summary) for rule in rules]
    yield from table([("CODE", "RULE", "SEVERITY", "FIX", "WHAT"), *rows])


def render_json(rules: Iterable[Rule]) -> str:
    """One JSON text with a line end: an array of objects; `also` has the rule's names in other tools."""
    listed = [
        {
            "code": rule.code,
            "rule": rule.name,
            "severity": rule.severity,
            "fix": rule.fix,
            "summary": rule.summary,
            "tags": list(rule.tags),
            "also": {tool: list(names) for tool, names in rule.also},
        }
        for rule in rules
    ]
    return json.dumps(listed, indent=2) + "\n"


def render_checks(checks: Iterable[Signature]) -> Iterator[str]:
    """The checks for a terminal: each with its parameters and what it finds."""
    for each in checks:
        parameters = [
            f"{name}: {kind}" + (f" = {default}" if default is not None else "") for name, kind, default in each.parameters
        ]
        yield f"{each.uses}({', '.join(parameters)})"
        yield from (f"    {line}".rstrip() for line in each.what.split("\n"))
        yield ""


def checks_json(checks: Iterable[Signature]) -> str:
    """One JSON text with a line end: an array of objects; a parameter without `default` must be given."""
    listed = [
        {
            "uses": each.uses,
            "what": each.what,
            "with": [
                {"name": name, "type": kind, **({} if default is None else {"default": default})}
                for name, kind, default in each.parameters
            ],
        }
        for each in checks
    ]
    return json.dumps(listed, indent=2) + "\n"
