"""What a target takes, as `docker build --call=outline` prints it (BuildKit, frontend/subrequests/outline/outline.go).

TARGET:      app
DESCRIPTION: has the program alone

BUILD ARG   VALUE   DESCRIPTION
VERSION     12      is the release of Debian

SECRET   REQUIRED
token    true

Caches, which BuildKit does not list, come last.
"""

from __future__ import annotations

from dfkit.output.table import location, sources, table, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from dfkit.model.outline import Need, Outline
    from dfkit.text import Source


def render(outline: Outline) -> Iterator[str]:
    """The lines for a terminal: a table for each kind that there is, with an empty line after each."""
    about = [("TARGET:", outline.name or "(default)")] if outline.name or outline.description else []
    if outline.description:
        about.append(("DESCRIPTION:", outline.description))
    yield from _block(about, gap=1)
    rows = [(each.name, each.value, each.description) for each in outline.arguments]
    yield from _block([("BUILD ARG", "VALUE", "DESCRIPTION"), *rows] if rows else [])
    for title, needs in (("SECRET", outline.secrets), ("SSH", outline.ssh)):
        yield from _block(
            [(title, "REQUIRED"), *[(need.name, "true" if need.required else "") for need in needs]] if needs else []
        )
    yield from _block([("CACHE",), *[(cache.id,) for cache in outline.caches]] if outline.caches else [])


def render_json(outline: Outline, source: Source) -> str:
    """One JSON text with a line end; empty fields are left out."""
    return to_json(
        {
            "name": outline.name,
            "description": outline.description,
            "args": [
                {
                    "name": each.name,
                    "description": each.description,
                    "value": each.value,
                    "location": location(source, each.span),
                }
                for each in outline.arguments
            ],
            "secrets": _needs(outline.secrets, source),
            "ssh": _needs(outline.ssh, source),
            "cache": [{"ID": cache.id, "location": location(source, cache.span)} for cache in outline.caches],
            "sources": sources(source),
        }
    )


def _needs(needs: Sequence[Need], source: Source) -> list[dict[str, Any]]:
    return [{"name": need.name, "required": need.required, "location": location(source, need.span)} for need in needs]


def _block(rows: Sequence[tuple[str, ...]], gap: int = 3) -> Iterator[str]:
    if rows:
        yield from table(rows, gap)
        yield ""
