"""The build context: which files there are, which the engine sees, which a build needs, and the archive that carries them."""

from __future__ import annotations

from dfkit.context.ignore import IgnoreError, IgnoreFile, IgnoreLine
from dfkit.context.plan import ContextPlan, Placement, plan
from dfkit.context.selection import Selection, select
from dfkit.context.tree import ContextError, Entry, walk

__all__ = [
    "ContextError",
    "ContextPlan",
    "Entry",
    "IgnoreError",
    "IgnoreFile",
    "IgnoreLine",
    "Placement",
    "Selection",
    "plan",
    "select",
    "walk",
]
