"""The join of the room: what a build of this Dockerfile in this folder sends."""

from __future__ import annotations

import os
from pathlib import Path

from dfkit._record import Record
from dfkit.context import place
from dfkit.context.archive import stream
from dfkit.context.facts import total
from dfkit.context.ignore import IgnoreFile, load
from dfkit.context.selection import Selection, select
from dfkit.context.tree import Entry, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model.uses import ContextRead

_LONGEST_NAME = 100
"""In bytes: what a tar header holds without an extension, which the first entry must not have."""


class Placement(Record):
    """The name under which a Dockerfile is sent.

    `visible` says that an instruction of the build copies it too, as a file that the context does not have: a tar has no place
    out of sight of `COPY . .`; the `dockerfile` folder of a session is one.
    """

    name: str
    visible: bool


class ContextPlan(Record):
    """What is sent: `entries` in the order of the archive, the number of `files` among them and their `size` in bytes together.

    `ignored` are the paths that the ignore file leaves out, of those that the walk comes by; a folder that is left out as a whole
    stands once, with a slash at its end. `ignore_path` is the file that the patterns are from.
    """

    root: Path
    dockerfile: Path | None
    entries: tuple[Entry, ...]
    files: int
    size: int
    selection: Selection
    ignore: IgnoreFile
    ignored: tuple[str, ...]
    ignore_path: Path | None = None

    @property
    def everything(self) -> bool:
        """Whether all that is not ignored goes."""
        return self.selection.everything

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why everything goes, in words."""
        return self.selection.reasons

    @property
    def ignored_count(self) -> int:
        """How many files and whole folders the ignore file leaves out."""
        return len(self.ignored)

    def placement(self, text: bytes) -> Placement:
        """The name to send a Dockerfile under, so that a COPY still copies the file that is on the disk.

        Its own name if it is sent anyway and has this very text; else one that no file of the context has.
        """
        own = self._own(text)
        if own:
            return Placement(own.path, False)
        import hashlib

        digest = hashlib.sha256(text).hexdigest()
        name = next(name for size in range(12, 65) if not self._exists(name := f".dfkit-{digest[:size]}.Dockerfile"))
        return Placement(name, self.selection.wants_new(name))

    def archive(self, text: bytes, name: str | None = None) -> Iterator[bytes]:
        """The tar stream with this Dockerfile in it, under `placement(text).name` if no name is given; raises `ContextError`."""
        own = self._own(text)
        if own and name in (None, own.path):
            first = own
        else:
            first = Entry(name or self.placement(text).name, "file", 0o644, 0, 0)
        return stream(self.root, self.entries, first, text)

    def _own(self, text: bytes) -> Entry | None:
        """The entry of the Dockerfile, if it can stand for the text."""
        if self.dockerfile is None:
            return None
        path = os.path.relpath(os.path.realpath(self.dockerfile), os.path.realpath(self.root)).replace(os.sep, "/")
        entry = next((entry for entry in self.entries if entry.path == path and entry.kind == "file"), None)
        if entry is None or len(os.fsencode(path)) > _LONGEST_NAME or entry.size != len(text):
            return None
        try:
            same = (self.root / path).read_bytes() == text and not (hasattr(os, "listxattr") and os.listxattr(self.root / path))
        except OSError:
            return None
        return entry if same else None

    def _exists(self, name: str) -> bool:
        return os.path.lexists(self.root / name)


def plan(
    root: str | Path,
    *,
    dockerfile_path: str | Path | None = None,
    ignore_file: str | Path | None = None,
    reads: Sequence[ContextRead] | None = None,
    reasons: Sequence[str] = (),
) -> ContextPlan:
    """Look at the context at `root` and choose what goes.

    The ignore file is `ignore_file`, else `<Dockerfile>.dockerignore`, else `.dockerignore` of the context. `reads` are what the
    instructions read, `None` or some `reasons` if that cannot be told. Raises `ContextError`, `IgnoreError` or `UsageError`.
    """
    root = Path(root)
    dockerfile = Path(dockerfile_path) if dockerfile_path else None
    ignore_file = ignore_file or place.ignore_file(root, dockerfile)
    found = Path(ignore_file) if ignore_file else None
    ignore = load(found) if found else IgnoreFile()
    selection = select(root, reads, reasons)
    ignored: list[str] = []
    entries = tuple(walk(root, ignore.matcher, None if selection.everything else selection, ignored))
    sent = total(entries)
    return ContextPlan(root, dockerfile, entries, sent.files, sent.size, selection, ignore, tuple(ignored), found)
