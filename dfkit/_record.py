"""`Record`: the base of slotted, immutable classes made from their annotations.

Like `dataclasses.dataclass(frozen=True, slots=True)`, without its cost: nothing is compiled when a class is made, and it is made
once, so a command that needs sixty of them starts as fast as one that needs none.

    >>> class Point(Record):
    ...     x: int
    ...     y: int = 0
    >>> Point(1)
    Point(x=1, y=0)
    >>> Point(1) == Point(1, 0), replace(Point(1), y=2)
    (True, Point(x=1, y=2))

Fields are the annotations, those of the base class first. A default must be immutable: it is shared. A subclass that gives a
default to an inherited field redeclares the field. Two records are equal when their classes and all their fields are.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_options: object) -> Callable[[T], T]:
        return lambda decorated: decorated


MANY = 256
"""After so many records of a class it gets a `__new__` of its own: compiling one takes as long as making that many without."""


@dataclass_transform(frozen_default=True)
class RecordType(type):
    """The class of records' classes: makes slots of the annotations."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        if not bases:
            return super().__new__(cls, name, bases, namespace | {"__slots__": ()})
        (base,) = bases
        fields: tuple[str, ...] = base._fields  # type: ignore[attr-defined]
        kinds = namespace.get("__annotations__", {})
        slots, defaults = [], {}
        for field, kind in kinds.items():
            if not str(kind).startswith("ClassVar"):
                if field not in fields:
                    slots.append(field)
                if field in namespace:
                    defaults[field] = namespace.pop(field)
        namespace["__slots__"] = slots
        namespace["_setters"] = ()
        if slots:
            namespace["_fields"] = (*fields, *slots)
        if defaults:
            namespace["_defaults"] = base._defaults | defaults  # type: ignore[attr-defined]
        if "__new__" in base.__dict__:
            # The base class has been given its own, made for its own fields.
            namespace["__new__"] = _empty
            namespace["__init__"] = Record.__init__
        return super().__new__(cls, name, bases, namespace)


class Record(metaclass=RecordType):
    """A class of immutable objects with the annotated fields."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _setters: ClassVar[tuple[Callable[[Any, Any], None], ...]] = ()
    """Those of the fields' slots, known once the first record is made."""
    _made: ClassVar[list[int]] = [0]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        setters = cls._setters
        if not setters:
            setters = cls._setters = tuple([getattr(cls, name).__set__ for name in cls._fields])
            cls._made = [0]
        values = args if len(args) == len(setters) and not kwargs else _bind(cls, args, kwargs)
        for put, value in zip(setters, values, strict=True):
            put(self, value)
        cls._made[0] += 1
        if cls._made[0] == MANY:
            _specialize(cls)

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


def _empty(cls: type[T], *_args: object, **_kwargs: object) -> T:
    """`object.__new__`, which takes no arguments where a base class has another `__new__`."""
    return object.__new__(cls)


def _bind(cls: type[Record], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The values of all fields, as Python binds arguments."""
    fields = cls._fields
    if len(args) > len(fields):
        raise TypeError(f"{cls.__name__}() takes {len(fields)} fields, {len(args)} were given")
    values = list(args)
    for name in fields[len(args) :]:
        if name in kwargs:
            values.append(kwargs.pop(name))
        elif name in cls._defaults:
            values.append(cls._defaults[name])
        else:
            raise TypeError(f"{cls.__name__}() lacks the field {name!r}")
    if kwargs:
        raise TypeError(f"{cls.__name__}() has no field {next(iter(kwargs))!r}, or it was given twice")
    return values


def _specialize(cls: type[Record]) -> None:
    """Give a class a `__new__` with its fields as parameters.

    It fills an object of a class with the same layout whose fields can be set, then makes it one of `cls`: that takes half the time
    of calling the setters of its slots.
    """
    if cls.__subclasses__():
        return  # they would inherit it
    first = next((at for at, name in enumerate(cls._fields) if name in cls._defaults), len(cls._fields))
    if any(name not in cls._defaults for name in cls._fields[first:]):
        return  # Python has no such signature: a subclass added a field without a default after one with a default
    plain = {name: getattr(object, name) for name in ("__new__", "__init__", "__setattr__", "__delattr__")}
    names: dict[str, Any] = {f"_default_{name}": value for name, value in cls._defaults.items()}
    names["_draft"] = type.__new__(RecordType, cls.__name__, cls.__bases__, {"__slots__": cls.__dict__["__slots__"], **plain})
    parameters = "".join(f", {name}=_default_{name}" if name in cls._defaults else f", {name}" for name in cls._fields)
    body = "".join(f"_self.{name} = {name}; " for name in cls._fields)
    exec(f"def __new__(_cls{parameters}): _self = _draft(); {body}_self.__class__ = _cls; return _self", names)  # noqa: S102 - the names are the class's own annotations
    cls.__new__ = staticmethod(names["__new__"])  # type: ignore[method-assign]
    cls.__init__ = object.__init__  # type: ignore[method-assign]


def replace(record: T, **changes: Any) -> T:
    """A copy of a record with some fields changed."""
    fields = record._fields  # type: ignore[attr-defined]
    return type(record)(**{name: getattr(record, name) for name in fields} | changes)
