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
        self._terminals = table["terminals"]
        self._skip = f"(?:{table['skip']})?+" if table["skip"] else ""
        self._escape = escape
        self._tokens: dict[str, re.Pattern[str]] = {}
        self._starts, self._ends = table["starts"], table["ends"]
        self._states, self._gotos, self._rules = table["states"], table["gotos"], table["rules"]
        self._sure = [only_reduction(row) for row in self._states]
        self._lexers: list[Lexer | None] = [None] * len(self._states)

    def token(self, terminal: str) -> re.Pattern[str]:
        """The pattern of one terminal."""
        if terminal not in self._tokens:
            self._tokens[terminal] = regex(self._escaped(dict(self._terminals)[terminal]))
        return self._tokens[terminal]

    def _lexer(self, state: int) -> Lexer:
        """What matches white space and a token that can follow in a state, as a group of its name, or the end, as no group."""
        row = self._states[state]
        tokens = "".join([f"(?P<{name}>{pattern})|" for name, pattern in self._terminals if name in row])
        made = self._lexers[state] = regex(rf"{self._skip}(?:{self._escaped(tokens)}\Z)").match
        return made

    def _escaped(self, pattern: str) -> str:
        # In these terminals `\\\\` is the escape character and nothing else is written with two backslashes.
        return pattern if self._escape == "\\" else pattern.replace("\\\\", self._escape)

    def parse(self, start: str, text: str, at: int = 0, size: int | None = None) -> list[Node]:
        """The tree of `text[at:size]` from one of the grammar's start rules, in postfix order, the start rule's own node last.

        Takes time linear in the length of the text, and no recursion however deep the tree is. Raises `Mismatch` if the text does
        not fit.
        """
        states, gotos, rules, sure, lexers = self._states, self._gotos, self._rules, self._sure, self._lexers
        accepting = self._ends[start]
        size = len(text) if size is None else size
        nodes: list[Node] = []
        # The stack of the automaton: its states, and for each symbol above the first the number of nodes before it.
        state = self._starts[start]
        stack, firsts = [state], []
        stop = ahead = at
        terminal = ""
        while True:
            # A state that can only reduce does so before the next token is read: the state below it knows better which
            # terminals can follow, as LALR merges the look-aheads of all places that a rule is used in.
            argument = sure[state]
            if argument < 0:
                if not terminal:
                    match = (lexers[state] or self._lexer(state))(text, stop, size) if stop < size else None
                    if match is None and stop < size:
                        raise Mismatch(self._after_skip(text, stop, size), tuple(states[state]))
                    if match and match.lastgroup:
                        terminal = match.lastgroup
                        at, ahead = match.span(terminal)
                    else:
                        terminal, at = END, size
                action = states[state].get(terminal)
                if action is None:
                    if state == accepting and terminal == END:
                        return nodes
                    raise Mismatch(at, tuple(states[state]))
                kind, argument = action
                if kind != REDUCE:
                    if argument != STAY:
                        stack.append(argument)
                        firsts.append(len(nodes))
                        state = argument
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
            state = gotos[stack[-1]][origin]
            stack.append(state)
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
