"""A file's text and places in it."""

from __future__ import annotations

from dfkit._record import Record


class Span(Record):
    """A half-open range of offsets into `Source.text`, in code points. The only kind of position in the core."""

    start: int
    end: int

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end

    def covers(self, other: Span) -> bool:
        """Whether `other` lies inside this span."""
        return self.start <= other.start and other.end <= self.end

    def touches(self, other: Span) -> bool:
        """Whether the two share a character; an empty span touches what it stands strictly inside of, or another at its place."""
        if self.start == self.end or other.start == other.end:
            return self == other or self.start < other.start < self.end or other.start < self.start < other.end
        return self.start < other.end and other.start < self.end


class Position(Record):
    """A line and a column as people count them: from 1, columns in code points."""

    line: int
    column: int


class Source:
    """The text of one file; trees and findings point into it.

    `text` holds every character of the file: byte order mark and carriage returns stay, bytes that are not UTF-8 are kept as
    surrogates (PEP 383), so `encode()` gives the file back.
    """

    __slots__ = ("_lines", "name", "text")

    def __init__(self, text: str, name: str = "Dockerfile") -> None:
        self.text = text
        self.name = name
        self._lines: list[int] | None = None

    @classmethod
    def decode(cls, data: bytes, name: str = "Dockerfile") -> Source:
        """A source from a file's bytes."""
        return cls(data.decode("utf-8", "surrogateescape"), name)

    def encode(self) -> bytes:
        """The file's bytes."""
        return self.text.encode("utf-8", "surrogateescape")

    @property
    def line_starts(self) -> list[int]:
        """The offset of each line's first character; lines end with a line feed only, as BuildKit counts them."""
        if self._lines is None:
            at, self._lines = 0, [0]
            while at := self.text.find("\n", at) + 1:
                self._lines.append(at)
        return self._lines

    def position(self, offset: int) -> Position:
        """The line and column of an offset."""
        starts = self.line_starts
        line = _last(starts, offset) + 1
        return Position(line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> Span:
        """The span of a line (counted from 1), without its line end."""
        starts = self.line_starts
        start = starts[number - 1]
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return Span(start, end)

    def slice(self, span: Span) -> str:
        """The text of a span."""
        return self.text[span.start : span.end]

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.text)} characters)"


class Mapped:
    """Text put together from pieces of a source, which knows where each character came from.

    A RUN's script is what is left when continuations and the comments between them are taken out; a finding in it must still
    point at the right characters of the file. `pieces` is `((offset in text, offset in source), …)` in ascending order, the first
    at 0.
    """

    __slots__ = ("_starts", "pieces", "text")

    def __init__(self, text: str, pieces: tuple[tuple[int, int], ...]) -> None:
        self.text = text
        self.pieces = pieces
        self._starts: list[int] | None = None

    @classmethod
    def plain(cls, source: Source, span: Span) -> Mapped:
        """The characters of one span, as they stand."""
        return cls(source.slice(span), ((0, span.start),))

    def offset(self, at: int) -> int:
        """The source offset of a character of the text."""
        start, source = self.pieces[self._piece(at)]
        return source + at - start

    def span(self, start: int, end: int) -> Span:
        """The span of the source that `text[start:end]` was made from."""
        if start >= end:
            at = self.offset(start - 1) + 1 if start == len(self.text) and start else self.offset(start)
            return Span(at, at)
        if len(self.pieces) == 1:
            shift = self.pieces[0][1]
            return Span(start + shift, end + shift)
        piece = self._piece(start)
        text, source = self.pieces[piece]
        if piece + 1 == len(self.pieces) or end <= self.pieces[piece + 1][0]:
            return Span(start + source - text, end + source - text)
        return Span(start + source - text, self.offset(end - 1) + 1)

    def slice(self, start: int, end: int) -> Mapped:
        """A part of the text with its own map."""
        if len(self.pieces) == 1:
            return Mapped(self.text[start:end], ((0, self.pieces[0][1] + start),))
        first, last = self._piece(start), self._piece(end - 1 if end > start else start)
        text, source = self.pieces[first]
        pieces = [(0, source + start - text)]
        pieces += [(text - start, source) for text, source in self.pieces[first + 1 : last + 1]]
        return Mapped(self.text[start:end], tuple(pieces))

    def _piece(self, at: int) -> int:
        if self._starts is None:
            self._starts = [start for start, _ in self.pieces]
        return _last(self._starts, at)

    def __len__(self) -> int:
        return len(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapped) and self.text == other.text and self.pieces == other.pieces

    def __hash__(self) -> int:
        # Equal texts at different places are common: without the place their look-up in a table takes quadratic time.
        return hash((self.text, self.pieces[0]))

    def __repr__(self) -> str:
        return f"Mapped({self.text!r})"


def _last(starts: list[int], at: int) -> int:
    """The index of the last of some ascending numbers, the first at most `at`, that is at most `at`."""
    # What bisect_right(starts, at) - 1 gives; to import that takes as long as thousands of these.
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) >> 1
        if starts[middle] <= at:
            low = middle
        else:
            high = middle
    return low
