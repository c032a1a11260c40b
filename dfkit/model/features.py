"""What of the Dockerfile language a file uses, by the frontend version that brought it.

A frontend that is older than a feature refuses the file, mostly with words that do not say so: a heredoc's second line is an
unknown instruction to it. `# syntax=docker/dockerfile:1` has the engine fetch a newer frontend.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.model.facts import table
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Add, Arg, From, Instruction, OnBuild, Run, Transfer, Word
from dfkit.syntax.walk import instructions, walk
from dfkit.syntax.words import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model.model import Model
    from dfkit.model.stages import Stage
    from dfkit.text import Span

    Version = tuple[int, int]

_NUMBERS = regex(r"([0-9]+)\.([0-9]+)")
_OCTAL = regex(r"[0-7]+")
_GIT = regex(r"git@[^/]+:|git://|ssh://|https?://[^#?]*\.git(?:[#?]|$)|github\.com/")


class Feature(Record):
    """A use of something in the language that not every frontend knows. `since` is the first frontend version that does."""

    name: str
    since: Version
    span: Span


def features(model: Model, target: Stage | None = None) -> Iterator[Feature]:
    """The features in a file, in its order.

    Flags and heredocs count wherever they stand, as a frontend reads the whole file; what is in a value counts in the stages that
    `target` (default: the last) needs, and a trigger where it is run.
    """
    target = target or model.final
    needed = model.reachable(target) if target is not None else frozenset()
    run = {id(each) for index in needed for each, _ in model.executed(model.stages[index])}
    for instruction in instructions(model.dockerfile):
        if isinstance(instruction, OnBuild):
            continue
        yield from (_feature("a heredoc", heredoc.marker) for heredoc in instruction.heredocs[:1])
        stage = model.stage_of(instruction)
        is_run = id(instruction) in run or stage is None or (isinstance(instruction, From) and stage.index in needed)
        if is_run or not model.is_trigger(instruction):
            yield from _flags(instruction)
        if is_run:
            yield from _values(instruction, model)


def frontend_of_docker(version: str) -> Version | None:
    """The version of the frontend that a Docker Engine has built in; None for an engine newer than what is known, or no Docker's."""
    docker = _version(version)
    known = {_version(each): _version(frontend) for each, frontend in table("features")["docker"].items()}
    if docker is None or docker > max(each for each in known if each):
        return None
    return max((frontend for each, frontend in known.items() if each and frontend and each <= docker), default=(1, 0))


def docker_with(since: Version) -> str | None:
    """The first Docker Engine with a frontend as new as `since` built in, such as `23.0`; None where none is known."""
    for docker, frontend in table("features")["docker"].items():
        if (_version(frontend) or (0, 0)) >= since:
            return str(docker)
    return None


def _version(text: str) -> Version | None:
    """`28.5.2+dfsg4` as (28, 5)."""
    found = _NUMBERS.match(text)
    return (int(found[1]), int(found[2])) if found is not None else None


def _feature(name: str, span: Span) -> Feature:
    return Feature(name, _version(table("features")["syntax"][name]) or (0, 0), span)


def _flags(instruction: Instruction) -> Iterator[Feature]:
    known = table("features")["flags"].get(instruction.name, {})
    for flag in instruction.flags:
        if flag.name in known:
            yield Feature(f"{instruction.name} --{flag.name}", _version(known[flag.name]) or (0, 0), flag.span)


def _values(instruction: Instruction, model: Model) -> Iterator[Feature]:
    if isinstance(instruction, Arg) and len(instruction.pairs) > 1:
        yield _feature("several names in one ARG", instruction.span)
    if isinstance(instruction, Transfer):
        yield from _transfer(instruction, model)
    if isinstance(instruction, Run):
        yield from _mounts(instruction)
    if not isinstance(instruction, From) and model.is_trigger(instruction):
        yield from (_feature("--from in ONBUILD", instruction.span) for _ in model.references(instruction)[:1])
    yield from _modifiers(instruction, model)


def _transfer(instruction: Transfer, model: Model) -> Iterator[Feature]:
    mode = instruction.flag("chmod")
    if mode is not None and mode.value and "$" in mode.value:
        yield _feature("a variable in --chmod", mode.span)
    elif mode is not None and mode.value and not _OCTAL.fullmatch(mode.value):
        yield _feature("a --chmod that is not octal", mode.span)
    if isinstance(instruction, Add):
        for source in instruction.sources:
            if _GIT.match(model.expand(source, instruction) or source.text):
                yield _feature("a git repository in ADD", source.span)


def _mounts(instruction: Run) -> Iterator[Feature]:
    for mount in mounts(instruction):
        if any("$" in value for name, value in mount.options if name != "from"):
            yield _feature("a variable in --mount", mount.flag.span)
        if mount.type == "secret" and mount.get("env"):
            yield _feature("a secret in an environment variable", mount.flag.span)


def _modifiers(instruction: Instruction, model: Model) -> Iterator[Feature]:
    """Operators in the words that the frontend itself expands: not in a command, which the shell does."""
    for node in walk(instruction):
        if isinstance(node, Word) and "${" in node.text:
            for variable in variables(node, model.dockerfile.escape):
                if variable.operator in ("-", "+", "?"):
                    yield _feature("${name-word} without a colon", variable.span)
                elif variable.operator[:1] in ("#", "%", "/"):
                    yield _feature("${name#pattern}, ${name%pattern} and ${name/pattern/word}", variable.span)
