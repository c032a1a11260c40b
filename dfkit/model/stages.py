"""Build stages and how they hang together."""

from __future__ import annotations

from dfkit._memo import remembered
from dfkit._record import Record
from dfkit._regex import regex
from dfkit.syntax.image import ImageName
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Copy, From, OnBuild, Run, Word
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dfkit.syntax.nodes import Dockerfile, Instruction

_NUMBER = regex(r"[-+]?[0-9]+")
_VARIABLE = regex(r"\$.")


class Stage(Record):
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
    replaced: bool = False
    """Whether a named context of the build has the stage's name and takes its place: nothing of it is built then."""

    @property
    def label(self) -> str:
        """How to speak of it: its name, else its number."""
        return self.name or str(self.index)

    @property
    def is_fragment(self) -> bool:
        """Whether it has no FROM: it is made of all the instructions of a file without one."""
        return not self.from_.keyword.text

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


class Reference(Record):
    """A place where a stage or an image is read from: `COPY --from`, `RUN --mount=…,from=`."""

    instruction: Instruction
    text: str
    stage: Stage | None
    """The stage of this file that is meant, else an image or a named context."""
    problem: str = ""
    """Why BuildKit refuses the reference: it means this stage or one below, there is no stage of that number, it has a variable."""

    @property
    def image_name(self) -> ImageName | None:
        """The image that is meant, if it is one."""
        return None if self.stage is not None or self.problem or self.text == "scratch" else ImageName.parse(self.text)


def build_stages(
    dockerfile: Dockerfile, image: Callable[[Word], str | None], contexts: Collection[str] = ()
) -> tuple[Stage, ...]:
    """The stages of a file. `image` expands the word after FROM, None if it cannot; `contexts` are the names of named contexts."""
    groups: list[tuple[From, list[Instruction]]] = []
    for instruction in dockerfile.instructions:
        if isinstance(instruction, From):
            groups.append((instruction, []))
        elif groups:
            groups[-1][1].append(instruction)
    stages: list[Stage] = []
    last: dict[str, Stage] = {}
    for index, (from_, instructions) in enumerate(groups):
        name = from_.alias.text.lower() if from_.alias else None
        text = image(from_.image)
        base = last.get(text.lower()) if text is not None else None
        replaced = name is not None and name in contexts
        stages.append(Stage(index, name, from_, tuple(instructions), base, None if base else text, replaced))
        if name is not None:
            last[name] = stages[-1]
    return tuple(stages)


def fragment_stage(dockerfile: Dockerfile) -> Stage:
    """The one stage of a file without FROM. Its FROM has no characters, and its base has no name."""
    nowhere = Span(0, 0)
    from_ = From(nowhere, Word(nowhere, ""), (), (), (), Word(nowhere, ""), None)
    return Stage(0, None, from_, dockerfile.instructions, None, None)


@remembered
def _last_of_name(stages: tuple[Stage, ...]) -> dict[str, Stage]:
    return {stage.name: stage for stage in stages if stage.name is not None}


def named(stages: tuple[Stage, ...], text: str | None, *, numbers: bool = False) -> Stage | None:
    """The stage that a reference means; the last one of a name, as BuildKit takes it, but for FROM in any case of letters."""
    if text is None:
        return None
    stage = _last_of_name(stages).get(text.lower())
    if stage is not None:
        return stage
    if numbers and text.isdecimal() and int(text) < len(stages):
        return stages[int(text)]
    return None


def references(instruction: Instruction, stages: tuple[Stage, ...], here: int) -> tuple[Reference, ...]:
    """What an instruction reads from other stages and images; `stages` are those of the file and `here` the number of its own.

    As BuildKit resolves them (dockerfile2llb/convert.go, toCommand, and convert_runmount.go, detectRunMount): by the last stage of a
    name, wherever it stands, and by number in COPY only. A stage that is not above its user is refused. Variables are not expanded
    here, and `$` fits no name.
    """
    inner = instruction.instruction if isinstance(instruction, OnBuild) else instruction
    if isinstance(inner, Copy):
        flag = inner.flag("from")
        return (_reference(instruction, flag.value, stages, here, numbers=True),) if flag is not None and flag.value else ()
    if isinstance(inner, Run):
        sources = [source for mount in mounts(inner) if (source := mount.get("from"))]
        return tuple([_reference(instruction, source, stages, here, numbers=False) for source in sources])
    return ()


