"""The session's file sync service: the folders of a build, of which the engine takes what it does not have yet.

The engine calls once for each folder, the Dockerfile's (`dockerfile`) and the context (`context`), and compares what it is told
of the files with what it kept from the last build of the same shared key: it deletes what is not named, and asks for the
contents of those whose kind, mode, size or time differ. So a build sends what has changed since the last one, and never sees a
file that is not its own.

The protocol is fsutil's, with this side as its sender: a STAT for each entry, folders first, names in the order of their bytes;
an empty STAT at the end; all the while a REQ from the engine asks for the contents of an entry by its number, and DATA carries
them, an empty one last; FIN from the engine is answered with FIN. A file that changes after it was named ends the build, because
the engine would keep its new contents under its old size and time.

The engine also sends the patterns of the context's .dockerignore. They are not needed: what is served is already without what
they take.

https://github.com/tonistiigi/fsutil/blob/master/send.go
https://github.com/tonistiigi/fsutil/blob/master/types/wire.proto
https://github.com/moby/buildkit/blob/master/session/filesync/filesync.proto
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
from functools import cache, partial
from types import MappingProxyType

from dfkit.build.buildkit.grpc import LARGEST_REQUEST, NOT_FOUND, UNKNOWN, StatusError
from dfkit.build.buildkit.wire import Message, encode
from dfkit.context.tree import ContextError, attributes, changed, unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dfkit.build.buildkit.grpc import Call, Handler
    from dfkit.build.request import Folders
    from dfkit.context import Entry

    Content = Callable[[], Iterable[bytes]]
    Named = tuple[bytes, Content | None]
    """An entry as the engine is told of it: its Stat message, and what reads its contents if the engine may ask for them."""

_STAT, _REQ, _DATA, _FIN = range(4)

_GO_MODES = {"dir": 1 << 31, "symlink": 1 << 27, "block": 1 << 26, "char": 1 << 26 | 1 << 21, "fifo": 1 << 25}
"""The bits of Go's `os.FileMode` for a kind of file: https://pkg.go.dev/io/fs#FileMode. A socket goes as a file."""
_GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))

_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EAGAIN)
"""What opening or reading a path says that had a file and now has nothing, a link, a folder or a pipe."""
_NONE: Mapping[str, bytes] = MappingProxyType({})
_CHUNK = 256 * 1024
_BATCH = 64 * 1024
"""Bytes of small packets that are handed over together."""


class FileSync:
    """The service for one build. `error` is what kept it from serving the context, if something did."""

    def __init__(self, folders: Folders) -> None:
        """Raises `ValueError` if the name of the Dockerfile is none of a file."""
        if folders.name in ("", ".", "..") or "/" in folders.name:
            raise ValueError(f"{folders.name!r} is no name for a Dockerfile in a folder of its own")
        self._folders = folders
        self._named = {local_name(name): plan for name, plan in folders.named.items()}
        self.error: ContextError | None = None

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path."""
        return {"/moby.filesync.v1.FileSync/DiffCopy": self._diff_copy}

    def shared_key(self) -> str:
        """What the engine keeps the files under: the same for each build of a folder, another one for a folder made anew.

        Raises `ContextError` if the context is gone.
        """
        root = os.path.realpath(self._folders.context.root)
        try:
            status = os.stat(root)
        except OSError as error:
            raise unreadable(root, error) from error
        place = f"{socket.gethostname()}\0{root}\0{status.st_dev}\0{status.st_ino}"
        return hashlib.sha256(os.fsencode(place)).hexdigest()

    def _diff_copy(self, call: Call) -> None:
        metadata: dict[str, list[str]] = {}
        for key, value in call.metadata:
            metadata.setdefault(key, []).append(value)
        folder = metadata.get("dir-name", [""])[0]
        if folder == "dockerfile":
            named = _dockerfile(self._folders.name, self._folders.dockerfile)
        elif folder == "context":
            context = self._folders.context
            encoded = "followpaths-encoded" in metadata
            named = _files(context.root, context.entries if encoded else _asked(context.entries, metadata.get("followpaths", ())))
        elif folder in self._named:
            named = _files(self._named[folder].root, self._named[folder].entries)
        else:
            raise StatusError(NOT_FOUND, f"this build shares no folder {folder!r}")
        try:
            _send(call, named)
        except ContextError as error:
            self.error = error
            raise StatusError(UNKNOWN, str(error)) from error


def local_name(name: str) -> str:
    """What the folder of a named context is called on the session, where two names are taken."""
    return f"_{name}" if name in ("context", "dockerfile") else name


def _send(call: Call, named: Iterator[Named]) -> None:
    """Tell the engine of the entries and give it the contents that it asks for, until it has all it wants."""
    out = _Outbox(call)
    contents: dict[int, Content] = {}
    number = 0
    walking = True
    while True:
        while not walking or call.ready:
            if not call.ready:
                out.flush()
            received = call.receive(LARGEST_REQUEST)
            if received is None:
                raise StatusError(UNKNOWN, "the files were not asked for to the end")
            packet = Message(received)
            kind, wanted = packet.integer(1), packet.integer(3)
            if kind == _FIN:
                out.put(encode((1, _FIN)))
                out.flush()
                return
            if kind != _REQ or wanted not in contents:
                raise StatusError(UNKNOWN, f"packet {kind} for entry {wanted} was not expected")
            end = encode((1, _DATA), (3, wanted))
            for piece in contents.pop(wanted)():
                out.put(end + encode((4, piece)))
            out.put(end)
        entry = next(named, None)
        if entry is None:
            walking = False
            out.put(encode((1, _STAT)))
            continue
        about, content = entry
        if content:
            contents[number] = content
        number += 1
        out.put(encode((2, about)))  # of kind _STAT, which is 0 and so left out


class _Outbox:
    """Packets on their way, some together: each hand-over wakes the connection's thread."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._packets: list[bytes] = []
        self._size = 0

    def put(self, packet: bytes) -> None:
        self._packets.append(packet)
        self._size += len(packet)
        if self._size >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._packets:
            self._call.send(*self._packets)
        self._packets, self._size = [], 0


