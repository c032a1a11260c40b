"""Pages of figures, a section a part: a run of some parts leaves the sections of the others as they are."""

from __future__ import annotations

import re
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def put_sections(page: Path, head: str, sections: Mapping[str, str], order: Sequence[str]) -> None:
    """Write a page: `head`, then the sections, by title, in this order; those that are not given are taken from the page as it is.

    A section's text goes without its title and ends with a line feed.
    """
    old = page.read_text() if page.exists() else ""
    kept = {title: text.lstrip("\n") for title, text in re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", old, re.MULTILINE)}
    texts = {**kept, **sections}
    wanted = [title for title in order if title in texts]
    page.write_text("\n".join([head, *(f"## {title}\n\n{texts[title].strip()}\n" for title in wanted)]))
