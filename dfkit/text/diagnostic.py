"""What is said about a text."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from dfkit.text.edit import Fix
    from dfkit.text.source import Span

    Severity = Literal["error", "warning", "info", "style"]

ERROR: Severity = "error"
WARNING: Severity = "warning"
INFO: Severity = "info"
STYLE: Severity = "style"
SEVERITIES: tuple[Severity, ...] = (ERROR, WARNING, INFO, STYLE)
"""From the gravest to the least."""


def at_least(severity: Severity, threshold: str) -> bool:
    """Whether a severity reaches a threshold; nothing reaches `"none"`."""
    return threshold != "none" and SEVERITIES.index(severity) <= SEVERITIES.index(threshold)


class Note(Record):
    """A second place that explains a diagnostic."""

    span: Span
    message: str


class Diagnostic(Record):
    """One problem at one place. `code` is the short code that users know (`DL3009`, `DF5001`), `rule` the name."""

    rule: str
    code: str
    severity: Severity
    message: str
    span: Span
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None
