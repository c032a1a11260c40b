"""What a check takes: the keyword-only parameters of the function that a rule's `uses:` names.

The function is found by its name in `dfkit.checks` when rules are compiled; nothing here is needed to run them.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PACKAGE = "dfkit.checks"


class BindingError(Exception):
    """A check that does not exist, or a parameter that does not fit it."""


class Signature:
    """The signature of one check."""

    def __init__(self, uses: str, function: Any) -> None:
        self.uses = uses
        self.nodes: tuple[str, ...] = tuple([f"{node.__module__}.{node.__qualname__}" for node in function.nodes])
        self._program: str | None = function.program
        self._manager: str | None = function.manager
        parameters = inspect.signature(function).parameters.values()
        self._parameters = {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY}
        self._types = _types(function, self._parameters)
        self.what = inspect.getdoc(function) or ""

    @property
    def parameters(self) -> tuple[tuple[str, str, str | None], ...]:
        """The parameters: name, type as written, and default; None where the parameter must be given."""
        return tuple(
            [
                (name, str(each.annotation), None if each.default is each.empty else repr(each.default))
                for name, each in self._parameters.items()
            ]
        )

    def value(self, name: str, value: Any) -> Any:
        """A parameter's value in the shape that the check takes: lists become tuples.

        Raises `BindingError` if the check has no such parameter, or it is of another type.
        """
        if name not in self._parameters:
            known = ", ".join(self._parameters) or "none"
            raise BindingError(f"`{self.uses}` has no parameter `{name}`; it has: {known}")
        try:
            return _fitted(value, self._types[name])
        except ValueError:
            shown = str(self._parameters[name].annotation)
            raise BindingError(f"`{name}` of `{self.uses}` is {shown}, which {value!r} is not") from None

    def missing(self, given: Mapping[str, Any]) -> str | None:
        """A parameter without a default that is not given."""
        for name, parameter in self._parameters.items():
            if parameter.default is parameter.empty and name not in given:
                return name
        return None

    def programs(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """The programs whose commands the check looks at, or the package managers whose calls it does; none: all."""
        if self._manager:
            names = parameters[self._manager]
            return (names,) if isinstance(names, str) else tuple(names)
        value = parameters.get(self._program) if self._program else None
        if not value:
            return ()
        if isinstance(value, str):
            return (value,)
        lists = (value,) if isinstance(value[0], str) else value
        return tuple(sorted({words[0] for words in lists if words}))


def signature(uses: str) -> Signature:
    """The signature of `module.function` of `dfkit.checks`. Raises `BindingError` if there is no such check."""
    module_name, _, name = uses.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in uses.split(".")):
        raise BindingError(f"`{uses}` names no check: write `module.function`")
    try:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except ModuleNotFoundError as error:
        if error.name != f"{PACKAGE}.{module_name}":
            raise
        raise BindingError(f"there are no checks called `{module_name}`") from None
    function = getattr(module, name, None)
    if function is None or not hasattr(function, "nodes"):
        raise BindingError(f"there is no check called `{name}` in `{module_name}`{_hint(name, module)}")
    return Signature(uses, function)


def _hint(name: str, module: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [each for each in vars(module) if hasattr(vars(module)[each], "nodes")], 1)
    return f"; did you mean `{near[0]}`?" if near else "; `dfkit rules --checks` lists them"


def checks() -> Iterator[Signature]:
    """The checks that rules can use, by name; those that imitate a tool are left out."""
    import pkgutil

    for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        if module.ispkg:
            continue
        functions = vars(importlib.import_module(f"{PACKAGE}.{module.name}"))
        for name, function in functions.items():
            if getattr(function, "nodes", None) and function.__module__.endswith(f".{module.name}"):
                yield Signature(f"{module.name}.{name}", function)


def _types(function: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    # Only what `with:` may give is resolved: the node's and the place's classes are imported for type checkers alone.
    wanted = types.SimpleNamespace(__annotations__={name: function.__annotations__[name] for name in names})
    known = {"Mapping": Mapping, "Sequence": Sequence, "Literal": typing.Literal, **function.__globals__}
    return typing.get_type_hints(wanted, known)


def _fitted(value: Any, kind: Any) -> Any:
    """The value as an instance of a type, or `ValueError`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for each in arguments:
            try:
                return _fitted(value, each)
            except ValueError:
                continue
    elif origin is typing.Literal:
        if value in arguments:
            return value
    elif origin in (tuple, Sequence):
        if isinstance(value, str) and arguments[0] is str:
            return (value,)
        if isinstance(value, list):
            return tuple([_fitted(item, arguments[0]) for item in value])
    elif origin in (dict, Mapping):
        if isinstance(value, dict):
            return {_fitted(key, arguments[0]): _fitted(item, arguments[1]) for key, item in value.items()}
    elif kind is type(None):
        if value is None:
            return None
    elif type(value) is kind:
        return value
    raise ValueError
