"""What a tree's formatters share: the parts of a node in the order of the text, their names, and quoting."""

from __future__ import annotations

from dfkit.syntax.nodes import Comment, Flag, Heredoc, Instruction, Item, Node, OnBuild, ShellForm, Unknown, Word
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLES = {
    "as_keyword": "as",
    "flags": "flag",
    "heredocs": "heredoc",
    "items": "item",
    "pairs": "pair",
    "sources": "source",
    "words": "word",
}


def parts(node: Node) -> list[tuple[str, Node]]:
    """The nodes that a node is made of, each with its role (`flag`, `image`, `source` …), in the order of the text.

    The comments above an instruction are not its parts, and the heredocs of an ONBUILD are those of the instruction it holds.
    """
    found = [
        (_ROLES.get(name, name), each)
        for name, each in _children(node)
        if not isinstance(each, Comment) and not (isinstance(node, OnBuild) and name == "heredocs")
    ]
    return sorted(found, key=lambda part: (part[1].span.start, part[1].span.end))


def text(node: Node) -> str | None:
    """What a node without further parts says: logical text, a string of an exec form decoded; None for one with parts."""
    match node:
        case Word() | Comment():
            return node.text
        case ShellForm() | Unknown():
            return node.text.text
        case Flag():
            return flag_text(node)
        case Item():
            return node.value
        case Heredoc():
            return node.content
    return None


def flag_text(flag: Flag) -> str:
    """A flag without quotes and escapes, as BuildKit keeps it."""
    return f"--{flag.name}" if flag.value is None else f"--{flag.name}={flag.value}"


def keyword(instruction: Instruction) -> str:
    """An instruction's keyword in capitals, also of one that does not exist or cannot be read."""
    return instruction.name or instruction.keyword.text.upper()


def last(span: Span) -> int:
    """The offset of a span's last character, or where it stands if it is empty."""
    return max(span.start, span.end - 1)


def quoted(text: str) -> str:
    r"""A text in double quotes as Go's strconv.Quote writes it; bytes that are not UTF-8 are `\xff`.

    >>> print(quoted('say "é"\n'))
    "say \"é\"\n"
    """
    return '"' + "".join([_ESCAPES.get(char) or (char if char.isprintable() else _escaped(char)) for char in text]) + '"'


_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    for name in node._fields:
        value = getattr(node, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Node):
                yield name, each
