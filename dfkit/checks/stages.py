"""Stages: their names, and instructions of which a stage has one."""

from __future__ import annotations

from dfkit.checks.binding import Finding, Words, check
from dfkit.model import Stage
from dfkit.syntax.image import is_reference
from dfkit.syntax.nodes import Arg, Copy, Dockerfile, From, Healthcheck, Run
from dfkit.text import INFO, Edit, Note, Span

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
    """An instruction of which only the last counts is repeated in a stage. The later is marked, the fix removes the earlier.

    BuildKit marks the earlier.
    """
    before: Instruction | None = None
    for each in node.instructions:
        if each.name != instruction:
            continue
        if before is not None:
            source = at.model.dockerfile.source
            lines = _lines(before.span, source)
            edits = (Edit(lines, ""),) if lines is not None else ()
            shown = before if at.imitates("buildkit") else each
            yield Finding(shown.keyword.span, edits=edits, notes=(Note(before.span, "this one has no effect"),))
        before = each


def _lines(span: Span, source: Source) -> Span | None:
    """The whole lines of an instruction that has them for itself."""
    start = source.line(source.position(span.start).line).start
    end = source.text.find("\n", span.end)
    if end < 0 or source.text[start : span.start].strip() or source.text[span.end : end].strip():
        return None
    return Span(start, end + 1)


@check(Stage)
def reserved_name(node: Stage, at: Place, *, names: Words) -> Iterator[Finding]:
    """A stage has a name that means something else to the builder."""
    if node.name in names and node.from_.alias is not None:
        yield Finding(node.from_.alias.span)


@check(Stage)
def capital_name(node: Stage, at: Place) -> Iterator[Finding]:
    """A stage's name has capitals; whoever names the stage may write it in any case."""
    alias = node.from_.alias
    if alias is not None and alias.text != alias.text.lower():
        yield Finding(alias.span, edits=() if alias.pieces else (Edit(alias.span, alias.text.lower()),))


@check(Dockerfile)
def circular(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """Stages read from each other. One that reads from itself alone is `own_stage`'s."""
    for group in at.model.cycles:
        if len(group) > 1:
            names = " and ".join([f"`{stage.label}`" for stage in group])
            notes = tuple([Note(stage.from_.span, f"stage `{stage.label}`") for stage in group[1:]])
            place = group[0].from_.alias or group[0].from_.image
            message = f"the stages {names} wait for each other: move what they share into a stage above"
            yield Finding(place.span, message, notes=notes)


@check(Stage)
def invalid_image(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names no stage, and nothing that can be an image. What variables make of it is not looked at."""
    word = node.from_.image
    if "$" in word.text or node.is_fragment:
        return
    if node.base is not None:
        # FROM is particular about capitals, `--from` and `--target` are not (tried with Docker 28.5).
        if word.text.strip("\"'") != node.base.name:
            yield Finding(word.span, f"write `{node.base.name}`: in FROM a stage's name has small letters")
    elif node.image is not None and node.image != "scratch" and not is_reference(node.image):
        yield Finding(word.span)


@check(Copy, Run)
def unknown_source(node: Copy | Run, at: Place) -> Iterator[Finding]:
    """`--from` names no stage above: one below, a number that does not exist, or, softly, what may be an image or a named context."""
    if at.stage is None or at.model.is_trigger(node):
        return
    for reference in at.model.references(node):
        if _is_itself(reference.text, at.stage) or reference.stage is not None:
            continue
        span = _from_value(node, reference.text, at)
        if reference.problem:
            yield Finding(span, f"`{reference.text}` cannot be read from: {reference.problem}")
        elif ":" not in reference.text and "@" not in reference.text and not at.model.is_context(reference.text):
            severity = None if "/" not in reference.text and "." not in reference.text else INFO
            message = (
                f"no stage above is called `{reference.text}`, so an image without a tag is meant: name the stage, or the tag"
            )
            yield Finding(span, message, severity=severity)


@check(Copy, Run)
def own_stage(node: Copy | Run, at: Place) -> Iterator[Finding]:
    """`--from` names the stage that the instruction stands in."""
    if at.stage is None or at.model.is_trigger(node):
        return
    for reference in at.model.references(node):
        if _is_itself(reference.text, at.stage):
            yield Finding(_from_value(node, reference.text, at))


def _is_itself(text: str, stage: Stage) -> bool:
    return text.lower() == stage.name or text == str(stage.index)


def _from_value(node: Instruction, text: str, at: Place) -> Span:
    """The place of a stage's name in the value of `--from=` or of `--mount=…,from=`, else the whole option."""
    for flag in node.flags:
        if flag.value_span is not None and text in (flag.value or ""):
            written = at.model.dockerfile.source.slice(flag.value_span)
            start = written.find(text, written.find("from=") + 1 if flag.name == "mount" else 0)
            if start >= 0:
                return Span(flag.value_span.start + start, flag.value_span.start + start + len(text))
            return flag.span
    return node.keyword.span


@check(Dockerfile)
def before_from(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """An instruction other than ARG stands above the first FROM."""
    for instruction in node.instructions:
        if isinstance(instruction, From):
            return
        if not isinstance(instruction, Arg):
            yield Finding(instruction.keyword.span)


@check(Stage)
def no_healthcheck(node: Stage, at: Place) -> Iterator[Finding]:
    """Neither the final stage nor those that it is built on say HEALTHCHECK."""
    if node is at.model.final and not any(isinstance(each, Healthcheck) for stage in node.lineage for each in stage.instructions):
        yield Finding(node.from_.image.span)
