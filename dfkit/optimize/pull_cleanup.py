"""T02: pull a later cleanup into the RUN that made the bytes; deleted in a later layer, they stay in the image all the same.

The cleanup is `rm` of literal absolute paths, or a package manager's own (`apt-get clean`), as a part of a `&&`-chain. It may jump over
instructions that surely neither read nor write the paths. Preconditions: one stage, one user, one SHELL; the paths are made by the RUN
and not by the cleanup's own; no step between reads them, and package lists are read by every install that has no update of its own.
"""

from __future__ import annotations

import re

from dfkit._record import Record, replace
from dfkit.model.effects import covers, overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.optimize.passes import Pass
from dfkit.optimize.profit import owner
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import PRAGMA, added, chain, join, unjoinable, without
from dfkit.shell import Statement, effective
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Add, Copy, Run, Transfer, Unknown, Volume
from dfkit.text import Edit, Fix, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model import Model, Stage
    from dfkit.model.effects import Step
    from dfkit.optimize.passes import Facts
    from dfkit.shell import Command, Script, Word
    from dfkit.syntax.nodes import Instruction

NAME = "pull-cleanup"


class Cleanup(Record):
    """A command that only deletes: what, and the words that say so (none for `apt-get clean`, which is taken whole)."""

    command: Command
    targets: tuple[tuple[Word | None, tuple[str, ...]], ...]
    forced: bool
    """It does not fail where there is nothing to delete."""


def rewrite(model: Model, _facts: Facts) -> Iterator[Proposal | Refusal]:
    """For each RUN that cleans up what an earlier RUN of its stage made: clean up there."""
    for stage in model.stages:
        if not model.is_shipped(stage):
            continue
        for at, instruction in enumerate(stage.instructions):
            if isinstance(instruction, Run):
                found = _pull(stage, at, instruction, model)
                if found is not None:
                    yield found


PASS = Pass(NAME, "Delete files in the RUN that made them, not in a later one", rewrite)


def _pull(stage: Stage, at: int, run: Run, model: Model) -> Proposal | Refusal | None:
    scripts = model.scripts(run)
    members = chain(scripts[0]) if len(scripts) == 1 else None
    if members is None or unjoinable(run, model) is not None:
        return None
    own = list(steps(scripts[0], where(model, run)))
    pulled: dict[int, list[tuple[Cleanup, list[Word | None]]]] = {}
    gone: dict[int, list[Word | None]] = {}
    refusal: Refusal | None = None
    paths: list[str] = []
    for command in members:
        cleanup = _cleanup(command, run, model)
        if cleanup is None:
            continue
        before = [step for step in own if step.command.span.end <= command.span.start]
        for word, targets in cleanup.targets:
            makers, why = _makers(stage, at, run, targets, before, model)
            if not cleanup.forced and not (len(makers) == 1 and _surely_made(stage.instructions[makers[0]], targets, model)):
                makers, why = [], why or ("it may not be there yet, and `rm` without `-f` would fail" if makers else None)
            if why is not None and not makers:
                refusal = refusal or Refusal(
                    NAME, command.span, f"`{targets[0]}` is deleted in a later layer than it was made in; {why}."
                )
            if not makers:
                continue
            paths += targets
            for maker in makers:
                held = pulled.setdefault(maker, [])
                if not held or held[-1][0] != cleanup:
                    held.append((cleanup, []))
                held[-1][1].append(word)
            if not any(_touches(step, target) for step in before for target in targets):
                gone.setdefault(id(command), []).append(word)
    if not pulled:
        return refusal
    return _proposal(stage, run, members, pulled, gone, paths, model)


