"""What the answers to `docker build --call` have in common: tables, places, and JSON without empty fields."""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import zip_longest

from dfkit.output.parts import last

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from dfkit.text import Source, Span


def table(rows: Sequence[tuple[str, ...]], gap: int = 3) -> Iterator[str]:
    """Lines with the columns under each other, `gap` blanks apart."""
    widths = [max(map(len, column)) + gap for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        yield "".join([f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]).rstrip()


def location(source: Source, span: Span) -> dict[str, Any]:
    """Where something stands as BuildKit's protocol says it: a range for each of its lines."""
    first, final = source.position(span.start).line, source.position(last(span)).line
    return {"ranges": [{"start": {"line": line}, "end": {"line": line}} for line in range(first, final + 1)]}


def sources(source: Source) -> list[str]:
    """The file as BuildKit sends it along, in base64."""
    return [b64encode(source.encode()).decode()]


def to_json(value: dict[str, Any]) -> str:
    """One JSON text with a line end; fields that are empty or false are left out."""
    return json.dumps(_pruned(value), indent=2) + "\n"


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(each) for key, each in value.items() if each}
    return [_pruned(each) for each in value] if isinstance(value, list) else value
