"""What a rule is about: for a terminal and as a page of the documentation."""

from __future__ import annotations

import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.catalog import Documentation, Example, Rule

WIDTH = 100


def render(rule: Rule, documentation: Documentation) -> Iterator[str]:
    """The lines that `dfkit explain` prints."""
    yield f"{rule.name} ({rule.code}, {rule.severity}{_fix(rule)})"
    for tool, names in rule.also:
        yield f"  {tool}: {', '.join(names)}"
    yield ""
    yield from textwrap.wrap(f"{rule.summary}.", WIDTH)
    yield ""
    for paragraph in documentation.why.strip().split("\n\n"):
        yield from textwrap.wrap(" ".join(paragraph.split()), WIDTH)
        yield ""
    for heading, example in _chosen(documentation):
        yield f"{heading}:"
        yield from (f"    {line}" for line in _lines(example))
        yield ""


def page(rule: Rule, documentation: Documentation) -> str:
    """The rule's page as Markdown."""
    lines = [f"# {rule.name}", "", f"{rule.summary}.", "", "| | |", "|---|---|", f"| code | `{rule.code}` |"]
    lines += [f"| {tool} | {', '.join(f'`{name}`' for name in names)} |" for tool, names in rule.also]
    lines += [f"| severity | {rule.severity} |", f"| fix | {rule.fix} |", f"| since | {documentation.since} |"]
    if rule.tags:
        lines.append(f"| tags | {', '.join(rule.tags)} |")
    lines += ["", documentation.why.strip(), ""]
    for heading, example in _chosen(documentation):
        lines += [f"## {heading}", "", "```dockerfile", *_lines(example), "```", ""]
    return "\n".join(lines)


def _fix(rule: Rule) -> str:
    return {"safe": ", safe fix", "unsafe": ", fix that changes the image"}.get(rule.fix, "")


def _chosen(documentation: Documentation) -> Iterator[tuple[str, str]]:
    """The examples worth reading: the first bad one, what its fix makes of it, and all good ones."""
    bad = next((example for example in documentation.examples if example.bad), None)
    if bad is not None:
        yield "Wrong", bad.text
        if bad.fixed is not None:
            yield "Fixed", bad.fixed
    good: list[Example] = [example for example in documentation.examples if not example.bad]
    for number, example in enumerate(good, 1):
        yield ("Right" if number == 1 else f"Right, too ({number})"), example.text


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")
