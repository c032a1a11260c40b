"""Commands in scripts: those that should not stand there, and how they are put together."""

from __future__ import annotations

from dfkit.checks.binding import Finding, Words, check
from dfkit.shell import Command, Pipeline, Script, Substitution, commands, effective, walk
from dfkit.syntax.nodes import Run
from dfkit.text import INFO, STYLE, Span

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
def forbidden(node: Command, at: Place, *, programs: Words) -> Iterator[Finding]:
    """A RUN runs one of these programs."""
    if not isinstance(at.instruction, Run):
        return
    for command in (node, effective(node)):
        if command.name in programs:
            word = command.words[0]
            yield Finding(word.span)
            return


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
