"""One file of an image, and what one entry of a layer's tar does to the files below it."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from hashlib import sha256

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Literal

    Type = Literal["file", "directory", "symlink", "char", "block", "fifo"]
    Action = Literal["add", "link", "remove", "opaque"]

XATTR = "SCHILY.xattr."
"""The PAX keyword, less the attribute's name, in which archivers keep extended attributes."""
WHITEOUT = ".wh."
"""A file `.wh.NAME` hides NAME of the layers below (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts)."""
OPAQUE = ".wh..wh..opq"
"""A file of this name hides all that the layers below have in its directory."""

_TYPES: dict[bytes, Type] = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
_PYC_HEADER = 16
_KEPT = re.compile(r"/var/lib/dpkg/info/[^/]+\.list")
"""Files whose content is kept: the lists of what each Debian package brought."""
_BLOCK = 1 << 20


class Entry(Record):
    """An inode: all that an image says of a file but its names and times. Names of one file (hard links) share one `Entry`.

    `mode` is the permission bits with set-uid, set-gid and sticky. `size` (bytes) and `sha256` (hex) are of a regular file's
    content; `stable_sha256` is the same, but for a `.pyc` that records its source's modification time: there the time is blanked.
    `linkname` is a symbolic link's target as written, `device` the (major, minor) of a device, `xattrs` sorted by name. `kept` is the
    content of the few files that a comparison reads, such as the file list of a Debian package.
    """

    type: Type
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    size: int = 0
    sha256: str = ""
    stable_sha256: str = ""
    linkname: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] | None = None
    kept: bytes = b""


class Change(Record):
    """What one entry of a layer does.

    `add` puts `entry` at `path`; `link` makes `path` another name of the file at `target`; `remove` hides what lower layers have
    at `path`; `opaque` hides all that lower layers have in the directory `path`. Paths are absolute and normalised.
    """

    action: Action
    path: str
    entry: Entry | None = None
    target: str = ""


def changes(layer: IO[bytes]) -> Iterator[Change]:
    """What the uncompressed tar of a layer does, in its order; reads ahead only, keeps nothing.

    Raises `tarfile.TarError` if the tar is damaged.
    """
    with tarfile.TarFile(fileobj=layer, encoding="utf-8", errors="surrogateescape") as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # TarFile remembers every header it has read
            path = absolute(info.name)
            folder, name = posixpath.split(path)
            if name == OPAQUE:
                yield Change("opaque", folder)
            elif name.startswith(WHITEOUT * 2):
                continue  # bookkeeping of AUFS, not files of the image
            elif name.startswith(WHITEOUT):
                yield Change("remove", posixpath.join(folder, name[len(WHITEOUT) :]))
            elif info.islnk():
                yield Change("link", path, target=absolute(info.linkname))
            else:
                yield Change("add", path, _entry(tar, info, path))


def absolute(name: str) -> str:
    """A tar entry's name (`./etc/`, `etc`, `/etc`) as an absolute, normalised path; `..` does not lead out of the root."""
    return posixpath.normpath("/" + name.lstrip("/"))


def _entry(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str) -> Entry:
    content: IO[bytes] | None = tar.extractfile(info) if info.isreg() else None
    kept = b""
    if content and _KEPT.fullmatch(path):
        kept = content.read()
        content = io.BytesIO(kept)
    exact, stable = _hash(content, info.name.endswith(".pyc")) if content else ("", "")
    xattrs = sorted((key[len(XATTR) :], value) for key, value in info.pax_headers.items() if key.startswith(XATTR))
    return Entry(
        _TYPES.get(info.type, "file"),
        0o777 if info.issym() else info.mode & 0o7777,
        info.uid,
        info.gid,
        info.size if content else 0,
        exact,
        stable,
        info.linkname if info.issym() else "",
        tuple((name, value.encode("utf-8", "surrogateescape")) for name, value in xattrs),
        (info.devmajor, info.devminor) if info.ischr() or info.isblk() else None,
        kept,
    )


def _hash(content: IO[bytes], is_pyc: bool) -> tuple[str, str]:
    start = content.read(_PYC_HEADER) if is_pyc else b""
    exact = sha256(start)
    stable = sha256(_without_time(start))
    while block := content.read(_BLOCK):
        exact.update(block)
        if is_pyc:
            stable.update(block)
    return exact.hexdigest(), (stable if is_pyc else exact).hexdigest()


def _without_time(header: bytes) -> bytes:
    """A .pyc header with the source's modification time blanked, if it holds one.

    Four bytes each: magic number, flags, modification time, source size; with a flag set it is a hash in place of the last two
    (https://peps.python.org/pep-0552/).
    """
    if len(header) == _PYC_HEADER and header[2:4] == b"\r\n" and header[4:8] == bytes(4):
        return header[:8] + bytes(4) + header[12:]
    return header
