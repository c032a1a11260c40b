"""`.dockerignore`: read as moby reads it, every pattern with its place in the file."""

from __future__ import annotations

import os
import re

from dfkit._record import Record, replace
from dfkit.context.glob import BadPatternError, clean
from dfkit.context.pattern import SPACE, Matcher, Pattern
from dfkit.errors import UsageError
from dfkit.text.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LONGEST_LINE = 64 * 1024
"""Go's `bufio.MaxScanTokenSize`, in bytes."""


class IgnoreError(UsageError):
    """A pattern that Docker refuses: `str()` is `file:line: sentence`."""

    def __init__(self, file: str, line: int, sentence: str) -> None:
        super().__init__(f"{file}:{line}: {sentence}")
        self.file = file
        self.line = line
        self.sentence = sentence


class IgnoreLine(Record):
    """One pattern of an ignore file. `line` counts from 1; `span` is the pattern as it stands, without the space around it."""

    line: int
    span: Span
    pattern: Pattern


class IgnoreFile:
    """The patterns of one ignore file, in order; the last that matches a path decides."""

    __slots__ = ("lines", "matcher", "name")

    def __init__(self, lines: tuple[IgnoreLine, ...] = (), name: str = ".dockerignore") -> None:
        self.lines = lines
        self.name = name
        self.matcher = Matcher(line.pattern for line in lines)

    @classmethod
    def read(cls, text: str, name: str = ".dockerignore") -> IgnoreFile:
        """The patterns of a file's text (UTF-8 with surrogateescape); raises `IgnoreError` at the first one that Docker refuses.

        Of some faults Docker learns only when a path comes to the pattern; then whatever asks about that path raises `IgnoreError`.

        As https://github.com/moby/patternmatcher/blob/main/ignorefile/ignorefile.go: a byte order mark is dropped, lines that
        begin with `#` are comments (not after a space), space around a pattern and after its `!` is dropped, a leading slash too.
        """
        lines: list[IgnoreLine] = []
        start = 0
        for number, raw in enumerate(text.split("\n"), 1):
            at, start = start, start + len(raw) + 1
            if len(raw) * 4 > _LONGEST_LINE and len(os.fsencode(raw)) >= _LONGEST_LINE:
                raise IgnoreError(name, number, "Docker reads no line of 64 KiB or more; split it into several patterns")
            if number == 1 and raw.startswith("\ufeff"):
                at, raw = at + 1, raw[1:]
            if raw.startswith("#"):
                continue
            shown = raw.strip(SPACE)
            if not shown:
                continue
            at += raw.index(shown)
            try:
                pattern = Pattern.parse(_normal(shown))
            except BadPatternError as error:
                raise IgnoreError(name, number, _not_valid(shown, error)) from error
            if pattern:
                if pattern.fault:
                    pattern = replace(pattern, fault=IgnoreError(name, number, _not_valid(shown, pattern.fault)))
                lines.append(IgnoreLine(number, Span(at, at + len(shown)), pattern))
        if all(line.pattern.text.isascii() for line in lines):
            _refuse_control_characters(lines, name)
        return cls(tuple(lines), name)

    def ignores(self, path: str) -> bool:
        """Whether a build does not see the path, as a walk of the context finds it."""
        return any(taken and (at == path or self.matcher.prunes(at)) for at, taken in self.matcher.walk(path))

    def decided_by(self, path: str) -> IgnoreLine | None:
        """The line that decides about the path: its pattern ignores it, or its exception keeps it. `None` if no line matches."""
        found: IgnoreLine | None = None
        matched: set[int] = set()
        for at, taken in self.matcher.walk(path):
            state = False
            found = None
            for number, line in enumerate(self.lines):
                pattern = line.pattern
                if number in matched or (pattern.exception == state and pattern.matches(at)):
                    matched.add(number)
                    state = not pattern.exception
                    found = line
            if taken and at != path and self.matcher.prunes(at):
                break
        return found


def _not_valid(shown: str, error: Exception) -> str:
    return f"the pattern `{shown}` is not valid: {error}."


def _refuse_control_characters(lines: Iterable[IgnoreLine], name: str) -> None:
    """The engine hands the patterns to its client in a header, encoded only if one of them is not ASCII.

    https://github.com/moby/buildkit/blob/master/session/filesync/filesync.go (`encodeStringForHeader`)
    """
    for line in lines:
        if found := re.search(r"[\x00-\x1f\x7f]", line.pattern.text):
            sentence = f"Docker cannot use a pattern with the control character {found[0]!r}; write `?` for it"
            raise IgnoreError(name, line.line, sentence)


def _normal(shown: str) -> str:
    """A line's pattern, made relative to the context."""
    mark = "!" if shown.startswith("!") else ""
    text = shown[len(mark) :].strip(SPACE)
    if text:
        text = clean(text)
        text = re.sub(r"^/(?=.)", "", text, count=1, flags=re.DOTALL)
    return mark + text


def load(path: str | Path) -> IgnoreFile:
    """Read an ignore file; raises `UsageError` if it cannot be read and `IgnoreError` for its first bad pattern."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"The ignore file {path} cannot be read ({error.strerror}); check its name and mode.") from error
    return IgnoreFile.read(text, str(path))
