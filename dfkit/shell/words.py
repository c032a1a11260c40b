"""Words, assignments and redirects of a command, read character for character.

What tree-sitter knows better, where an expansion such as `$(…)` ends, it is asked for (`Expansions`); the rest is POSIX 2.2
(quoting) and 2.3 (token recognition).
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell.mapping import compose
from dfkit.shell.mask import Unreadable
from dfkit.shell.nodes import Arithmetic, Literal, Parameter, Pattern, Substitution, Word
from dfkit.text import Mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import Literal as OneOf

    from dfkit.shell.nodes import Part, Script

    Token = tuple[int, int, Word | None]
    """Where a word or operator starts and ends in the script's text, and the word."""
    Mode = OneOf["word", "quoted", "document", "argument"]
    """A word ends at a blank or operator, a quoted text at its quote; a here-document and an argument of `${…}` go to the end."""

_BLANK = regex(r"(?:[ \t\n]|\\\n|\r(?=\n|\Z))+")
_SPACE = regex(r"(?:[ \t]|\\\n|\r(?=\n|\Z))+")
_ENDS = regex(r"(?:\\\n)+(?:[\s;&|<>()]|\Z)")
_REDIRECT = regex(r"(\d+|\{[A-Za-z_]\w*\})?(<<<|<<-|<<|<&|<>|&>>|&>|>>|>&|>\||<(?!\()|>(?!\())")
_OPERATOR = regex(r"&&|\|\||;;&|;;|;&|\|&|[;&|()]")
ASSIGNMENT = regex(r"([A-Za-z_]\w*)(\[[^\]\n]*\])?(\+?=)")
_NAME = regex(r"(?a)[A-Za-z_]\w*|[0-9@*#?$!-]")
_BRACED = regex(
    r"(?a)\$\{(?P<mark>[#!](?=[\w@*#?$!-]))?(?P<name>[A-Za-z_]\w*|\d+|[@*#?$!-])(?P<subscript>\[[^\]]*\])?"
    r"(?P<operator>:[-=?+]|[-=?+]|\#\#?|%%?|/[/\#%]?|\^\^?|,,?|:|@[A-Za-z](?=\})|[*@](?=\}))?",
)
_BRACES = regex(r"""\{(?:[^{}\s'"\\$`;&|<>()]*(?:,|\.\.)[^{}\s'"\\$`;&|<>()]*)\}""")
_BRACE_LIST = regex(r"""(?:[^\s'"{]|'[^']*'|"[^"]*")*""")
_BRACKET = regex(r"\[[!^]?\]?[^\]\s'\"/]*\]")
_TILDE = regex(r"~[\w.+-]*(?=[/:\s;&|<>()]|\Z)")
_RUNS = {
    "word": regex(r"""[^\s;&|<>()'"\\$`*?\[{~]+"""),
    "argument": regex(r"""[^'"\\$`*?\[]+"""),
    "quoted": regex(r"""[^"\\$`]+"""),
    "document": regex(r"""[^\\$`]+"""),
}
_ANSI = regex(r"(?s)\\(?:([abeEfnrtv\\'\"?])|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|c(.))")
_ANSI_NAMES = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


class Expansions:
    """Where the expansions of a script end and what is in them."""

    def end(self, at: int) -> int | None:
        """The offset after the expansion or array that starts at an offset."""
        raise NotImplementedError

    def script(self, at: int, quoted: bool) -> tuple[str, Script] | None:
        """The kind and the script of the command or process substitution that starts at an offset."""
        raise NotImplementedError


