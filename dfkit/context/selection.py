"""Which entries of the context a build can read: never fewer than BuildKit needs, mostly fewer than there are.

BuildKit itself asks its client for the sources of COPY, ADD and bind mounts only, with links resolved
(https://github.com/tonistiigi/fsutil/blob/master/followlinks.go). A tar body is sent whole, so the choice is made here.
"""

from __future__ import annotations

import os
from contextlib import suppress

from dfkit.context.glob import BadPatternError, Glob, clean, is_glob, unescape
from dfkit.context.pattern import Matcher, parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dfkit.model.uses import ContextRead

    _Step = tuple[str, tuple[str, ...], int, bool]

_MOST_LINKS = 255
"""Links followed in one source before it counts as a loop; containerd's limit, which is BuildKit's."""
_NOTHING = Matcher(())


class Selection:
    """The entries that go. `everything` says that none is left out, `reasons` why; `missing` are sources that nothing is at."""

    __slots__ = ("_above", "_bare", "_globs", "_leads", "_top", "_trees", "everything", "missing", "reasons")

    def __init__(self, reasons: Iterable[str] = (), everything: bool = False) -> None:
        self.reasons = tuple(reasons)
        self.everything = everything or bool(self.reasons)
        self.missing: tuple[str, ...] = ()
        self._trees: dict[str, list[Matcher]] = {}
        self._above: set[str] = set()
        self._bare: set[str] = set()
        self._globs: list[Matcher] = []
        self._leads: set[str] = set()
        self._top: list[Glob] = []

    def wants(self, path: str) -> bool:
        """Whether some instruction can read the path. The folders above it go too, which is the walk's business."""
        if self.everything or path in self._bare:
            return True
        trees = self._trees
        at = len(path)
        while at >= 0:
            if (excludes := trees.get(path[:at])) and any(_kept(exclude, path[at + 1 :] if at else path) for exclude in excludes):
                return True
            if not at:
                break
            at = max(path.rfind("/", 0, at), 0)
        return any(taken for glob in self._globs for _, taken in glob.walk(path))

    def reaches(self, folder: str) -> bool:
        """Whether something below a folder can be wanted."""
        if self.everything or folder in self._above:
            return True
        for at in ("", *parents(folder, True)):
            if at in self._leads:
                return True
            for exclude in self._trees.get(at, ()):
                below = folder[len(at) :].lstrip("/")
                if exclude.exceptions or _kept(exclude, below):
                    return True
        return False

    def wants_new(self, name: str) -> bool:
        """Whether some instruction would read a file that is not there yet, put at the top of the context under this name."""
        return self.wants(name) or any(glob.match(name) for glob in self._top)

    def _add(self, path: str, exclude: Matcher) -> None:
        excludes = self._trees.setdefault(path, [])
        if exclude not in excludes:
            excludes.append(exclude)
        self._above.update(parents(path))

    def _add_bare(self, path: str) -> None:
        self._bare.add(path)
        self._above.update(parents(path))

    def _add_glob(self, folder: str, pattern: str) -> None:
        escaped = "".join("\\" + char if char in "*?[]\\^" else char for char in folder)
        glob = Matcher.parse([f"{escaped}/{pattern}" if escaped else pattern])
        glob.check()
        self._globs.append(glob)
        self._leads.add(folder)
        self._above.update(parents(folder, True))


def _kept(exclude: Matcher, path: str) -> bool:
    """Whether a source goes with what is at `path` below it; the source itself (`""`) always does."""
    if not path or exclude is _NOTHING:
        return True
    *_, (_, taken) = exclude.walk(path)
    return not taken


def select(root: str | Path, reads: Sequence[ContextRead] | None, reasons: Sequence[str] = ()) -> Selection:
    """What the instructions of a build read from the context at `root`.

    `reads` is `None`, or there are `reasons`, where that is not known: then everything goes. Globs and links are resolved
    against the files as they are now; the target of a link that a source goes through or ends at is selected too.
    """
    if reads is None or reasons:
        return Selection(reasons or ("what the build reads is not known",))
    if any(clean(read.source) in (".", "/") and not read.exclude for read in reads):
        return Selection(("an instruction copies the whole context",))
    selection = Selection()
    missing: list[str] = []
    for read in reads:
        resolver = _Resolver(os.fspath(root), read, selection)
        resolver.resolve(read.source)
        if not resolver.found:
            missing.append(read.source)
    selection.missing = tuple(missing)
    return selection


class _Resolver:
    """Finds what one source names, links resolved as if the context were the root of the file system."""

    __slots__ = ("_exclude", "_left", "_parents", "_root", "_seen", "_selection", "found")

    def __init__(self, root: str, read: ContextRead, selection: Selection) -> None:
        self._root = root
        self._parents = read.parents
        self._selection = selection
        self._exclude = _NOTHING
        self._left: list[_Step] = []
        self._seen: set[tuple[str, tuple[str, ...]]] = set()
        self.found = False
        if read.exclude and not read.parents:
            with suppress(BadPatternError):  # the engine refuses the instruction, with its own words
                exclude = Matcher.parse(read.exclude)
                exclude.check()
                self._exclude = exclude

    def resolve(self, source: str) -> None:
        """Select what a source names."""
        self._go("", _parts(source), 0, False)
        while self._left:
            self._follow(*self._left.pop())

    def _go(self, at: str, rest: tuple[str, ...], links: int, matched: bool) -> None:
        if (at, rest) not in self._seen:
            self._seen.add((at, rest))
            self._left.append((at, rest, links, matched))

    def _follow(self, at: str, rest: tuple[str, ...], links: int, matched: bool) -> None:
        """Go on with the components `rest` below `at`, a path reached without links; `matched` says that a pattern led there."""
        if not rest:
            self._select(at)
            return
        part, *_ = rest
        if not is_glob(part):
            for name in dict.fromkeys((part, unescape(part))):
                self._enter(at, name, rest[1:], links, matched)
        elif self._parents and "**" in part:
            self.found = True
            try:
                self._selection._add_glob(at, "/".join(rest))
            except BadPatternError:
                self._select(at)
        else:
            if at and not matched:  # a pattern without a match is no error, but the folder that it looks in must be there
                self._selection._add_bare(at)
            self._match(at, part, rest[1:], links)

    def _match(self, at: str, part: str, rest: tuple[str, ...], links: int) -> None:
        try:
            glob = Glob.parse(part)
        except BadPatternError:
            glob = None
        if glob and glob.crosses:
            self._select(at)  # the class may match a slash, so any depth below the folder
            return
        if not at and not rest and glob:
            self._selection._top.append(glob)
        try:
            names = os.listdir(os.path.join(self._root, at))
        except OSError:
            return
        for name in names:
            if name == part or (glob and glob.match(name)):
                self._enter(at, name, rest, links, True)

    def _enter(self, at: str, name: str, rest: tuple[str, ...], links: int, matched: bool) -> None:
        path = f"{at}/{name}" if at else name
        try:
            target = os.readlink(os.path.join(self._root, path))
        except (FileNotFoundError, ValueError):
            return
        except OSError:
            if rest or os.path.lexists(os.path.join(self._root, path)):
                self._go(path, rest, links, matched)
            return
        self._select(path)
        if links < _MOST_LINKS:
            # `x/..` in a target is nothing to BuildKit, be `x` a link or not there: https://pkg.go.dev/path/filepath#Join
            place = target if target.startswith("/") else f"/{at}/{target}"
            self._go("", (*_parts(place), *rest), links + 1, matched)

    def _select(self, path: str) -> None:
        self.found = True
        self._selection._add(path, self._exclude)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in clean("/" + path).split("/") if part)
