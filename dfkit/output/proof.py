"""What an optimization gains and whether the images are equivalent, as a table and a verdict."""

from __future__ import annotations

from dfkit.output.size import human, percent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.verify import Difference
    from dfkit.workflow.prove import Proof

SHOWN = 20
"""How many differences are listed."""

_NOTHING = "-"


def render(proof: Proof) -> Iterator[str]:
    """The lines to print."""
    before, after = proof.before, proof.after
    rows = [
        ("bytes above the base", human(before.bytes), human(after.bytes), percent(before.bytes, after.bytes)),
        ("layers above the base", str(before.layers), str(after.layers), ""),
        ("bytes that no container sees", human(before.shadowed), human(after.shadowed), ""),
        ("steps run again after an edit", _count(before.rerun), _count(after.rerun), ""),
    ]
    yield from table(("", "before", "after", ""), rows)
    if proof.edited is not None:
        yield f"  (the edit: one more line in {proof.edited})"
    yield from verdict(proof)


def verdict(proof: Proof) -> Iterator[str]:
    """Whether the images are equivalent, and what is not."""
    found = proof.comparison
    reasons: dict[str, int] = {}
    for each in found.explained:
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    if found.equivalent:
        yield "verdict: equivalent"
    else:
        yield f"verdict: NOT equivalent, {len(found.differences)} difference{'s' if len(found.differences) > 1 else ''} without a reason"
        for each in found.differences[:SHOWN]:
            yield f"  {_difference(each)}"
        if len(found.differences) > SHOWN:
            yield f"  and {len(found.differences) - SHOWN} more"
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count} explained: {reason}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows in columns, the first to the left and the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        first, *rest = zip(row, widths, strict=True)
        yield "  ".join([first[0].ljust(first[1]), *[cell.rjust(width) for cell, width in rest]]).rstrip()


def _count(number: int | None) -> str:
    return _NOTHING if number is None else str(number)


def _difference(each: Difference) -> str:
    if each.kind == "config":
        return f"config {each.path}: {each.before!r} -> {each.after!r}"
    if each.kind in ("mode", "owner", "target"):
        shown = [f"{value:o}" if each.kind == "mode" else str(value) for value in (each.before, each.after)]
        return f"{each.kind} of {each.path}: {shown[0]} -> {shown[1]}"
    return f"{each.kind}: {each.path}"
