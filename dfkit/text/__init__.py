"""Characters, places in them and changes to them; knows nothing of Dockerfiles."""

from __future__ import annotations

from dfkit.text.diagnostic import ERROR, INFO, SEVERITIES, STYLE, WARNING, Diagnostic, Note, at_least
from dfkit.text.edit import DISPLAY, SAFE, UNSAFE, Edit, Fix, apply, overlap
from dfkit.text.source import Mapped, Position, Source, Span

__all__ = [
    "DISPLAY",
    "ERROR",
    "INFO",
    "SAFE",
    "SEVERITIES",
    "STYLE",
    "UNSAFE",
    "WARNING",
    "Diagnostic",
    "Edit",
    "Fix",
    "Mapped",
    "Note",
    "Position",
    "Source",
    "Span",
    "apply",
    "at_least",
    "overlap",
]
