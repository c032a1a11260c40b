"""The build context: which files there are, which the engine sees, which a build needs, and the archive that carries them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.context.ignore import IgnoreError, IgnoreFile, IgnoreLine
    from dfkit.context.planning import ContextPlan, Placement, plan
    from dfkit.context.selection import Selection, select
    from dfkit.context.tree import ContextError, Entry, walk

_MODULES = {
    "ignore": ("IgnoreError", "IgnoreFile", "IgnoreLine"),
    "planning": ("ContextPlan", "Placement", "plan"),
    "selection": ("Selection", "select"),
    "tree": ("ContextError", "Entry", "walk"),
}
"""Which module has which name; it is imported when one is asked for, as most checks need none and `re` takes long."""

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


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(__import__(f"{__name__}.{module}", fromlist=names), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
