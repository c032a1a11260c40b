"""What COPY and ADD name as their sources."""

from __future__ import annotations

import posixpath

from dfkit._regex import regex
from dfkit.syntax.nodes import Add, Copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model.model import Model
    from dfkit.syntax.nodes import Transfer
    from dfkit.text import Span

EVERYTHING = "."
_REMOTE = regex(r"(?:https?|ftp|ssh)://|git@[^/]+:|git://|github\.com/")


def is_remote(source: str) -> bool:
    """Whether a source of ADD is a URL or a git repository."""
    return _REMOTE.match(source) is not None


def clean(source: str) -> str:
    """A source path as BuildKit resolves it: from the context's root, never above it."""
    path = posixpath.normpath("/" + source.lstrip("/")).lstrip("/")
    return path or EVERYTHING


def sources(instruction: Transfer, model: Model) -> Iterator[tuple[str | None, Span]]:
    """The local sources of a COPY or ADD, expanded; None where a variable is not known. Heredocs, URLs and other stages' are left out."""
    if isinstance(instruction, Copy) and instruction.flag("from") is not None:
        return
    markers = {heredoc.marker for heredoc in instruction.heredocs}
    for word in instruction.sources:
        if word.span in markers:
            continue
        text = model.expand(word, instruction)
        if isinstance(instruction, Add) and is_remote(text or word.text):
            continue
        yield (None if text is None else clean(text)), word.span