def _reference(instruction: Instruction, text: str, stages: tuple[Stage, ...], here: int, *, numbers: bool) -> Reference:
    if _VARIABLE.search(text):
        return Reference(instruction, text, None, "it has a variable: name a stage with `FROM image AS name` and use that name")
    stage = named(stages, text, numbers=numbers)
    if stage is None:
        missing = numbers and _NUMBER.fullmatch(text) is not None
        return Reference(instruction, text, None, f"there is no stage number {text}" if missing else "")
    if stage.index == here:
        return Reference(instruction, text, None, "it means its own stage, which is not finished")
    if stage.index > here:
        return Reference(instruction, text, None, f"stage `{stage.label}` stands below; only stages above can be read from")
    return Reference(instruction, text, stage)


def reads(stage: Stage, stages: tuple[Stage, ...], *, anywhere: bool = False) -> Iterator[Stage]:
    """The stages that a stage needs directly: the one it is built on, and those that it or its triggers copy or mount from.

    With `anywhere` also those that it may not read from, as they are not above it.
    """
    if stage.replaced:
        return
    if stage.base is not None:
        yield stage.base
    for instruction in executed(stage):
        for reference in references(instruction, stages, len(stages) if anywhere else stage.index):
            if reference.stage is not None:
                yield reference.stage


def triggers(stage: Stage) -> tuple[Instruction, ...]:
    """What a stage runs first: the instructions that the stage it is built on holds in ONBUILD."""
    if stage.base is None or stage.base.replaced:
        return ()
    return tuple([each.instruction for each in stage.base.instructions if isinstance(each, OnBuild)])


def executed(stage: Stage) -> tuple[Instruction, ...]:
    """All that a stage runs: triggers, then its own instructions but ONBUILD."""
    return (*triggers(stage), *[each for each in stage.instructions if not isinstance(each, OnBuild)])


def reachable(stages: tuple[Stage, ...], target: Stage) -> frozenset[int]:
    """The indexes of the stages that building a target needs."""
    seen: set[int] = set()
    todo = [target]
    while todo:
        stage = todo.pop()
        if stage.index not in seen:
            seen.add(stage.index)
            todo += reads(stage, stages)
    return frozenset(seen)


def cycles(stages: tuple[Stage, ...]) -> tuple[tuple[Stage, ...], ...]:
    """Groups of stages that wait for each other, each in the file's order; a stage that reads from itself is a group of one.

    BuildKit refuses a file with one. References to stages below count here, though they are refused for themselves too.
    """
    needs = {stage.index: {each.index for each in reads(stage, stages, anywhere=True)} for stage in stages}
    groups = [group for group in _knots(needs) if len(group) > 1 or group[0] in needs[group[0]]]
    return tuple([tuple([stages[index] for index in sorted(group)]) for group in sorted(groups, key=min)])


def _knots(needs: Mapping[int, set[int]]) -> Iterator[list[int]]:
    """The groups of nodes that reach each other (R. Tarjan, Depth-First Search and Linear Graph Algorithms, 1972), without recursion."""
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: dict[int, None] = {}
    for start in needs:
        todo = [(start, iter(needs[start]))] if start not in order else []
        while todo:
            index, rest = todo[-1]
            if index not in order:
                order[index] = lowest[index] = len(order)
                path[index] = None
            for other in rest:
                if other not in order:
                    todo.append((other, iter(needs[other])))
                    break
                if other in path:
                    lowest[index] = min(lowest[index], order[other])
            else:
                todo.pop()
                if todo:
                    lowest[todo[-1][0]] = min(lowest[todo[-1][0]], lowest[index])
                if lowest[index] == order[index]:
                    group: list[int] = []
                    while not group or group[-1] != index:
                        group.append(path.popitem()[0])
                    yield group


def context_name(image: str) -> str:
    """The name that a named context must have to take the place of an image: familiar, without `:latest` (dockerui/namedcontext.go)."""
    name = ImageName.parse(image)
    if name is None:
        return image
    tag = f":{name.tag}" if name.tag and (name.tag != "latest" or name.digest) else ""
    return name.familiar + tag + (f"@{name.digest}" if name.digest else "")
