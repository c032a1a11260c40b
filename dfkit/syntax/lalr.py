"""A small driver for LALR tables that lark made.

Tokens are read on demand: in each state only the terminals that can follow are tried, in the grammar's order of priority.
`tests/syntax/test_lalr.py` holds it against lark itself.
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.syntax.tables import KEEP, REDUCE, STAY, load, only_reduction

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from dfkit.syntax.tables import Table

    Lexer = Callable[[str, int, int], re.Match[str] | None]
    Node = tuple[str, int, int, int]
    """`(rule, start, end, number)`: the nodes below it are those before it from that number on. Tokens are under their terminal's
    upper-case name, with nothing below; start and end are offsets into the text."""

END = "$END"
"""What lark calls the end of the text."""


class Mismatch(Exception):
    """The text does not fit the grammar. `offset` is where the first bad token starts, `expected` the terminals that could stand there."""

    def __init__(self, offset: int, expected: tuple[str, ...]) -> None:
        super().__init__(f"expected {' or '.join(expected) or 'the end'} at {offset}")
        self.offset = offset
        self.expected = expected


class Parser:
    """Parses texts by one grammar. `escape` stands for the backslash in the grammar's terminals."""

    def __init__(self, table: Table, escape: str = "\\") -> None:
        self._table = table
        self._escape = escape
        self._tokens: dict[str, re.Pattern[str]] = {}
        self._sure = [only_reduction(row) for row in table["states"]]
        self._lexers: list[Lexer | None] = [None] * len(table["states"])

    def token(self, terminal: str) -> re.Pattern[str]:
        """The pattern of one terminal."""
        if terminal not in self._tokens:
            self._tokens[terminal] = regex(self._escaped(dict(self._table["terminals"])[terminal]))
        return self._tokens[terminal]

    def _lexer(self, state: int) -> Lexer:
        """What matches white space and a token that can follow in a state, as a group of its name, or the end, as no group."""
        row = self._table["states"][state]
        tokens = "".join([f"(?P<{name}>{pattern})|" for name, pattern in self._table["terminals"] if name in row])
        made = self._lexers[state] = regex(rf"{self._skip}(?:{self._escaped(tokens)}\Z)").match
        return made

    @property
    def _skip(self) -> str:
        return f"(?:{self._table['skip']})?+" if self._table["skip"] else ""

    def _escaped(self, pattern: str) -> str:
        # In these terminals `\\\\` is the escape character and nothing else is written with two backslashes.
        return pattern if self._escape == "\\" else pattern.replace("\\\\", self._escape)

    def parse(self, start: str, text: str, at: int = 0, size: int | None = None) -> list[Node]:
        """The tree of `text[at:size]` from one of the grammar's start rules, in postfix order, the start rule's own node last.

        Takes time linear in the length of the text, and no recursion however deep the tree is. Raises `Mismatch` if the text does
        not fit.
        """
        states, gotos, rules = self._table["states"], self._table["gotos"], self._table["rules"]
        sure, lexers = self._sure, self._lexers
        end = self._table["ends"][start]
        size = len(text) if size is None else size
        nodes: list[Node] = []
        # The stack of the automaton: its states, and for each symbol above the first the number of nodes before it.
        stack, firsts = [self._table["starts"][start]], []
        stop = ahead = at
        terminal = ""
        while True:
            state = stack[-1]
            # A state that can only reduce does so before the next token is read: the state below it knows better which
            # terminals can follow, as LALR merges the look-aheads of all places that a rule is used in.
            argument = sure[state]
            if argument < 0:
                if not terminal:
                    match = (lexers[state] or self._lexer(state))(text, stop, size) if stop < size else None
                    if match and match.lastgroup:
                        terminal = match.lastgroup
                        at, ahead = match.span(terminal)
                    elif match or stop == size:
                        terminal, at = END, size
                    else:
                        raise Mismatch(self._after_skip(text, stop, size), tuple(states[state]))
                action = states[state].get(terminal)
                if action is None:
                    if state == end and terminal == END:
                        return nodes
                    raise Mismatch(at, tuple(states[state]))
                kind, argument = action
                if kind != REDUCE:
                    if argument != STAY:
                        stack.append(argument)
                        firsts.append(len(nodes))
                    if kind == KEEP:
                        nodes.append((terminal, at, ahead, len(nodes)))
                    stop = ahead
                    terminal = ""
                    continue
            origin, length, made = rules[argument]
            first = len(nodes)
            if length:
                first = firsts[-length]
                del stack[-length:], firsts[-length:]
            if made:
                nodes.append((made, nodes[first][1] if first < len(nodes) else stop, stop, first))
            stack.append(gotos[stack[-1]][origin])
            firsts.append(first)

    def _after_skip(self, text: str, at: int, size: int) -> int:
        match = regex(self._skip).match(text, at, size)
        return match.end() if match else at


_parsers: dict[tuple[str, str], Parser] = {}


def parser(grammar: str, escape: str = "\\") -> Parser:
    """The parser of a grammar by its name."""
    key = (grammar, escape)
    if key not in _parsers:
        _parsers[key] = Parser(load(grammar), escape)
    return _parsers[key]