class Words:
    """Reads the words of one text. Its methods raise `Unreadable` where they meet what cannot stand there."""

    def __init__(self, text: Mapped, dialect: str, expansions: Expansions) -> None:
        self.mapped = text
        self.text = text.text
        self.dialect = dialect
        self.expansions = expansions

    def tokens(self, start: int, end: int) -> Iterator[Token]:
        """The words and operators of a range, redirects' operators with their descriptors among them."""
        at = self.blank(start, end)
        while at < end:
            token = self.token(at, end)
            yield token
            at = self.blank(token[1], end)

    def token(self, at: int, end: int) -> Token:
        """The word or operator that starts at an offset."""
        if self.text[at] in "&|;<>(){0123456789":
            match = _REDIRECT.match(self.text, at, end) or _OPERATOR.match(self.text, at, end)
            if match is not None:
                return at, match.end(), None
        word, stop = self.word(at, end)
        return at, stop, word

    def blank(self, at: int, end: int) -> int:
        """The offset after blanks, line ends and continuations."""
        match = _BLANK.match(self.text, at, end)
        return match.end() if match else at

    def space(self, at: int, end: int) -> int:
        """The offset after blanks and continuations."""
        match = _SPACE.match(self.text, at, end)
        return match.end() if match else at

    def word(self, at: int, end: int) -> tuple[Word, int]:
        """The word that starts at an offset, and where it ends."""
        match = _RUNS["word"].match(self.text, at, end)
        if match is not None and (match.end() == end or self.text[match.end()] in " \t\n;&|<>)"):
            # Most words are plain: one literal.
            span, text = self.mapped.span(at, match.end()), match[0]
            return Word(span, text, (Literal(span, text, False),), text), match.end()
        parts, _, stop = self.parts(at, end, "word")
        if stop == at:
            raise Unreadable(f"no word at {at}")
        return self.make(at, stop, parts), stop

    def make(self, start: int, end: int, parts: tuple[Part, ...]) -> Word:
        """A word of a range and its parts."""
        value: str | None = ""
        for part in parts:
            if not isinstance(part, Literal):
                value = None
                break
            value += part.value  # type: ignore[operator]
        return Word(self.mapped.span(start, end), self.text[start:end], parts, value)

    def literal(self, start: int, end: int) -> Mapped | None:
        """The text of a word after quote removal; None where it is not literal."""
        parts, runs, stop = self.parts(start, end, "word")
        if stop != end or not all(isinstance(part, Literal) for part in parts):
            return None
        return compose(self.mapped, runs, end)

    def parts(self, at: int, end: int, mode: Mode) -> tuple[tuple[Part, ...], list[tuple[str, int, int]], int]:
        """The parts from an offset on, their literal runs `(decoded, start, end)`, and where they end."""
        text, span, run = self.text, self.mapped.span, _RUNS[mode]
        quoted = mode in ("quoted", "document")
        parts: list[Part] = []
        runs: list[tuple[str, int, int]] = []
        first = at

        def literal(value: str, start: int, stop: int, quoted: bool) -> None:
            parts.append(Literal(span(start, stop), value, quoted))
            runs.append((value, start, stop))

        while at < end:
            match = run.match(text, at, end)
            if match is not None:
                literal(match[0], at, match.end(), quoted)
                at = match.end()
                continue
            char = text[at]
            if char == "\\":
                after = text[at + 1] if at + 1 < end else ""
                if after == "\n":
                    if mode == "word" and _ENDS.match(text, at, end):
                        break
                    at += 2
                elif not after:
                    literal("\\", at, at + 1, quoted)
                    at += 1
                elif quoted and (after not in '$`\\"' or (mode == "document" and after == '"')):
                    literal("\\" + after, at, at + 2, True)
                    at += 2
                else:
                    literal(after, at, at + 2, True)
                    at += 2
            elif char == "$" and text.startswith("$'", at) and not quoted:
                at = self.ansi_quote(at, end, parts, runs)
            elif char == "$" and text.startswith('$"', at) and not quoted:
                if self.dialect == "sh":
                    parts.append(Pattern(span(at, at + 1), "$", "quote"))
                at += 1
            elif char in "$`" or (char in "<>" and mode == "word" and text.startswith("(", at + 1)):
                part, at = self.expansion(at, end, quoted)
                if isinstance(part, Literal):
                    runs.append((part.value, at - 1, at))
                parts.append(part)
            elif char == "'":
                stop = text.find("'", at + 1, end)
                if stop < 0:
                    raise Unreadable(f"an open quote at {at}")
                literal(text[at + 1 : stop], at + 1, stop, True)
                at = stop + 1
            elif char == '"':
                if mode == "quoted":
                    break
                inner, inner_runs, stop = self.parts(at + 1, end, "quoted")
                if not text.startswith('"', stop):
                    raise Unreadable(f"an open quote at {at}")
                parts += inner or (Literal(span(at + 1, at + 1), "", True),)
                runs += inner_runs
                at = stop + 1
            else:
                pattern = self.pattern(at, first, end)
                if pattern is not None:
                    parts.append(pattern)
                    at += len(pattern.text)
                elif char == "(" and mode == "word" and text[at - 1] == "=" and at > first:
                    at = self.array(at, end, parts)
                elif char in " \t\n\r;&|<>()":
                    break
                else:
                    literal(char, at, at + 1, False)
                    at += 1
        return tuple(parts), runs, at

    def pattern(self, at: int, first: int, end: int) -> Pattern | None:
        """The glob, brace list or tilde that starts at an offset."""
        text, char = self.text, self.text[at]
        stop, kind = at, "glob"
        if char in "*?":
            stop = at + 1
        elif char == "[":
            match = _BRACKET.match(text, at, end) if text.find("]", at, end) >= 0 else None
            stop = match.end() if match else at
        elif char == "{":
            match = _BRACES.match(text, at, end)
            if match is not None:
                stop, kind = match.end(), "brace"
            elif self.brace_list(at, end):
                stop, kind = at + 1, "brace"
        elif char == "~" and (at == first or text[at - 1] in ":="):
            match = _TILDE.match(text, at, end)
            stop, kind = (match.end() if match else at), "tilde"
        return Pattern(self.mapped.span(at, stop), text[at:stop], kind) if stop > at else None  # type: ignore[arg-type]

    def brace_list(self, at: int, end: int) -> bool:
        """Whether a `{` may start a brace list that `_BRACES` is too plain for: a comma and a `}` before the next blank."""
        match = _BRACE_LIST.match(self.text, at + 1, end)
        inner = match[0] if match else ""
        return "}" in inner and ("," in inner or ".." in inner)

    def ansi_quote(self, at: int, end: int, parts: list[Part], runs: list[tuple[str, int, int]]) -> int:
        """`$'…'`: escapes as in C. In dash it is a dollar and a quoted text, so a word that has it in `sh` is not literal."""
        stop = at + 2
        while stop < end and self.text[stop] != "'":
            stop += 2 if self.text[stop] == "\\" else 1
        if stop >= end:
            raise Unreadable(f"an open quote at {at}")
        span = self.mapped.span
        if self.dialect == "sh":
            parts.append(Pattern(span(at, stop + 1), self.text[at : stop + 1], "quote"))
            return stop + 1
        place = at + 2
        while place < stop:
            match = _ANSI.match(self.text, place, stop)
            after = match.end() if match else place + 1
            value = _ansi(match) if match else self.text[place]
            parts.append(Literal(span(place, after), value, True))
            runs.append((value, place, after))
            place = after
        if stop == at + 2:
            parts.append(Literal(span(stop, stop), "", True))
        return stop + 1

    def array(self, at: int, end: int, parts: list[Part]) -> int:
        """`name=(…)` as an argument of declare: the parts of its words; it has no literal value."""
        stop = self.expansions.end(at)
        if stop is None or stop > end:
            raise Unreadable(f"a parenthesis at {at}")
        parts.append(Pattern(self.mapped.span(at, at + 1), "(", "quote"))
        for _, _, word in self.tokens(at + 1, stop - 1):
            parts += word.parts if word is not None else ()
        return stop

    def expansion(self, at: int, end: int, quoted: bool) -> tuple[Part, int]:
        """What `$`, a backquote, `<(` or `>(` starts, and where it ends."""
        text, span = self.text, self.mapped.span
        name = _NAME.match(text, at + 1, end) if text[at] == "$" else None
        if name is not None:
            return Parameter(span(at, name.end()), name[0], "", (), quoted), name.end()
        if text[at] == "$" and text[at + 1 : at + 2] not in ("(", "{", "["):
            return Literal(span(at, at + 1), "$", quoted), at + 1
        stop = self.expansions.end(at)
        if stop is None or stop > end:
            raise Unreadable(f"an expansion at {at} without an end")
        if text.startswith("${", at):
            return self.parameter(at, stop, quoted), stop
        found = self.expansions.script(at, quoted)
        if found is not None:
            return Substitution(span(at, stop), found[0], found[1], quoted), stop  # type: ignore[arg-type]
        edge = 2 if text.startswith("$((", at) else 1
        inner, _, _ = self.parts(at + 1 + edge, stop - edge, "argument")
        return Arithmetic(span(at, stop), text[at + 1 + edge : stop - edge], inner, quoted), stop

    def parameter(self, at: int, stop: int, quoted: bool) -> Parameter:
        """The `${…}` of a range."""
        match = _BRACED.match(self.text, at, stop)
        if match is None or (match.end() < stop - 1 and not match["operator"]):
            raise Unreadable(f"an unknown parameter expansion at {at}")
        mark, operator = match["mark"], match["operator"] or ""
        if mark == "#":
            operator = "length"
        elif mark == "!" and not operator:
            operator = "!"
        argument, _, end = self.parts(match.end(), stop - 1, "document" if quoted else "argument")
        if end != stop - 1:
            raise Unreadable(f"an unknown parameter expansion at {at}")
        return Parameter(self.mapped.span(at, stop), match["name"], operator, argument, quoted, (match["subscript"] or "")[1:-1])


def _ansi(match: re.Match[str]) -> str:
    plain, byte, short, long, octal, control = match.groups()
    if plain:
        return _ANSI_NAMES[plain]
    if control:
        return chr(ord(control) & 0x1F)
    number = int(octal, 8) & 0xFF if octal else int(byte or short or long, 16)
    return chr(number) if number < 0x110000 else "\ufffd"
