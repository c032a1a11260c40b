"""A build context for people (trees and bars) and for programs (JSON)."""

from __future__ import annotations

import json

from dfkit.context.facts import by_folder, by_type, largest, total, tree
from dfkit.output.size import human, percent
from dfkit.output.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from dfkit.context.audit import IdleLine
    from dfkit.context.facts import Folder
    from dfkit.context.ignore import IgnoreFile, IgnoreLine
    from dfkit.context.suggest import Suggestion
    from dfkit.context.survey import Ignored
    from dfkit.workflow.context import Against, Inspection

SHOWN = 10
"""How many things a list shows."""
DEPTH = 3
"""How many levels of folders the tree shows."""
LEAST = 0.01
"""The share of all bytes from which a folder has a line of its own."""
BAR = 20
_EIGHTHS = " ▏▎▍▌▋▊▉"


def render(inspected: Inspection) -> Iterator[str]:
    """The lines to print."""
    plan, survey = inspected.plan, inspected.survey
    yield f"{inspected.folder}: {_weight(survey.all.files, survey.all.size)}"
    yield f"  sent: {_weight(plan.files, plan.size)}"
    for reason in plan.reasons:
        yield f"    all that is not ignored, because {printable(reason)}"
    if survey.unused and not plan.everything:
        unused = total(survey.unused)
        yield f"  not needed: {_weight(unused.files, unused.size)}"
    ignored = sum(each.files for each in survey.ignored), sum(each.size for each in survey.ignored)
    yield f"  ignored: {_weight(*ignored)}" + (f" ({printable(plan.ignore.name)})" if plan.ignore_path else " (no ignore file)")
    if plan.files:
        yield ""
        yield "Sent, by folder"
        yield from _tree(tree(plan.entries), plan.size)
        yield ""
        yield "Sent, by type"
        for share in by_type(plan.entries)[:SHOWN]:
            yield f"{_bar(share.size, plan.size)}  {printable(share.name) or 'no ending'} ({_files(share.files)})"
        yield ""
        yield "The largest files sent"
        for entry in largest(plan.entries, SHOWN):
            yield f"{human(entry.size):>10}  {printable(entry.path)}"
    if survey.ignored:
        yield ""
        yield "Left out by patterns"
        yield from _cut([*_by_pattern(plan.ignore, survey.ignored)])
    yield from _unused(inspected)
    if survey.secrets:
        sent = {entry.path for entry in plan.entries}
        yield ""
        yield "Looks secret and is not ignored"
        yield from _cut(
            [
                f"  {printable(each.path)}{f':{each.line}' if each.line else ''}: {each.what}"
                + (
                    ", sent"
                    if each.path in sent or any(path.startswith(each.path) for path in sent if each.path.endswith("/"))
                    else ""
                )
                for each in survey.secrets
            ]
        )
    if survey.idle:
        yield ""
        yield "Patterns that change nothing"
        yield from [f"  {_place(plan.ignore, each.line)} {why_idle(each)}" for each in survey.idle]


def _unused(inspected: Inspection) -> Iterator[str]:
    unused = inspected.survey.unused
    if unused is None:
        yield ""
        yield "What no instruction reads is not known."
    elif unused:
        weight = total(unused)
        yield ""
        yield f"No instruction reads {_weight(weight.files, weight.size)}" + (
            " (if the base images have no ONBUILD triggers)" if inspected.assumed else ""
        )
        yield from _cut(
            [f"{human(share.size):>10}  {printable(share.name)} ({_files(share.files)})" for share in by_folder(unused)]
        )


def why_idle(idle: IdleLine) -> str:
    """Why a pattern changes nothing."""
    by = f"line {idle.by.line} `{_shown(idle.by)}`" if idle.by else ""
    if idle.reason == "nothing":
        return "matches nothing"
    if idle.reason == "unread":
        return "is not valid; no file has come to be compared with it yet"
    if idle.reason == "overridden":
        return f"is overridden by {by}"
    return f"is not needed beside {by}" if by else "is not needed: nothing that it matches is ignored before it"


def suggested(suggestion: Suggestion) -> Iterator[str]:
    """What a suggested ignore file saves, pattern by pattern."""
    before, after = suggestion.before, suggestion.after
    for each in suggestion.patterns:
        yield f"{human(each.size):>10}  {printable(each.pattern)} ({_files(each.files)}): {each.group}"
    if not suggestion.patterns:
        yield "There is nothing to add."
    yield f"Docker sees {_weight(before.files, before.size)} without it, {_weight(after.files, after.size)} with it" + (
        f" ({percent(before.size, after.size)})." if before.size != after.size else "."
    )


def compared(against: Against) -> Iterator[str]:
    """What differs from Docker's client."""
    for what, paths in (
        ("only Docker sees", against.docker), ("only dfkit sees", against.dfkit), ("not the same", against.different),
    ):  # fmt: skip
        yield from (f"{what}: {printable(path)}" for path in paths)
    differing = len(against.docker) + len(against.dfkit) + len(against.different)
    yield f"Against Docker's client: {against.same} paths are equal, {differing} differ."


