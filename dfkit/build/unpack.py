"""The files of a tar put into a folder, whatever the tar says.

Nothing is written outside the folder: each folder on the way is opened by its descriptor and never through a symlink, neither one
of the tar nor one that was there before. Devices and fifos are left out. A file is written under another name and renamed when it
is whole, so what is there is the old file or the new one. What is in the folder and not in the tar stays, as with `docker build`.

Extended attributes are kept as far as the file system takes them; but a user who is not root gets those alone that are meant for
users (`user.*`), and a symlink none.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from dfkit._record import Record
from dfkit.build.tarstream import TarError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from dfkit.build.tarstream import Member

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_LATEST = (1 << 63) - 1
"""Nanoseconds; what `os.utime` takes."""

_HAS_XATTRS = hasattr(os, "setxattr")
"""Linux alone has them in Python."""

SUPPORTED = {os.open, os.mkdir, os.symlink, os.link, os.rename, os.unlink, os.rmdir, os.utime, os.stat} <= os.supports_dir_fd
"""Whether this system can open a path relative to a folder; Windows cannot."""


class _Settled(Record):
    """A folder whose mode and time are set at the end: until then it is written to."""

    path: tuple[str, ...]
    mode: int
    mtime: int


class Unpacker:
    """A context manager around the members of one tar.

    `skipped` counts the devices and fifos, `bare` the files and folders that lack an extended attribute.
    """

    def __init__(self, folder: str) -> None:
        """The folder is made if it is not there, for this user only. Raises `OSError`."""
        os.makedirs(folder, 0o700, exist_ok=True)
        self.skipped = 0
        self.bare = 0
        self._settled: list[_Settled] = []
        self._path: tuple[str, ...] = ()  # the folder of the last member
        self._open = [os.open(folder, _FOLDER & ~getattr(os, "O_NOFOLLOW", 0))]  # and all on the way to it

    def put(self, member: Member, content: Iterator[bytes]) -> None:
        """Make one entry. Raises `TarError` for one that no honest tar has, and `OSError`."""
        parts = _parts(member.path)
        if member.kind == "special":
            self.skipped += 1
            return
        if not parts:
            if member.kind != "dir":
                raise TarError("an entry without a name")
            return
        folder, name = self._enter(parts[:-1]), parts[-1]
        if member.kind == "dir":
            self._make_folder(folder, name, member.xattrs)
            self._settled.append(_Settled(parts, member.mode, member.mtime))
            return
        _make_way(folder, name)
        temporary = f".dfkit-{secrets.token_hex(8)}"
        try:
            if member.kind == "file":
                self._write(folder, temporary, member, content)
            elif member.kind == "symlink":
                os.symlink(member.target, temporary, dir_fd=folder)
                os.utime(temporary, ns=_times(member.mtime), dir_fd=folder, follow_symlinks=False)
            else:
                self._link(member.target, temporary, folder)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with suppress(FileNotFoundError):  # renaming one of two links of a file to the other does nothing
                os.unlink(temporary, dir_fd=folder)

    def close(self) -> None:
        """Close the folders."""
        while self._open:
            os.close(self._open.pop())

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._settle()
        finally:
            self.close()

    def _enter(self, parts: tuple[str, ...]) -> int:
        """The descriptor of a folder, made if it is not there."""
        kept = 0
        while kept < len(self._path) and self._path[: kept + 1] == parts[: kept + 1]:
            kept += 1
        while len(self._open) > kept + 1:
            os.close(self._open.pop())
        self._path = parts[:kept]
        for name in parts[kept:]:
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=self._open[-1])
            self._open.append(_folder(name, self._open[-1]))
            self._path = (*self._path, name)
        return self._open[-1]

    def _make_folder(self, folder: int, name: str, xattrs: Mapping[str, bytes]) -> None:
        old = _status(folder, name)
        if old is None or not stat.S_ISDIR(old.st_mode):
            if old is not None:
                os.unlink(name, dir_fd=folder)
            os.mkdir(name, 0o700, dir_fd=folder)
            old = None
        closed = old is not None and old.st_mode & 0o700 != 0o700
        if not closed and not xattrs:
            return
        opened = _folder(name, folder)
        try:
            if old is not None and closed:
                os.fchmod(opened, stat.S_IMODE(old.st_mode) | 0o700)
            self._attach(opened, xattrs)
        finally:
            os.close(opened)

    def _write(self, folder: int, name: str, member: Member, content: Iterator[bytes]) -> None:
        with open(os.open(name, _NEW, 0o600, dir_fd=folder), "wb", buffering=0) as file:
            for piece in content:
                write_all(file.fileno(), piece)
            self._attach(file.fileno(), member.xattrs)  # before the mode may forbid it, after the writing that ends capabilities
            os.fchmod(file.fileno(), member.mode)
            os.utime(file.fileno(), ns=_times(member.mtime))

    def _attach(self, opened: int, xattrs: Mapping[str, bytes]) -> None:
        kept = 0
        for key, value in xattrs.items() if _HAS_XATTRS else ():
            if key.startswith("user.") or os.geteuid() == 0:
                with suppress(OSError, ValueError):  # the file system has none or no room; a name with a zero byte
                    os.setxattr(opened, key, value)
                    kept += 1
        self.bare += kept < len(xattrs)

    def _link(self, target: str, temporary: str, folder: int) -> None:
        parts = _parts(target)
        if not parts:
            raise TarError("a link to nothing")
        source = self._descend(parts[:-1])
        try:
            os.link(parts[-1], temporary, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _descend(self, parts: tuple[str, ...]) -> int:
        """A new descriptor of a folder that is there."""
        opened = os.dup(self._open[0])
        try:
            for name in parts:
                above, opened = opened, _folder(name, opened)
                os.close(above)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def _settle(self) -> None:
        # From the last: a folder may take away the right to enter it, and what is made in it changes its time.
        for settled in reversed(self._settled):
            try:
                opened = self._descend(settled.path)
            except (TarError, FileNotFoundError):
                continue  # a later entry took its place
            try:
                os.fchmod(opened, settled.mode)
                os.utime(opened, ns=_times(settled.mtime))
            finally:
                os.close(opened)


def _parts(path: str) -> tuple[str, ...]:
    """The names on the way to an entry. Raises `TarError` for a path that leads elsewhere."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise TarError(f"the path {path!r}")
    return tuple([part for part in parts if part not in ("", ".")])


def _folder(name: str, folder: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        status = _status(folder, name)
        if status is None or stat.S_ISDIR(status.st_mode):
            raise
        raise TarError(f"an entry below {name}, which is no folder") from error


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _make_way(folder: int, name: str) -> None:
    """Take away a folder where something else is to be; one with files in it stays, and the error says so."""
    old = _status(folder, name)
    if old is not None and stat.S_ISDIR(old.st_mode):
        os.rmdir(name, dir_fd=folder)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data; `os.write` may take a part of it. Raises `OSError`."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _times(mtime: int) -> tuple[int, int]:
    mtime = max(-_LATEST, min(mtime, _LATEST))
    return mtime, mtime