def _proposal(
    stage: Stage,
    run: Run,
    members: Sequence[Command],
    pulled: dict[int, list[tuple[Cleanup, list[Word | None]]]],
    gone: dict[int, list[Word | None]],
    paths: list[str],
    model: Model,
) -> Proposal | Refusal:
    whole, edits = [], []
    for command in members:
        words = gone.get(id(command), [])
        operands = [word for word in command.arguments if not word.text.startswith("-")]
        if words and (None in words or len(words) == len(operands)):
            whole.append(command)
        else:
            edits += [_without_word(command, word) for word in words if word is not None]
    comments: tuple[str, ...] = ()
    if whole:
        taken = without(model, run, whole)
        if isinstance(taken, str):
            return Refusal(NAME, run.span, f"The cleanup stays in a later layer: {taken}.")
        edits += taken[0]
        comments = taken[1]
    if any(PRAGMA.search(comment) for comment in comments):
        return Refusal(NAME, run.span, "The cleanup stays in a later layer: a comment that turns a check off stands above it.")
    last = max(pulled)
    for maker, cleanups in pulled.items():
        target = stage.instructions[maker]
        assert isinstance(target, Run)
        texts = [_text(cleanup, words) for cleanup, words in cleanups]
        kept = [comments if maker == last and not number else () for number in range(len(texts))]
        joined = join(model, (target,), [added(text, target, model, above) for text, above in zip(texts, kept, strict=True)])
        if isinstance(joined, str):
            return Refusal(NAME, run.span, f"The cleanup stays in a later layer: {joined}.")
        edits += joined
    shown = ", ".join(f"`{path}`" for path in dict.fromkeys(paths))
    line = model.dockerfile.source.position(run.span.start).line
    return Proposal(
        NAME,
        Fix(f"pull the cleanup of line {line} into the RUN that made the files", tuple(edits)),
        run.span,
        f"{shown} is deleted in a later layer than it was made in, so the image keeps the bytes.",
        f"the bytes of {shown}" + (" and a layer" if len(whole) == len(members) else ""),
    )


def _text(cleanup: Cleanup, words: list[Word | None]) -> str:
    command = cleanup.command
    if None in words:
        return " ".join(word.text for word in command.words)
    options = [word.text for word in command.arguments if word.text.startswith("-")]
    return " ".join([command.words[0].text, *options, *[word.text for word in words if word is not None]])


def _without_word(command: Command, word: Word) -> Edit:
    before = command.words[command.words.index(word) - 1]
    return Edit(Span(before.span.end, word.span.end), "")


def _cleanup(command: Command, run: Run, model: Model) -> Cleanup | None:
    if command.assignments or command.redirects or effective(command) is not command:
        return None
    call = invocation(command)
    if call is not None:
        if call.action != "clean" or any(word.value is None for word in command.words):
            return None
        (step,) = steps(_alone(command, run, model), where(model, run))
        paths = (
            (*step.effects.deletes, *call.facts.get("lists", ()))
            if call.manager in ("yum", "dnf", "zypper")
            else step.effects.deletes
        )
        return Cleanup(command, ((None, tuple(dict.fromkeys(paths))),), True) if paths else None
    if command.name != "rm":
        return None
    targets: list[tuple[Word | None, tuple[str, ...]]] = []
    for word in command.arguments:
        if word.text.startswith("-"):
            if not set(word.text[1:]) <= set("rRfv") and word.text not in ("--recursive", "--force"):
                return None
            continue
        pattern = word.pattern
        if pattern is None or not pattern.startswith("/") or "{" in pattern or ".." in pattern:
            return None
        path = "/" + "/".join(part for part in pattern.split("/") if part not in ("", "."))
        if path.count("/") == 1 and path.strip("/*") == "":
            return None
        targets.append((word, (path,)))
    forced = any(re.match(r"-[A-Za-z]*f|--force$", word.text) for word in command.arguments)
    return Cleanup(command, tuple(targets), forced) if targets else None


def _alone(command: Command, run: Run, model: Model) -> Script:
    (script,) = model.scripts(run)
    return replace(script, statements=(Statement(command.span, command, "", None),), comments=())


def _makers(
    stage: Stage, at: int, run: Run, targets: tuple[str, ...], before: list[Step], model: Model
) -> tuple[list[int], str | None]:
    """The RUNs that made what is deleted at `at` and can delete it themselves; if a maker cannot, why."""
    found: list[int] = []
    blocked: str | None = None
    state = model.state(run)
    if any(_needs(before, target) for target in targets):
        blocked = "the RUN itself needs it before"
    for index in range(at - 1, -1, -1):
        instruction = stage.instructions[index]
        line = model.dockerfile.source.position(instruction.span.start).line
        if isinstance(instruction, Run):
            mine = _steps(instruction, model)
            makes = mine is not None and any(_makes(mine, target) for target in targets)
            if makes and blocked is None:
                blocked = _cannot(instruction, targets, model)
                here = model.state(instruction)
                if blocked is None and (here.user != state.user or (here.user is None and here.user_from != state.user_from)):
                    blocked = f"the RUN in line {line} made it as another user"
                if blocked is None and here.shell != state.shell:
                    blocked = f"the RUN in line {line} made it under another shell"
            if makes:
                if blocked is not None:
                    return found, blocked
                found.append(index)
            if blocked is not None:
                continue
            if mine is None or any(_needs(mine, target) for target in targets):
                blocked = f"the RUN in line {line} may need it"
            elif not makes and any(_leaves(mine, target) for target in targets):
                blocked = f"the RUN in line {line} may change it"
        elif isinstance(instruction, Unknown | Volume) or (
            isinstance(instruction, Copy | Add) and any(_writes_to(instruction, target, model) for target in targets)
        ):
            blocked = blocked or f"line {line} may change it"
    return found, None


