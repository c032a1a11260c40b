"""Results that are kept: what is asked of the same object by many rules is computed once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, ParamSpec, TypeVar

    T = TypeVar("T")
    P = ParamSpec("P")
    R = TypeVar("R")

SIZE = 1024
"""How many results of a function are kept before it begins anew."""


def remembered(function: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R]:
    """A function of an immutable object that keeps its last result for each; the results must be immutable too.

    Objects are told apart by identity, not compared: equal trees may stand at different places. Further arguments are compared.
    """
    known: dict[int, tuple[T, object, R]] = {}

    def remembering(of: T, /, *more: P.args, **named: P.kwargs) -> R:
        found = known.get(id(of))
        # The object is kept with its result, so that no other can get its number.
        if found is not None and found[1] == (more, named):
            return found[2]
        if len(known) >= SIZE:
            known.clear()
        result = function(of, *more, **named)
        known[id(of)] = (of, (more, named), result)
        return result

    remembering.__doc__ = function.__doc__
    return remembering
