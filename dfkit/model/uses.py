"""What COPY, ADD and bind mounts read from the build context."""

from __future__ import annotations

from dfkit._record import Record, replace
from dfkit.model.copies import EVERYTHING, clean, sources
from dfkit.model.stages import executed
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Run, Transfer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dfkit.model.model import Model
    from dfkit.model.stages import Stage
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Span

    Triggers = Callable[[str], Iterable[str] | None]


class ContextRead(Record):
    """One source in the context: a path or a pattern as Go's filepath.Match takes it, relative to the context's root, `.` for all."""

    source: str
    span: Span
    exclude: tuple[str, ...] = ()
    parents: bool = False


class ContextUse(Record):
    """What a target needs of the context. Where `reasons` has something, the whole context is needed."""

    reads: tuple[ContextRead, ...]
    reasons: tuple[str, ...]


def context_use(model: Model, target: Stage, triggers: Triggers | None = None) -> ContextUse:
    """What building a target reads from the context. `triggers` gives a base image's ONBUILD instructions, None if not known."""
    reads: list[ContextRead] = []
    reasons: list[str] = []
    syntax = model.dockerfile.directive("syntax")
    if syntax is not None and not _is_dockers_frontend(syntax.value):
        reasons.append(f"`# syntax={syntax.value}` names a frontend that may read any file")
    for index in sorted(model.reachable(target)):
        stage = model.stages[index]
        if stage.replaced:
            continue
        for instruction in executed(stage):
            _use(instruction, model, reads, reasons)
        if stage.base is None and stage.image != "scratch":
            _base_triggers(stage, triggers, model, reads, reasons)
    return ContextUse(tuple(reads), tuple(dict.fromkeys(reasons)))


def _base_triggers(stage: Stage, triggers: Triggers | None, model: Model, reads: list[ContextRead], reasons: list[str]) -> None:
    known = triggers(stage.image) if triggers is not None and stage.image is not None else None
    if known is None:
        reasons.append(f"the ONBUILD triggers of `{stage.image or stage.from_.image.text}` are not known")
        return
    for text in known:
        from dfkit.model.model import Model
        from dfkit.syntax import parse

        base = Model(parse(f"FROM scratch\n{text}\n"))
        for instruction in base.stages[0].instructions:
            before = len(reads)
            _use(instruction, base, reads, reasons)
            reads[before:] = [replace(read, span=stage.from_.span) for read in reads[before:]]


def _use(instruction: Instruction, model: Model, reads: list[ContextRead], reasons: list[str]) -> None:
    if isinstance(instruction, Transfer):
        exclude = tuple([flag.value for flag in instruction.flags if flag.name == "exclude" and flag.value])
        if any("$" in pattern for pattern in exclude):
            exclude = ()
        parents = any(flag.name == "parents" and flag.value != "false" for flag in instruction.flags)
        for source, span in sources(instruction, model):
            if source is None:
                line = model.dockerfile.source.position(span.start).line
                reasons.append(f"the source `{model.dockerfile.source.slice(span)}` in line {line} has a value that is not known")
            else:
                reads.append(ContextRead(source, span, exclude, parents))
    elif isinstance(instruction, Run):
        for mount in mounts(instruction):
            if mount.type != "bind" or mount.get("from"):
                continue
            source = model.scope(instruction).expand(mount.get("source") or EVERYTHING)
            if source is None:
                reasons.append("a bind mount's source has a value that is not known")
            else:
                reads.append(ContextRead(clean(source), mount.flag.span))


def _is_dockers_frontend(image: str) -> bool:
    from dfkit.syntax.image import ImageName

    name = ImageName.parse(image.split()[0])
    return name is not None and name.familiar in ("docker/dockerfile", "docker/dockerfile-upstream")
