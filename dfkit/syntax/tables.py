"""LALR tables of the grammars in `grammar/`.

lark makes them: when a wheel is built, or in a checkout on first use, kept in a cache under the digest of the grammar's text.
Importing lark costs more than parsing a Dockerfile does, so nothing here needs it once the tables exist.
"""

from __future__ import annotations

import marshal
import os
import sys

from dfkit import _data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    Action = tuple[int, int]

    class Table(TypedDict):
        """One grammar.

        `states[i]` maps a terminal or rule to `(SHIFT, next state)` or `(REDUCE, rule number)`; `rules[i]` is (name, number of
        children, kept: 0/1 for each child, name of the node made or "" to hand the children up); `terminals` are (name, pattern)
        in the order in which a lexer must try them; `skip` is the pattern of what stands between tokens.
        """

        starts: dict[str, int]
        ends: dict[str, int]
        states: list[dict[str, Action]]
        rules: list[tuple[str, int, tuple[int, ...], str]]
        terminals: list[tuple[str, str]]
        skip: str


FORMAT = 1
SHIFT, REDUCE = 0, 1
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
        text = file.read()
    path = _data.cache(f"grammar-{grammar}-{_digest(text)}")
    try:
        with open(path, "rb") as file:
            return marshal.loads(file.read())  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError):
        table = make(text.decode(), STARTS[grammar])
        _data.write(path, marshal.dumps(table))  # type: ignore[arg-type]
        return table


def _digest(text: bytes) -> str:
    # The C module: hashlib imports OpenSSL, which takes longer than everything else here.
    from _sha256 import sha256  # type: ignore[import-not-found]

    return str(sha256(b"%d %s " % (FORMAT, sys.implementation.cache_tag.encode()) + text).hexdigest()[:16])


def make(grammar: str, starts: list[str]) -> Table:
    """Let lark make the table of a grammar's text."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    parser = Lark(grammar, parser="lalr", lexer="basic", start=starts, maybe_placeholders=False)
    table = parser.parser.parser._parse_table
    numbers = {state: number for number, state in enumerate(table.states)}
    rules: list[tuple[str, int, tuple[int, ...], str]] = []
    known: dict[object, int] = {}
    states: list[dict[str, tuple[int, int]]] = []
    for row in table.states.values():
        actions: dict[str, tuple[int, int]] = {}
        for token, (action, argument) in row.items():
            name = str(token)
            if action is Shift:
                actions[name] = (SHIFT, numbers[argument])
                continue
            if argument not in known:
                known[argument] = len(rules)
                origin = argument.origin.name.value if hasattr(argument.origin.name, "value") else str(argument.origin.name)
                kept = tuple(int(not (part.is_term and part.filter_out)) for part in argument.expansion)
                hidden = origin.startswith("_") or (argument.options.expand1 and sum(kept) == 1 and not argument.alias)
                rules.append((origin, len(argument.expansion), kept, "" if hidden else str(argument.alias or origin)))
            actions[name] = (REDUCE, known[argument])
        states.append(actions)
    ignored = set(parser.ignore_tokens)
    ordered = sorted(parser.terminals, key=lambda terminal: (-terminal.priority, -terminal.pattern.max_width, terminal.name))
    return {
        "starts": {name: numbers[state] for name, state in table.start_states.items()},
        "ends": {name: numbers[state] for name, state in table.end_states.items()},
        "states": states,
        "rules": rules,
        "terminals": [(terminal.name, terminal.pattern.to_regexp()) for terminal in ordered if terminal.name not in ignored],
        "skip": "|".join(terminal.pattern.to_regexp() for terminal in ordered if terminal.name in ignored),
    }
