"""What a build can be asked for and what it takes: targets, and a target's arguments, secrets, ssh sockets and caches.

As `docker build --call=targets` and `--call=outline` find them (BuildKit, frontend/dockerfile/dockerfile2llb/outline.go, and
instructions/parse.go, getComment), but from the file alone. BuildKit leaves out caches, and global arguments that have no value;
here they are listed too.
"""

from __future__ import annotations

import posixpath

from dfkit._record import Record
from dfkit.model.scope import inherits
from dfkit.model.stages import reads
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Arg, From, Instruction, Run, Word
from dfkit.syntax.words import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeVar

    from dfkit.model.model import Model
    from dfkit.model.scope import Scope
    from dfkit.model.stages import Stage
    from dfkit.syntax.mounts import Mount
    from dfkit.syntax.nodes import KeyValue
    from dfkit.text import Source, Span

    T = TypeVar("T", "Argument", "Need", "Cache")


class Target(Record):
    """A stage as a build's target. `base` and `platform` are as written; a stage without a name has the name ""."""

    name: str
    is_default: bool
    description: str
    base: str
    platform: str
    span: Span


class Argument(Record):
    """A build argument that a target uses.

    `value` is its default or what the build gives, expanded; as written where that takes a value that is not known.
    """

    name: str
    value: str
    description: str
    span: Span


class Need(Record):
    """A secret or an ssh socket by its id, and whether the build fails without it."""

    name: str
    required: bool
    span: Span


class Cache(Record):
    """A cache that RUNs share by its id: the target's path where no id is given."""

    id: str
    span: Span


