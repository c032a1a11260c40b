"""Walks over scripts, and what a command runs in the end."""

from __future__ import annotations

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
    from collections.abc import Iterator

    from dfkit.shell.nodes import Element, Part


def commands(node: Script | Statement | Element) -> Iterator[Command]:
    """All simple commands in the order of the text: in subshells, conditions, functions, substitutions and nested scripts too.

    A command stands before those in its own substitutions and its nested script.
    """
    for found in walk(node):
        if isinstance(found, Command):
            yield found


def walk(node: Node | Part) -> Iterator[Node]:
    """A node and all nodes in it, outer before inner, in the order of the text."""
    stack: list[Node] = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(children(node))


def children(node: Node | Part) -> list[Node]:
    """The nodes directly in a node, in the order of the text, a command's nested script last."""
    found: list[Node]
    if isinstance(node, Script):
        return list(node.statements)
    if isinstance(node, Statement):
        return [node.element]
    if isinstance(node, AndOr | Pipeline):
        return list(node.elements)
    if isinstance(node, Command):
        found = sorted([*node.assignments, *node.words, *node.redirects], key=lambda child: child.span.start)
        return [*found, node.script] if node.script is not None else found
    if isinstance(node, Compound):
        return [*node.words, *node.bodies, *node.redirects]
    if isinstance(node, Substitution):
        return [node.script]
    if isinstance(node, Assignment):
        return [*([node.value] if node.value is not None else []), *node.items]
    found = []
    for name in ("patterns", "statements", "parts", "argument"):
        found += getattr(node, name, ())
    for name in ("target", "document"):
        child = getattr(node, name, None)
        if child is not None:
            found.append(child)
    return found


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
