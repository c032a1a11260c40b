"""What a word means: quotes and escapes removed, variables expanded, as BuildKit does it (frontend/dockerfile/shell/lex.go)."""

from __future__ import annotations

from dfkit._record import Record
from dfkit.syntax import lalr
from dfkit.syntax.nodes import Word
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Lookup = Callable[[str], str | None]
    Rope = str | list["Rope"]
    """A text in parts: nested values are put together once, at the end."""


class Variable(Record):
    """A variable in a word: `$name`, or `${name…}` with an operator such as `:-` (else "")."""

    span: Span
    name: str
    operator: str


class BadWord(ValueError):
    """A word that BuildKit would refuse: an unclosed quote or brace, an operator it does not know, or `${x:?message}` unset."""


def is_plain(text: str, escape: str = "\\") -> bool:
    """Whether a word means exactly what is written."""
    return not ("$" in text or '"' in text or "'" in text or escape in text)


LONGEST_REPLACED = 1 << 20
"""The most characters that replacements (`${a//b/c}`) may give one word: each may multiply a value by the length of another."""


def expand(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """The value of a word. `lookup` gives a variable's value, or None where it is unset.

    Raises `BadWord`.

    >>> expand('"$a"/${b:-c}', {"a": "x y"}.get)
    'x y/c'
    """
    if is_plain(text, escape):
        return text
    values: list[Any] = []
    firsts: list[int] = []
    left = LONGEST_REPLACED
    for kind, start, end, first in _parse(text, escape):
        count = len(firsts)
        while count and firsts[count - 1] >= first:
            count -= 1
        below = values[count:]
        del values[count:], firsts[count:]
        firsts.append(first)
        match kind:
            case "variable":
                values.append(lookup(below[1]) or "")
            case "modified":
                _, name, operator, inner, _ = below
                values.append(_modified(name, operator, inner, lookup, left))
                if operator.startswith("/"):
                    left -= len(values[-1])
            case "single" | "double":
                values.append(below[1:-1])
            case "word" | "inner":
                values.append(below)
            case "ESCAPED" | "ESCAPED_QUOTED":
                values.append(text[start + 1 : end])
            case "LITERAL" if text[start:end] == escape:
                values.append("")
            case _:
                values.append(text[start:end])
    return _joined(values)


def variables(word: Word, escape: str = "\\") -> tuple[Variable, ...]:
    """The variables that a word names, in order, those inside `${x:-…}` after the outer one.

    A word that cannot be read names none.
    """
    text = word.text
    if "$" not in text:
        return ()
    try:
        nodes = _parse(text, escape)
    except BadWord:
        return ()
    mapped = word.mapped
    found = []
    begun: list[tuple[str, str]] = []
    for kind, start, end, _ in nodes:
        if kind == "NAME":
            begun.append((text[start:end], ""))
        elif kind == "OPERATOR":
            begun[-1] = (begun[-1][0], text[start:end])
        elif kind in ("variable", "modified"):
            found.append((start, end, *begun.pop()))
    return tuple([Variable(mapped.span(start, end), name, operator) for start, end, name, operator in sorted(found)])


def _parse(text: str, escape: str) -> list[lalr.Node]:
    try:
        return lalr.parser("word", escape).parse("word", text)
    except lalr.Mismatch as mismatch:
        rest = text[mismatch.offset :]
        what = "a quote or brace is not closed" if not rest else f"`{rest}` does not fit here"
        raise BadWord(f"`{text}` cannot be expanded: {what}") from None


def _joined(rope: Rope) -> str:
    out = []
    left = [rope]
    while left:
        part = left.pop()
        if isinstance(part, str):
            out.append(part)
        else:
            left += reversed(part)
    return "".join(out)


def _modified(name: str, operator: str, word: Rope, lookup: Lookup, longest: int) -> Rope:
    value = lookup(name)
    unset = value is None or (operator.startswith(":") and not value)
    value = value or ""
    match operator.lstrip(":"):
        case "-":
            return word if unset else value
        case "+":
            return "" if unset else word
        case "?":
            if unset:
                raise BadWord(f"{name}: {_joined(word) or 'is not set'}")
            return value
        case "#" | "##":
            return value[_prefix(value, _joined(word), longest=operator == "##") :]
        case "%" | "%%":
            return value[: len(value) - _prefix(value[::-1], _joined(word)[::-1], longest=operator == "%%")]
        case _:
            pattern, _, replacement = _joined(word).partition("/")
            replaced = _replaced(value, pattern, replacement, longest, every=operator == "//")
            if replaced is None:
                raise BadWord(f"{name}: what it is replaced by makes the word longer than {LONGEST_REPLACED:,} characters")
            return replaced


def _prefix(value: str, pattern: str, *, longest: bool) -> int:
    """The length of the start of a value that a pattern matches."""
    import re

    match = re.match(_glob(pattern, longest=longest), value)
    return match.end() if match else 0


def _replaced(value: str, pattern: str, replacement: str, longest: int, *, every: bool) -> str | None:
    """A value with what a pattern matches replaced; None if it gets longer than `longest` characters."""
    if not pattern:
        return value if len(value) <= longest else None
    import re

    first = re.compile(_glob(pattern.partition("*")[0], longest=True))
    whole = re.compile(_glob(pattern, longest=True))
    out: list[str] = []
    at = 0
    # What fails at the first place where the pattern's first part matches fails at all places after it.
    while at < len(value) and (begin := first.search(value, at)) and (match := whole.match(value, begin.start())):
        out += (value[at : match.start()], replacement)
        longest -= match.start() - at + len(replacement)
        at = match.end()
        if longest < 0:
            return None
        if not every:
            break
    return "".join((*out, value[at:])) if len(value) - at <= longest else None


def _glob(pattern: str, *, longest: bool) -> str:
    """A regular expression for `*` and `?` that takes time linear in the value: a part between two stars is looked for once."""
    import re

    first, *rest = ["".join("." if char == "?" else re.escape(char) for char in part) for part in pattern.split("*")]
    if not rest:
        return f"(?s:{first})"
    *inner, last = rest
    return f"(?s:{first}{''.join(f'(?>.*?{part})' for part in inner)}{'.*' if longest else '.*?'}{last})"
