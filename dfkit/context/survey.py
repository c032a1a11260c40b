"""A whole context looked at: what the ignore file leaves out and by which line, what no instruction reads, what looks secret."""

from __future__ import annotations

from dfkit._record import Record
from dfkit.context.audit import idle_lines
from dfkit.context.facts import Share, total
from dfkit.context.secrets import secrets
from dfkit.context.tree import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dfkit.context.audit import IdleLine
    from dfkit.context.ignore import IgnoreLine
    from dfkit.context.planning import ContextPlan
    from dfkit.context.secrets import Secret
    from dfkit.context.selection import Selection
    from dfkit.context.tree import Entry


class Ignored(Record):
    """What one path takes with it: a file, or a whole folder with a slash at its end. `line` is the pattern that says so."""

    path: str
    files: int
    size: int
    line: IgnoreLine | None


class Survey(Record):
    """What there is in a context, beside what a plan sends of it.

    `visible` are the entries that no pattern leaves out, `ignored` what patterns leave out, the heaviest first; `unused` the visible
    files that no instruction reads, `None` where that cannot be told; `secrets` what looks secret among the visible files;
    `idle` the lines of the ignore file that change nothing.
    """

    all: Share
    visible: tuple[Entry, ...]
    ignored: tuple[Ignored, ...]
    unused: tuple[Entry, ...] | None
    secrets: tuple[Secret, ...]
    idle: tuple[IdleLine, ...]


def survey(plan: ContextPlan, usage: Selection | None) -> Survey:
    """Look at all files of a plan's context; folders that may not be listed count as empty.

    `usage` is what the instructions read, `None` if that cannot be told. Raises `ContextError` if the context is gone.
    """
    ignored: list[str] = []
    visible = tuple(walk(plan.root, plan.ignore.matcher, None, ignored, lenient=True))
    entries = list(walk(plan.root, lenient=True))
    unused = None if usage is None else tuple(entry for entry in visible if entry.kind != "dir" and not usage.wants(entry.path))
    return Survey(
        total(entries),
        visible,
        tuple(sorted(_ignored(plan, entries, ignored), key=lambda each: (-each.size, each.path))),
        unused,
        tuple(secrets(plan.root, visible)),
        tuple(idle_lines(plan.ignore, [entry.path for entry in entries])),
    )


def _ignored(plan: ContextPlan, entries: Iterable[Entry], paths: Sequence[str]) -> Iterator[Ignored]:
    """The weight of each ignored path. Both lists are in the order of a walk."""
    below: dict[str, list[Entry]] = {path: [] for path in paths}
    whole = ""
    for entry in entries:
        if not whole or not entry.path.startswith(whole):
            whole = f"{entry.path}/" if f"{entry.path}/" in below else ""
        place = whole or entry.path
        if place in below:
            below[place].append(entry)
    for path, inside in below.items():
        weight = total(inside)
        yield Ignored(path, weight.files, weight.size, plan.ignore.decided_by(path.rstrip("/")))
