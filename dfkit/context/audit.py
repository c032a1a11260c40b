"""Which lines of an ignore file do nothing for the files that there are, and why."""

from __future__ import annotations

from itertools import chain, pairwise

from dfkit._record import Record
from dfkit.context.ignore import IgnoreError, IgnoreFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from dfkit.context.ignore import IgnoreLine

    Reason = Literal["nothing", "overridden", "needless", "unread"]


class IdleLine(Record):
    """A line without which the engine would see the same files.

    `reason` is `nothing` if it matches none; `overridden` if the later line `by` decides about what it matches; `needless` if that is
    so without it, because of the line `by` or, for an exception, because no line before it ignores any of it;
    `unread` if it is not valid, which Docker has not come to see.
    """

    line: IgnoreLine
    reason: Reason
    by: IgnoreLine | None = None


def idle_lines(ignore: IgnoreFile, paths: Iterable[str]) -> list[IdleLine]:
    """The lines that change nothing about these paths: all of a context, ignored or not, each folder right before what is in it.

    Of lines that do the same the first is needed. All lines found can be taken out together.
    """
    # A folder goes with what is in it, whatever the lines say of itself.
    known = [(path, not following.startswith(f"{path}/")) for path, following in pairwise(chain(paths, [""]))]
    found: list[IdleLine] = []
    for line in reversed(ignore.lines):
        rest = IgnoreFile(tuple(each for each in ignore.lines if each is not line), ignore.name)
        try:
            idle = _idle(line, ignore, rest, known)
        except IgnoreError:  # without this line a path comes to one that is not valid
            idle = None
        if idle:
            found.append(idle)
            ignore = rest
    return found[::-1]


def _idle(line: IgnoreLine, ignore: IgnoreFile, rest: IgnoreFile, known: Iterable[tuple[str, bool]]) -> IdleLine | None:
    """Why a line does nothing, `None` if it does something. `rest` are the other lines; `known` tells of each path if it is a leaf."""
    found: IdleLine | None = None
    if line.pattern.fault:
        return IdleLine(line, "unread")
    matched: set[str] = set()
    for path, is_leaf in known:
        if path.rpartition("/")[0] not in matched and not line.pattern.matches(path):
            continue
        matched.add(path)
        if not is_leaf:
            continue
        if ignore.ignores(path) != rest.ignores(path):
            return None
        if found is None or found.reason != "overridden":
            decided = ignore.decided_by(path)
            later = decided is not None and decided.line > line.line
            found = IdleLine(line, "overridden", decided) if later else IdleLine(line, "needless", rest.decided_by(path))
    return found or IdleLine(line, "nothing")
