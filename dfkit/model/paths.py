"""Many paths at once: which of them a path pattern may mean, without comparing it with each."""

from __future__ import annotations

from dfkit.model.effects import may_match, may_mean_more

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Paths:
    """Path patterns, each with the number of who brought it first; `overlapping` is `dfkit.model.effects.overlaps` with all of them."""

    __slots__ = ("_below", "_globs", "_here")

    def __init__(self) -> None:
        self._below: dict[str, Paths] = {}
        self._globs: dict[str, Paths] = {}
        self._here: int | None = None

    def add(self, path: str, number: int = 0) -> None:
        """Add a path that `number` brought, if it is not there."""
        node = self
        for part in path.split("/"):
            if part:
                below = node._globs if may_mean_more(part) else node._below
                if part not in below:
                    below[part] = Paths()
                node = below[part]
        if node._here is None:
            node._here = number

    def overlapping(self, path: str) -> Iterator[int]:
        """The numbers of paths that one may match, or that are above or below one that it may match."""
        for node, is_end in self._found(path):
            if is_end:
                yield from node._all()
            elif node._here is not None:
                yield node._here

    def remove(self, path: str) -> None:
        """Take out the paths that `overlapping` finds."""
        for node, is_end in list(self._found(path)):
            node._here = None
            if is_end:
                node._below.clear()
                node._globs.clear()

    def _found(self, path: str) -> Iterator[tuple[Paths, bool]]:
        """The nodes on the way down a path, each with whether the path ends there."""
        parts = [part for part in path.split("/") if part]
        todo = [(self, 0)]
        while todo:
            node, at = todo.pop()
            yield node, at == len(parts)
            if at < len(parts):
                todo += [(below, at + 1) for below in node._matching(parts[at])]

    def _matching(self, part: str) -> list[Paths]:
        found = [below for name, below in self._globs.items() if may_match(part, name)]
        if may_mean_more(part):
            return found + [below for name, below in self._below.items() if may_match(part, name)]
        return [*found, self._below[part]] if part in self._below else found

    def _all(self) -> Iterator[int]:
        todo = [self]
        while todo:
            node = todo.pop()
            if node._here is not None:
                yield node._here
            todo += [*node._below.values(), *node._globs.values()]
