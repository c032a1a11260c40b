"""Findings for a terminal: place, severity, message, and the source with the wrong characters underlined.

Dockerfile:3:5: warning: the base has no tag [DL3006 untagged-base]
  |
3 | FROM debian
  |      ^^^^^^
  = why: What it stands for changes from day to day.
  = fix: insert `:12`
"""

from __future__ import annotations

import os

from dfkit.text import DISPLAY, SEVERITIES, UNSAFE, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from dfkit.catalog import Catalog
    from dfkit.lint import Report
    from dfkit.text import Diagnostic, Source

TAB = 4
"""Tab stops are this many columns apart in an excerpt."""

WIDTH = 120
"""The widest excerpt of a line, in columns of the terminal; of a longer line a part is shown."""

_BOLD, _DIM, _RESET = "\033[1m", "\033[2m", "\033[0m"
_COLORS = {"error": "\033[1;31m", "warning": "\033[1;33m", "info": "\033[1;36m", "style": "\033[1;35m"}
_GUTTER = "\033[1;34m"
_PLURALS = {"error": "errors", "warning": "warnings", "info": "info", "style": "style"}


def wants_color(stream: TextIO) -> bool:
    """Whether to write colours: only to a terminal, and not if `NO_COLOR` is set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render(reports: Sequence[Report], catalog: Catalog | None = None, *, color: bool = False) -> Iterator[str]:
    """The lines to print, without line ends: each finding with its excerpt, then a summary.

    With a catalog each rule's reason is told where it is first found.
    """
    paint = _Paint(color)
    explained: set[str] = set()
    for report in reports:
        for diagnostic in report.diagnostics:
            why = None
            if catalog is not None and diagnostic.rule not in explained:
                explained.add(diagnostic.rule)
                documentation = catalog.documentation(diagnostic.rule)
                why = first_sentence(documentation.why) if documentation else None
            yield from _finding(report.source, diagnostic, why, paint)
            yield ""
    yield summary(reports)


def summary(reports: Sequence[Report]) -> str:
    """How much was found, in one line."""
    found = [diagnostic for report in reports for diagnostic in report.diagnostics]
    files = f"{len(reports)} file{'s' if len(reports) != 1 else ''}"
    if not found:
        return f"Nothing found in {files}."
    counts = []
    for severity in SEVERITIES:
        number = sum(each.severity == severity for each in found)
        if number:
            counts.append(f"{number} {severity if number == 1 else _PLURALS[severity]}")
    fixable = sum(each.fix is not None and each.fix.applicability != DISPLAY for each in found)
    fixes = f"; {fixable} can be fixed" if fixable else ""
    return f"{len(found)} finding{'s' if len(found) != 1 else ''} in {files}: {', '.join(counts)}{fixes}."


def first_sentence(text: str) -> str:
    """The first sentence of a text, in one line."""
    words = text.split()
    for number, word in enumerate(words[:-1], 1):
        if word[-1] in ".!?" and word.lower() not in ("e.g.", "i.e.", "etc.", "vs.") and not words[number][0].islower():
            return " ".join(words[:number])
    return " ".join(words)


def _finding(source: Source, diagnostic: Diagnostic, why: str | None, paint: _Paint) -> Iterator[str]:
    severity = paint(diagnostic.severity, _COLORS[diagnostic.severity])
    rule = diagnostic.code if diagnostic.code == diagnostic.rule else f"{diagnostic.code} {diagnostic.rule}"
    message = paint(printable(diagnostic.message), _BOLD)
    yield f"{_place(source, diagnostic.span)}: {severity}: {message} {paint(f'[{rule}]', _DIM)}"
    gutter = _gutter(source, (diagnostic.span, *[note.span for note in diagnostic.notes]))
    blank = paint(f"{' ' * gutter} |", _GUTTER)
    yield blank
    yield from _excerpt(source, diagnostic.span, "^", _COLORS[diagnostic.severity], gutter, paint)
    margin = " " * gutter + " "
    for note in diagnostic.notes:
        yield f"{margin}{paint('= note:', _BOLD)} {printable(note.message)} ({_place(source, note.span)})"
        yield from _excerpt(source, note.span, "-", _GUTTER, gutter, paint)
    if why:
        yield f"{margin}{paint('= why:', _BOLD)} {printable(why)}"
    if diagnostic.fix is not None:
        asked = " (changes the image; made only if asked for)" if diagnostic.fix.applicability == UNSAFE else ""
        yield f"{margin}{paint('= fix:', _BOLD)} {printable(diagnostic.fix.title)}{asked}"


def _place(source: Source, span: Span) -> str:
    position = source.position(span.start)
    return f"{printable(source.name)}:{position.line}:{position.column}"


def _last_line(source: Source, span: Span) -> int:
    return source.position(max(span.start, span.end - 1)).line


def _gutter(source: Source, spans: Iterable[Span]) -> int:
    return max(len(str(_last_line(source, span))) for span in spans)


def _excerpt(source: Source, span: Span, mark: str, color: str, gutter: int, paint: _Paint) -> Iterator[str]:
    """The first line of a span with what it marks there, and if it has more lines the last one likewise."""
    first, last = source.position(span.start).line, _last_line(source, span)
    numbers = (first,) if first == last else (first, last)
    for number in numbers:
        line = source.line(number)
        start = max(span.start, line.start)
        if number != first:
            text = source.slice(line)
            start = line.start + len(text) - len(text.lstrip())
        end = min(span.end, line.end)
        shown, before, under = _underlined(source.slice(line), start - line.start, end - line.start)
        if number != first and last > first + 1:
            yield paint(f"{'…':>{gutter}} |", _GUTTER)
        yield f"{paint(f'{number:>{gutter}} |', _GUTTER)} {shown}".rstrip()
        yield f"{paint(f'{chr(32) * gutter} |', _GUTTER)} {' ' * before}{paint(mark * under, color)}"


def _underlined(text: str, start: int, end: int) -> tuple[str, int, int]:
    """A line as it is printed, the columns before what is marked, and the columns under it (at least one).

    A column is one cell of a terminal with a fixed-width font: wide characters take two, combining ones none.
    """
    cells, widths, column = list(text), [1] * len(text), len(text)
    if not (text.isascii() and text.isprintable()):
        column = 0
        for at, char in enumerate(text):
            cells[at] = " " * (TAB - column % TAB) if char == "\t" else printable(char)
            widths[at] = sum(map(width_of, cells[at]))
            column += widths[at]
    before, under = sum(widths[:start]), max(1, sum(widths[start:end]))
    if column <= WIDTH:
        return "".join(cells), before, under
    # Show what is marked with some of what stands before it.
    left = 0
    skipped = 0
    while before - skipped > WIDTH // 3 and column - skipped > WIDTH:
        skipped += widths[left]
        left += 1
    right, used = left, 1 if left else 0
    while right < len(cells) and used + widths[right] < WIDTH:
        used += widths[right]
        right += 1
    shown = ("…" if left else "") + "".join(cells[left:right]) + ("…" if right < len(cells) else "")
    before += (1 if left else 0) - skipped
    return shown, before, max(1, min(under, used - before))


def width_of(char: str) -> int:
    """The columns that a character takes in a terminal: UAX #11 (East Asian Width), combining and format characters none."""
    if char < "\u0300":
        return 1
    from unicodedata import category, east_asian_width

    if category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in ("W", "F") else 1


def printable(text: str) -> str:
    """The text without what would steer the terminal: control characters as their pictures, other unprintable ones as U+FFFD.

    A file may hold escape sequences or marks that turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() or char == "\u200d" else _picture(char) for char in text])


def _picture(char: str) -> str:
    if char < " ":
        return chr(0x2400 + ord(char))
    return " " if char.isspace() else "\u2421" if char == "\x7f" else "\ufffd"


class _Paint:
    """Puts colour around a text, or does not."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, color: str) -> str:
        return f"{color}{text}{_RESET}" if self.color and text else text
