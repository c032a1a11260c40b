"""Where the commands of a script with nesting are.

A recursive descent over what `dfkit.shell.mask` leaves of a script, by the grammar of POSIX 2.10. It reads `if`, `for`, `while`,
`until`, `case`, `{ }`, `( )`, functions, `!`, `$(…)`, `$((…))` and `${…}`, and of bash `<(…)`, arrays and `[[ ]]` without
parentheses. What it is not sure of is left to tree-sitter, which takes a quarter of a cold start to load.
`tests/shell/test_nest.py` holds the two against each other.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_10
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.shell.flat import Chain, Outline
from dfkit.shell.mask import FILLER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.shell.flat import Member
    from dfkit.shell.mask import Masked
    from dfkit.shell.nodes import BodyRole, CompoundKind

    Closed = tuple[tuple[Chain, ...], str, int]
    """A list, the word or operator that ends it, and the offset of that."""

DEPTH = 40
"""How deep constructs may stand in each other: some five of Python's calls each."""

_WORD = regex(r"""(?:[^\s;&|<>()$"'`\\]++|'[^']*+'|"[^"$\\`]*+"|\$(?:[$#]|(?![({\[\\]))|\\\n)++""")
_WORDS = regex(
    r"""(?:[^\s;&|<>()$"'`\\]++|[ \t]++|'[^']*+'|"[^"$\\`]*+"|\$(?:[$#]|(?![({\[\\]))|\\\n|&>>?|[<>]&|>\||[<>](?!\())++"""
)
_QUOTED = regex(r"""(?:[^"$\\`]++|\$(?:[$#]|(?![({\[\\]))|\\\n)++""")
_SPACE = regex(r"(?:[ \t]++|\\\n)++")
_BLANK = regex(r"(?:[ \t\n]++|\\\n)++")
_OPERATOR = regex(r"&&|\|\||\|&|;[;&]?|[&|\n)]")
_ASSIGNMENT = regex(r"[A-Za-z_]\w*+(?:\[\w*+\])?\+?=")
_REDIRECT = regex(r"\d*+(?:&>>?|[<>]&|>\||>>|<>|[<>](?!\())")
_NAME = regex(r"[A-Za-z_]\w*+")
_PARAMETER = regex(r"\$\{(?:#(?!\})|!)?(?:\w++|[@*#?$!-])(?:\[(?:\w++|[@*]|\$\w++)\])?")
_ARGUMENT = regex(r"""[^{}$"'`\\()<>\n]++""")
_ARITHMETIC = regex(r"[\w \t+*/%<>=!?:,^~|&-]++")

_DELIMITERS = (" ", "\t", "\n", ";", "&", "|", "(", ")", "")
"""What may follow a word, of which this reader is certain."""
_OPENING = ("if", "for", "while", "until", "case", "{")
_CLOSING = ("then", "elif", "else", "fi", "do", "done", "esac", "}")
_OTHERS = ("function", "select", "time", "coproc", "[[", "]]", "!", "in")
_RESERVED = frozenset((*_OPENING, *_CLOSING, *_OTHERS))
_BINARY = ("=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef")
_CLAUSES: dict[str, tuple[BodyRole, tuple[str, ...]]] = {
    "if": ("test", ("then",)),
    "elif": ("test", ("then",)),
    "then": ("body", ("elif", "else", "fi")),
    "else": ("body", ("fi",)),
    "while": ("test", ("do",)),
    "until": ("test", ("do",)),
    "do": ("body", ("done",)),
    "{": ("body", ("}",)),
    "(": ("body", (")",)),
}
"""What stands after a word or operator, and what ends it."""


class Branch(Record):
    """A body of a compound command: where it starts, its commands, and where the patterns before it are."""

    role: BodyRole
    start: int
    chains: tuple[Chain, ...]
    patterns: tuple[int, int] | None = None


class Block(Record):
    """A compound command from `start` to `stop`; its redirects go on to `end`.

    `words` is where a for's list or a case's subject is. The body of a function is in `inner`.
    """

    kind: CompoundKind
    start: int
    stop: int
    end: int
    branches: tuple[Branch, ...]
    words: tuple[int, int] | None = None
    name: str = ""
    inner: Block | None = None


class _Uncertain(Exception):
    """The script is for another reader."""


def nest(masked: Masked) -> Outline | None:
    """The commands of a script, or None if it has what is not read here."""
    try:
        reader = _Nest(masked)
        chains, _, _ = reader.commands(0, ("",))
        return reader.outline(chains)
    except _Uncertain:
        return None


