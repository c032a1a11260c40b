"""The protobuf wire format, as far as BuildKit's messages need it.

A message is read by field number and written from pairs; what the numbers mean stands where the message is used. There is no
schema and no generated code: BuildKit's session and trace use about twenty small messages of strings, bytes, integers and
messages. The `protobuf` library would add a dependency and 0.3 s of import to every build for that.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Value = int | bytes | str
    """An integer field; a bytes or message field; a string field."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_UINT64 = (1 << 64) - 1
_MOST_FIELDS = 256
"""Different ones; each takes fifty times the memory that it takes on the wire."""
_LAST = tuple(bytes([value]) for value in range(0x80))
_MORE = tuple(bytes([value | 0x80]) for value in range(0x80))
"""The bytes of a varint: its last one, and those that another one follows."""


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def encode(*fields: tuple[int, Value | None]) -> bytes:
    """A message from its (field number, value) pairs in the given order; a pair with None is left out.

    A negative integer is written as int64 does, in two's complement. Raises `ValueError` for a number that no field can have
    and for an integer beyond 64 bits.
    """
    parts: list[bytes] = []
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, int):
            if not -(1 << 63) <= value <= _UINT64:
                raise ValueError(f"{value} does not fit in 64 bits")
            parts += (_key(number, _VARINT), varint(value & _UINT64))
        else:
            data = value.encode() if isinstance(value, str) else value
            parts += (_key(number, _LENGTH), varint(len(data)), data)
    return b"".join(parts)


@lru_cache(256)
def _key(number: int, kind: int) -> bytes:
    """What stands before a field's value."""
    if not 0 < number < 1 << 29:
        raise ValueError(f"{number} is no field number")
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte, the low ones first."""
    if value < 0x80:
        return _LAST[value]
    parts = []
    while value > 0x7F:
        parts.append(_MORE[value & 0x7F])
        value >>= 7
    parts.append(_LAST[value])
    return b"".join(parts)


class Message:
    """A decoded message. Each accessor takes a field number and gives the field's default (0, empty) where it is absent.

    As protobuf asks: of a single field sent twice the last value counts, and a single message sent twice is merged. A field of
    another kind than the accessor's counts as absent.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: bytes) -> None:
        """Decode `data`. Raises `WireError`."""
        self._fields: dict[int, list[int | bytes]] = {}
        at, end = 0, len(data)
        while at < end:
            key, at = _varint(data, at)
            number, kind = key >> 3, key & 7
            if not 0 < number < 1 << 29:
                raise WireError(f"field number {number}")
            value: int | bytes
            if kind == _VARINT:
                value, at = _varint(data, at)
            elif kind in (_LENGTH, _FIXED64, _FIXED32):
                if kind == _LENGTH:
                    size, at = _varint(data, at)
                else:
                    size = 8 if kind == _FIXED64 else 4
                if size > end - at:
                    raise WireError(f"field {number} ends after the message")
                value = data[at : at + size]
                at += size
                if kind != _LENGTH:
                    value = int.from_bytes(value, "little")
            else:
                raise WireError(f"wire type {kind} of field {number}")
            self._fields.setdefault(number, []).append(value)
            if len(self._fields) > _MOST_FIELDS:
                raise WireError(f"more than {_MOST_FIELDS} different fields")

    def _bytes(self, number: int) -> list[bytes]:
        return [value for value in self._fields.get(number, ()) if isinstance(value, bytes)]

    def integer(self, number: int) -> int:
        """An unsigned integer."""
        values = [value for value in self._fields.get(number, ()) if isinstance(value, int)]
        return values[-1] if values else 0

    def signed(self, number: int) -> int:
        """An int32 or int64."""
        value = self.integer(number)
        return value - (1 << 64) if value >> 63 else value

    def flag(self, number: int) -> bool:
        """A bool."""
        return self.integer(number) != 0

    def data(self, number: int) -> bytes:
        """A bytes field."""
        values = self._bytes(number)
        return values[-1] if values else b""

    def datas(self, number: int) -> tuple[bytes, ...]:
        """A repeated bytes field."""
        return tuple(self._bytes(number))

    def text(self, number: int) -> str:
        """A string; bytes that are not UTF-8 become U+FFFD."""
        return self.data(number).decode("utf-8", "replace")

    def texts(self, number: int) -> tuple[str, ...]:
        """A repeated string."""
        return tuple(value.decode("utf-8", "replace") for value in self._bytes(number))

    def message(self, number: int) -> Message | None:
        """A message field, None where it is absent. Raises `WireError`."""
        values = self._bytes(number)
        return Message(b"".join(values)) if values else None

    def messages(self, number: int) -> Iterable[Message]:
        """A repeated message field. Raises `WireError`."""
        return (Message(value) for value in self._bytes(number))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at an offset, and the offset after it."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise WireError("the message ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, at
        shift += 7
        if shift > 63:
            raise WireError("a number of more than ten bytes")
