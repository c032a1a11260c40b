"""What the layers of an image add up to: the files that a container would see."""

from __future__ import annotations

import posixpath

from dfkit._record import Record
from dfkit.errors import UsageError
from dfkit.image.entry import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from dfkit.image.entry import Change
    from dfkit.image.saved import SavedImage

_MAX_SYMLINKS = 40
"""As many as Linux follows before ELOOP."""


class Flat(Record):
    """An image without its layers.

    `files` is what a container sees, by absolute path, "/" included; names of one file share one `Entry`. `config` is the image's
    JSON configuration. `layers` is what each layer, from the base up, adds: path to `Entry`, the same object as in `files` where
    it is still visible.
    """

    files: Mapping[str, Entry]
    config: Mapping[str, Any]
    layers: tuple[Mapping[str, Entry], ...] = ()


def flatten(image: SavedImage) -> Flat:
    """Put an image's layers on top of each other, as an engine does: with whiteouts, opaque directories and hard links.

    Raises `UsageError` if a layer is damaged.
    """
    tree = _Tree()
    layers = tuple(tree.apply(layer.changes()) for layer in image.layers)
    return Flat(tree.entries, image.config, layers)


def hard_links(files: Mapping[str, Entry]) -> dict[str, tuple[str, ...]]:
    """For each path whose file has several names: all of them, sorted."""
    names: dict[int, list[str]] = {}
    for path, entry in files.items():
        if entry.type != "directory":
            names.setdefault(id(entry), []).append(path)
    groups = (tuple(sorted(group)) for group in names.values() if len(group) > 1)
    return {path: group for group in groups for path in group}


class _Tree:
    """The files of the layers so far. Every key is a real path: no directory in it is a symbolic link."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {"/": Entry("directory")}
        self._names: dict[str, set[str]] = {"/": set()}

    def apply(self, changes: Iterable[Change]) -> dict[str, Entry]:
        """Put a layer on top; gives what it adds. Whiteouts act on the layers below only, wherever in the tar they stand."""
        added: dict[str, Entry] = {}
        changes = list(changes)
        for change in changes:
            if change.action == "remove" and (path := self._real(change.path)):
                self._remove(path)
            elif change.action == "opaque" and (path := self._real(change.path)):
                self._empty(path)
        for change in changes:
            if change.action == "add" and change.entry:
                entry = change.entry
            elif change.action == "link":
                entry = self._target(change)
            else:
                continue
            path = self._real(change.path, make=True)
            self._put(path, entry)
            added[path] = entry
        return added

    def _target(self, link: Change) -> Entry:
        try:
            return self.entries[self._real(link.target)]
        except KeyError:
            raise UsageError(f"{link.path} is a hard link to {link.target}, which is not there; save the image again") from None

    def _put(self, path: str, entry: Entry) -> None:
        if entry.type != "directory" or not self._is_directory(path):
            self._remove(path)
        self.entries[path] = entry
        if path != "/":
            folder, name = posixpath.split(path)
            self._names[folder].add(name)
        if entry.type == "directory":
            self._names.setdefault(path, set())

    def _remove(self, path: str) -> None:
        if path not in self.entries or path == "/":
            return
        folder, name = posixpath.split(path)
        self._names[folder].discard(name)
        doomed = [path]
        for each in doomed:
            doomed += [posixpath.join(each, name) for name in self._names.pop(each, ())]
            del self.entries[each]

    def _empty(self, path: str) -> None:
        for name in tuple(self._names.get(path, ())):
            self._remove(posixpath.join(path, name))

    def _is_directory(self, path: str) -> bool:
        return path in self._names

    def _real(self, path: str, *, make: bool = False) -> str:
        """The path with symbolic links in its folder followed, within the image; with `make`, missing folders are made.

        Engines write such an entry to where the links lead. A path whose folder is not there is "" without `make`.
        """
        folder, name = posixpath.split(path)
        if self._is_directory(folder):
            return path
        here, hops, steps = "/", 0, folder.split("/")
        while steps:
            step = posixpath.normpath(posixpath.join(here, steps.pop(0)))
            entry = self.entries.get(step)
            if entry and entry.type == "symlink" and hops < _MAX_SYMLINKS:
                hops += 1
                steps[:0] = entry.linkname.split("/")
                here = "/" if entry.linkname.startswith("/") else here
                continue
            if not self._is_directory(step):
                if not make:
                    return ""
                self._put(step, Entry("directory"))
            here = step
        return posixpath.join(here, name)
