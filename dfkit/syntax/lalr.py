"""A small driver for LALR tables that lark made.

Tokens are read on demand: in each state only the terminals that can follow are tried, in the grammar's order of priority.
`tests/syntax/test_lalr.py` holds it against lark itself.
"""

from __future__ import annotations

import re

from dfkit.syntax.tables import REDUCE, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.syntax.tables import Table

    Tree = tuple[str, int, int, "list[Tree]"]


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
        self._lexers: dict[int, re.Pattern[str]] = {}
        self._skip = re.compile(table["skip"]).match if table["skip"] else None
        self._sure = [_only_reduction(row) for row in table["states"]]

    def _lexer(self, state: int) -> re.Pattern[str]:
        row = self._table["states"][state]
        parts = [f"(?P<{name}>{pattern})" for name, pattern in self._table["terminals"] if name in row]
        pattern = "|".join(parts) or r"(?!)"
        made = self._lexers[state] = re.compile(self._escaped(pattern))
        return made

    def token(self, terminal: str) -> re.Pattern[str]:
        """The pattern of one terminal."""
        if terminal not in self._tokens:
            pattern = next(pattern for name, pattern in self._table["terminals"] if name == terminal)
            self._tokens[terminal] = re.compile(self._escaped(pattern))
        return self._tokens[terminal]

    def _escaped(self, pattern: str) -> str:
        # In these terminals `\\\\` is the escape character and nothing else is written with two backslashes.
        return pattern if self._escape == "\\" else pattern.replace("\\\\", self._escape)

    def parse(self, start: str, text: str, at: int = 0, size: int | None = None) -> Tree:
        """The tree of `text[at:size]` from one of the grammar's start rules: `(rule, start, end, children)`.

        Tokens are trees without children, under their terminal's upper-case name; start and end are offsets into `text`.
        Raises `Mismatch` if the text does not fit.
        """
        table = self._table
        states, lexers, skip = table["states"], self._lexers, self._skip
        end = table["ends"][start]
        stack = [table["starts"][start]]
        values: list[list[Tree]] = []
        size = len(text) if size is None else size
        while True:
            # A state that can only reduce does so before the next token is read: the state below it knows better which
            # terminals can follow, as LALR merges the look-aheads of all places that a rule is used in.
            while (sure := self._sure[stack[-1]]) >= 0:
                self._reduce(sure, stack, values)
                if stack[-1] == end and at == size:
                    return values[-1][0]
            if skip is not None and (blank := skip(text, at, size)):
                at = blank.end()
            state = stack[-1]
            if at < size:
                match = (lexers.get(state) or self._lexer(state)).match(text, at, size)
                if match is None or match.lastgroup is None:
                    raise Mismatch(at, _terminals(states[state]))
                terminal, stop = match.lastgroup, match.end()
            else:
                terminal, stop = "$END", at
            while True:
                state = stack[-1]
                if state == end and terminal == "$END":
                    return values[-1][0]
                action = states[state].get(terminal)
                if action is None:
                    raise Mismatch(at, _terminals(states[state]))
                kind, argument = action
                if kind != REDUCE:
                    stack.append(argument)
                    values.append([(terminal, at, stop, [])])
                    break
                self._reduce(argument, stack, values)
            at = stop

    def _reduce(self, rule: int, stack: list[int], values: list[list[Tree]]) -> None:
        origin, count, kept, made = self._table["rules"][rule]
        children: list[Tree] = []
        if count:
            for value, keep in zip(values[-count:], kept, strict=True):
                if keep:
                    children += value
            del stack[-count:], values[-count:]
        if made:
            children = [(made, children[0][1] if children else 0, children[-1][2] if children else 0, children)]
        values.append(children)
        stack.append(self._table["states"][stack[-1]][origin][1])


def _only_reduction(row: dict[str, tuple[int, int]]) -> int:
    """The one rule that every action of a state reduces, or -1."""
    actions = set(row.values())
    if len(actions) != 1:
        return -1
    kind, rule = actions.pop()
    return rule if kind == REDUCE else -1


def _terminals(row: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(name for name in row if name.isupper())


_parsers: dict[tuple[str, str], Parser] = {}


def parser(grammar: str, escape: str = "\\") -> Parser:
    """The parser of a grammar by its name."""
    key = (grammar, escape)
    if key not in _parsers:
        _parsers[key] = Parser(load(grammar), escape)
    return _parsers[key]
