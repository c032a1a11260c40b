"""What tree-sitter is given: the script with everything that is only text blanked out, character for character.

tree-sitter-bash (0.25) loses escaped blanks between words, nests what follows `<<EOF` into the redirect, overlooks some
expansions in quoted text, joins two substitutions in backquotes, and takes a keyword after `!` for a command. So here-documents,
comments, escapes, the literal text in quotes, backquotes and `!` are replaced by as many plain characters before it reads the
script, and read by `dfkit.shell.words` and `dfkit.shell.parse` instead. Characters outside ASCII become a plain one as well,
which makes byte offsets character offsets.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

FILLER = "x"
_NOT_ASCII = regex(r"[^\x00-\x7f]")
_PLAIN = regex(r"""[^\\'"`$(){}<>#\n!]+""")
_DELIMITER = regex(r"""(?s)(?:[^\s;&|<>()'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
_ESCAPED = regex(r"\\(.)")
_UNQUOTE = regex(r"""(?s)\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)\"""")
_CASE = regex(r"(?<![^\s;&|()`])(?:case|esac)(?![^\s;&|()`])")
_BACKQUOTES = regex(r"(?s)`(?:[^`\\]|\\.)*`")
_BEFORE_WORD = " \t\n;&|()<>"
_BEFORE_COMMAND = regex(r"(?:\A|[;&|(`]|(?<!\\)\n|(?<![\w.-])(?:if|then|elif|else|while|until|do|time|\{))(?:[ \t]|\\\n)*\Z")


class Unreadable(Exception):
    """The script is not one that dfkit can read for sure."""


class Raw(Record):
    """A here-document by offsets: its operator `<<` or `<<-`, its word as written, its body, its end marker."""

    operator: tuple[int, int]
    word: tuple[int, int]
    body: tuple[int, int]
    delimiter: str
    expand: bool
    chomp: bool


class Masked(Record):
    """A text of the same length that holds only syntax, and what was taken out of it."""

    text: str
    comments: tuple[tuple[int, int], ...]
    documents: dict[int, Raw]
    """By the offset of the operator."""
    backquotes: dict[int, int]
    """The ends of substitutions in backquotes by their starts."""
    negations: tuple[int, ...]
    """The offsets of `!` before commands."""


def mask(text: str) -> Masked:
    """Blank out what is only text. Raises `Unreadable` where a quote or a here-document has no end."""
    return _Masker(text).mask()


def mask_document(text: str, start: int) -> Masked:
    """Blank out a text that ends with a quote and holds, from `start` on, the body of a here-document: quotes are text in it."""
    masker = _Masker(text)
    masker.inside = ['"']
    masker.document = True
    return masker.mask(start, len(text) - 1)


class _Masker:
    """Walks over a script with a stack of what it is inside of, by what ends it: `)`, `))` of `((`, `}` of `${`, a quote."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out = list(_NOT_ASCII.sub(".", text))
        self.inside: list[str] = []
        self.comments: list[tuple[int, int]] = []
        self.documents: dict[int, Raw] = {}
        self.pending: list[tuple[int, int, int, int]] = []
        self.negations: list[int] = []
        self.substitutions: dict[int, int] = {}
        self.expansions: set[int] = set()
        """Which of `inside`, by their index, are part of a word."""
        self.word_end = -1
        self.case_end = -1
        self.document = False

    def mask(self, at: int = 0, size: int | None = None) -> Masked:
        text, size = self.text, len(self.text) if size is None else size
        while at < size:
            plain = _PLAIN.match(text, at, size)
            quoted = self.inside[-1:] == ['"']
            end = plain.end() if plain else self.special(at, text[at])
            if plain and not quoted and "as" in plain[0]:
                self.case_words(at, end)
            if quoted and (plain or text[at] in "\n#'(){}<>"):
                self.fill(at, end, FILLER)
            at = end
        if self.pending:
            raise Unreadable("a here-document has no body")
        return Masked("".join(self.out), tuple(self.comments), self.documents, self.substitutions, tuple(self.negations))

    def fill(self, start: int, end: int, filler: str) -> None:
        for at in range(start, end):
            if self.out[at] != "\n" or filler != " ":
                self.out[at] = filler

    def special(self, at: int, char: str) -> int:
        """Deal with one character that may be syntax; the offset after it."""
        text, inside = self.text, self.inside[-1] if self.inside else ""
        if char == "\\":
            continued = text[at + 1 : at + 2] in ("\n", "")
            if not continued:
                self.fill(at, at + 2, FILLER)
            if not continued or at == self.word_end or text[at - 1 : at] not in (*_BEFORE_WORD, ""):
                self.word_end = at + 2
            return at + 2
        if char == '"' and self.document and len(self.inside) == 1:
            self.fill(at, at + 1, FILLER)
            return at + 1
        if char == ")" and "esac" in self.inside[-2:]:
            self.case_end = at + 1
        if inside == char and char in '")}':
            self.inside.pop()
            return self.closed(at + 1)
        if inside == "))" and text.startswith("))", at):
            self.inside.pop()
            return self.closed(at + 2)
        if char == "$":
            for opening, closing in (("$((", "))"), ("$(", ")"), ("${", "}")):
                if text.startswith(opening, at):
                    self.expansions.add(len(self.inside))
                    self.inside.append(closing)
                    return at + len(opening)
            if text.startswith("$'", at) and not self.in_double_quotes():
                return self.ansi_quote(at)
            return at + (2 if text[at + 1 : at + 2] in ("#", "$") else 1)
        if char == '"':
            self.inside.append(char)
            return at + 1
        if char == "`":
            return self.backquotes(at)
        if inside == '"' or inside == "))":
            if inside == "))" and char == "(":
                self.inside.append(")")
            return at + 1
        if char == "'":
            return at + 1 if self.in_double_quotes() else self.single_quote(at)
        if char == "(":
            self.expansions.discard(len(self.inside))
            self.inside.append("))" if text.startswith("((", at) and self.arithmetic(at) else ")")
            return at + (2 if self.inside[-1] == "))" else 1)
        if char == "!" and inside != "}":
            return self.negation(at)
        if char == "#" and at != self.word_end and (at == 0 or text[at - 1] in _BEFORE_WORD) and inside != "}":
            return self.comment(at)
        if char == "\n" and self.pending:
            return self.bodies(at + 1)
        if char == "<" and inside != "}":
            return self.less(at)
        return at + 1

    def closed(self, at: int) -> int:
        """Note that a word goes on at an offset, if an expansion ends there."""
        if len(self.inside) in self.expansions:
            self.word_end = at
        return at

    def case_words(self, at: int, end: int) -> None:
        """Note `case` and `esac` as commands: between them a `)` may end a pattern."""
        for match in _CASE.finditer(self.text, at, end):
            if self.at_command(match.start()):
                if match[0] == "case":
                    self.inside.append("esac")
                elif self.inside[-1:] == ["esac"]:
                    self.inside.pop()

    def at_command(self, at: int) -> bool:
        """Whether a command may start at an offset."""
        start = max(0, at - 400)
        before = ("x" if start else "") + "".join(self.out[start:at])
        place = at
        while place > max(self.case_end, 0) and self.out[place - 1] in " \t\n":
            place -= 1
        return (place == self.case_end or _BEFORE_COMMAND.search(before) is not None) and before.rfind("[[ ") <= before.rfind(
            " ]]"
        )

    def in_double_quotes(self) -> bool:
        for inside in reversed(self.inside):
            if inside == '"':
                return True
            if inside != "}":
                return False
        return False

    def arithmetic(self, at: int) -> bool:
        """Whether `((` at a command's place closes with `))`, rather than being two subshells."""
        close = self.text.find("))", at)
        return close >= 0 and ";" not in self.text[at:close].replace("((", "", 1).partition("\n")[0]

    def negation(self, at: int) -> int:
        """Take out a `!` at a command's place; elsewhere it is a word or part of one."""
        text = self.text
        if text[at + 1 : at + 2] not in (" ", "\t", "\n", "\\", "(") or (at and text[at - 1] not in _BEFORE_WORD):
            return at + 1
        if self.at_command(at):
            self.negations.append(at)
            self.fill(at, at + 1, " ")
        return at + 1

    def backquotes(self, at: int) -> int:
        match = _BACKQUOTES.match(self.text, at)
        if match is None:
            raise Unreadable("a backquote is open")
        self.substitutions[at] = match.end()
        self.fill(at, match.end(), FILLER)
        return match.end()

    def single_quote(self, at: int) -> int:
        end = self.text.find("'", at + 1)
        if end < 0:
            raise Unreadable("a single quote is open")
        self.fill(at + 1, end, FILLER)
        return end + 1

    def ansi_quote(self, at: int) -> int:
        end = at + 2
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise Unreadable("a quote is open")
        self.fill(at + 2, end, FILLER)
        return end + 1

    def comment(self, at: int) -> int:
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        self.comments.append((at, end))
        self.fill(at, end, " ")
        return end

    def less(self, at: int) -> int:
        text = self.text
        if text.startswith("<<<", at):
            # An ordinary redirect: tree-sitter-bash takes no here-string after another redirect.
            self.fill(at + 1, at + 3, " ")
            return at + 3
        if text.startswith("<(", at):
            self.expansions.add(len(self.inside))
            self.inside.append(")")
            return at + 2
        if not text.startswith("<<", at):
            return at + 1
        start = at + (3 if text.startswith("<<-", at) else 2)
        word = start
        while text[word : word + 1] in (" ", "\t"):
            word += 1
        match = _DELIMITER.match(text, word)
        if match is None:
            raise Unreadable("a here-document has no delimiter")
        self.pending.append((at, start, *match.span()))
        self.fill(at + 1, word, " ")
        self.fill(*match.span(), FILLER)
        return match.end()

    def bodies(self, at: int) -> int:
        """Take out the bodies that start at a line; the offset of the line end after the last end marker."""
        text, size = self.text, len(self.text)
        first = at
        for operator, after, word, word_end in self.pending:
            written = text[word:word_end]
            delimiter = _UNQUOTE.sub(_unquoted, written)
            chomp = text.startswith("<<-", operator)
            start = at
            while True:
                if at >= size:
                    raise Unreadable("a here-document has no end")
                begin, newline = at, text.find("\n", at)
                end = size if newline < 0 else newline
                at = min(end + 1, size)
                line = text[begin:end].removesuffix("\r")
                if (line.lstrip("\t") if chomp else line) == delimiter:
                    break
            expand = not any(char in written for char in "'\"\\")
            self.documents[operator] = Raw((operator, after), (word, word_end), (start, begin), delimiter, expand, chomp)
        self.pending.clear()
        for place in range(first, end):
            self.out[place] = " "
        return end


def _unquoted(match: re.Match[str]) -> str:
    return match[1] or match[2] or _ESCAPED.sub(lambda pair: pair[1], match[3] or "")
