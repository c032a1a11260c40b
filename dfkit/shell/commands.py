"""Walks over scripts, and what a command runs in the end."""

from __future__ import annotations

from dfkit._memo import remembered
from dfkit.shell.invoke import effective_index, literals
from dfkit.shell.nodes import (
    AndOr,
    Assignment,
    Command,
    Compound,
    Literal,
    Node,
    Pipeline,
    Script,
    Statement,
    Substitution,
    Word,
)
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from dfkit.shell.nodes import Element, Part


def commands(node: Script | Statement | Element) -> Iterator[Command]:
    """All simple commands in the order of the text: in subshells, conditions, functions, substitutions and nested scripts too.

    A command stands before those in its own substitutions and its nested script.
    """
    return iter(_commands(node))


@remembered
def _commands(node: Node) -> tuple[Command, ...]:
    found = []
    stack: list[Node] = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, Command):
            found.append(each)
        if not isinstance(each, Word) or each.value is None:
            stack += reversed(children(each))
    return tuple(found)


def walk(node: Node | Part) -> Iterator[Node]:
    """A node and all nodes in it, outer before inner, in the order of the text."""
    stack: list[Node] = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(children(node))


def children(node: Node | Part) -> list[Node]:
    """The nodes directly in a node, in the order of the text, a command's nested script last."""
    return _CHILDREN.get(type(node), _of_part)(node)


def _of_command(command: Command) -> list[Node]:
    found: list[Node] = list(command.words)
    if command.assignments or command.redirects:
        found = sorted([*command.assignments, *found, *command.redirects], key=lambda child: child.span.start)
    return [*found, command.script] if command.script is not None else found


def _of_part(node: Node) -> list[Node]:
    found: list[Node] = []
    for name in ("patterns", "statements", "parts", "argument"):
        found += getattr(node, name, ())
    for name in ("target", "document"):
        child = getattr(node, name, None)
        if child is not None:
            found.append(child)
    return found


_CHILDREN: dict[type, Callable[[Any], list[Node]]] = {
    Script: lambda script: list(script.statements),
    Statement: lambda statement: [statement.element],
    AndOr: lambda chain: list(chain.elements),
    Pipeline: lambda pipeline: list(pipeline.elements),
    Command: _of_command,
    Compound: lambda compound: [*compound.words, *compound.bodies, *compound.redirects],
    Substitution: lambda substitution: [substitution.script],
    Assignment: lambda assignment: [*([assignment.value] if assignment.value is not None else []), *assignment.items],
    Word: lambda word: list(word.parts),
    Literal: lambda _literal: [],
}


@remembered
def effective(command: Command) -> Command:
    """The command without prefixes that run it: `sudo -u x`, `env A=b`, `time`, `nice -n 5`, `exec`, `busybox` and the like.

    Spans stay; the command's begins at the program's name. Variables that `env` or `sudo` sets become assignments. Redirects and
    the nested script are kept. A command without prefix is returned as it is.
    """
    index = effective_index(literals(command.words))
    if index == 0:
        return command
    assignments = list(command.assignments)
    for word in command.words[1:index]:
        assignment = _assignment(word)
        if assignment is not None:
            assignments.append(assignment)
    words = command.words[index:]
    return Command(Span(words[0].span.start, command.span.end), tuple(assignments), words, command.redirects, command.script)


def _assignment(word: Word) -> Assignment | None:
    """`name=value` as a word of env."""
    first = word.parts[0] if word.parts else None
    if not isinstance(first, Literal) or "=" not in first.value or first.value.startswith("-"):
        return None
    name, _, rest = first.value.partition("=")
    start = word.span.end - len(word.text) + word.text.index("=") + 1
    if len(word.text) != word.span.end - word.span.start:
        start = first.span.end - len(rest)
    span = Span(start, word.span.end)
    parts = (*([Literal(Span(start, first.span.end), rest, first.quoted)] if rest else []), *word.parts[1:])
    value = None if word.value is None else word.value.partition("=")[2]
    return Assignment(word.span, name, "=", Word(span, word.text.partition("=")[2], parts, value))
