"""Go's `path.Clean` and `filepath.Match`, which Docker applies to ignore patterns and to the sources of COPY.

https://pkg.go.dev/path/filepath#Match: `*` and `?` do not cross a slash, `[…]` is a class that `^` negates, a backslash escapes.
"""

from __future__ import annotations

import posixpath
import re

from dfkit._record import Record

OPEN_CLASS = "a `[` has no closing `]`; close it, or write `\\[` for the character itself"


class BadPatternError(ValueError):
    """A pattern that Go refuses; the text says why."""


def clean(path: str) -> str:
    """The shortest equal path: `a//b/../c/` is `a/c`, the empty path is `.`. Slashes only; nothing is read."""
    shortest = posixpath.normpath(path)
    return shortest[1:] if shortest.startswith("//") else shortest


def is_glob(component: str) -> bool:
    """Whether BuildKit takes a source's path component for a wildcard: an unescaped `*`, `?` or `[` is in it."""
    return re.search(r"[*?\[]", re.sub(r"(?s)\\.", "", component)) is not None


def unescape(component: str) -> str:
    """A component without the backslashes that escape."""
    return re.sub(r"(?s)\\(.)", r"\1", component)


class Glob(Record):
    """A checked pattern. `crosses` says that one of its classes has the slash in it, so that it may match below a folder."""

    regex: re.Pattern[str]
    crosses: bool

    @classmethod
    def parse(cls, pattern: str) -> Glob:
        """Check and compile a pattern; raises `BadPatternError` where `filepath.Match` returns an error."""
        parts: list[str] = []
        crosses = False
        at = 0
        while at < len(pattern):
            char = pattern[at]
            at += 1
            if char == "*":
                parts.append("[^/]*")
            elif char == "?":
                parts.append("[^/]")
            elif char == "[":
                text, slash, at = _class(pattern, at)
                parts.append(text)
                crosses = crosses or slash
            else:
                if char == "\\":
                    if at == len(pattern):
                        raise BadPatternError("a backslash at the end escapes nothing")
                    char = pattern[at]
                    at += 1
                parts.append(re.escape(char))
        return cls(re.compile("".join(parts), re.DOTALL), crosses)

    def match(self, name: str) -> bool:
        """Whether the pattern matches the whole of a name without slashes."""
        return self.regex.fullmatch(name) is not None


def _class(pattern: str, at: int) -> tuple[str, bool, int]:
    """The class that starts after the bracket before `at`: as a regular expression, whether the slash is in it, where it ends."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and pattern.startswith("]", at)):
        low, at = _class_char(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _class_char(pattern, at + 1)
        ranges.append((low, high))
    inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    slash = any(low <= "/" <= high for low, high in ranges) != negated
    if inside:
        return f"[{'^' if negated else ''}{inside}]", slash, at + 1
    return r"[\s\S]" if negated else r"[^\s\S]", slash, at + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    if at < len(pattern) and pattern[at] in "-]":
        raise BadPatternError(f"`{pattern[at]}` stands in a `[…]` class where a character must; write `\\{pattern[at]}`")
    at += pattern.startswith("\\", at)
    if at >= len(pattern) - 1:
        raise BadPatternError(OPEN_CLASS)
    if "\udc80" <= pattern[at] <= "\udcff":
        raise BadPatternError("a `[…]` class has a byte that is not UTF-8")
    return pattern[at], at + 1
