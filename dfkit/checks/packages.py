"""Calls of package managers in RUN: what they ask for, which options they lack, what they leave behind."""

from __future__ import annotations

import posixpath

from dfkit._memo import remembered
from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.checks.edits import insert_word, run_after
from dfkit.model.effects import overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import Invocation, invocation
from dfkit.shell import Command, Script, Substitution, commands, effective, walk
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Cmd, Entrypoint, Instruction, Run
from dfkit.text import STYLE, UNSAFE, Note, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from dfkit.checks.binding import Place
    from dfkit.model import Model, Stage
    from dfkit.shell import Word
    from dfkit.text.edit import Applicability

_FETCH = ("install", "locked", "upgrade")
_HANDS_ON = frozenset(("sh", "bash", "ash", "dash", "zsh", "eval", "source", ".", "xargs", "make", "ansible-playbook"))
"""Programs that may call a package manager out of sight."""


def _mentions(script: Script, managers: Words) -> bool:
    """Whether a program of these managers stands somewhere in a script: much faster than reading its commands."""
    return not _mentioned(script).isdisjoint(managers)


@remembered
def _mentioned(script: Script) -> frozenset[str]:
    text = script.text.text
    return frozenset(
        [manager for manager, facts in table("packages").items() if any(program in text for program in facts["programs"])]
    )


def _asked(call: Invocation) -> Span:
    """The program and the words that ask for the action: `apt-get install`."""
    last = call.verb or call.command.words[0]
    return Span(call.command.words[0].span.start, last.span.end)


def _is_builder(at: Place) -> bool:
    """Whether the layers of the stage are thrown away."""
    return at.stage is not None and not at.model.is_shipped(at.stage)


# --- options


@check(Invocation, manager="manager")
def lacks_option(
    node: Invocation,
    at: Place,
    *,
    manager: str,
    any_of: Words,
    insert: str | None = None,
    actions: Words = ("install",),
    settings: Words = (),
    variables: Words = (),
    caches: Words = (),
    builders: Literal["same", "softer", "silent"] = "same",
) -> Iterator[Finding]:
    """A call of the manager for one of these actions lacks an option; `insert` is what the fix puts after the action.

    Silent where the manager is told otherwise: by the name of a setting in its words or in an earlier RUN (`settings`), by a
    variable of the environment that is not off (`variables`), or because all of `caches` is mounted. `builders` says what holds
    in stages whose layers are not shipped; softer findings there have no fix.
    """
    if node.action not in actions or node.has(*any_of):
        return
    if any(name.lower() in word.text.lower() for name in settings for word in node.command.words):
        return
    if settings and _written_before(at, settings):
        return
    if any(_is_set(name, node.command, at) for name in variables):
        return
    if caches and all(is_mounted(path, at.instruction, at.model) for path in caches):
        return
    soft = builders != "same" and _is_builder(at)
    edits = (insert_word(node.verb, insert, at),) if insert and node.verb is not None and not soft else ()
    if not soft or builders == "softer":
        yield Finding(_asked(node), edits=edits, severity=STYLE if soft else None)


def _written_before(at: Place, names: Words) -> bool:
    """Whether an earlier command or COPY heredoc of the lineage names a setting, as when it writes a configuration file."""
    if not any(name in at.model.dockerfile.source.text for name in names):
        return False
    for stage in at.stage.lineage if at.stage else ():
        for instruction in stage.instructions:
            if instruction is at.instruction:
                break
            text = at.model.dockerfile.source.slice(instruction.span)
            if any(name in text for name in names):
                return True
    return False


def _is_set(name: str, command: Command, at: Place) -> bool:
    """Whether a variable is set to something else than an off value: by ENV or ARG, before the command, or by an `export`."""
    binding = at.model.scope(at.instruction).binding(name) if at.instruction else None
    if binding is not None and (binding.value or "").lower() not in ("", "0", "off", "false", "no"):
        return True
    if any(each.name == name for each in command.assignments):
        return True
    return at.script is not None and any(
        word.text.startswith(f"{name}=") for each in commands(at.script) if each.name == "export" for word in each.arguments
    )


