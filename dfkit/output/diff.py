"""A change of a text as a unified diff."""

from __future__ import annotations

from difflib import unified_diff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_COLORS = {"+": "\033[32m", "-": "\033[31m", "@": "\033[36m"}
_BOLD, _RESET = "\033[1m", "\033[0m"
NO_NEWLINE = "\\ No newline at end of file"


def render(before: str, after: str, name: str, *, context: int = 3, color: bool = False) -> str:
    """The diff that `patch -p1` and `git apply` take; empty if nothing changed. `name` is the file's path.

    Lines end with a line feed; a carriage return before it belongs to the line.
    """
    path = name.lstrip("/")
    return "".join(_painted(line) if color else line for line in _lines(before, after, path, context))


def _lines(before: str, after: str, path: str, context: int) -> Iterator[str]:
    for line in unified_diff(_split(before), _split(after), f"a/{path}", f"b/{path}", n=context):
        yield line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}\n"


def _split(text: str) -> list[str]:
    """The lines with their ends; unlike `str.splitlines` only a line feed ends one."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _painted(line: str) -> str:
    text = line.removesuffix("\n")
    color = _BOLD if text.startswith(("--- ", "+++ ")) else _COLORS.get(text[:1], "")
    return f"{color}{text}{_RESET}\n" if color else line
