"""Regular expressions that cost nothing until they are used, and little then.

`regex(text)` stands for `re.compile(text)` with flags written in the text (`(?i)`). To import `re` and let it compile some seventy
expressions takes longer than to read a Dockerfile and apply all rules to it; so what `re` made of an expression is kept from run to
run, in a file in the cache, and `re` is imported only for one that is not in it.

Kept are the arguments that `re._compiler.compile` passes to `_sre.compile`. Both are private to CPython: what is kept holds for one
`_sre.MAGIC` and one version of dfkit, `_sre.compile` checks the code that it is given, and wherever something is missing or other
than here `re.compile` is used. https://github.com/python/cpython/blob/3.11/Lib/re/_compiler.py#L740
"""

from __future__ import annotations

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

    Kept = tuple[int, bytes, int, dict[str, int], tuple[str | None, ...]]
    """The flags, the code (native 32-bit words), the number of groups, the groups' numbers by name, their names by number."""

_made: dict[str, _Lazy] = {}
_kept: dict[str, bytes] | None = None
_new: dict[str, bytes] = {}
"""What is kept, each marshalled by itself: a process needs fifty of some hundred."""


def regex(text: str) -> re.Pattern[str]:
    """What `re.compile(text)` gives, made when its first method is called; for one text always the same object.

    For texts that are known when dfkit is written, in its code, grammars or rules: what is made of them is kept, so nothing of a
    Dockerfile may stand in one. It is no instance of `re.Pattern`. Templates with a backslash import `re`: give `sub` a function.
    """
    found = _made.get(text)
    if found is None:
        found = _made[text] = _Lazy(text)
    return found  # type: ignore[return-value]


class _Lazy:
    """Looks like a `re.Pattern`; becomes one's methods as they are asked for."""

    def __init__(self, text: str) -> None:
        self.pattern = text

    def __getattr__(self, name: str) -> Any:
        made = self.__dict__.get("_compiled")
        if made is None:
            made = self._compiled = _compile(self.pattern)
        value = self.__dict__[name] = getattr(made, name)
        return value

    def __repr__(self) -> str:
        return f"regex({self.pattern!r})"


def keep() -> None:
    """Keep what had to be compiled in this process, for the next."""
    if _new:
        from dfkit import _data

        _data.write(_path(), marshal.dumps({**_load(), **_new}))
        _new.clear()


def _compile(text: str) -> Any:
    global _kept
    if _kept is None:
        _kept = _load()
    kept = _kept.get(text)
    if kept is not None:
        try:
            return restore(text, marshal.loads(kept))
        except (ImportError, RuntimeError, TypeError, ValueError, EOFError):
            pass  # another Python than the one that kept it, or a file that is damaged
    import re

    made = re.compile(text)
    taken = dump(text)
    if taken is not None:
        _new[text] = marshal.dumps(taken)
    return made


def restore(text: str, kept: Kept) -> Any:
    """The compiled expression of a text from what was kept of it."""
    import _sre  # type: ignore[import-not-found]

    flags, code, groups, numbers, names = kept
    return _sre.compile(text, flags, memoryview(code).cast("I").tolist(), groups, numbers, names)


def dump(text: str) -> Kept | None:
    """What can be kept of a text's compiled expression; None where this Python has other private parts."""
    try:
        import re._compiler as compiler  # type: ignore[import-not-found]
        import re._parser as parser  # type: ignore[import-not-found]
        from array import array

        parsed = parser.parse(text, 0)
        state = parsed.state
        names: list[str | None] = [None] * state.groups
        for name, number in state.groupdict.items():
            names[number] = name
        code = array("I", compiler._code(parsed, 0)).tobytes()
        return state.flags, code, state.groups - 1, dict(state.groupdict), tuple(names)
    except (ImportError, AttributeError, TypeError, OverflowError):
        return None


def _load() -> dict[str, bytes]:
    try:
        with open(_path(), "rb") as file:
            kept = marshal.loads(file.read())
    except (OSError, ValueError, EOFError, TypeError, ImportError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _path() -> str:
    from _sre import MAGIC

    from dfkit import __version__, _data

    return _data.cache(f"expressions-{__version__}-{sys.implementation.cache_tag}-{MAGIC}")
