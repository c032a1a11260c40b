"""Changes to a text: the one mechanism for fixes, rewrites and formatting."""

from __future__ import annotations

from dfkit._record import Record
from dfkit.text.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    Applicability = Literal["safe", "unsafe", "display"]

SAFE: Applicability = "safe"
"""The built image keeps its meaning; applied without asking."""
UNSAFE: Applicability = "unsafe"
"""The image changes on purpose; applied only by name."""
DISPLAY: Applicability = "display"
"""Only shown."""


class Edit(Record):
    """Put `text` in the place of `span`: an insertion where the span is empty, a deletion where the text is."""

    span: Span
    text: str


class Fix(Record):
    """Edits that belong together: all are made, or none."""

    title: str
    edits: tuple[Edit, ...]
    applicability: Applicability = SAFE


def overlap(edits: Iterable[Edit], others: Iterable[Edit]) -> bool:
    """Whether some edit of one group changes what an edit of the other changes."""
    others = tuple(others)
    return any(one.span.touches(other.span) for one in edits for other in others)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after the edits. They must not overlap; equal edits count once, insertions at one place keep their order.

    Raises `ValueError` if two edits overlap.
    """
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: (edit.span.start, edit.span.end))
    parts: list[str] = []
    at = 0
    for edit in ordered:
        if edit.span.start < at:
            raise ValueError(f"edits overlap at offset {edit.span.start}")
        parts += (text[at : edit.span.start], edit.text)
        at = edit.span.end
    parts.append(text[at:])
    return "".join(parts)
