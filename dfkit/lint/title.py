"""What to call a fix."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.text import Edit, Source

LONGEST = 40


def title(source: Source, edits: Sequence[Edit]) -> str:
    """A fix in a few words: what one edit inserts, removes or replaces; for several, on which lines they are."""
    if len(edits) == 1:
        old, new = source.slice(edits[0].span).strip(), edits[0].text.strip()
        if _is_short(old) and _is_short(new):
            if not old:
                return f"insert `{new}`"
            return f"replace `{old}` with `{new}`" if new else f"remove `{old}`"
        if not new:
            return f"remove {_lines(source, edits)}"
    return f"rewrite {_lines(source, edits)}"


def _is_short(text: str) -> bool:
    return len(text) <= LONGEST and "\n" not in text


def _lines(source: Source, edits: Sequence[Edit]) -> str:
    first = source.position(min(edit.span.start for edit in edits)).line
    last = source.position(max(max(edit.span.start, edit.span.end - 1) for edit in edits)).line
    return f"line {first}" if first == last else f"lines {first} to {last}"
