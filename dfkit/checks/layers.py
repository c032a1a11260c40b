"""Layers: RUNs that would be better, or no worse, as one."""

from __future__ import annotations

import posixpath

from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.shell import Command, commands, effective
from dfkit.syntax.nodes import Run, Transfer
from dfkit.text import INFO, STYLE, Note, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dfkit.checks.binding import Place
    from dfkit.model import Model
    from dfkit.model.effects import Step
    from dfkit.syntax.nodes import Instruction


_PACKED = (".deb", ".rpm", ".apk", ".whl", ".jar", ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".run")
"""How the names of archives and packages end."""


@check(Stage)
def consecutive_runs(node: Stage, at: Place) -> Iterator[Finding]:
    """A RUN follows a RUN with the same options. The message says what joining them saves.

    Where it saves bytes (the later one deletes what the earlier one made, or uses lists that the earlier one only fetched) any
    two are found; where it saves a layer only, just those of one command each, and softly.
    """
    for before, run in neighbours(node):
        gain = _gain(before, run, at.model)
        if gain is not None:
            yield Finding(run.keyword.span, gain, severity=None if at.model.is_shipped(node) else INFO)
        elif _is_single(before, at.model) and _is_single(run, at.model):
            message = "joining this with the RUN above saves a layer but no bytes: it removes nothing that the RUN above made"
            yield Finding(run.keyword.span, message, severity=INFO)


def neighbours(stage: Stage) -> Iterator[tuple[Run, Run]]:
    """Each RUN that follows a RUN with the same options, with that one."""
    for before, after in zip(stage.instructions, stage.instructions[1:], strict=False):
        if isinstance(before, Run) and isinstance(after, Run) and _options(before) == _options(after):
            yield before, after


def _options(run: Run) -> list[tuple[str, str | None]]:
    return sorted([(flag.name, flag.value) for flag in run.flags], key=str)


def _is_single(run: Run, model: Model) -> bool:
    """Whether a RUN is one simple command, as someone types it; heredocs are not."""
    if run.heredocs:
        return False
    scripts = model.scripts(run)
    if len(scripts) != 1 or scripts[0].opaque or len(scripts[0].statements) != 1:
        return False
    return isinstance(scripts[0].statements[0].element, Command)


def _gain(before: Run, run: Run, model: Model) -> str | None:
    from dfkit.model.packages import invocation

    if not model.scripts(before) or not model.scripts(run):
        return None
    first = [invocation(effective(each)) for script in model.scripts(before) for each in commands(script)]
    second = [invocation(effective(each)) for script in model.scripts(run) for each in commands(script)]
    for update in first:
        if update is None or update.action != "update" or any(each and each.action in ("install", "upgrade") for each in first):
            continue
        if any(each and each.manager == update.manager and each.action == "install" for each in second):
            return "join this with the RUN above: a cached update gives the install old lists, and the lists stay in a layer"
    steps = list(_steps(run, model))
    if any(step.effects.deletes for step in steps):
        path = _deleted(_left((), _steps(before, model)), steps)
        if path is not None:
            return f"join this with the RUN above: it deletes `{path[0]}`, which stays in the layer of the RUN that made it"
    return None


def _steps(instruction: Instruction, model: Model) -> Iterator[Step]:
    from dfkit.model.effects import steps, where

    start = where(model, instruction)
    for script in model.scripts(instruction):
        yield from steps(script, start)


def _left(paths: tuple[str, ...], steps: Iterable[Step]) -> tuple[str, ...]:
    """The paths, and those that the steps write many bytes to, which are still there after the steps."""
    from dfkit.model.effects import overlaps

    left = dict.fromkeys(paths)
    for step in steps:
        deletes = step.effects.deletes
        if deletes:
            left = {path: None for path in left if not any(overlaps(deleted, path) for deleted in deletes)}
        left |= dict.fromkeys(step.effects.bulk)
    return tuple(left)


def _deleted(made: tuple[str, ...], steps: Sequence[Step]) -> tuple[str, Span] | None:
    """The first of the paths made before that the steps of a RUN delete, and where; not what they made or only move."""
    from dfkit.model.effects import overlaps

    own: dict[str, None] = {}
    for step in steps:
        for path in step.effects.deletes if effective(step.command).name != "mv" else ():
            if any(overlaps(path, each) for each in made) and not any(overlaps(path, each) for each in own):
                return path, _span_of(step.command, path)
        own |= dict.fromkeys(step.effects.bulk)
    return None


def _span_of(command: Command, path: str) -> Span:
    """The word that says a path, else the command."""
    for word in effective(command).arguments:
        pattern = (word.pattern or "").rstrip("/").removeprefix("./")
        if pattern and path.endswith(pattern):
            return word.span
    return command.span


@check(Stage)
def deleted_later(node: Stage, at: Place) -> Iterator[Finding]:
    """A RUN deletes what an earlier RUN, COPY or ADD of the stage brought: the bytes stay in the earlier layer.

    Softer for a copied file that is no archive or package, which is small more often than not, and in a stage that is not shipped.
    """
    made: list[tuple[Instruction, tuple[str, ...]]] = []
    for instruction in node.instructions:
        if isinstance(instruction, Run):
            steps = list(_steps(instruction, at.model))
            deletes = any(step.effects.deletes for step in steps)
            for maker, paths in made if deletes else ():
                found = _deleted(paths, steps)
                if found is not None:
                    small = isinstance(maker, Transfer) and not found[0].endswith(_PACKED)
                    severity = STYLE if not at.model.is_shipped(node) else INFO if small else None
                    yield Finding(found[1], notes=(Note(maker.keyword.span, "made here"),), severity=severity)
                    break
            if deletes:
                made = [(maker, left) for maker, paths in made if (left := _left(paths, steps))]
            if brought := _left((), steps):
                made.append((instruction, brought))
        elif isinstance(instruction, Transfer) and (brought := _copied(instruction, at.model)):
            made.append((instruction, brought))


def _copied(copy: Transfer, model: Model) -> tuple[str, ...]:
    """The files that a COPY brings, where its destination shows them; folders of others are not counted."""
    destination = model.expand(copy.destination, copy)
    workdir = model.state(copy).workdir
    if destination is None or (not destination.startswith("/") and workdir is None):
        return ()
    full = posixpath.normpath(posixpath.join(workdir or "/", destination))
    paths = []
    for word in copy.sources:
        name = posixpath.basename((model.expand(word, copy) or "").rstrip("/"))
        if "." not in name.strip(".") or any(char in name for char in "*?[<"):
            continue
        paths.append(posixpath.join(full, name) if destination.endswith(("/", ".")) or len(copy.sources) > 1 else full)
    return tuple(paths)


@check(Stage)
def typed_in(node: Stage, at: Place, *, at_least: int) -> Iterator[Finding]:
    """Many RUNs in sequence of one command each, as if someone had typed them into a container and kept it."""
    group: list[Run] = []
    for instruction in (*node.instructions, None):
        run = instruction if isinstance(instruction, Run) and _is_single(instruction, at.model) else None
        if group and (run is None or _options(group[-1]) != _options(run)):
            if len(group) >= at_least:
                yield _typed(group)
            group = []
        if run is not None:
            group.append(run)


def _typed(group: Sequence[Run]) -> Finding:
    message = f"{len(group)} RUNs in a row run one command each, as if typed into a container: join what belongs together"
    return Finding(group[0].keyword.span, message, notes=(Note(group[-1].keyword.span, "the last of them"),))
