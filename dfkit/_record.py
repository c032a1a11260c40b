"""`@record`: slotted, immutable classes made from their annotations.

Like `dataclasses.dataclass(frozen=True, slots=True)`, without its cost: nothing is compiled when a class is made, so a command
that needs sixty of them starts as fast as one that needs none.

    >>> @record
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1)
    Point(x=1, y=0)
    >>> Point(1) == Point(1, 0), replace(Point(1), y=2)
    (True, Point(x=1, y=2))

Fields are the annotations, those of the base classes first. A default must be immutable: it is shared. A subclass that gives a
default to an inherited field redeclares the field. Two records are equal when their classes and all their fields are.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_options: object) -> Callable[[T], T]:
        return lambda decorator: decorator


class Record:
    """What `@record` mixes in; only for `isinstance` and for annotations."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _defaults: dict[str, Any] = {}  # noqa: RUF012 - filled once, by `record`
    _setters: tuple[Callable[[Any, Any], None], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        setters = self._setters
        if len(args) == len(setters) and not kwargs:
            for put, value in zip(setters, args, strict=True):
                put(self, value)
            return
        fields = self._fields
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__}() takes {len(fields)} fields, {len(args)} were given")
        for put, value in zip(setters, args, strict=False):
            put(self, value)
        for name, put in zip(fields[len(args) :], setters[len(args) :], strict=True):
            if name in kwargs:
                put(self, kwargs.pop(name))
            elif name in self._defaults:
                put(self, self._defaults[name])
            else:
                raise TypeError(f"{type(self).__name__}() lacks the field {name!r}")
        if kwargs:
            raise TypeError(f"{type(self).__name__}() has no field {next(iter(kwargs))!r}, or it was given twice")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name!r}")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._fields])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make an immutable, slotted record of a class with annotated fields."""
    fields: list[str] = []
    defaults: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        for name in getattr(base, "_fields", ()):
            if name not in fields:
                fields.append(name)
        defaults.update(base.__dict__.get("_defaults", ()))
    inherited = set(fields)
    namespace = dict(cls.__dict__)
    for name, kind in cls.__dict__.get("__annotations__", {}).items():
        if str(kind).startswith("ClassVar"):
            continue
        if name not in fields:
            fields.append(name)
        if name in namespace:
            defaults[name] = namespace.pop(name)
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace |= {
        "__slots__": tuple(name for name in fields if name not in inherited),
        "_fields": tuple(fields),
        "_defaults": defaults,
    }
    bases = tuple(base for base in cls.__bases__ if base is not object)
    if not any(issubclass(base, Record) for base in bases):
        bases = (*bases, Record)
    made = type(cls.__name__, bases, namespace)
    made.__qualname__ = cls.__qualname__
    made._setters = tuple(getattr(made, name).__set__ for name in fields)  # type: ignore[attr-defined]
    return made


def replace(record: T, **changes: Any) -> T:
    """A copy of a record with some fields changed."""
    fields = record._fields  # type: ignore[attr-defined]
    return type(record)(**{name: getattr(record, name) for name in fields} | changes)