def is_mounted(path: str, instruction: Instruction | None, model: Model) -> bool:
    """Whether what a RUN writes at a path (`~` is the user's home) goes to a mount and not into the layer."""
    if instruction is None:
        return False
    home = where(model, instruction).home
    for mount in mounts(instruction):
        target = model.scope(instruction).expand(mount.target or "")
        if mount.type not in ("cache", "tmpfs", "bind") or not target:
            continue
        target = posixpath.normpath(target)
        if path.startswith("~") and home is None:
            if target.endswith(path[1:]):
                return True
            continue
        full = path.replace("~", home or "", 1) if path.startswith("~") else path
        if full == target or full.startswith(target.rstrip("/") + "/"):
            return True
    return False


# --- packages


@check(Invocation, manager="managers")
def unpinned(node: Invocation, _at: Place, *, managers: Words, pinned: str, version_options: Words = ()) -> Iterator[Finding]:
    """A package is installed in whatever version there is on that day.

    `pinned` is a regular expression that a word fulfils if it says a version or names a file; with one of `version_options` the
    versions come from there. Words that are a variable alone are not judged where others can be; groups have no versions.
    """
    if node.action != "install" or (version_options and node.has(*version_options)) or _verb(node).startswith("group"):
        return
    loose = [word for word in node.packages if not regex(pinned).search(_written(word))]
    known = [word for word in loose if not _is_variable(word)]
    if not loose:
        return
    shown = known or loose
    more = len(shown) - 1
    name = shown[0].value or shown[0].text
    if known:
        message = f"`{name}`" + (f" and {more} more have" if more else " has") + " no version: a rebuild may install another one"
    else:
        message = f"the versions of `{name}` cannot be seen here: a rebuild may install other ones"
    yield Finding(shown[0].span, message, severity=None if known else STYLE)


def _written(word: Word) -> str:
    """A word's value, or its text; of one with a `$(…)`, whose text is not the word's, what stands before."""
    if any(isinstance(part, Substitution) for part in walk(word)):
        return word.prefix
    return word.value or word.text


def _is_variable(word: Word) -> bool:
    return word.value is None and word.text.lstrip("\"'").startswith(("$", "`"))


@check(Invocation, manager="managers")
def asks_for(node: Invocation, _at: Place, *, managers: Words, action: str, verbs: Words = ()) -> Iterator[Finding]:
    """A package manager is asked for an action, if `verbs` are given only by one of these words."""
    if node.action == action and (not verbs or (node.verb is not None and node.verb.value in verbs)):
        yield Finding(_asked(node))


@check(Script)
def update_alone(node: Script, at: Place, *, manager: str) -> Iterator[Finding]:
    """Package lists are fetched, and nothing in the same RUN uses them.

    Silent where a script or program that cannot be seen into comes after.
    """
    if not isinstance(at.instruction, Run) or at.stage is None or not _mentions(node, (manager,)):
        return
    update: Invocation | None = None
    for command in commands(node):
        command = effective(command)
        call = invocation(command)
        if call is not None and call.manager == manager:
            if call.action == "update":
                update = call
            elif call.action != "clean":
                update = None
        elif update is not None and _hands_on(command):
            update = None
    if update is None:
        return
    notes = []
    for instruction in at.stage.instructions:
        if instruction.span.start > at.instruction.span.start and isinstance(instruction, Run):
            user = _uses_lists(instruction, at.model, manager)
            if user is not None:
                notes.append(Note(user, "this installs from the lists that were fetched when the earlier step last ran"))
                break
    yield Finding(_asked(update), notes=tuple(notes))


def _hands_on(command: Command) -> bool:
    """Whether a command may run a package manager that is not seen."""
    if not command.words:
        return False
    text = command.words[0].text
    return command.name is None or command.name in _HANDS_ON or "/" in text or text.endswith(".sh")


