"""What goes with a Debian package that a rewrite takes out of an image on purpose.

A declaration such as `removed:/usr/lib/**` would also excuse a lost runtime library. dpkg keeps the list of each package's files
(`/var/lib/dpkg/info/NAME.list`, dpkg-query(1)), so what is gone can be held against the packages that are gone.
"""

from __future__ import annotations

import posixpath
import re

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.image.flatten import Flat

INFO = "/var/lib/dpkg/info/"
_LIST = re.compile(rf"{re.escape(INFO)}([^/]+)\.list")

_DATABASES = re.compile(
    r"""
      /var/lib/dpkg/(status|available|triggers/[^/]+|diversions) | /var/lib/apt/extended_states
    | /var/cache/debconf/(config|templates|passwords)\.dat | /etc/ld\.so\.cache | /var/lib/systemd/deb-systemd-helper-enabled/.*
    """,
    re.VERBOSE,
)
"""Files that say which packages there are, or are made from them."""

_OF_ALTERNATIVES = re.compile(r"/etc/alternatives/[^/]+|/var/lib/dpkg/alternatives/[^/]+")


class Gone(Record):
    """The packages that one image has and another has not, and what of the first image was theirs."""

    names: tuple[str, ...]
    owned: frozenset[str]
    """Paths in the lists of these packages and of no package that stays."""
    original: Flat

    def explains(self, kind: str, path: str) -> bool:
        """Whether a difference comes of these packages being gone."""
        if kind == "removed":
            return self._was_theirs(path, 0)
        return kind == "content" and _DATABASES.fullmatch(path) is not None

    def _was_theirs(self, path: str, hops: int) -> bool:
        if path in self.owned:
            return True
        if path.startswith(INFO):
            return any(path.startswith((f"{INFO}{name}.", f"{INFO}{name}:")) for name in self.names)
        # What their scripts made in folders of their own, `__pycache__` among it.
        if any(folder in self.owned for folder in _above(path)):
            return True
        if _OF_ALTERNATIVES.fullmatch(path) and not path.startswith("/etc"):
            return self._was_theirs(f"/etc/alternatives/{posixpath.basename(path)}", hops)
        entry = self.original.files.get(path)
        if entry is None or entry.type != "symlink" or hops > 8:
            return False
        # update-alternatives(1): `/usr/bin/cc` leads to `/etc/alternatives/cc`, and that to a program of the package.
        if not (_OF_ALTERNATIVES.fullmatch(path) or entry.linkname.startswith("/etc/alternatives/")):
            return False
        return self._was_theirs(_real(self.original, posixpath.join(posixpath.dirname(path), entry.linkname)), hops + 1)


def gone(original: Flat, optimized: Flat, base_layers: int) -> Gone:
    """The packages that `original` installed above its base and `optimized` has not."""
    before, after = _lists(original), _lists(optimized)
    base = {path for layer in original.layers[:base_layers] for path in layer}
    names = tuple(name for name in before if name not in after and f"{INFO}{name}.list" not in base)
    staying = {path for name, paths in before.items() if name not in names for path in paths}
    owned = {path for name in names for path in before[name]} - staying
    return Gone(names, frozenset(owned), original)


def _lists(flat: Flat) -> dict[str, tuple[str, ...]]:
    """The files of each package, as the image has them."""
    found = {}
    for path, entry in flat.files.items():
        match = _LIST.fullmatch(path)
        if match is not None:
            listed = entry.kept.decode("utf-8", "surrogateescape").splitlines()
            found[match[1]] = tuple(_real(flat, line) for line in listed if line != "/.")
    return found


def _real(flat: Flat, path: str) -> str:
    """A listed path where `/lib`, `/bin` and the like are links into `/usr`, as in Debian since 12."""
    path = posixpath.normpath(path)
    top, _, rest = path.lstrip("/").partition("/")
    entry = flat.files.get(f"/{top}")
    if rest and entry is not None and entry.type == "symlink":
        return posixpath.normpath(posixpath.join("/", entry.linkname, rest))
    return path


def _above(path: str) -> Iterator[str]:
    while path not in ("/", ""):
        path = posixpath.dirname(path)
        yield path
