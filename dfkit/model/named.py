"""What COPY, mounts and FROM read from a named context."""

from __future__ import annotations

from dfkit._record import replace
from dfkit.model.copies import EVERYTHING, clean
from dfkit.model.stages import context_name, executed
from dfkit.model.uses import ContextRead, ContextUse, context_use
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Copy, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model.model import Model
    from dfkit.model.stages import Stage
    from dfkit.model.uses import Triggers
    from dfkit.syntax.nodes import Instruction


def named_use(model: Model, name: str, target: Stage, triggers: Triggers | None = None) -> ContextUse:
    """What building a target reads from the named context `name`, which is one of the model's; as `copies.context_use`.

    A base whose triggers are not known may copy from it, and a stage that starts from it has all of it.
    """
    reads: list[ContextRead] = []
    reasons = list(context_use(model, target, triggers).reasons)
    for index in sorted(model.reachable(target)):
        stage = model.stages[index]
        if _starts_from(stage, name) or (stage is target and stage.replaced and stage.name == name):
            reasons.append(f"the stage `{stage.label}` starts from the context `{name}`")
        if stage.replaced:
            continue
        for instruction in executed(stage):
            reads += _reads(instruction, name, model, reasons)
    return ContextUse(tuple(reads), tuple(dict.fromkeys(reasons)))


def _starts_from(stage: Stage, name: str) -> bool:
    if stage.base is not None:
        return stage.base.replaced and stage.base.name == name
    return not stage.replaced and stage.image is not None and _means(stage.image, name)


def _means(text: str, name: str) -> bool:
    return name in (text, text.lower(), context_name(text))


def _reads(instruction: Instruction, name: str, model: Model, reasons: list[str]) -> Iterator[ContextRead]:
    if isinstance(instruction, Copy):
        flag = instruction.flag("from")
        if flag is None or not flag.value or not _means(flag.value, name):
            return
        exclude = tuple([flag.value for flag in instruction.flags if flag.name == "exclude" and flag.value])
        parents = any(flag.name == "parents" and flag.value != "false" for flag in instruction.flags)
        for word in instruction.sources:
            text = model.expand(word, instruction)
            if text is None:
                reasons.append(f"the source `{word.text}` of the context `{name}` has a value that is not known")
            else:
                read = ContextRead(clean(text), word.span, exclude, parents)
                yield replace(read, exclude=()) if any("$" in pattern for pattern in exclude) else read
    elif isinstance(instruction, Run):
        for mount in mounts(instruction):
            origin = mount.get("from")
            if not origin or not _means(origin, name):
                continue
            source = model.scope(instruction).expand(mount.get("source") or EVERYTHING)
            if source is None:
                reasons.append(f"a mount's source in the context `{name}` has a value that is not known")
            else:
                yield ContextRead(clean(source), mount.flag.span)