def _asked(entries: Sequence[Entry], paths: Sequence[str]) -> Sequence[Entry]:
    """The entries to serve if the engine follows these paths only: never fewer than it means, here and there more.

    All names of plain files at the top, or of nothing, as when it looks for a .dockerignore, mean just these. Anything else may
    mean more than its name: a folder's contents, what a link points to, the matches of a pattern.
    """
    if not paths or any(not path.isascii() or set(path) & set("/\\*?[") for path in paths):
        return entries
    found = [entry for entry in entries if entry.path in paths]
    return found if all(entry.kind == "file" for entry in found) else entries


def _dockerfile(name: str, text: bytes) -> Iterator[Named]:
    """The folder with nothing in it but the Dockerfile.

    Its time is made from its text: the engine takes a file of the same size and time for the one that it has.
    """
    digest = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    time = digest % (1_000_000_000 << 31)  # nanoseconds of the years to 2038, which every file system can keep
    pieces = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    yield _stat(name, mode=0o644, size=len(text), time=time), lambda: iter(pieces)


def _files(root: str | os.PathLike[str], entries: Iterable[Entry]) -> Iterator[Named]:
    """The entries of the context as they are now. A file that has vanished since they were listed is left out."""
    base = os.path.join(os.fspath(root), "")
    sent: dict[tuple[int, int], str] = {}
    for entry in entries:
        full = base + entry.path
        mode = _go_mode(entry.kind, entry.mode)
        if entry.kind == "symlink":
            # The engine sets attributes on what a link points to, so a link goes without.
            size = len(os.fsencode(entry.linkname))
            yield _stat(entry.path, mode=mode, size=size, time=entry.mtime, link=entry.linkname), None
            continue
        if entry.kind != "file":
            about = _stat(entry.path, mode=mode, time=entry.mtime, device=entry.device, xattrs=attributes(full))
            yield about, _nothing if entry.kind == "socket" else None
            continue
        try:
            status = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise unreadable(full, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise changed(entry.path)
        inode = (status.st_dev, status.st_ino)
        first = sent.get(inode, "")
        if status.st_nlink > 1 and not first:
            sent[inode] = entry.path
        xattrs = {} if first else attributes(full)
        about = _stat(entry.path, mode=mode, size=status.st_size, time=status.st_mtime_ns, link=first, xattrs=xattrs)
        read = _read if status.st_size > _CHUNK else _read_at_once
        yield about, None if first else partial(read, full, entry.path, status.st_size, status.st_mtime_ns)


@cache
def _go_mode(kind: str, mode: int) -> int:
    return _GO_MODES.get(kind, 0) | mode & 0o777 | sum(bit for posix, bit in _GO_BITS if mode & posix)


def _stat(
    path: str,
    *,
    mode: int,
    size: int = 0,
    time: int,
    link: str = "",
    device: tuple[int, int] = (0, 0),
    xattrs: Mapping[str, bytes] = _NONE,
) -> bytes:
    """A Stat message. User and group are 0, the default. `link` is a link's target, or the path that a hard link goes to."""
    fields: list[tuple[int, int | bytes]] = [(1, os.fsencode(path)), (2, mode), (5, size), (6, time)]
    if link:
        fields.append((7, os.fsencode(link)))
    if any(device):
        fields += zip((8, 9), device, strict=True)
    for key, value in xattrs.items():
        fields.append((10, encode((1, os.fsencode(key)), (2, value))))
    return encode(*fields)


def _read(full: str, path: str, size: int, time: int) -> Iterator[bytes]:
    """The contents of a file that has this size and time, in pieces. Raises `ContextError`."""
    try:
        opened = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            left = size
            while _unchanged(opened, size, time):
                if not left:
                    return
                piece = os.read(opened, min(left, _CHUNK))
                if not piece:
                    break
                left -= len(piece)
                yield piece
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno not in _REPLACED:
            raise unreadable(full, error) from error
    raise changed(path)


def _read_at_once(full: str, path: str, size: int, time: int) -> Iterable[bytes]:
    """The same of a small file: of thousands each call to the system counts."""
    try:
        opened = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = os.read(opened, size + 1)
            same = len(data) == size and _unchanged(opened, size, time)
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno not in _REPLACED:
            raise unreadable(full, error) from error
        same = False
    if not same:
        raise changed(path)
    return (data,) if data else ()


def _nothing() -> Iterable[bytes]:
    return ()


def _unchanged(opened: int, size: int, time: int) -> bool:
    status = os.fstat(opened)
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (size, time)
