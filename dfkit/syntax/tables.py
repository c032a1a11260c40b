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
    from typing import TypedDict

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
        from dfkit.syntax.generate import make

        table = make(text, STARTS[grammar])
        _data.write(path, marshal.dumps(table))  # type: ignore[arg-type]
        return table


def only_reduction(row: dict[str, Action]) -> int:
    """The one rule that every action of a state reduces, or -1."""
    actions = set(row.values())
    if len(actions) != 1:
        return -1
    kind, rule = actions.pop()
    return rule if kind == REDUCE else -1
