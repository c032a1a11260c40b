"""Read, check, rewrite, prove and build Dockerfiles.

    >>> import dfkit
    >>> dfkit.parse("FROM debian:12").instructions[0].image.text
    'debian:12'
    >>> [found.code for found in dfkit.lint("FROM debian").diagnostics]  # doctest: +ELLIPSIS
    ['DL3006'...

`parse`, `lint`, `fix`, `optimize` and `build` are the public functions; what they need is imported when they are first used.
"""

from __future__ import annotations

import sys

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from dfkit.workflow.api import build, fix, lint, optimize, parse
else:
    ModuleType = type(sys)

__all__ = ["__version__", "build", "fix", "lint", "optimize", "parse"]


class _Room(ModuleType):
    """A room with the name of a public function: `dfkit.build` is the package, and called it is the function."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        return _function(self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    """This package: the import system sets a room as its attribute once the room is imported, here it becomes callable."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> object:
        if name in __all__:
            return _function(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _function(name: str) -> Any:
    # By its name as text: every room imports this package, and none may import the workflow.
    from importlib import import_module

    return getattr(import_module("dfkit.workflow.api"), name)


# https://docs.python.org/3/reference/datamodel.html#customizing-module-attribute-access
sys.modules[__name__].__class__ = _Package
