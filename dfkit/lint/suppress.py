"""Comments that silence rules, in dfkit's words and in other tools'.

| comment | silences |
| --- | --- |
| `# dfkit ignore=RULE,RULE` | the instruction below it, or that it stands in |
| `# dfkit stage ignore=RULE` | the stage of the FROM below it, else the stage it stands in |
| `# dfkit global ignore=RULE` | the whole file |
| `# hadolint …`, `# tally …` | the same |
| `# check=skip=RULE,RULE` | the whole file as a directive, else the instruction below; `all` stands for BuildKit's checks |
| `# trivy:ignore:RULE` | the instruction below |
| `# checkov:skip=RULE` | the whole file |

Blank lines and other comments may stand in between. After the names a remark may follow.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.text import Diagnostic, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from dfkit.catalog import Catalog, Selection
    from dfkit.model import Stage
    from dfkit.syntax.nodes import Comment, Dockerfile

    Scope = Literal["instruction", "stage", "global"]

UNKNOWN = "unknown-rule-in-comment"

_IGNORE = regex(r"(?i)#\s*(dfkit|hadolint|tally)\s+(?:(global|stage)\s+)?ignore\s*=\s*")
_CHECK = regex(r"(?i)#\s*check\s*=\s*(?:.*;\s*)?skip\s*=\s*")
_TRIVY = regex(r"(?i)#\s*trivy:ignore:")
_CHECKOV = regex(r"(?i)#\s*checkov:skip=")
_NAME = regex(r"[\w.\-]+")
_SEPARATOR = regex(r"\s*,\s*|[ \t]+")

STRICT = ("dfkit", "hadolint", "check")
"""Whose comments are told of unknown names; dfkit does not know all rules of the others."""


class Ignore(Record):
    """What one comment says: names with their places in the file."""

    tool: str
    scope: Scope
    names: tuple[tuple[str, Span], ...]


def suppress(
    dockerfile: Dockerfile,
    stages: Sequence[Stage],
    found: Sequence[Diagnostic],
    rules: Selection,
    *,
    directives: bool = True,
    exact: bool = False,
) -> list[Diagnostic]:
    """The diagnostics that no comment silences, and one for each name in such a comment that no rule has.

    Without `directives` the `# check=` at the top of a file is left alone. With `exact` hadolint's own comments silence only what
    begins in the next line, as hadolint has it.
    """
    top = {directive.span for directive in dockerfile.directives}
    silenced: list[tuple[Span, frozenset[str]]] = []
    unknown: list[Diagnostic] = []
    for comment in dockerfile.comments:
        ignore = _read(dockerfile, comment, rules.catalog)
        if exact and ignore is not None and ignore.tool == "hadolint" and "hadolint" not in comment.text:
            continue
        if ignore is None or (ignore.tool == "check" and comment.span in top and not directives):
            continue
        keys: set[str] = set()
        for name, span in ignore.names:
            meant = _meant(ignore.tool, name, rules.catalog)
            keys |= meant
            if not meant and ignore.tool in STRICT:
                unknown += _unknown(rules, rules.catalog.unknown(name), span)
        if not ignore.names and ignore.tool in STRICT:
            unknown += _unknown(rules, "this comment names no rule, so it silences none", comment.span)
        reach = _reach(dockerfile, stages, comment, ignore.scope, exact=exact and ignore.tool == "hadolint")
        if reach is not None:
            silenced.append((reach, frozenset(keys)))
    return [
        each
        for each in (*found, *unknown)
        if not any(each.span.start in span and (each.rule in keys or each.code in keys) for span, keys in silenced)
    ]


def _read(dockerfile: Dockerfile, comment: Comment, catalog: Catalog) -> Ignore | None:
    text = dockerfile.source.slice(comment.span)
    if match := _IGNORE.match(text):
        tool, scope = match[1].lower(), (match[2] or "instruction").lower()
    elif match := _CHECK.match(text):
        tool, scope = "check", "instruction"
        if any(directive.span == comment.span for directive in dockerfile.directives):
            scope = "global"
    elif match := _TRIVY.match(text):
        tool, scope = "trivy", "instruction"
    elif match := _CHECKOV.match(text):
        tool, scope = "checkov", "global"
    else:
        return None
    return Ignore(tool, scope, tuple(_names(text, match.end(), comment.span.start, catalog)))  # type: ignore[arg-type]


def _names(text: str, at: int, offset: int, catalog: Catalog) -> Iterator[tuple[str, Span]]:
    """The names from `at` on. After a comma any word is one; after a mere blank a word that is no rule begins a remark."""
    sure = True
    while match := _NAME.match(text, at):
        name = match[0].rstrip(".")
        if not sure and not catalog.names.find(name):
            return
        yield name, Span(offset + match.start(), offset + match.start() + len(name))
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            return
        sure = "," in separator[0]
        at = separator.end()


def _meant(tool: str, name: str, catalog: Catalog) -> frozenset[str]:
    if tool == "check" and name.lower() == "all":
        return frozenset(rule.name for rule in catalog.rules if rule.known_as("buildkit"))
    return catalog.names.find(name)


def _unknown(rules: Selection, message: str, span: Span) -> Iterator[Diagnostic]:
    for rule in rules:
        if rule.name == UNKNOWN:
            yield Diagnostic(rule.name, rule.code, rule.severity, message, span)


def _reach(dockerfile: Dockerfile, stages: Sequence[Stage], comment: Comment, scope: str, *, exact: bool) -> Span | None:
    """What a comment silences; None where nothing stands below it, or with `exact` not in the next line."""
    if scope == "global":
        return Span(0, len(dockerfile.source.text) + 1)
    at = comment.span.start
    instruction = next((each for each in dockerfile.instructions if at < each.span.end), None)
    line = dockerfile.source.position
    if exact and instruction is not None and line(instruction.span.start).line != line(at).line + 1:
        return None
    if scope == "instruction":
        return instruction.span if instruction is not None else None
    for stage in reversed(stages):
        if stage.from_.span.start <= at or stage.from_ is instruction:
            last = stage.instructions[-1] if stage.instructions else stage.from_
            # For hadolint a FROM belongs to no stage.
            return Span(stage.from_.span.end if exact else stage.from_.span.start, last.span.end)
    return None