def nest_document(masked: Masked, start: int) -> Outline | None:
    """The expansions of a quoted text from an offset to the quote at the text's end, or None as for a script."""
    try:
        reader = _Nest(masked)
        return reader.outline(()) if reader.quoted(start) == len(masked.text) else None
    except _Uncertain:
        return None


class _Nest:
    """Reads one text. Its methods take the offset at which something starts, and return the one after it."""

    def __init__(self, masked: Masked) -> None:
        self.text = masked.text
        self.ends: dict[int, int] = {}
        self.substitutions: dict[int, tuple[Chain, ...]] = {}
        self.comments = frozenset([start for start, _ in masked.comments])
        self.depth = 0
        self.negations = {self.space(at + 1): at for at in masked.negations}
        """The offsets of `!` by those of what they negate."""
        if len(self.negations) < len(masked.negations):
            raise _Uncertain  # `! ! a`, which bash alone reads

    def outline(self, chains: tuple[Chain, ...]) -> Outline:
        """What was found, if each `!` is before a command."""
        if self.negations:
            raise _Uncertain
        return Outline(chains, self.ends, self.substitutions)

    def space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def blank(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    # --- lists and pipelines

    def commands(self, at: int, closing: tuple[str, ...]) -> Closed:
        """The commands up to one of some reserved words or operators, or `""`: the text's end."""
        if self.depth == DEPTH:
            raise _Uncertain
        self.depth += 1
        chains: list[Chain] = []
        parts: list[Member] = []
        while True:
            at = self.blank(at)
            part = self.command(at, closing)
            if isinstance(part, str):
                if parts:
                    raise _Uncertain
                closer = part
                break
            if at in self.negations:
                if parts and parts[-1][0] in ("|", "|&"):
                    raise _Uncertain
                bang = self.negations.pop(at)
                parts.append(("!", bang, bang + 1))
            parts.append(part)
            at = self.space(part[2])
            match = _OPERATOR.match(self.text, at)
            operator = match[0] if match else ""
            if operator in ("&&", "||", "|", "|&"):
                parts.append((operator, at, at + len(operator)))
                at += len(operator)
                continue
            separated = operator in (";", "&", "\n")
            chains.append(Chain(tuple(parts), operator if separated else "", at))
            parts = []
            if separated:
                at += 1
            elif operator in closing and (operator or at == len(self.text)):
                closer = operator
                break
            elif match or len(part) == 3 or not self.keyword(closing, at):
                raise _Uncertain
        self.depth -= 1
        return tuple(chains), closer, at

    def command(self, at: int, closing: tuple[str, ...]) -> Member | str:
        """The command at an offset, or which of `closing` is there."""
        text = self.text
        match = _WORD.match(text, at)
        if match is None:
            if text.startswith("(", at) and not text.startswith("((", at):
                return self.member(self.block("(", at, at + 1))
            for closer in (")", ";;"):
                if closer in closing and text.startswith(closer, at):
                    return closer
            if at == len(text) and "" in closing:
                return ""
            return "", at, self.simple(at)
        word, stop = match[0], match.end()
        if word in _RESERVED:
            if text[stop : stop + 1] not in _DELIMITERS:
                raise _Uncertain
            if word in closing:
                return word
            if word in _OPENING:
                return self.member(self.block(word, at, stop))
            if word == "[[":
                return "", at, self.redirects(self.test(stop))
            if word == "time":
                return "", at, self.simple(self.timed(stop))
            raise _Uncertain
        if "\\" in word or ("[" in word and word != "[" and "]" not in word):
            raise _Uncertain  # perhaps a reserved word; or a subscript, for which bash reads on to its `]`
        after = self.space(stop)
        if text.startswith("(", after) and text[stop - 1] != "=":
            return self.member(self.function(at, stop, after))
        return "", at, self.simple(at)

    def member(self, block: Block) -> Member:
        return "", block.start, block.end, block

    # --- simple commands

    def simple(self, at: int) -> int:
        first = at
        while True:
            match = _ASSIGNMENT.match(self.text, at)
            if match is None:
                break
            at = match.end()
            if self.text.startswith("(", at):
                self.name(match.start())
                at = self.space(self.array(at))
            else:
                at = self.space(self.word(at, empty=True))
        while True:
            match = _WORDS.match(self.text, at)
            at = match.end() if match else at
            stop = self.complex(at)
            if stop == at:
                break
            at = stop
        if at == first or self.text.startswith("(", at):
            raise _Uncertain
        # Comments are blank here, and are not where words are read.
        return first + len(self.text[first:at].rstrip(" \t\\\n"))

    def timed(self, at: int) -> int:
        """The start of the simple command after `time`."""
        match = _WORD.match(self.text, self.space(at))
        if match is None or match[0] in _RESERVED or match[0][0] == "-" or "\\" in match[0]:
            raise _Uncertain
        return match.start()

    def test(self, at: int) -> int:
        """The offset after the `]]` of a test without parentheses."""
        words: list[str] = []
        while True:
            start = self.space(at)
            at = self.word(start)
            word, after = self.text[start:at], self.space(at)
            joined = self.text[after : after + 2] in ("&&", "||")
            if word != "]]":
                words.append(word)
                if not joined:
                    continue
            while words[:1] == ["!"]:
                del words[0]
            operator = words[len(words) - 2] if len(words) in (2, 3) else ""
            unary = len(words) == 2 and operator[0] == "-" and operator[1:].isalpha()
            alone = len(words) == 1 and words[0][0] != "-"
            if not (alone or unary or (len(words) == 3 and operator in _BINARY)):
                raise _Uncertain
            if word == "]]":
                return at
            words, at = [], after + 2

    def word(self, at: int, empty: bool = False) -> int:
        first = at
        while True:
            match = _WORD.match(self.text, at)
            at = match.end() if match else at
            stop = self.complex(at)
            if stop == at:
                break
            at = stop
        if at == first and not empty:
            raise _Uncertain
        return at

    def complex(self, at: int) -> int:
        """The end of the quoted text or expansion at an offset; the offset itself if there is none."""
        char = self.text[at : at + 1]
        if char == '"':
            return self.quoted(at + 1)
        if char == "$" or (char in ("<", ">") and self.text.startswith("(", at + 1)):
            return self.expansion(at)
        if char in ("\\", "`", "'", "\r", "\v", "\f"):
            raise _Uncertain
        return at

    def array(self, start: int) -> int:
        """The offset after the `(…)` of `name=(…)`."""
        at = start + 1
        while True:
            after = self.blank(at)
            if any(place in self.comments for place in range(at, after + 1)):
                raise _Uncertain
            if self.text.startswith(")", after):
                break
            at = self.word(after)
            if self.text.startswith("[", after) and "]=" not in self.text[after:at]:
                raise _Uncertain
        at = self.ends[start] = after + 1
        if at in self.comments or self.text[at : at + 1] not in _DELIMITERS:
            raise _Uncertain
        return at

    def redirects(self, at: int) -> int:
        """The end of the redirects after a compound command."""
        stop = at
        while True:
            match = _REDIRECT.match(self.text, self.space(stop))
            if match is None:
                return stop
            stop = self.word(self.space(match.end()))

    # --- quotes and expansions

    def quoted(self, at: int) -> int:
        """The offset after the quote that ends a text in double quotes."""
        while True:
            match = _QUOTED.match(self.text, at)
            at = match.end() if match else at
            char = self.text[at : at + 1]
            if char == '"':
                return at + 1
            if char != "$":
                raise _Uncertain
            at = self.expansion(at, quoted=True)

    def expansion(self, at: int, quoted: bool = False) -> int:
        text = self.text
        if text.startswith("${", at):
            stop = self.parameter(at, quoted)
        elif text.startswith("$((", at):
            stop = self.arithmetic(at)
        elif text.startswith("(", at + 1) and not text.startswith("((", at + 1):
            chains, _, stop = self.commands(at + 2, (")",))
            if not chains:
                raise _Uncertain
            stop += 1
            self.substitutions[at] = chains
        else:
            raise _Uncertain
        self.ends[at] = stop
        return stop

    def parameter(self, start: int, quoted: bool) -> int:
        match = _PARAMETER.match(self.text, start)
        if match is None or self.depth == DEPTH:
            raise _Uncertain
        self.depth += 1
        at = match.end()
        while not self.text.startswith("}", at):
            match = _ARGUMENT.match(self.text, at)
            if match is not None:
                at = match.end()
            elif self.text.startswith("$", at):
                at = self.dollar(at, quoted)
            elif self.text.startswith('"', at) and not quoted:
                at = self.quoted(at + 1)
            elif self.text.startswith("'", at) and not quoted and (stop := self.text.find("'", at + 1)) > 0:
                at = stop + 1
            else:
                raise _Uncertain
        self.depth -= 1
        return at + 1

    def arithmetic(self, start: int) -> int:
        at, inner = start + 3, 0
        while True:
            match = _ARITHMETIC.match(self.text, at)
            at = match.end() if match else at
            char = self.text[at : at + 1]
            if char == "$":
                at = self.dollar(at, True)
                continue
            if char == ")" and not inner:
                if not self.text.startswith("))", at):
                    raise _Uncertain
                return at + 2
            if char not in ("(", ")"):
                raise _Uncertain
            inner += 1 if char == "(" else -1
            at += 1

    def dollar(self, at: int, quoted: bool) -> int:
        """The end of the expansion at a dollar, or of the dollar: a name after it reads like other text."""
        char = self.text[at + 1 : at + 2]
        if char in ("$", "#"):
            return at + 2
        return self.expansion(at, quoted) if char in ("(", "{", "[", "\\", "'", '"') else at + 1

    # --- compound commands

    def block(self, word: str, start: int, at: int) -> Block:
        if word == "for":
            return self.loop(start, at)
        if word == "case":
            return self.case(start, at)
        opening, branches = word, []
        while word in _CLAUSES:
            role, closing = _CLAUSES[word]
            begin = at
            chains, word, at = self.commands(begin, closing)
            if not chains:
                raise _Uncertain
            branches.append(Branch(role, begin, chains))
            at += len(word)
        kind: CompoundKind = "group" if opening == "{" else "subshell" if opening == "(" else opening  # type: ignore[assignment]
        return Block(kind, start, at, self.redirects(at), tuple(branches))

    def loop(self, start: int, at: int) -> Block:
        text = self.text
        name, at = self.name(self.space(at))
        at = self.space(at)
        words = None
        if self.keyword(("in",), at):
            first = at = at + 2
            while text[self.space(at) : self.space(at) + 1] not in (";", "\n"):
                at = self.word(self.space(at))
            words = (first, at)
            at = self.space(at)
        if text.startswith(";", at):
            at += 1
        at = self.blank(at)
        if not self.keyword(("do",), at):
            raise _Uncertain
        chains, _, stop = self.commands(at + 2, ("done",))
        if not chains:
            raise _Uncertain
        stop += 4
        return Block("for", start, stop, self.redirects(stop), (Branch("body", at + 2, chains),), words, name)

    def case(self, start: int, at: int) -> Block:
        text = self.text
        words = (at, self.word(self.space(at)))
        at = self.blank(words[1])
        if not self.keyword(("in",), at):
            raise _Uncertain
        at = self.blank(at + 2)
        branches = []
        while not self.keyword(("esac",), at):
            patterns = at
            at = self.space(at + 1) if text.startswith("(", at) else at
            at = self.space(self.word(at))
            while text.startswith("|", at):
                at = self.space(self.word(self.space(at + 1)))
            if not text.startswith(")", at):
                raise _Uncertain
            chains, closer, stop = self.commands(at + 1, (";;", "esac"))
            branches.append(Branch("body", at + 1, chains, (patterns, at)))
            at = self.blank(stop + 2) if closer == ";;" else stop
        return Block("case", start, at + 4, self.redirects(at + 4), tuple(branches), words)

    def function(self, start: int, stop: int, at: int) -> Block:
        name, after = self.name(start)
        at = self.space(at + 1)
        if after != stop or not self.text.startswith(")", at):
            raise _Uncertain
        at = self.blank(at + 1)
        inner = self.command(at, ())[-1]
        if not isinstance(inner, Block) or inner.end != inner.stop or inner.kind == "function":
            raise _Uncertain
        return Block("function", start, inner.end, inner.end, (), None, name, inner)

    def name(self, at: int) -> tuple[str, int]:
        """The name at an offset, and where it ends."""
        match = _NAME.match(self.text, at)
        if match is None or FILLER * 2 in match[0]:
            raise _Uncertain  # what was escaped or in backquotes looks like a name here
        return match[0], match.end()

    def keyword(self, words: tuple[str, ...], at: int) -> bool:
        """Whether one of some reserved words stands at an offset."""
        match = _WORD.match(self.text, at)
        return match is not None and match[0] in words and self.text[match.end() : match.end() + 1] in _DELIMITERS
