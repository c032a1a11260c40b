"""A tar read as it comes from a peer that is not trusted, with a bounded part of it in memory.

The standard library's `tarfile` keeps all members of a stream, and takes the headers that hold long names for as large as they say
that they are. Here is what Go's `archive/tar` writes, which BuildKit's exporters use: ustar entries, with pax records for what does
not fit into them, and GNU's long names.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

import os
from types import MappingProxyType

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    Kind = Literal["file", "dir", "symlink", "link", "special"]

LARGEST_EXTENSION = 1 << 20
"""Bytes of one header that extends another: far more than a path and the attributes of a file take."""

_NONE: Mapping[str, bytes] = MappingProxyType({})
_XATTR = "SCHILY.xattr."
"""How pax records of extended attributes begin, as star(1) names them and Go's `archive/tar` writes them."""
_BLOCK = 512
_EXTENSIONS_IN_A_ROW = 8
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "link",
    b"2": "symlink",
    b"3": "special",
    b"4": "special",
    b"5": "dir",
    b"6": "special",
}


class TarError(Exception):
    """Bytes that are no tar, or one that this does not read."""


class Member(Record):
    """An entry. `special` is a device or a fifo; `target` is what a symlink says, or the path of the entry that a link links to.

    `path`, `target` and the names of `xattrs` are as written, undecodable bytes as surrogates; `mode` are the lower twelve bits;
    `mtime` is in nanoseconds since 1970. BuildKit's exporters round it to seconds.
    """

    path: str
    kind: Kind
    mode: int
    mtime: int
    size: int
    target: str
    xattrs: Mapping[str, bytes] = _NONE


class TarStream:
    """Iterate to get the members in order; `content` gives the current one's bytes, in pieces, and what is not taken is skipped."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """`chunks` are the bytes of the tar, cut anywhere; they are read to their end, beyond the end of the tar."""
        self._chunks = chunks
        self._chunk = b""
        self._at = 0  # how much of the chunk was taken
        self._left = 0  # bytes of the current member
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Raises `TarError`, and what the chunks raise."""
        while (member := self._next()) is not None:
            yield member
        for _ in self._chunks:
            pass

    def content(self) -> Iterator[bytes]:
        """The current member's bytes that were not taken yet. Raises `TarError`."""
        while self._left:
            piece = self._some(self._left)
            self._left -= len(piece)
            yield piece

    def _next(self) -> Member | None:
        records: dict[str, bytes] = {}
        for _ in range(_EXTENSIONS_IN_A_ROW):
            header = self._header()
            if header is None:
                if records:
                    raise TarError("it ends after the header of a long name")
                return None
            kind, size = header[156:157], _number(header[124:136])
            if kind in (b"x", b"g", b"L", b"K"):
                if size > LARGEST_EXTENSION:
                    raise TarError(f"a header of {size} bytes")
                self._begin(size)
                extension = b"".join(self.content())
                if kind == b"x":
                    records |= _records(extension)
                elif kind != b"g":
                    records["path" if kind == b"L" else "linkpath"] = extension.rstrip(b"\0")
                continue
            return self._member(header, records)
        raise TarError("headers that extend each other")

    def _header(self) -> bytes | None:
        """The next header block, None at the end of the tar."""
        for _ in self.content():
            pass
        self._exactly(self._padding)
        self._padding = 0
        header = self._exactly(_BLOCK)
        if header == bytes(_BLOCK):
            return None
        # The checksum counts its own field as spaces.
        if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * 0x20:
            raise TarError("a header with a wrong checksum")
        return header

    def _member(self, header: bytes, records: dict[str, bytes]) -> Member:
        kind = _KINDS.get(header[156:157])
        if kind is None:
            raise TarError(f"an entry of the unknown type {header[156:157]!r}")
        size = _decimal(records["size"]) if "size" in records else _number(header[124:136])
        self._begin(size if kind == "file" else 0)
        path = records.get("path")
        if path is None:
            prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else b""
            path = prefix + b"/" + _text(header[:100]) if prefix else _text(header[:100])
        return Member(
            os.fsdecode(path),
            "dir" if kind == "file" and path.endswith(b"/") else kind,
            _number(header[100:108]) & 0o7777,
            _nanoseconds(records["mtime"]) if "mtime" in records else _number(header[136:148]) * 10**9,
            size,
            os.fsdecode(records.get("linkpath", _text(header[157:257]))),
            {key.removeprefix(_XATTR): value for key, value in records.items() if key.startswith(_XATTR)} if records else _NONE,
        )

    def _begin(self, size: int) -> None:
        self._left, self._padding = size, -size % _BLOCK

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            pieces.append(self._some(size))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def _some(self, most: int) -> bytes:
        """At least one byte and at most so many."""
        while self._at == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                raise TarError("it is cut off")
            self._chunk, self._at = chunk, 0
        piece = self._chunk[self._at : self._at + most]
        self._at += len(piece)
        return piece


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """A number in octal digits, or with the highest bit set, GNU's way for a larger one, in binary."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):
        raise TarError("a number that cannot be read")
    return int(digits, 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise TarError("a number that cannot be read")
    return int(value)


def _nanoseconds(value: bytes) -> int:
    """A pax time: seconds with a fraction."""
    seconds, _, fraction = value.removeprefix(b"-").partition(b".")
    time = _decimal(seconds) * 10**9 + _decimal((fraction + b"0" * 9)[:9])
    return -time if value.startswith(b"-") else time


def _records(data: bytes) -> dict[str, bytes]:
    """Pax records: each is its own length in decimal, a space, `key=value` and a line end."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        if space < 0:
            raise TarError("a record without a length")
        end = at + _decimal(data[at:space])
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end > len(data) or data[end - 1 : end] != b"\n" or not equals:
            raise TarError("a record that is no record")
        found[os.fsdecode(key)] = value
        at = end
    return found