def as_json(inspected: Inspection, suggestion: Suggestion | None = None, against: Against | None = None) -> str:
    """All of it as one JSON object with a line end. Sizes are in bytes, paths relative to the context."""
    plan, survey = inspected.plan, inspected.survey
    found: dict[str, Any] = {
        "context": inspected.folder,
        "dockerfile": inspected.file,
        "ignore_file": str(plan.ignore_path) if plan.ignore_path else None,
        "all": _share(survey.all.files, survey.all.size),
        "sent": {
            **_share(plan.files, plan.size),
            "everything_because": list(plan.reasons),
            "folders": [{"path": share.name, **_share(share.files, share.size)} for share in by_folder(plan.entries, DEPTH)],
            "types": [{"ending": share.name, **_share(share.files, share.size)} for share in by_type(plan.entries)],
            "entries": [{"path": entry.path, "kind": entry.kind, "bytes": entry.size} for entry in plan.entries],
        },
        "ignored": [
            {"path": each.path, **_share(each.files, each.size), "pattern": _pattern(each.line)} for each in survey.ignored
        ],
        "unused": None if survey.unused is None else [{"path": entry.path, "bytes": entry.size} for entry in survey.unused],
        "unused_if_bases_have_no_triggers": inspected.assumed,
        "secrets": [{"path": each.path, "what": each.what, "line": each.line} for each in survey.secrets],
        "idle_patterns": [
            {"pattern": _pattern(each.line), "reason": each.reason, "by": _pattern(each.by)} for each in survey.idle
        ],
    }
    if suggestion is not None:
        found["suggestion"] = {
            "text": suggestion.text,
            "patterns": [
                {"pattern": each.pattern, "group": each.group, **_share(each.files, each.size)} for each in suggestion.patterns
            ],
            "before": _share(suggestion.before.files, suggestion.before.size),
            "after": _share(suggestion.after.files, suggestion.after.size),
        }
    if against is not None:
        found["against_docker"] = {
            "equal": against.equal,
            "same": against.same,
            "only_docker": list(against.docker),
            "only_dfkit": list(against.dfkit),
            "different": list(against.different),
        }
    return json.dumps(found, indent=2) + "\n"


def _tree(folder: Folder, whole: int, lead: str = "", depth: int = 0) -> Iterator[str]:
    """A folder, then those in it, the heaviest first; small ones are told together."""
    if not depth:
        yield f"{_bar(folder.size, whole)}  . ({_files(folder.files)})"
    ordered = sorted(folder.folders.values(), key=lambda each: (-each.size, each.name))
    large = [each for each in ordered if each.size >= whole * LEAST][:SHOWN] if depth < DEPTH else []
    small = ordered[len(large) :] if depth < DEPTH else []
    if len(small) == 1:
        large, small = ordered, []
    lines = [*large, *([None] if small else [])]
    for at, each in enumerate(lines):
        branch, below = ("└─ ", "   ") if at == len(lines) - 1 else ("├─ ", "│  ")
        if each is None:
            size, files = sum(other.size for other in small), sum(other.files for other in small)
            yield f"{_bar(size, whole)}  {lead}{branch}{len(small)} more ({_files(files)})"
        else:
            yield f"{_bar(each.size, whole)}  {lead}{branch}{printable(each.name)} ({_files(each.files)})"
            yield from _tree(each, whole, lead + below, depth + 1)


def _bar(size: int, whole: int) -> str:
    """A size and its share of the whole as a bar."""
    eighths = round(8 * BAR * size / whole) if whole else 0
    bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return f"{human(size):>10}  {bar:{BAR}}"


def _cut(lines: Sequence[str]) -> Iterable[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"{'':10}  and {len(lines) - SHOWN} more (`--format json` has all)"]


def _by_pattern(ignore: IgnoreFile, ignored: Iterable[Ignored]) -> Iterator[str]:
    """What each pattern leaves out, the heaviest first."""
    groups: dict[IgnoreLine | None, list[Ignored]] = {}
    for each in ignored:
        groups.setdefault(each.line, []).append(each)
    weighed = [(sum(each.size for each in group), line, group) for line, group in groups.items()]
    for size, line, group in sorted(weighed, key=lambda each: -each[0]):
        first, *rest = group
        more = f" and {len(rest):,} more" if rest else ""
        if rest or first.path.endswith("/"):
            more += f" ({_files(sum(each.files for each in group))})"
        by = f"  {_place(ignore, line)}" if line else ""
        yield f"{human(size):>10}  {printable(first.path)}{more}{by}"


def _place(ignore: IgnoreFile, line: IgnoreLine) -> str:
    """A line of the ignore file, which the head of the report names in full."""
    return f"{printable(ignore.name.rpartition('/')[2])}:{line.line} `{_shown(line)}`"


def _shown(line: IgnoreLine) -> str:
    return printable(("!" if line.pattern.exception else "") + line.pattern.text)


def _pattern(line: IgnoreLine | None) -> dict[str, Any] | None:
    return None if line is None else {"line": line.line, "text": ("!" if line.pattern.exception else "") + line.pattern.text}


def _share(files: int, size: int) -> dict[str, int]:
    return {"files": files, "bytes": size}


def _weight(files: int, size: int) -> str:
    return f"{_files(files)}, {human(size)}"


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"
