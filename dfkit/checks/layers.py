"""Layers: RUNs that would be better, or no worse, as one."""

from __future__ import annotations

import posixpath

from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.model.paths import Paths
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
        made = Paths()
        for path in _brought(_steps(before, model)):
            made.add(path)
        for _, deleted, _ in _deleted(made, steps):
            return f"join this with the RUN above: it deletes `{deleted}`, which stays in the layer of the RUN that made it"
    return None


def _steps(instruction: Instruction, model: Model) -> Iterator[Step]:
    from dfkit.model.effects import steps, where

    start = where(model, instruction)
    for script in model.scripts(instruction):
        yield from steps(script, start)


def _brought(steps: Iterable[Step]) -> list[str]:
    """The paths that the steps write many bytes to, which are still there after them."""
    paths: list[str] = []
    left = Paths()
    for step in steps:
        for path in step.effects.deletes:
            left.remove(path)
        for path in step.effects.bulk:
            left.add(path, len(paths))
            paths.append(path)
    return list(dict.fromkeys(paths[number] for number in sorted(left.overlapping("/"))))


def _deleted(made: Paths, steps: Sequence[Step]) -> Iterator[tuple[int, str, Command]]:
    """Who made what the steps of a RUN delete, the path, and the command that does; not what they made or only move."""
    own = Paths()
    for step in steps:
        for path in step.effects.deletes if effective(step.command).name != "mv" else ():
            maker = min(made.overlapping(path), default=None)
            if maker is not None and next(own.overlapping(path), None) is None:
                yield maker, path, step.command
        for path in step.effects.bulk:
            own.add(path)


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
    made = Paths()
    for number, instruction in enumerate(node.instructions):
        if isinstance(instruction, Run):
            steps = list(_steps(instruction, at.model))
            found = min(_deleted(made, steps), key=lambda each: each[0], default=None)
            if found is not None:
                maker, path, command = node.instructions[found[0]], *found[1:]
                small = isinstance(maker, Transfer) and not path.endswith(_PACKED)
                severity = STYLE if not at.model.is_shipped(node) else INFO if small else None
                yield Finding(_span_of(command, path), notes=(Note(maker.keyword.span, "made here"),), severity=severity)
            for step in steps:
                for path in step.effects.deletes:
                    made.remove(path)
            for path in _brought(steps):
                made.add(path, number)
        elif isinstance(instruction, Transfer):
            for path in _copied(instruction, at.model):
                made.add(path, number)


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
