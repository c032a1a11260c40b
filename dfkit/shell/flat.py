"""Where the commands of a script without nesting are.

Nine scripts of ten hold nothing but commands, redirects, quotes, variables and `$(…)`, joined by `;`, `&&` and the like. Where their
commands begin and end needs no parser: the others go to `dfkit.shell.nest`, and what that does not read to tree-sitter, which takes
longer to load than such a script takes to read. `tests/shell/test_flat.py` holds the ways against each other.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.shell.mask import FILLER

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

    from dfkit.shell.mask import Masked
    from dfkit.shell.nest import Block

    Member = tuple[str, int, int] | tuple[str, int, int, Block]
    """A joint or `!` `(text, start, end)`, a command `("", start, end)`, or a compound command, as they stand."""

_PARAMETER = regex(r"\$\{[A-Za-z_]\w*(?::?[-+=?][\w./:@,~+-]*|(?:\#\#?|%%?)[\w./:@*\[\]-]*|\[@\])?\}")
_SUBSTITUTION = regex(r"\$\(([^()<][^()]*)\)")
_NESTING = regex(
    r"[\r\v\f]|\$(?:[{\[\\\s]|\Z)|\\\Z|(?:\A|(?<=[\s;&|(]))(?:[{}]|\[\[|if|for|while|until|case|select|function|time|coproc)(?![^\s;&|)])"
)
_TOKEN = regex(r"\\\n|&&|\|\||\|&|[;|\n]|&>>?|[<>]&|>\||&")
_NO_SEPARATORS = ("\\\n", "&>", "&>>", ">&", "<&", ">|")
_JOINTS = ("&&", "||", "|", "|&")
_BLANK = " \t\n\\"
DEPTH = 20
"""How deep a `$(…)` may stand in others: each level takes a look at the whole script."""


class Chain(Record):
    """Commands joined by `&&`, `||`, `|` and `|&`."""

    parts: tuple[Member, ...]
    separator: str
    """What ends it: `;`, `&`, a line end, or nothing at the end of the script."""
    at: int
    """The offset of the separator."""


class Outline(Record):
    """Where the commands of a script are; offsets count from its start.

    `ends` has the end of each `${…}`, `$(…)` and the like by its start, `substitutions` the commands in a `$(…)` or `<(…)`,
    likewise.
    """

    chains: tuple[Chain, ...]
    ends: dict[int, int]
    substitutions: dict[int, tuple[Chain, ...]]


def flat(masked: Masked) -> Outline | None:
    """The commands of a script, or None if other constructs nest them, or it is none that a shell can read."""
    text, ends, substitutions = masked.text, {}, {}
    if "${" in text:
        ends = {match.start(): match.end() for match in _PARAMETER.finditer(text)}
        text = _PARAMETER.sub(_filled, text)
    if masked.negations or _NESTING.search(text):
        return None
    # From the inside out: what is done is a plain word of what is around it.
    for _ in range(DEPTH):
        found = list(_SUBSTITUTION.finditer(text)) if "$(" in text else []
        for match in found:
            inner = _chains(text, *match.span(1))
            if not inner:
                return None
            ends[match.start()] = match.end()
            substitutions[match.start()] = inner
        if not found:
            break
        text = _SUBSTITUTION.sub(_filled, text)
    chains = _chains(text, 0, len(text)) if "(" not in text and ")" not in text else None
    return Outline(chains, ends, substitutions) if chains is not None else None


def _filled(match: re.Match[str]) -> str:
    return FILLER * len(match[0])


def _chains(text: str, at: int, stop: int) -> tuple[Chain, ...] | None:
    """The commands of a part of a text, or None if an operator lacks one."""
    chains: list[Chain] = []
    parts: list[tuple[str, int, int]] = []
    for match in (*_TOKEN.finditer(text, at, stop), None):
        token, start, end = (match[0], *match.span()) if match else ("", stop, stop)
        if token in _NO_SEPARATORS:
            continue
        command = text[at:start].strip(_BLANK)
        if command:
            first = text.index(command, at)
            parts.append(("", first, first + len(command)))
        at = end
        waits = not parts or parts[-1][0] in _JOINTS
        if token in _JOINTS:
            if waits:
                return None
            parts.append((token, start, end))
        elif not waits:
            chains.append(Chain(tuple(parts), token, start))
            parts = []
        elif token not in ("\n", "") or (token == "" and parts):
            return None
    return tuple(chains)
