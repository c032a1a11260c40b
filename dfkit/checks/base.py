"""Base images: what FROM names."""

from __future__ import annotations

import re

from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.syntax.image import ImageName
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place

_ID = r"(?:sha256:)?[0-9a-f]{64}|[0-9a-f]{12}"


def _name(stage: Stage) -> ImageName | None:
    """The base image, variables replaced by their defaults; where that is not possible, as written if its tag can be seen."""
    if stage.base is not None or stage.image == "scratch":
        return None
    if stage.image is not None:
        return stage.image_name
    text = stage.from_.image.text
    return None if "$" in text.rpartition("/")[2] else ImageName.parse(text)


@check(Stage)
def untagged(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has neither tag nor digest."""
    name = _name(node)
    if name is not None and name.tag is None and name.digest is None and not re.fullmatch(_ID, node.image or ""):
        yield Finding(node.from_.image.span)


@check(Stage)
def latest(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has the tag `latest` and no digest."""
    name = _name(node)
    if name is not None and name.tag == "latest" and name.digest is None:
        text, span = node.from_.image.text, node.from_.image.span
        written = text.endswith(":latest") and span.end - span.start == len(text)
        yield Finding(Span(span.end - len("latest"), span.end) if written else span)


@check(Stage)
def image_id(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names an image by its id, which only the machine that made it knows."""
    if node.base is None and node.image is not None and re.fullmatch(_ID, node.image):
        yield Finding(node.from_.image.span)
