"""Commands as hadolint sees them, and rules that ask which words one has.

It knows a program by its bare name as the first word of a command, not behind `sudo` and the like, and looks into no script that a
command runs. Most of its rules ask whether some word is there, wherever it stands.
"""

from __future__ import annotations

from itertools import pairwise

from dfkit._memo import remembered
from dfkit._record import Record
from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.checks.layers import neighbours
from dfkit.model import Stage
from dfkit.shell import Pipeline, Script, commands, walk
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import ExecForm, Run, Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.shell import Command
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Span

_GROUP = regex(r"-[^-].*")
_THROUGH = ("command", "builtin", "run", "busybox")
"""Words that are no program's name but stand before one."""
_EXEC = regex(r"-(?:[cl]*(a)|[cl]*a.+|[cl]+)")
"""Options of `exec`, as ShellCheck knows them: `-a` takes the rest of its word, or the next one."""


class Call(Record):
    """A command as hadolint sees it: its words without quotes."""

    command: Command
    name: str
    words: tuple[str, ...]
    """Those after the first, which is another than the name behind `exec`, `command` and the like."""

    @property
    def span(self) -> Span:
        """The place of the program's name."""
        return self.command.words[0].span

    def has(self, options: Words) -> bool:
        """Whether it has one of some options: `--yes` also as `--yes=…`, `-y` also in a group such as `-qy`."""
        return any(_is_option(word, option) for word in self.words for option in options)

    def count(self, options: Words) -> int:
        """How often some options are given; in a group each letter counts."""
        letters = [option[1] for option in options if len(option) == 2]
        groups = [word[1:] for word in self.words if _GROUP.fullmatch(word)]
        long = sum(word.startswith("--") and word in options for word in self.words)
        return long + sum(group.count(letter) for group in groups for letter in letters)

    def plain(self, valued: Words = ()) -> tuple[str, ...]:
        """The words that are no options, nor the one behind an option in `valued`, also in a group; `--` is a word."""
        found = []
        letters = {option[1] for option in valued if len(option) == 2}
        rest = iter(self.words)
        for word in rest:
            if word in valued or (_GROUP.fullmatch(word) and "=" not in word and not letters.isdisjoint(word)):
                next(rest, None)
            elif word == "--" or not word.startswith("-"):
                found.append(word)
        return tuple(found)


def _is_option(word: str, option: str) -> bool:
    if option.startswith("--"):
        return word.partition("=")[0] == option
    if len(option) == 2:
        return _GROUP.fullmatch(word) is not None and option[1] in word[1:]
    return word == option


@remembered
def calls(script: Script) -> tuple[Call, ...]:
    """The commands of a script but those of scripts that they run. `time` and the command behind it are two, `[ … ]` is none."""
    found = []
    inner: list[Span] = []
    for command in commands(script):
        if not command.words or any(span.covers(command.span) for span in inner):
            continue
        if command.script is not None:
            inner.append(command.script.span)
        if command.words[0].value in ("[", "[["):
            continue
        words = [command.words[0].value or "", *[plain_text(word.value, word.text) for word in command.arguments]]
        if words[0] == "coproc" and len(words) > 1:
            del words[0]
        if words[0] == "time" and len(words) > 1:
            found.append(Call(command, "time", ()))
            while len(words) > 1 and words[0] in ("time", "-p", "--", "!"):
                del words[0]
        found.append(Call(command, _program(words), tuple(words[1:])))
    return tuple(found)


def _program(words: list[str]) -> str:
    """The program that a command runs: `exec`, `command` and the like run the first word behind them that is no option of theirs."""
    first, rest = words[0], words[1:]
    if first in _THROUGH and rest and not rest[0].startswith("-"):
        return rest[0]
    if first == "exec":
        while rest and rest[0] != "--" and (option := _EXEC.fullmatch(rest[0])):
            rest = rest[2 if option[1] else 1 :]
        rest = rest[1:] if rest[:1] == ["--"] else rest
        return rest[0] if rest and not rest[0].startswith("-") else first
    return first


@remembered
def _names(script: Script) -> frozenset[str]:
    return frozenset([call.name for call in calls(script)])


def plain_text(value: str | None, text: str) -> str:
    """A word's value, or its text without quotes where it is not known."""
    return value if value is not None else text.replace('"', "").replace("'", "")


def named(node: Script, at: Place, programs: Words) -> Iterator[Call]:
    """The calls of some programs in a RUN; `pip*` stands for names that begin so."""
    if isinstance(at.instruction, Run):
        starts = tuple([program[:-1] for program in programs if program.endswith("*")])
        names = {name for name in _names(node) if name in programs or name.startswith(starts)}
        for call in calls(node) if names else ():
            if call.name in names:
                yield call


