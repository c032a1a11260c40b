"""What a COPY or ADD brings from the build context, and where in the image."""

from __future__ import annotations

import os
import posixpath
import re

from dfkit._record import Record
from dfkit.model.copies import EVERYTHING, is_remote, sources
from dfkit.syntax.nodes import Add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dfkit.context import Entry
    from dfkit.model import Model
    from dfkit.optimize.passes import ContextFacts
    from dfkit.syntax.nodes import Transfer

_READ_AT_MOST = 16 << 20
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_TAR = slice(257, 262)
"""What ADD unpacks begins like this: https://github.com/moby/go-archive/blob/main/compression/compression.go; a tar has `ustar` here."""


class Unclear(Exception):
    """What stands in a rewrite's way, as a part of a sentence: a reason to leave something alone, not an error."""


class Copied(Record):
    """What one COPY or ADD brings: entries of the context by their absolute path in the image.

    `folder` is the destination as a folder: the one that a copied folder's content goes to, else the one that a file is put into.
    `merged` says that the content of some source folder goes right into it.
    """

    instruction: Transfer
    folder: str
    files: Mapping[str, Entry]
    merged: bool
    root: str
    """The context's folder on the disk."""

    def has(self, path: str) -> bool:
        """Whether it brings this path."""
        return path in self.files

    def reaches(self, path: str) -> bool:
        """Whether a path is the folder or below it."""
        return path == self.folder or path.startswith(self.folder.rstrip("/") + "/")

    def text(self, path: str) -> str:
        """The text of a file that it brings. Raises `Unclear`."""
        name = posixpath.basename(path)
        entry = self.files[path]
        if entry.kind != "file":
            raise Unclear(f"`{name}` is no plain file")
        try:
            with open(os.path.join(self.root, entry.path), "rb") as file:
                return file.read(_READ_AT_MOST).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Unclear(f"`{name}` cannot be read") from error


def destination(instruction: Transfer, model: Model) -> tuple[str, bool]:
    """The absolute path that a COPY or ADD writes to, and whether it is written as a folder. Raises `Unclear`."""
    text = model.expand(instruction.destination, instruction)
    workdir = model.state(instruction).workdir
    if not text or (workdir is None and not text.startswith("/")):
        raise Unclear("where it copies to is not known")
    path = posixpath.normpath("/" + posixpath.join(workdir or "/", text).lstrip("/"))
    written = text.endswith("/") or posixpath.basename(text) in (".", "..") or len(instruction.sources) > 1
    return path, written or path in ("/", workdir)


def copied(instruction: Transfer, model: Model, context: ContextFacts) -> Copied:
    """What an instruction brings. Raises `Unclear` where that is not certain."""
    if instruction.heredocs or instruction.flag("from") is not None:
        raise Unclear("it copies something that is not in the build context")
    if any(is_remote(word.text) for word in instruction.sources):
        raise Unclear("it downloads a source")
    target, is_folder = destination(instruction, model)
    files: dict[str, Entry] = {}
    merged = False
    for source, _ in sources(instruction, model):
        if source is None or re.search(r"[*?\[\\]", source):
            raise Unclear("its sources are not plain paths")
        entry = context.entries.get(source)
        if source == EVERYTHING or (entry is not None and entry.kind == "dir"):
            merged = True
            files |= {posixpath.join(target, below): each for below, each in _below(source, context)}
        elif entry is None or entry.kind != "file":
            raise Unclear(f"`{source}` is no plain file or folder of the build context")
        elif isinstance(instruction, Add) and _is_archive(os.path.join(context.root, entry.path)):
            raise Unclear(f"ADD unpacks `{source}`")
        else:
            files[posixpath.join(target, posixpath.basename(source)) if is_folder else target] = entry
    return Copied(instruction, target if is_folder or merged else posixpath.dirname(target), files, merged, context.root)


def _below(source: str, context: ContextFacts) -> Iterator[tuple[str, Entry]]:
    prefix = "" if source == EVERYTHING else source + "/"
    for path, entry in context.entries.items():
        if path.startswith(prefix):
            yield path[len(prefix) :], entry


def _is_archive(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_TAR.stop)
    except OSError as error:
        raise Unclear(f"`{os.path.basename(path)}` cannot be read") from error
    return head.startswith(_MAGIC) or head[_TAR] == b"ustar"
