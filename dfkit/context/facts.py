"""How much the files of a context weigh: together, by folder, by type, and the largest."""

from __future__ import annotations

import os

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dfkit.context.tree import Entry


_LONGEST_ENDING = 12


class Share(Record):
    """How much a group of files weighs: their number, and their bytes together as `size`."""

    name: str
    files: int
    size: int


class Folder:
    """A folder's weight, all below it included. `own_files` and `own_size` are of the files right in it."""

    __slots__ = ("files", "folders", "name", "own_files", "own_size", "size")

    def __init__(self, name: str) -> None:
        self.name = name
        self.files = self.size = self.own_files = self.own_size = 0
        self.folders: dict[str, Folder] = {}

    def add(self, size: int) -> None:
        """Count one more file of this size."""
        self.files += 1
        self.size += size


def total(entries: Iterable[Entry], name: str = "") -> Share:
    """All files of some entries; a file with several names counts once in bytes."""
    return next(iter(_shares(entries, lambda _: name)), Share(name, 0, 0))


def by_folder(entries: Iterable[Entry], depth: int = 1) -> list[Share]:
    """The files by the folders they are in, down to `depth` levels, the heaviest first; `.` is the context itself."""
    return _shares(entries, lambda path: "/".join(path.split("/")[:-1][:depth]) or ".")


def by_type(entries: Iterable[Entry]) -> list[Share]:
    """The files by the end of their names (`.py`; empty for none, or for one that hardly tells a type), the heaviest first."""

    def ending(path: str) -> str:
        found = os.path.splitext(path)[1]
        return found if len(found) <= _LONGEST_ENDING and found[1:].isalnum() else ""

    return _shares(entries, ending)


def largest(entries: Iterable[Entry], count: int = 10) -> list[Entry]:
    """The biggest files, the biggest first."""
    files = [entry for entry in entries if entry.kind == "file"]
    return sorted(files, key=lambda entry: (-entry.size, entry.path))[:count]


def tree(entries: Iterable[Entry]) -> Folder:
    """The folders of a context with what is in each, and in all below it."""
    root = Folder(".")
    seen: set[tuple[int, int]] = set()
    for entry in entries:
        if entry.kind != "file":
            continue
        size = 0 if entry.inode in seen else entry.size
        if entry.inode:
            seen.add(entry.inode)
        folder = root
        folder.add(size)
        for name in entry.path.split("/")[:-1]:
            folder = folder.folders.setdefault(name, Folder(name))
            folder.add(size)
        folder.own_files += 1
        folder.own_size += size
    return root


def _shares(entries: Iterable[Entry], name_of: Callable[[str], str]) -> list[Share]:
    files: dict[str, int] = {}
    sizes: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    for entry in entries:
        if entry.kind != "file":
            continue
        name = name_of(entry.path)
        size = 0 if entry.inode in seen else entry.size
        if entry.inode:
            seen.add(entry.inode)
        files[name] = files.get(name, 0) + 1
        sizes[name] = sizes.get(name, 0) + size
    shares = [Share(name, count, sizes[name]) for name, count in files.items()]
    return sorted(shares, key=lambda share: (-share.size, share.name))
