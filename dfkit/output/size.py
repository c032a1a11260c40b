"""Numbers as people read them."""

from __future__ import annotations


def human(size: float) -> str:
    """A number of bytes in decimal units, as `docker images` prints it.

    >>> human(0), human(999), human(48_060_000)
    ('0 B', '999 B', '48.1 MB')
    """
    if abs(size) < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if abs(size) < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def percent(before: float, after: float) -> str:
    """How much less `after` is, such as `-52 %`; empty where there was nothing."""
    return f"{100 * (after - before) / before:+.0f} %" if before else ""
