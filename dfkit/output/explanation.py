"""What an optimization did and what it left alone, and why."""

from __future__ import annotations

import textwrap

from dfkit.text import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.optimize import Optimized

WIDTH = 110
_BOLD, _RESET = "\033[1m", "\033[0m"


def render(optimized: Optimized, source: Source, *, color: bool = False) -> Iterator[str]:
    """The lines to print: each change with its reason and gain, each refused rewrite with its reason."""
    if optimized.applied:
        yield f"{_count(len(optimized.applied), 'change')} to {source.name}:"
    else:
        yield f"Nothing to change in {source.name}."
    for change in optimized.applied:
        yield f"  {_bold(change.pass_name, color)}: {change.fix.title}"
        yield from _paragraph("why", change.why)
        if change.gain:
            yield from _paragraph("gain", change.gain)
    if optimized.refused:
        yield f"{_count(len(optimized.refused), 'rewrite')} considered and refused (lines of the result):"
    result = Source(optimized.text, source.name)
    for refusal in optimized.refused:
        line = result.position(refusal.span.start).line
        yield f"  {_bold(refusal.pass_name, color)}, line {line}:"
        yield from _paragraph("why", refusal.why)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _bold(text: str, color: bool) -> str:
    return f"{_BOLD}{text}{_RESET}" if color else text


def _paragraph(label: str, text: str) -> list[str]:
    return textwrap.wrap(f"{label}: {text}", WIDTH, initial_indent="    ", subsequent_indent="    " + " " * (len(label) + 2))
