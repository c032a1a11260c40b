"""Rules applied to a file: one walk over its tree, and the comments that silence it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.lint.engine import Linter, Report, lint

__all__ = ["Linter", "Report", "lint"]


def __getattr__(name: str) -> object:
    # ShellCheck is started before the rules are needed, and they are imported while it is at work.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dfkit.lint import engine

    return getattr(engine, name)
