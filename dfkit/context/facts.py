"""What can be said of a context's files: where the bytes are, what nothing reads, what should not leave the machine."""

from __future__ import annotations

import os
import re

from dfkit._record import record
from dfkit.context.tree import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dfkit.context.ignore import IgnoreFile, IgnoreLine
    from dfkit.context.selection import Selection
    from dfkit.context.tree import Entry

_SECRETS: tuple[tuple[str, str], ...] = (
    (r"\.env(\.(?!(dist|example|sample|template|test)$).+)?", "settings that often hold passwords"),
    (r"id_(rsa|dsa|ecdsa|ed25519)(_sk)?", "a private SSH key"),
    (r".+\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)", "a key or a key store"),
    (r"\.(netrc|pgpass|my\.cnf|htpasswd|git-credentials)|_netrc", "passwords"),
    (r"\.npmrc|\.pypirc|\.yarnrc\.yml|\.dockercfg", "tokens for a package registry"),
    (r".+\.tfstate(\.backup)?|.+\.tfvars", "Terraform's state, which holds secrets in the clear"),
    (r"(service[-_]?account|credentials|client[-_]secrets?).*\.json", "cloud credentials"),
    (r".+\.(mobileprovision|ovpn)|kubeconfig", "access to another system"),
)
_SECRET_FOLDERS = {
    ".git": "the repository with its history",
    ".ssh": "SSH keys",
    ".aws": "cloud credentials",
    ".azure": "cloud credentials",
    ".gnupg": "private keys",
    ".kube": "access to another system",
    ".docker/config.json": "tokens for a registry",
    ".config/gcloud": "cloud credentials",
}
_SECRET = re.compile("|".join(f"(?P<r{at}>{pattern})" for at, (pattern, _) in enumerate(_SECRETS)))


@record
class Share:
    """How much a group of files weighs: their number, and their bytes together as `size`."""

    name: str
    files: int
    size: int


def total(entries: Iterable[Entry], name: str = "") -> Share:
    """All files of some entries; a file with several names counts once in bytes."""
    return next(iter(_shares(entries, lambda _: name)), Share(name, 0, 0))


def by_folder(entries: Iterable[Entry], depth: int = 1) -> list[Share]:
    """The files by the folders they are in, down to `depth` levels, the heaviest first; `.` is the context itself."""
    return _shares(entries, lambda path: "/".join(path.split("/")[:-1][:depth]) or ".")


def by_type(entries: Iterable[Entry]) -> list[Share]:
    """The files by the end of their names (`.py`; empty for none), the heaviest first."""
    return _shares(entries, lambda path: os.path.splitext(path)[1])


def largest(entries: Iterable[Entry], count: int = 10) -> list[Entry]:
    """The biggest files, the biggest first."""
    files = [entry for entry in entries if entry.kind == "file"]
    return sorted(files, key=lambda entry: (-entry.size, entry.path))[:count]


def unused(root: str | Path, ignore: IgnoreFile, selection: Selection) -> Iterator[Entry]:
    """The files that are not ignored although no instruction reads them."""
    return (entry for entry in walk(root, ignore.matcher) if entry.kind == "file" and not selection.wants(entry.path))


def dead_lines(root: str | Path, ignore: IgnoreFile) -> list[IgnoreLine]:
    """The patterns that match nothing in the context, be it ignored or not."""
    left = list(ignore.lines)
    for entry in walk(root):
        left = [line for line in left if not line.pattern.matches(entry.path)]
        if not left:
            break
    return left


def looks_secret(path: str) -> str | None:
    """What a path seems to hold that should not be in an image, judged by its name alone; `None` if nothing."""
    for folder, what in _SECRET_FOLDERS.items():
        if f"/{folder}/" in f"/{path}/":
            return what
    found = _SECRET.fullmatch(path.rpartition("/")[2])
    if found is None:
        return None
    return next(what for at, (_, what) in enumerate(_SECRETS) if found[f"r{at}"] is not None)


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
