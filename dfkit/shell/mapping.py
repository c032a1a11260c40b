"""Text that was decoded from a text: each character knows all the characters of the file that it was written with."""

from __future__ import annotations

from dfkit.text import Mapped, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Decoded(Mapped):
    r"""Mapped text in which one character may come from several: `\n` in JSON, `\"` in double quotes.

    A span that starts or ends at such a character takes the whole escape.
    """

    __slots__ = ("_places",)

    def __init__(self, text: str, places: tuple[tuple[int, int], ...]) -> None:
        """`places` is `(start, end)` in the source for each character of the text, and one more for the end of the text."""
        pieces = [(0, places[0][0])]
        for at in range(1, len(text)):
            if places[at][0] != places[at - 1][0] + 1:
                pieces.append((at, places[at][0]))
        super().__init__(text, tuple(pieces))
        self._places = places

    def offset(self, at: int) -> int:
        """The source offset of a character, or of the text's end."""
        return self._places[at][0]

    def span(self, start: int, end: int) -> Span:
        """The span of the source that `text[start:end]` was made from."""
        if start >= end:
            return Span(self._places[start][0], self._places[start][0])
        return Span(self._places[start][0], self._places[end - 1][1])

    def slice(self, start: int, end: int) -> Mapped:
        """A part of the text with its own map."""
        after = self._places[end - 1][1] if end > start else self._places[start][0]
        return Decoded(self.text[start:end], (*self._places[start:end], (after, after)))


def compose(text: Mapped, runs: Iterable[tuple[str, int, int]], end: int) -> Decoded:
    """A text made from parts of another: `(decoded, start, end)`, either character for character or one character from several.

    `end` is the offset in `text` at which the decoded text ends.
    """
    decoded: list[str] = []
    places: list[tuple[int, int]] = []
    for value, start, stop in runs:
        decoded.append(value)
        if len(value) == stop - start:
            spans = [text.span(at, at + 1) for at in range(start, stop)]
        else:
            spans = [text.span(start, stop)] * len(value)
        places += [(span.start, span.end) for span in spans]
    after = text.span(end, end).start
    return Decoded("".join(decoded), (*places, (after, after)))


def json_string(value: str, span: Span) -> Mapped:
    r"""The decoded text of a JSON string whose span has the quotes.

    Exact where the string is written in the shortest way; else (`\u0041`, a continuation inside) every character stands for the
    whole string.
    """
    inner = Span(span.start + 1, span.end - 1)
    if len(value) == inner.end - inner.start:
        return Mapped(value, ((0, inner.start),))
    places = []
    at = inner.start
    for char in value:
        width = 2 if char in '"\\\b\f\n\r\t' else 6 if char < " " else 1
        places.append((at, at + width))
        at += width
    if at != inner.end:
        places = [(inner.start, inner.end)] * len(value)
    return Decoded(value, (*places, (inner.end, inner.end)))
