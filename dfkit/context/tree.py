"""The files of a build context: one walk, in the order in which BuildKit walks, less what is ignored or not wanted.

What happens to what is not a plain file:

- a socket goes as an empty file, as Docker's client sends it;
- a named pipe, a device and a symbolic link go as such, and a link is never followed, so a loop of links is no loop here;
- what vanishes between the listing and the look at it is left out, as if it had vanished before;
- a folder that cannot be listed ends the walk, unless it is ignored or not wanted;
- a name that is not UTF-8 is kept as its bytes.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from dfkit._record import Record
from dfkit.context.pattern import Matcher
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal, Protocol

    Kind = Literal["file", "dir", "symlink", "fifo", "char", "block", "socket"]

    class Wanted(Protocol):
        """What a walk asks of a selection."""

        def wants(self, path: str) -> bool:
            """Whether the path goes."""

        def reaches(self, folder: str) -> bool:
            """Whether something below the folder may go."""


_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFSOCK: "socket",
}


class ContextError(UsageError):
    """The build context cannot be read as it is."""


def unreadable(path: str, error: OSError) -> ContextError:
    """The sentence for a file or folder that the user may not read."""
    return ContextError(f"{path} cannot be read ({error.strerror}); change its mode or add it to .dockerignore.")


def changed(path: str) -> ContextError:
    """The sentence for a file that is not any more what was said of it."""
    advice = "build again when nothing writes to it, or add it to .dockerignore"
    return ContextError(f"The file {path} changed while it was sent; {advice}.")


def attributes(full: str) -> dict[str, bytes]:
    """The extended attributes that `docker build` sends: those that can be read, less Apple's."""
    found: dict[str, bytes] = {}
    try:
        names = os.listxattr(full, follow_symlinks=False)
    except (OSError, AttributeError):  # AttributeError: other systems than Linux
        return found
    for name in names:
        if not name.startswith("com.apple."):
            with suppress(OSError):
                found[name] = os.getxattr(full, name, follow_symlinks=False)
    return found


class Entry(Record):
    """A file, folder or other thing of the context.

    `path` is relative to the context, with slashes; bytes that are not UTF-8 are surrogates. `mode` has the permission bits with
    set-uid, set-gid and sticky; `size` is in bytes, 0 for all but files; `mtime` in nanoseconds since 1970. `inode` is the device
    and inode of a file that has several names; `device` the numbers of a device.
    """

    path: str
    kind: Kind
    mode: int
    size: int
    mtime: int
    linkname: str = ""
    inode: tuple[int, int] | None = None
    device: tuple[int, int] = (0, 0)


class _Folder:
    """A folder that the walk is in. `held` is the folder's own entry as long as nothing below it was wanted."""

    __slots__ = ("entries", "held", "prefix", "state")

    def __init__(self, entries: Iterator[os.DirEntry[str]], prefix: str, state: int, held: os.DirEntry[str] | None) -> None:
        self.entries = entries
        self.prefix = prefix
        self.state = state
        self.held = held


def walk(
    root: str | Path,
    ignore: Matcher | None = None,
    wanted: Wanted | None = None,
    ignored: list[str] | None = None,
    *,
    lenient: bool = False,
) -> Iterator[Entry]:
    """The entries of a context, folders before what is in them, names in the order of their bytes; the root itself is not one.

    Left out is what `ignore` takes and what `wanted` does not want, but not a folder with something in it that goes. To `ignored`
    the paths are added that the patterns leave out; a folder that is left out as a whole is added once, with a slash at its end.
    Raises `ContextError`, but a `lenient` walk takes a folder that it may not list for an empty one.
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        raise ContextError(f"The build context {root} is not a folder; name the folder that the Dockerfile copies from.")
    patterns = ignore or Matcher(())
    folders = [_Folder(_listed(root, optional=lenient), "", 0, None)]
    while folders:
        folder = folders[-1]
        entry = next(folder.entries, None)
        if entry is None:
            folders.pop()
            continue
        path = folder.prefix + entry.name
        is_dir = entry.is_dir(follow_symlinks=False)
        taken, state = patterns.step(path, entry.name, folder.state)
        if taken and (not is_dir or patterns.prunes(path)):
            if ignored is not None:
                ignored.append(path + "/" if is_dir else path)
            continue
        goes = not taken and (wanted is None or wanted.wants(path))
        if not goes and not (is_dir and (wanted is None or wanted.reaches(path))):
            continue
        inside = _listed(entry.path, optional=lenient or not goes) if is_dir else None
        if goes:
            found = _entry(entry, path)
            if found is None:
                continue
            for above in folders:
                if above.held and (parent := _entry(above.held, above.prefix[:-1])):
                    yield parent
                above.held = None
            yield found
        if inside is not None:
            folders.append(_Folder(inside, path + "/", state, None if goes else entry))


def _listed(folder: str, optional: bool = False) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return iter(sorted(entries, key=lambda entry: os.fsencode(entry.name)))
    except (FileNotFoundError, NotADirectoryError):
        return iter(())
    except PermissionError as error:
        if optional:
            return iter(())
        raise unreadable(folder, error) from error


def _entry(found: os.DirEntry[str], path: str) -> Entry | None:
    """What is known of an entry; `None` if it has vanished."""
    try:
        status = found.stat(follow_symlinks=False)
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        linkname = os.readlink(found.path) if kind == "symlink" else ""
    except FileNotFoundError:
        return None
    return Entry(
        path,
        kind,
        stat.S_IMODE(status.st_mode),
        status.st_size if kind == "file" else 0,
        status.st_mtime_ns,
        linkname,
        (status.st_dev, status.st_ino) if status.st_nlink > 1 and kind == "file" else None,
        (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in ("char", "block") else (0, 0),
    )
