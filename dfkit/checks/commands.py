"""Commands in scripts: those that should not stand there, and how they are put together."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.checks.edits import insert_word
from dfkit.model import Stage
from dfkit.shell import Command, Pipeline, Script, Substitution, commands, effective, walk
from dfkit.syntax.nodes import Run
from dfkit.text import INFO, STYLE, Note, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.shell import Node

_CANNOT_FAIL = frozenset(("echo", "printf", "yes", "true", "date", "uname", "whoami", "id", "hostname", "nproc", "arch"))
_FETCHES = frozenset(("curl", "wget"))
_NETWORK = _FETCHES | {"git", "aria2c"}
_INTERPRETERS = frozenset(("sh", "bash", "ash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "php"))
_EVALUATES = frozenset((*_INTERPRETERS, "eval", "source", "."))


@check(Command, program="programs")
def forbidden(node: Command, at: Place, *, programs: tuple[Words, ...]) -> Iterator[Finding]:
    """A RUN runs one of these programs."""
    if not isinstance(at.instruction, Run):
        return
    for command in (node, effective(node)):
        if (command.name,) in programs:
            word = command.words[0]
            yield Finding(word.span)
            return


@check(Command, program="program")
def has_argument(node: Command, at: Place, *, program: str, argument: str) -> Iterator[Finding]:
    """A RUN runs a program with a word that fulfils a regular expression; the first such word is marked."""
    if not isinstance(at.instruction, Run):
        return
    for word in effective(node).arguments:
        if regex(argument).fullmatch(word.value or word.text):
            yield Finding(word.span)
            return


@check(Command, program="program")
def lacks_flag(
    node: Command, at: Place, *, program: str, any_of: Words, insert: str | None = None, beside: str | None = None
) -> Iterator[Finding]:
    """A program is run in a RUN without one of these options; `insert` is what the fix puts after its name.

    `beside` is a regular expression: only commands with a word that fulfils it are judged, or two words with a blank between.
    """
    if not isinstance(at.instruction, Run):
        return
    command = effective(node)
    words = [word.value or word.text for word in command.arguments]
    if beside is not None:
        from itertools import pairwise

        if not any(regex(beside).fullmatch(text) for text in (*words, *map(" ".join, pairwise(words)))):
            return
    if not any(_is_option(word, option) for word in words for option in any_of):
        edits = (insert_word(command.words[0], insert, at),) if insert is not None else ()
        yield Finding(command.words[0].span, edits=edits)


def _is_option(word: str, option: str) -> bool:
    """Whether a word is an option, with or without a value, or a group of short options that has it (`-qO-` has `-q`)."""
    if word == option or word.startswith(f"{option}="):
        return True
    return len(option) == 2 and word[:1] == "-" != word[1:2] and option[1] in (regex(r"[A-Za-z]*").match(word[1:]) or "")[0]


@check(Stage)
def both(node: Stage, at: Place, *, programs: Words) -> Iterator[Finding]:
    """A stage runs two programs that do the same. The first command where both are known is marked."""
    seen: dict[str, Command] = {}
    for instruction in node.instructions:
        used: list[Command] = []
        for script in at.model.scripts(instruction) if isinstance(instruction, Run) else ():
            for command in commands(script):
                command = effective(command)
                if command.name in programs:
                    used.append(command)
        for command in used:
            seen.setdefault(command.name or "", command)
        if len(seen) > 1 and used:
            shown = next((each for each in used if each.name != next(iter(seen))), used[0])
            other = next(each for each in seen.values() if each.name != shown.name)
            yield Finding(shown.words[0].span, notes=(Note(other.words[0].span, "the other one"),))
            return


@check(Command, program="program")
def relinks(node: Command, at: Place, *, program: str, paths: Words) -> Iterator[Finding]:
    """A RUN puts a link to something else at one of these paths."""
    words = effective(node).arguments
    if isinstance(at.instruction, Run) and words and words[-1].value in paths:
        yield Finding(words[-1].span)


@check(Script)
def changes_folder(node: Script, at: Place) -> Iterator[Finding]:
    """A RUN changes its folder with `cd`. As the last command that changes nothing at all; elsewhere it is a matter of taste."""
    if not isinstance(at.instruction, Run) or "cd" not in node.text.text:
        return
    found = list(commands(node))
    for command in found:
        if command.name != "cd":
            continue
        target = f"`{command.arguments[0].text}`" if command.arguments else "the folder"
        if command is found[-1]:
            yield Finding(
                command.span, f"this `cd` ends with its RUN: the next instruction starts in WORKDIR again; use WORKDIR {target}"
            )
        else:
            yield Finding(command.span, severity=INFO)
        return


@check(Script)
def pipe_hides_failure(node: Script, at: Place) -> Iterator[Finding]:
    """A pipe in a RUN without `pipefail`: if its left side fails, the build goes on.

    The first pipe whose left side is likely to fail is marked, else the first one. Options that the shell was started with and a
    `set` before the pipe count.
    """
    if not isinstance(at.instruction, Run) or node.dialect == "exec" or "|" not in node.text.text:
        return
    if "pipefail" in node.options:
        return
    found: list[tuple[int, Pipeline]] = []
    guarded = [each.script.span for each in commands(node) if each.script and "pipefail" in each.script.options]
    for each in walk(node):
        if isinstance(each, Command) and each.name == "set" and any(word.text == "pipefail" for word in each.arguments):
            return
        if isinstance(each, Pipeline) and len(each.elements) > 1 and not any(span.covers(each.span) for span in guarded):
            found.append((_risk(each), each))
    if not found:
        return
    risk, pipeline = max(found, key=lambda pair: pair[0])
    text = at.model.dockerfile.source.text
    left, right = pipeline.elements[0], pipeline.elements[1]
    bar = text.find("|", left.span.end, right.span.start)
    span = Span(bar, bar + len(pipeline.operators[0])) if bar >= 0 else Span(left.span.end, right.span.start)
    yield Finding(span, severity=(STYLE, INFO, None)[risk])


def _risk(pipeline: Pipeline) -> int:
    """How likely the left side is to fail: 0 not, 1 perhaps, 2 it downloads."""
    risk = 0
    for element in pipeline.elements[:-1]:
        names = [effective(each).name for each in commands(element)]
        if any(name in _NETWORK for name in names):
            return 2
        if not all(name in _CANNOT_FAIL for name in names):
            risk = 1
    return risk


@check(Script)
def runs_download(node: Script, at: Place) -> Iterator[Finding]:
    """What a download gives is run unseen: `curl … | sh`, `sh -c "$(curl …)"`, `bash <(curl …)`. The interpreter is marked."""
    if not isinstance(at.instruction, Run) or not any(name in node.text.text for name in _FETCHES):
        return
    for each in walk(node):
        if isinstance(each, Pipeline):
            yield from _piped(each)
        elif isinstance(each, Command):
            command = effective(each)
            parts = (part for word in command.arguments for part in walk(word))
            if command.name in _EVALUATES and any(isinstance(part, Substitution) and _downloads(part.script) for part in parts):
                yield Finding(command.words[0].span)


def _piped(pipeline: Pipeline) -> Iterator[Finding]:
    downloads = False
    for element in pipeline.elements:
        if isinstance(element, Command):
            command = effective(element)
            if downloads and command.name in _INTERPRETERS and not _has_program(command):
                yield Finding(command.words[0].span)
                return
        downloads = downloads or _downloads(element)


def _has_program(command: Command) -> bool:
    """Whether an interpreter is given its program as a word, so that what is piped to it is only data."""
    if command.name in ("python", "python3", "perl", "ruby", "node", "php"):
        return bool(command.arguments) and command.arguments[0].text != "-"
    return command.script is not None and not command.script.opaque


def _downloads(node: Node) -> bool:
    return any(isinstance(each, Command) and effective(each).name in _FETCHES for each in walk(node))
