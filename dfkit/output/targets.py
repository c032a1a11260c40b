"""The targets of a file, as `docker build --call=targets` prints them (BuildKit, frontend/subrequests/targets/targets.go).

TARGET          DESCRIPTION
build           compiles the program
app (default)   has the program alone
"""

from __future__ import annotations

from dfkit.output.table import location, sources, table, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model.outline import Target
    from dfkit.text import Source


def render(targets: Sequence[Target]) -> Iterator[str]:
    """The lines for a terminal."""
    yield from table([("TARGET", "DESCRIPTION"), *[(_name(target), target.description) for target in targets]])


def render_json(targets: Sequence[Target], source: Source) -> str:
    """One JSON text with a line end: `targets` and `sources`, empty fields left out."""
    listed = [
        {
            "name": target.name,
            "default": target.is_default,
            "description": target.description,
            "base": target.base,
            "platform": target.platform,
            "location": location(source, target.span),
        }
        for target in targets
    ]
    return to_json({"targets": listed, "sources": sources(source)})


def _name(target: Target) -> str:
    return " ".join(filter(None, (target.name, "(default)" if target.is_default else "")))
