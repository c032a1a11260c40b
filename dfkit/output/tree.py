"""A tree to read: a line for each part, with the place where it starts and ends.

2:1-2:22   RUN
2:5-2:17     flag "--mount=type=ssh"
2:18-2:22    shell form "make"

Lines and columns count from 1, the end is the last character. Comments stand where they are in the file.
"""

from __future__ import annotations

from dfkit.output.parts import keyword, last, parts, quoted, text
from dfkit.syntax.nodes import Comment, Directive, ExecForm, Heredoc, Instruction, ShellForm, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.syntax.nodes import Dockerfile, Node
    from dfkit.text import Source, Span


def render(dockerfile: Dockerfile) -> Iterator[str]:
    """The lines."""
    source = dockerfile.source
    directives = {directive.span for directive in dockerfile.directives}
    comments = [comment for comment in dockerfile.comments if comment.span not in directives]
    rows = [row for node in (*dockerfile.directives, *comments, *dockerfile.instructions) for row in _rows("", node, 0)]
    rows.sort(key=lambda row: row[0].start)  # a node stays before its parts
    places = [_place(source, span) for span, _ in rows]
    width = max(map(len, places), default=0)
    for place, (_, said) in zip(places, rows, strict=True):
        yield f"{place:{width}}  {said}"


def _rows(role: str, node: Node, depth: int) -> Iterator[tuple[Span, str]]:
    yield node.span, "  " * depth + _line(role, node)
    if text(node) is None or isinstance(node, Instruction):
        for name, part in parts(node):
            if name != "keyword":
                yield from _rows(name, part, depth + 1)


def _place(source: Source, span: Span) -> str:
    start, end = source.position(span.start), source.position(last(span))
    return f"{start.line}:{start.column}-{end.line}:{end.column}"


def _line(role: str, node: Node) -> str:
    match node:
        case Directive():
            return f"directive {node.name} {quoted(node.value)}"
        case Comment():
            return f"# {quoted(node.text)}"
        case Unknown():
            return f"{keyword(node)} (cannot be read) {quoted(node.text.text)}"
        case Instruction():
            return keyword(node)
        case ExecForm():
            return "exec form"
        case ShellForm():
            return f"shell form {quoted(node.text.text)}"
        case Heredoc():
            return f"{role} {node.name} {quoted(node.content)}"
    said = text(node)
    return role if said is None else f"{role} {quoted(said)}"