def _cannot(run: Run, targets: tuple[str, ...], model: Model) -> str | None:
    """Why a RUN cannot delete what it made."""
    line = model.dockerfile.source.position(run.span.start).line
    why = unjoinable(run, model)
    if why is not None:
        return f"the RUN in line {line} made it, and {why}"
    if any(_mounted(run, target) for target in targets):
        return f"it is in a mount of the RUN in line {line}"
    return None


def _steps(run: Run, model: Model) -> list[Step] | None:
    scripts = model.scripts(run)
    return list(steps(scripts[0], where(model, run))) if len(scripts) == 1 else None


def _surely_made(instruction: Instruction, targets: tuple[str, ...], model: Model) -> bool:
    """Whether a RUN surely makes exactly these paths."""
    found = _steps(instruction, model) if isinstance(instruction, Run) else None
    made = {path for step in found or () if step.sure for path in step.effects.bulk}
    return made.issuperset(targets)


def _mounted(run: Run, path: str) -> bool:
    return any(
        mount.target is None or overlaps(mount.target, path) for mount in mounts(run) if mount.type not in ("secret", "ssh")
    )


def _makes(found: list[Step], path: str) -> bool:
    """Whether a RUN leaves many bytes at a path."""
    made = False
    for step in found:
        if any(covers(deleted, path) for deleted in step.effects.deletes):
            made = False
        elif _writes_bytes(step, path):
            made = True
    return made


def _leaves(found: list[Step], path: str) -> bool:
    """Whether a RUN may leave something at a path."""
    left = False
    for step in found:
        if any(covers(deleted, path) for deleted in step.effects.deletes):
            left = False
        elif _touches(step, path):
            left = True
    return left


def _writes_bytes(step: Step, path: str) -> bool:
    manager = owner(path)
    if manager is not None:
        call = invocation(effective(step.command))
        if call is None or call.manager != manager:
            return False
        if manager == "apt" and path.startswith("/var/lib/apt/lists"):
            return call.action == "update"
        return call.action in ("update", "install", "upgrade", "locked")
    return any(overlaps(path, made) and made != "/" for made in step.effects.bulk)


def _needs(found: list[Step], path: str) -> bool:
    """Whether a RUN reads what it did not make itself."""
    for step in found:
        if step.sure and _writes_bytes(step, path):
            return False
        if _reads(step, path):
            return True
    return False


def _reads(step: Step, path: str) -> bool:
    manager = owner(path)
    if manager is None:
        return step.effects.may_read(path)
    call = invocation(effective(step.command))
    if call is not None:
        return call.manager == manager and call.action != "clean" and (manager in ("apt", "apk") or not path.startswith("/var"))
    groups = table("commands")["groups"]
    return step.effects.opaque or any(overlaps(path, read) for read in step.effects.reads if read not in groups["system"])


def _touches(step: Step, path: str) -> bool:
    """Whether a step may put something there."""
    if owner(path) is not None:
        return step.effects.opaque or _writes_bytes(step, path)
    return step.effects.may_write(path)


def _writes_to(instruction: Transfer, path: str, model: Model) -> bool:
    destination = model.expand(instruction.destination, instruction)
    if destination is None:
        return True
    if not destination.startswith("/"):
        workdir = model.state(instruction).workdir
        if workdir is None:
            return True
        destination = f"{workdir.rstrip('/')}/{destination}"
    destination = "/" + "/".join(part for part in destination.split("/") if part not in ("", "."))
    return ".." in destination or overlaps(destination, path)
