"""LALR tables of the grammars in `grammar/`.

lark makes them: when a wheel is built, or in a checkout on first use, kept in a cache under the digest of the grammar's text.
Importing lark costs more than parsing a Dockerfile does, so nothing here needs it once the tables exist.
"""

from __future__ import annotations

import marshal
import os

from dfkit import _data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    Action = tuple[int, int]

    class Table(TypedDict):
        """One grammar.

        `states[i]` maps a terminal to `(KEEP, next state)`, `(DROP, next state)` if it is no child of a node, or `(REDUCE, rule
        number)`; the next state STAY leaves the stack as it is. `gotos[i]` maps a rule to the next state; `rules[i]` is (name,
        number of symbols, name of the node made or "" to hand the children up); `terminals` are (name, pattern) in the order in
        which a lexer must try them; `skip` is the pattern of what stands between tokens.
        """

        starts: dict[str, int]
        ends: dict[str, int]
        states: list[dict[str, Action]]
        gotos: list[dict[str, int]]
        rules: list[tuple[str, int, str]]
        terminals: list[tuple[str, str]]
        skip: str


FORMAT = 6
KEEP, DROP, REDUCE = 0, 1, 2
STAY = -1
STARTS = {
    "dockerfile": ["base", "exec", "words", "pairs", "names", "text", "health", "flags"],
    "word": ["word"],
    "image": ["image"],
    "mount": ["mount"],
}


def load(grammar: str) -> Table:
    """The table of a grammar by its name (`"dockerfile"` for `grammar/dockerfile.lark`)."""
    packaged = _data.compiled(f"grammar-{grammar}")
    if packaged is not None:
        with open(packaged, "rb") as file:
            return marshal.loads(file.read())  # type: ignore[no-any-return]
    with open(os.path.join(_data.folder("grammar"), f"{grammar}.lark"), "rb") as file:
        text = file.read().decode()
    path = _data.cache(f"grammar-{grammar}-{_data.digest(str(FORMAT), text)}")
    try:
        with open(path, "rb") as file:
            return marshal.loads(file.read())  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError):
        table = make(text, STARTS[grammar])
        _data.write(path, marshal.dumps(table))  # type: ignore[arg-type]
        return table


def make(grammar: str, starts: list[str]) -> Table:
    """Let lark make the table of a grammar's text."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    parser = Lark(grammar, parser="lalr", lexer="basic", start=starts, maybe_placeholders=False)
    table = parser.parser.parser._parse_table
    symbols: set[Any] = {symbol for rule in parser.rules for symbol in rule.expansion if symbol.is_term}
    dropped = {symbol.name for symbol in symbols if symbol.filter_out}
    assert dropped.isdisjoint(symbol.name for symbol in symbols if not symbol.filter_out), "dropped everywhere or nowhere"
    terminals = {terminal.name for terminal in parser.terminals}
    # lark numbers states in the order of a set; numbering them as they are reached makes equal tables for equal grammars.
    order = [table.start_states[start] for start in starts]
    numbers = {state: number for number, state in enumerate(order)}
    rules: list[tuple[str, int, str]] = []
    known: dict[object, int] = {}
    states: list[dict[str, tuple[int, int]]] = []
    gotos: list[dict[str, int]] = []
    entered = [""] * len(order)
    for state in order:
        actions: dict[str, tuple[int, int]] = {}
        nexts: dict[str, int] = {}
        for name, (action, argument) in sorted((str(token), entry) for token, entry in table.states[state].items()):
            if action is Shift:
                if argument not in numbers:
                    numbers[argument] = len(order)
                    order.append(argument)
                    entered.append(name)
                if name in terminals:
                    actions[name] = (DROP if name in dropped else KEEP, numbers[argument])
                else:
                    nexts[name] = numbers[argument]
                continue
            if argument not in known:
                known[argument] = len(rules)
                rules.append(_rule(argument))
            actions[name] = (REDUCE, known[argument])
        states.append(actions)
        gotos.append(nexts)
    _shorten(states, gotos, rules, entered)
    ignored = set(parser.ignore_tokens)
    ordered = sorted(parser.terminals, key=lambda terminal: (-terminal.priority, -terminal.pattern.max_width, terminal.name))
    return {
        "starts": {start: numbers[table.start_states[start]] for start in starts},
        "ends": {start: numbers[table.end_states[start]] for start in starts},
        "states": states,
        "gotos": gotos,
        "rules": rules,
        "terminals": [(terminal.name, terminal.pattern.to_regexp()) for terminal in ordered if terminal.name not in ignored],
        "skip": "|".join(terminal.pattern.to_regexp() for terminal in ordered if terminal.name in ignored),
    }


def _shorten(
    states: list[dict[str, Action]], gotos: list[dict[str, int]], rules: list[tuple[str, int, str]], entered: list[str]
) -> None:
    """Join a shift with the reductions that are sure to follow it and make no node.

    A state that is entered by the rule that is reduced (`list: list item`) is the state it leads back to. `entered` is the symbol
    that leads to each state.
    """
    for state, row in enumerate(states):
        for name, (kind, target) in row.items():
            while kind != REDUCE and target != STAY and (rule := only_reduction(states[target])) >= 0:
                origin, length, made = rules[rule]
                if made or length > 2 or (length == 2 and origin != entered[state]):
                    break
                target = gotos[state][origin] if length == 1 else STAY
            row[name] = (kind, target)


def only_reduction(row: dict[str, Action]) -> int:
    """The one rule that every action of a state reduces, or -1."""
    actions = set(row.values())
    if len(actions) != 1:
        return -1
    kind, rule = actions.pop()
    return rule if kind == REDUCE else -1


def _rule(rule: Any) -> tuple[str, int, str]:
    origin = str(getattr(rule.origin.name, "value", rule.origin.name))
    children = sum(not (part.is_term and part.filter_out) for part in rule.expansion)
    hidden = origin.startswith("_") or (rule.options.expand1 and children == 1 and not rule.alias)
    return origin, len(rule.expansion), "" if hidden else str(rule.alias or origin)