def _hides_calls(script: Script) -> bool:
    return script.opaque or any(_hands_on(effective(command)) for command in commands(script))


def _uses_lists(instruction: Instruction, model: Model, manager: str) -> Span | None:
    """The first call that installs without an update before it in its own script."""
    for script in model.scripts(instruction):
        for command in commands(script):
            call = invocation(effective(command))
            if call is None or call.manager != manager:
                continue
            if call.action == "update":
                break
            if call.action in _FETCH or call.action == "":
                return _asked(call)
    return None


# --- what stays in the layer


@check(Script)
def left_behind(
    node: Script,
    at: Place,
    *,
    manager: str,
    after: Words,
    paths: Words,
    clean: str,
    clean_verbs: Words = (),
    unless_options: Words = (),
    needed_later: bool = False,
    builders: Literal["same", "softer", "silent"] = "softer",
) -> Iterator[Finding]:
    """A manager's action (one of `after`) leaves files in `paths` that the same layer does not remove.

    `clean` is the command that the fix appends (`{program}` is the one that was called), `clean_verbs` are the manager's words
    for cleaning. `needed_later`: later installs may need the files, so the fix is left out where one is seen, and unsafe where
    one may hide. Silent where one of the paths is mounted. `builders` is as for `lacks_option`.
    """
    if not isinstance(at.instruction, Run) or at.stage is None or not _mentions(node, (manager,)):
        return
    soft = builders != "same" and _is_builder(at)
    if (soft and builders == "silent") or not any(_is(command, manager, after) for command in commands(node)):
        return
    if any(is_mounted(path, at.instruction, at.model) for path in paths):
        return
    start = where(at.model, at.instruction)
    home = start.home or "/root"
    places = [path.replace("~", home, 1) for path in paths]
    found: Invocation | None = None
    last: Command | None = None
    for step in steps(node, start):
        call = invocation(effective(step.command))
        if call is not None and call.manager == manager:
            if call.action in after and not (unless_options and call.has(*unless_options)):
                found, last = found or call, step.command
            elif call.action in _FETCH:
                last = step.command
            elif call.action == "clean" and call.verb is not None and _verb(call) in clean_verbs:
                found = None
        if any(overlaps(deleted, f"{place}/*") for deleted in step.effects.deletes for place in places):
            found = None
    if found is None:
        return
    text = clean.replace("{program}", found.command.name or manager)
    if last is not None and last.name == "sudo":
        text = f"sudo {text}"
    edits = run_after(last, text, at) if last is not None and not soft else ()
    trust: Applicability | None = None
    notes: tuple[Note, ...] = ()
    if edits and needed_later:
        for instruction in _later(at):
            user = _uses_lists(instruction, at.model, manager)
            if user is not None:
                edits, notes = (), (Note(user, "this needs them: give it an update of its own first"),)
                break
            if any(_hides_calls(script) for script in at.model.scripts(instruction)):
                trust = UNSAFE
    yield Finding(_asked(found), edits=edits, notes=notes, applicability=trust, severity=STYLE if soft else None)


def _is(command: Command, manager: str, actions: Words) -> bool:
    call = invocation(effective(command))
    return call is not None and call.manager == manager and call.action in actions


def _verb(call: Invocation) -> str:
    """The words of the action, such as `cache clean`."""
    words = []
    for word in call.command.arguments:
        if not word.text.startswith("-"):
            words.append(word.value or "")
        if word is call.verb:
            break
    return " ".join(words)


def _later(at: Place) -> Iterator[Instruction]:
    """What runs after an instruction in its stage and in the stages that are built on it."""
    stage: Stage | None = at.stage
    if stage is None or at.instruction is None:
        return
    for each in at.model.stages[stage.index :]:
        if any(one is stage for one in each.lineage):
            for instruction in each.instructions:
                if instruction.span.start > at.instruction.span.start and isinstance(instruction, Run | Cmd | Entrypoint):
                    yield instruction
