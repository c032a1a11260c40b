"""Makes LALR tables of grammars, by lark; `dfkit.syntax.tables` keeps them."""

from __future__ import annotations

from dfkit.syntax.tables import DROP, KEEP, REDUCE, STAY, only_reduction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.syntax.tables import Action, Table


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


def _rule(rule: Any) -> tuple[str, int, str]:
    origin = str(getattr(rule.origin.name, "value", rule.origin.name))
    children = sum(not (part.is_term and part.filter_out) for part in rule.expansion)
    hidden = origin.startswith("_") or (rule.options.expand1 and children == 1 and not rule.alias)
    return origin, len(rule.expansion), "" if hidden else str(rule.alias or origin)