@check(Script)
def runs(node: Script, at: Place, *, programs: Words, words: Words = (), triggers: bool = True) -> Iterator[Finding]:
    """A RUN calls one of these programs, with one of these words if there are any; `triggers`: also in ONBUILD."""
    if at.instruction is not None and at.model.is_trigger(at.instruction) and not triggers:
        return
    for call in named(node, at, programs):
        if not words or any(word in call.words for word in words):
            yield Finding(call.span)
            return


@check(Script)
def lacks(
    node: Script,
    at: Place,
    *,
    programs: Words,
    words: Words = (),
    any_of: Words = (),
    twice: Words = (),
    exact: Words = (),
    beside: str = "",
    mounted: str = "",
) -> Iterator[Finding]:
    """A call with one of these words has none of the options `any_of`, not two of those in `twice`, and no word of `exact`.

    `beside` is a regular expression for what a word or two words with a blank between them must be, `mounted` one for the target of
    a cache or tmpfs mount that is as good as an option.
    """
    for call in named(node, at, programs):
        if words and not any(word in call.words for word in words):
            continue
        if beside and not any(regex(beside).fullmatch(each) for each in (*call.words, *_pairs(call.words))):
            continue
        if call.has(any_of) or (twice and call.count(twice) == 2) or any(word in call.words for word in exact):
            continue
        if not (mounted and is_mounted(at.instruction, mounted)):
            yield Finding(call.span)
            return


def _pairs(words: tuple[str, ...]) -> Iterator[str]:
    return map(" ".join, pairwise(words))


def is_mounted(instruction: Instruction | None, pattern: str) -> bool:
    """Whether a cache or tmpfs is mounted on a path that a regular expression fits."""
    return instruction is not None and any(
        mount.type in ("cache", "tmpfs") and regex(pattern).fullmatch((mount.target or "").rstrip("/")) is not None
        for mount in mounts(instruction)
    )


@check(Stage)
def both(node: Stage, at: Place, *, programs: Words) -> Iterator[Finding]:
    """A stage runs two of these programs: each RUN with one of them is marked, from the one on where both are known."""
    seen: set[str] = set()
    for instruction in node.instructions:
        if not isinstance(instruction, Run):
            continue
        used = [call for script in at.model.scripts(instruction) for call in calls(script) if call.name in programs]
        seen.update(call.name for call in used)
        if len(seen) > 1 and used:
            yield Finding(used[0].span)


_PIPEFAIL_SHELLS = ("/bin/bash", "/bin/zsh", "/bin/ash", "bash", "zsh", "ash")
_OTHER_SHELLS = ("pwsh", "pwsh.exe", "powershell", "powershell.exe", "cmd", "cmd.exe")


@check(Stage)
def pipe_hides_failure(node: Stage, at: Place) -> Iterator[Finding]:
    """A pipe in a RUN without a SHELL of the stage that has `pipefail`."""
    is_safe = False
    for instruction in node.instructions:
        if isinstance(instruction, Shell):
            is_safe = _has_pipefail(_shell_words(instruction))
        elif isinstance(instruction, Run) and not is_safe and _has_pipe(instruction, at):
            yield Finding(instruction.keyword.span)


def _shell_words(shell: Shell) -> tuple[str, ...]:
    return shell.form.values if isinstance(shell.form, ExecForm) else tuple(shell.form.text.text.split())


def _has_pipefail(words: tuple[str, ...]) -> bool:
    if words[:1] and words[0] in _OTHER_SHELLS:
        return True
    options = " ".join(words[1:]).split()
    asks = any(option.startswith("-") and "o" in option for option in options) and "pipefail" in options
    return asks and words[0] in _PIPEFAIL_SHELLS


def _has_pipe(instruction: Run, at: Place) -> bool:
    for script in at.model.scripts(instruction):
        inner = [each.script.span for each in commands(script) if each.script is not None]
        for found in walk(script):
            if isinstance(found, Pipeline) and len(found.elements) > 1 and not any(span.covers(found.span) for span in inner):
                return True
    return False


# --- layers


@check(Stage)
def consecutive_runs(node: Stage, at: Place) -> Iterator[Finding]:
    """A RUN of at most one command follows another with the same options."""
    for before, run in neighbours(node):
        if _commands(before, at) < 2 and _commands(run, at) < 2:
            yield Finding(run.keyword.span)


def _commands(run: Run, at: Place) -> int:
    return sum(len(calls(script)) for script in at.model.scripts(run))
