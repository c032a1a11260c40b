"""Where the commands of a script without nesting are.

Four scripts of five hold nothing but commands, redirects, quotes and variables, joined by `;`, `&&` and the like. Where their
commands begin and end needs no parser: tree-sitter, which takes longer to load than such a script takes to read, is asked about
the others only. `tests/shell/test_flat.py` holds the two against each other.
"""

from __future__ import annotations

from dfkit._record import record
from dfkit._regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.shell.mask import Masked

_PARAMETER = regex(r"\$\{[A-Za-z_]\w*(?::?[-+=?][\w./:@,~+-]*|\#\#?[\w./*]*|%%?[\w./*]*)?\}")
_NESTING = regex(
    r"[(){}\r\v\f]|\$(?:[\[\\\s]|\Z)|\\\Z|(?:\A|(?<=[\s;&|]))(?:\[\[|if|for|while|until|case|select|function|time|coproc)(?![^\s;&|])"
)
_TOKEN = regex(r"\\\n|&&|\|\||\|&|[;|\n]|&>>?|[<>]&|>\||&")
_NO_SEPARATORS = ("\\\n", "&>", "&>>", ">&", "<&", ">|")
_JOINTS = ("&&", "||", "|", "|&")
_BLANK = " \t\n\\"


@record
class Chain:
    """Commands joined by `&&`, `||`, `|` and `|&`."""

    parts: tuple[tuple[str, int, int], ...]
    """Each joint `(text, start, end)`, and each command as `("", start, end)`, as they stand."""
    separator: str
    """What ends it: `;`, `&`, a line end, or nothing at the end of the script."""
    at: int
    """The offset of the separator."""


@record
class Flat:
    """What a script without nesting consists of: `parameters` are the ends of its `${…}` by their starts."""

    chains: tuple[Chain, ...]
    parameters: dict[int, int]


def flat(masked: Masked) -> Flat | None:
    """The commands of a script, or None if commands are nested in it, or it is none that a shell can read."""
    text = masked.text
    parameters = {match.start(): match.end() for match in _PARAMETER.finditer(text)} if "${" in text else {}
    if masked.negations or _NESTING.search(_PARAMETER.sub("", text) if parameters else text):
        return None
    chains: list[Chain] = []
    parts: list[tuple[str, int, int]] = []
    at = 0
    for match in (*_TOKEN.finditer(text), None):
        token, start, end = (match[0], *match.span()) if match else ("", len(text), len(text))
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
    return Flat(tuple(chains), parameters)
