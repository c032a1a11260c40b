"""Stages: their names, and instructions of which a stage has one."""

from __future__ import annotations

from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.syntax.nodes import Dockerfile
from dfkit.text import Edit, Note, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Source


@check(Dockerfile)
def duplicate_name(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """Two stages have one name; names are compared without regard to case."""
    first: dict[str, Stage] = {}
    for stage in at.model.stages:
        alias = stage.from_.alias
        if stage.name is None or alias is None:
            continue
        before = first.setdefault(stage.name, stage).from_.alias
        if before is not None and before is not alias:
            yield Finding(alias.span, f"the stage name `{alias.text}` is taken", notes=(Note(before.span, "by this stage"),))


@check(Stage)
def repeated(node: Stage, at: Place, *, instruction: str) -> Iterator[Finding]:
    """An instruction of which only the last counts is repeated in a stage. The later is marked, the fix removes the earlier."""
    before: Instruction | None = None
    for each in node.instructions:
        if each.name != instruction:
            continue
        if before is not None:
            source = at.model.dockerfile.source
            lines = _lines(before.span, source)
            edits = (Edit(lines, ""),) if lines is not None else ()
            yield Finding(each.keyword.span, edits=edits, notes=(Note(before.span, "this one has no effect"),))
        before = each


def _lines(span: Span, source: Source) -> Span | None:
    """The whole lines of an instruction that has them for itself."""
    start = source.line(source.position(span.start).line).start
    end = source.text.find("\n", span.end)
    if end < 0 or source.text[start : span.start].strip() or source.text[span.end : end].strip():
        return None
    return Span(start, end + 1)
