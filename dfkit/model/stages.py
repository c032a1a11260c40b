"""Build stages and how they hang together."""

from __future__ import annotations

from dfkit._record import record
from dfkit.syntax.image import ImageName
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Copy, From, OnBuild, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dfkit.syntax.nodes import Dockerfile, Instruction, Word


@record
class Stage:
    """One FROM and what follows it.

    `name` is the alias in lower case, as BuildKit compares it. `base` is the stage that FROM names; `image` is what it names else,
    expanded, or None where a variable's value is not known.
    """

    index: int
    name: str | None
    from_: From
    instructions: tuple[Instruction, ...]
    base: Stage | None
    image: str | None

    @property
    def label(self) -> str:
        """How to speak of it: its name, else its number."""
        return self.name or str(self.index)

    @property
    def image_name(self) -> ImageName | None:
        """The external base image, if it is known and not `scratch`."""
        return ImageName.parse(self.image) if self.image and self.image != "scratch" else None

    @property
    def lineage(self) -> Iterator[Stage]:
        """This stage and those it is built on, nearest first."""
        stage: Stage | None = self
        while stage is not None:
            yield stage
            stage = stage.base

    @property
    def root(self) -> Stage:
        """The stage of the lineage that starts from an image."""
        *_, last = self.lineage
        return last


@record
class Reference:
    """A place where a stage or an image is read from: `COPY --from`, `RUN --mount=…,from=`."""

    instruction: Instruction
    text: str
    stage: Stage | None
    """The stage of this file that is meant, else an image or a named context."""


def build_stages(dockerfile: Dockerfile, image: Callable[[Word], str | None]) -> tuple[Stage, ...]:
    """The stages of a file. `image` expands the word after FROM, None if it cannot."""
    groups: list[tuple[From, list[Instruction]]] = []
    for instruction in dockerfile.instructions:
        if isinstance(instruction, From):
            groups.append((instruction, []))
        elif groups:
            groups[-1][1].append(instruction)
    stages: list[Stage] = []
    for index, (from_, instructions) in enumerate(groups):
        name = from_.alias.text.lower() if from_.alias else None
        text = image(from_.image)
        base = named(stages, text)
        stages.append(Stage(index, name, from_, tuple(instructions), base, None if base else text))
    return tuple(stages)


def named(stages: Sequence[Stage], text: str | None, *, numbers: bool = False) -> Stage | None:
    """The stage that a reference means; the last one of a name, as BuildKit takes it."""
    if text is None:
        return None
    for stage in reversed(stages):
        if stage.name == text.lower():
            return stage
    if numbers and text.isdecimal() and int(text) < len(stages):
        return stages[int(text)]
    return None


def references(instruction: Instruction, before: Sequence[Stage]) -> tuple[Reference, ...]:
    """What an instruction reads from other stages and images; `before` are the stages above its own."""
    inner = instruction.instruction if isinstance(instruction, OnBuild) else instruction
    texts: list[str] = []
    if isinstance(inner, Copy):
        flag = inner.flag("from")
        if flag is not None and flag.value:
            texts.append(flag.value)
    elif isinstance(inner, Run):
        texts += [source for mount in mounts(inner) if (source := mount.get("from"))]
    return tuple([Reference(instruction, text, named(before, text, numbers=True)) for text in texts])


def reachable(stages: Sequence[Stage], target: Stage) -> frozenset[int]:
    """The indexes of the stages that building a target needs."""
    seen: set[int] = set()
    todo = [target]
    while todo:
        stage = todo.pop()
        if stage.index in seen:
            continue
        seen.add(stage.index)
        if stage.base is not None:
            todo.append(stage.base)
        for instruction in stage.instructions:
            for reference in references(instruction, stages[: stage.index]):
                if reference.stage is not None:
                    todo.append(reference.stage)
    return frozenset(seen)