class Outline(Record):
    """What a target takes. Each list is in the order of the file and has a name once."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    secrets: tuple[Need, ...]
    ssh: tuple[Need, ...]
    caches: tuple[Cache, ...]


def needs(model: Model, target: Stage) -> tuple[tuple[Need, ...], tuple[Need, ...]]:
    """Each mount of a secret and of an ssh socket that the steps of a target have; an outline has only the first of an id."""
    secrets: list[Need] = []
    ssh: list[Need] = []
    for stage in _needed(model, target):
        for options, span in _mounts(model, stage):
            found: tuple[dict[str, Need], dict[str, Need]] = {}, {}
            _mount(options, span, *found, {})
            secrets += found[0].values()
            ssh += found[1].values()
    return _by_place(secrets), _by_place(ssh)


def targets(model: Model) -> tuple[Target, ...]:
    """All stages of a file, the default target last."""
    return tuple([_target(model, stage) for stage in model.stages])


def outline(model: Model, target: Stage) -> Outline:
    """What a target takes, with the stages that it needs."""
    arguments: dict[str, Argument] = {}
    secrets: dict[str, Need] = {}
    ssh: dict[str, Need] = {}
    caches: dict[str, Cache] = {}
    outer = {
        pair.key.text: _argument(model, instruction, pair, model.global_arguments[pair.key.text].value, instruction.span)
        for instruction, pair in _global_pairs(model)
    }
    for stage in _needed(model, target):
        # What is found first counts: the target's own, then what it is built on, then what it copies from.
        for name, argument in _arguments(model, stage, outer).items():
            arguments.setdefault(name, argument)
        for options, span in _mounts(model, stage):
            _mount(options, span, secrets, ssh, caches)
    about = _target(model, target)
    return Outline(about.name, about.description, _sorted(arguments), _sorted(secrets), _sorted(ssh), _sorted(caches))


def description(instruction: Instruction, name: str, source: Source) -> str:
    """What the comments directly above an instruction say of a name: the rest of the first line `# NAME …`.

    As in BuildKit an empty comment parts what is above it from the instruction, and an indented comment does not count.
    """
    said = ""
    for comment in instruction.comments:
        if not comment.text:
            said = ""
        elif not said and name and comment.text.startswith(f"{name} ") and source.position(comment.span.start).column == 1:
            said = comment.text[len(name) + 1 :]
    return said


def _target(model: Model, stage: Stage) -> Target:
    platform = stage.from_.flag("platform")
    return Target(
        stage.name or "",
        stage is model.final,
        description(stage.from_, stage.name or "", model.dockerfile.source),
        stage.from_.image.text,
        platform.value or "" if platform is not None else "",
        stage.from_.span,
    )


def _needed(model: Model, target: Stage) -> list[Stage]:
    """A target and all stages that it needs, each followed by what it is built on and then by what it copies from."""
    found: dict[int, Stage] = {}
    todo = [target]
    while todo:
        stage = todo.pop()
        if stage.index not in found:
            found[stage.index] = stage
            todo += reversed(list(reads(stage, model.stages)))
    return list(found.values())


# --- arguments


def _global_pairs(model: Model) -> Iterator[tuple[Arg, KeyValue]]:
    for instruction in model.dockerfile.instructions:
        if isinstance(instruction, From):
            return
        if isinstance(instruction, Arg):
            yield from ((instruction, pair) for pair in instruction.pairs)


def _arguments(model: Model, stage: Stage, outer: Mapping[str, Argument]) -> dict[str, Argument]:
    """The arguments that a stage uses: those that it declares, those of its FROM, and those that their defaults name."""
    found: dict[str, Argument] = {}
    used = set(_in_from(model, stage))
    if stage.base is not None:
        used |= set(_in_from(model, stage.base))
    for instruction, scope in model.executed(stage):
        if not isinstance(instruction, Arg):
            continue
        span = stage.from_.span if model.is_trigger(instruction) else instruction.span
        after = model.scope_after(instruction, scope)
        for pair in instruction.pairs:
            name = pair.key.text
            if inherits(pair, model.global_arguments, model.build_args):
                used.add(name)
            else:
                binding = after.binding(name)
                found[name] = _argument(model, instruction, pair, binding.value if binding else None, span)
    for name in _closure(model, used):
        if name in outer:
            found.setdefault(name, outer[name])
    return found


def _argument(model: Model, instruction: Arg, pair: KeyValue, value: str | None, span: Span) -> Argument:
    name = pair.key.text
    if value is None:
        value = pair.value.text if pair.value is not None else ""
    return Argument(name, value, description(instruction, name, model.dockerfile.source), span)


def _in_from(model: Model, stage: Stage) -> Iterator[str]:
    """The global arguments that a FROM names."""
    escape = model.dockerfile.escape
    platform = stage.from_.flag("platform")
    words = [stage.from_.image]
    if platform is not None and platform.value:
        words.append(Word(platform.span, platform.value))
    yield from (variable.name for word in words for variable in variables(word, escape))


def _closure(model: Model, names: set[str]) -> set[str]:
    """Names with those that the defaults of global arguments name, however deep."""
    needs: dict[str, set[str]] = {}
    for _, pair in _global_pairs(model):
        if pair.value is not None and pair.key.text not in model.build_args:
            named = variables(pair.value, model.dockerfile.escape)
            needs[pair.key.text] = {variable.name for variable in named}
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += needs.get(name, ())
    return seen


# --- mounts


class _Options:
    """A mount's options, expanded where their values are known."""

    def __init__(self, mount: Mount, scope: Scope) -> None:
        self._mount = mount
        self._scope = scope

    def get(self, name: str) -> str:
        text = self._mount.get(name) or ""
        expanded = self._scope.expand(text)
        return text if expanded is None else expanded


def _mounts(model: Model, stage: Stage) -> Iterator[tuple[_Options, Span]]:
    """The mounts of a stage's steps; those of a trigger stand where the stage begins."""
    for instruction, scope in model.executed(stage):
        span = stage.from_.span if model.is_trigger(instruction) else instruction.span
        for mount in mounts(instruction) if isinstance(instruction, Run) else ():
            yield _Options(mount, scope), span


def _mount(options: _Options, span: Span, secrets: dict[str, Need], ssh: dict[str, Need], caches: dict[str, Cache]) -> None:
    required = options.get("required") in ("1", "t", "T", "TRUE", "true", "True")
    match options.get("type").lower():
        case "secret":
            name = options.get("source") or options.get("id") or posixpath.basename(options.get("target").rstrip("/"))
            if name:
                secrets.setdefault(name, Need(name, required, span))
        case "ssh":
            name = options.get("id") or "default"
            ssh.setdefault(name, Need(name, required, span))
        case "cache":
            name = options.get("id") or posixpath.normpath(options.get("target"))
            caches.setdefault(name, Cache(name, span))


def _sorted(found: dict[str, T]) -> tuple[T, ...]:
    return _by_place(found.values())


def _by_place(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(found, key=lambda each: each.span.start))
