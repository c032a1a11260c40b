"""Which lines of an ignore file do nothing for the files that there are, and why."""

from __future__ import annotations

from itertools import chain, pairwise

from dfkit._record import record
from dfkit.context.ignore import IgnoreFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from dfkit.context.ignore import IgnoreLine

    Reason = Literal["nothing", "overridden", "needless"]


@record
class IdleLine:
    """A line without which the engine would see the same files.

    `reason` is `nothing` if it matches none; `overridden` if the later line `by` decides about what it matches; `needless` if that is
    so without it, because of the line `by` or, for an exception, because no line before it ignores any of it.
    """

    line: IgnoreLine
    reason: Reason
    by: IgnoreLine | None = None


def idle_lines(ignore: IgnoreFile, paths: Iterable[str]) -> list[IdleLine]:
    """The lines that change nothing about these paths: all of a context, ignored or not, each folder right before what is in it."""
    left = {line.line: line for line in ignore.lines}
    without = {number: IgnoreFile(tuple(line for line in ignore.lines if line.line != number), ignore.name) for number in left}
    found: dict[int, IdleLine] = {}
    matched: dict[int, set[str]] = {number: set() for number in left}
    for path, following in pairwise(chain(paths, [""])):
        folder = path.rpartition("/")[0]
        is_leaf = not following.startswith(f"{path}/")
        for number, line in list(left.items()):
            if folder not in matched[number] and not line.pattern.matches(path):
                continue
            matched[number].add(path)
            if not is_leaf:  # a folder goes with what is in it, whatever the lines say of itself
                continue
            rest = without[number]
            if ignore.ignores(path) != rest.ignores(path):
                del left[number]
            elif number not in found or found[number].reason != "overridden":
                decided = ignore.decided_by(path)
                later = decided is not None and decided.line > number
                found[number] = IdleLine(line, "overridden", decided) if later else IdleLine(line, "needless", rest.decided_by(path))
        if not left:
            break
    return [found.get(number) or IdleLine(line, "nothing") for number, line in left.items()]
