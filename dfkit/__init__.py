"""Read, check, rewrite, prove and build Dockerfiles.

    >>> import dfkit
    >>> dfkit.parse("FROM debian:12").instructions[0].image.text
    'debian:12'
    >>> [found.code for found in dfkit.lint("FROM debian").diagnostics]  # doctest: +ELLIPSIS
    ['DL3006'...

`parse`, `lint`, `fix`, `optimize` and `build` are the public functions; what they need is imported when they are first used.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.workflow.api import build, fix, lint, optimize, parse

__all__ = ["__version__", "build", "fix", "lint", "optimize", "parse"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from dfkit.workflow import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
