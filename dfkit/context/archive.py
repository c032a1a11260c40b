"""A build context as a tar stream that every engine since 20.10 reads, made while it is sent.

GNU format: BuildKit tells a tar from a Dockerfile by the first 1024 bytes, so the first entry is the Dockerfile, under a short
name and without extension headers; times are whole seconds. Extended attributes need PAX, whose header stands only before the
entries that have some. User and group are 0 and without names, as `docker build` sends them. Equal entries give equal bytes.

A file is read once, with the size that it has when it is opened. One that has vanished by then is left out, as the walk would
have done; one that changes while it is read ends the archive with `ContextError`, because no length in its header would be
right. (BuildKit's own client sends what it can read, an empty file where it can read nothing.) The holes of sparse files are
sent as zeros.

https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

import os
import stat

from dfkit.context.tree import Entry, attributes, changed, unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BLOCK = 512
_CHUNK = 256 * 1024
_NAME_SIZE = 100
_LONG_NAME = b"././@LongLink"
_FILE, _HARD_LINK, _SYMLINK, _PAX = b"0", b"1", b"2", b"x"
_GNU_LONG_LINK, _GNU_LONG_NAME = b"K", b"L"
_TYPES = {"file": _FILE, "symlink": _SYMLINK, "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6", "socket": _FILE}


def stream(root: str | Path, entries: Iterable[Entry], dockerfile: Entry, text: bytes) -> Iterator[bytes]:
    """The archive, in chunks of about 256 KiB: the Dockerfile with this text first, then the entries in their order.

    `dockerfile` says the name, mode and time of the Dockerfile; an entry of the same path is not sent again. Raises
    `ContextError` for a file that cannot be sent, `ValueError` if the Dockerfile's name is longer than 100 bytes.
    """
    if len(os.fsencode(dockerfile.path)) > _NAME_SIZE:
        raise ValueError(f"the first entry's name is too long: {dockerfile.path}")
    buffer = bytearray(_header(os.fsencode(dockerfile.path), _FILE, dockerfile, len(text)))
    buffer += text
    buffer += _padding(len(text))
    sent: dict[tuple[int, int], bytes] = {}
    if dockerfile.inode:
        sent[dockerfile.inode] = os.fsencode(dockerfile.path)
    base = os.path.join(os.fspath(root), "")
    for entry in entries:
        if entry.path == dockerfile.path:
            continue
        for piece in _member(base, entry, sent):
            buffer += piece
            if len(buffer) >= _CHUNK:
                yield bytes(buffer)
                buffer.clear()
    buffer += bytes(2 * BLOCK)
    yield bytes(buffer)


def _member(base: str, entry: Entry, sent: dict[tuple[int, int], bytes]) -> Iterator[bytes]:
    """One entry's headers and data. `sent` has the name under which each file with several names went first."""
    full = base + entry.path
    name = os.fsencode(entry.path)
    if entry.inode and entry.inode in sent:
        yield _headers(name, _HARD_LINK, entry, 0, sent[entry.inode])
    elif entry.kind == "file":
        opened = _open(full)
        if opened is None:
            return
        try:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                raise changed(entry.path)
            yield _headers(name, _FILE, entry, status.st_size, xattrs=attributes(full))
            yield from _data(opened, entry.path, status)
        finally:
            os.close(opened)
        if entry.inode:
            sent[entry.inode] = name
    else:
        if entry.kind == "dir":
            name += b"/"
        yield _headers(name, _TYPES[entry.kind], entry, 0, os.fsencode(entry.linkname), attributes(full))


def _open(full: str) -> int | None:
    try:
        return os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(full, error) from error


def _data(opened: int, path: str, before: os.stat_result) -> Iterator[bytes]:
    left = before.st_size
    while left:
        piece = os.read(opened, min(left, _CHUNK))
        if not piece:
            raise changed(path)
        left -= len(piece)
        yield piece
    after = os.fstat(opened)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise changed(path)
    yield _padding(before.st_size)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _headers(
    name: bytes, kind: bytes, entry: Entry, size: int, linkname: bytes = b"", xattrs: dict[str, bytes] | None = None
) -> bytes:
    """A header with those that must stand before it: extended attributes, a long name, a long link."""
    before = b""
    if xattrs:
        records = b"".join(_pax_record(b"SCHILY.xattr." + os.fsencode(key), value) for key, value in sorted(xattrs.items()))
        before += _extension(b"././@PaxHeader", _PAX, records)
    if len(linkname) > _NAME_SIZE:
        before += _extension(_LONG_NAME, _GNU_LONG_LINK, linkname + b"\0")
    if len(name) > _NAME_SIZE:
        before += _extension(_LONG_NAME, _GNU_LONG_NAME, name + b"\0")
    return before + _header(name[:_NAME_SIZE], kind, entry, size, linkname[:_NAME_SIZE])


def _extension(name: bytes, kind: bytes, data: bytes) -> bytes:
    return _header(name, kind, Entry("", "file", 0o644, 0, 0), len(data)) + data + _padding(len(data))


def _pax_record(key: bytes, value: bytes) -> bytes:
    """One record: `LENGTH KEY=VALUE` and a line feed, where the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d%b" % (length, rest)


def _header(name: bytes, kind: bytes, entry: Entry, size: int, linkname: bytes = b"") -> bytes:
    """One GNU header block. User and group are 0."""
    major, minor = entry.device
    start = b"%b%07o\x000000000\x000000000\x00%b%b" % (
        name.ljust(_NAME_SIZE, b"\0"),
        entry.mode,
        _number(size),
        _number(entry.mtime // 1_000_000_000),
    )
    end = b"%b%bustar  \x00%b%07o\x00%07o\x00%b" % (kind, linkname.ljust(_NAME_SIZE, b"\0"), bytes(64), major, minor, bytes(167))
    return b"%b%06o\x00 %b" % (start, sum(start) + sum(end) + 8 * 0x20, end)


def _number(value: int) -> bytes:
    """A 12-byte field: octal, or GNU's base 256 for what is negative or needs more than eleven digits."""
    if 0 <= value < 8**11:
        return b"%011o\x00" % value
    return (value + (1 << 96) if value < 0 else value | 1 << 95).to_bytes(12, "big")
