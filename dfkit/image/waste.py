"""Bytes that an image carries for nothing, a layer at a time."""

from __future__ import annotations

import re

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dfkit.image.entry import Entry
    from dfkit.image.flatten import Flat
    from dfkit.image.saved import Layer

_CACHES = re.compile(
    r"""
      /var/lib/apt/lists/ | /var/cache/(apt|apk|dnf|libdnf5|yum|zypp|pacman/pkg)/ | /etc/apk/cache/
    | (/root | /home/[^/]+)/(\.cache | \.npm/_cacache | \.yarn/berry/cache | \.composer/cache)/
    | (/root | /home/[^/]+)/(\.cargo/registry | \.gradle/caches | go/pkg/mod/cache)/
    | /usr/local/(share/\.cache | cargo/registry | bundle/cache | lib/ruby/gems/[^/]+/cache)/ | /var/lib/gems/[^/]+/cache/
    | /go/pkg/mod/cache/ | /opt/conda/pkgs/
    """,
    re.VERBOSE,
)
"""Where package managers keep what they can fetch again."""


class LayerWaste(Record):
    """The waste of one layer, in bytes of regular files; a file with several names counts once.

    `bytes` is all that the layer adds, as `docker history` counts. `shadowed` is not visible in the final image: deleted or
    replaced by a later layer. `cache` is visible and under a package manager's cache. `dup` is visible and has the content that a
    lower layer has at the same path: a copy made by chown or chmod. A copy of what is not in the base shadows the lower one, so
    the three may tell of the same bytes from both sides; `wasted` counts each once. Waste in the base's layers is the base's.
    """

    digest: str
    created_by: str
    base: bool
    bytes: int
    shadowed: int = 0
    cache: int = 0
    dup: int = 0
    wasted: int = 0


class Waste(Record):
    """What an image wastes above its base: the sums of its layers, which go from the base up."""

    layers: tuple[LayerWaste, ...]
    bytes: int
    shadowed: int
    cache: int
    dup: int
    wasted: int


def waste(flat: Flat, layers: Iterable[Layer], *, base_layers: int = 0) -> Waste:
    """Measure a flattened image. `layers` are the saved image's, `base_layers` how many of them the base brought."""
    visible = {id(entry) for entry in flat.files.values()}
    known: set[int] = set()
    found: list[LayerWaste] = []
    for number, (layer, added) in enumerate(zip(layers, flat.layers, strict=True)):
        files = {path: entry for path, entry in added.items() if entry.type == "file" and id(entry) not in known}
        known.update(map(id, files.values()))
        base = number < base_layers
        shown = {} if base else {path: entry for path, entry in files.items() if flat.files.get(path) is entry}
        shadowed = [] if base else [entry for entry in files.values() if id(entry) not in visible]
        cache = [entry for path, entry in shown.items() if _CACHES.match(path)]
        copies = [entry for path, entry in shown.items() if _below(path, entry, flat.layers[:number])]
        base_copies = [entry for path, entry in shown.items() if _below(path, entry, flat.layers[:base_layers])]
        sizes = map(_bytes, (list(files.values()), shadowed, cache, copies, shadowed + cache + base_copies))
        found.append(LayerWaste(layer.digest, layer.created_by, base, *sizes))
    above = [one for one in found if not one.base]
    sums = (sum(getattr(one, name) for one in above) for name in ("bytes", "shadowed", "cache", "dup", "wasted"))
    return Waste(tuple(found), *sums)


def _bytes(entries: Iterable[Entry]) -> int:
    return sum(size for size in {id(entry): entry.size for entry in entries}.values())


def _below(path: str, entry: Entry, lower: Sequence[Mapping[str, Entry]]) -> bool:
    return any((other := layer.get(path)) is not None and other is not entry and other.sha256 == entry.sha256 for layer in lower)
