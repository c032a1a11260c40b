"""What a word means: quotes and escapes removed, variables expanded, as BuildKit does it (frontend/dockerfile/shell/lex.go)."""

from __future__ import annotations

import re

from dfkit._record import record
from dfkit.syntax import lalr
from dfkit.syntax.nodes import Word
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lookup = Callable[[str], str | None]


@record
class Variable:
    """A variable in a word: `$name`, or `${name…}` with an operator such as `:-` (else "")."""

    span: Span
    name: str
    operator: str


class BadWord(ValueError):
    """A word that BuildKit would refuse: an unclosed quote or brace, an operator it does not know, or `${x:?message}` unset."""


def is_plain(text: str, escape: str = "\\") -> bool:
    """Whether a word means exactly what is written."""
    return not ("$" in text or '"' in text or "'" in text or escape in text)


def expand(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """The value of a word. `lookup` gives a variable's value, or None where it is unset.

    Raises `BadWord`.

    >>> expand('"$a"/${b:-c}', {"a": "x y"}.get)
    'x y/c'
    """
    if is_plain(text, escape):
        return text
    return _value(_tree(text, escape)[3], text, lookup)


def variables(word: Word, escape: str = "\\") -> tuple[Variable, ...]:
    """The variables that a word names, in order, those inside `${x:-…}` after the outer one.

    A word that cannot be read names none.
    """
    if "$" not in word.text:
        return ()
    try:
        children = _tree(word.text, escape)[3]
    except BadWord:
        return ()
    mapped = word.mapped
    return tuple(
        [Variable(mapped.span(start, end), name, operator) for name, operator, start, end in _variables(children, word.text)]
    )


def _tree(text: str, escape: str) -> lalr.Tree:
    try:
        return lalr.parser("word", escape).parse("word", text)
    except lalr.Mismatch as mismatch:
        rest = text[mismatch.offset :]
        what = "a quote or brace is not closed" if not rest else f"`{rest}` does not fit here"
        raise BadWord(f"`{text}` cannot be expanded: {what}") from None


def _value(children: list[lalr.Tree], text: str, lookup: Lookup) -> str:
    out = []
    for child in children:
        kind, start, end, below = child
        if kind == "variable":
            out.append(lookup(_name(child, text)) or "")
        elif kind == "modified":
            out.append(_modified(child, text, lookup))
        elif kind in ("single", "double", "inner"):
            out.append(_value(below, text, lookup))
        elif kind.startswith("ESCAPED"):
            out.append(text[start + 1 : end])
        elif not (kind == "LITERAL" and end - start == 1 and end == len(text) and text[start] in "\\`"):
            out.append(text[start:end])
    return "".join(out)


def _name(tree: lalr.Tree, text: str) -> str:
    _, start, end, _ = tree[3][0]
    return text[start:end]


def _modified(tree: lalr.Tree, text: str, lookup: Lookup) -> str:
    _, (_, at, stop, _), (_, _, _, inner) = tree[3]
    name, operator = _name(tree, text), text[at:stop]
    value = lookup(name)
    word = _value(inner, text, lookup)
    unset = value is None or (operator.startswith(":") and not value)
    match operator.lstrip(":"):
        case "-":
            return word if unset else value or ""
        case "+":
            return "" if unset else word
        case "?":
            if unset:
                raise BadWord(f"{name}: {word or 'is not set'}")
            return value or ""
        case "#" | "##":
            match = re.match(_glob(word, greedy=operator == "##"), value or "", re.S)
            return (value or "")[match.end() if match else 0 :]
        case "%" | "%%":
            return _without_suffix(value or "", word, longest=operator == "%%")
        case _:
            pattern, _, replacement = word.partition("/")
            if not pattern or not value:
                return value or ""
            count = 0 if operator == "//" else 1
            return re.sub(_glob(pattern, greedy=True), lambda _: replacement, value, count=count, flags=re.S)


def _without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    regex = re.compile(_glob(pattern, greedy=True), re.S)
    starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
    for start in starts:
        if regex.fullmatch(value, start):
            return value[:start]
    return value


def _glob(pattern: str, *, greedy: bool) -> str:
    many = ".*" if greedy else ".*?"
    return "".join(many if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)


def _variables(children: list[lalr.Tree], text: str) -> Iterator[tuple[str, str, int, int]]:
    for kind, _, _, below in children:
        if kind in ("variable", "modified"):
            _, start, end, _ = below[0]
            braces = text[start - 1] == "{"
            operator, stop = "", end + braces
            if kind == "modified":
                _, at, after, _ = below[1]
                operator, stop = text[at:after], _closing(text, after)
            yield text[start:end], operator, start - 1 - braces, stop
        yield from _variables(below, text)


def _closing(text: str, at: int) -> int:
    """The offset after the brace that closes a `${name:-…` whose inner word starts at `at`."""
    depth = 1
    while at < len(text) and depth:
        if text.startswith("${", at):
            depth += 1
        elif text[at] == "}":
            depth -= 1
        at += 1
    return at
