"""T01: join RUNs that stand one after the other.

Joining saves no bytes of itself, and costs cache: it pays only where a later RUN undoes what an earlier one wrote (`merge-runs`),
where a stage comes near the engine's limit of layers, or where the user wants fewer layers (`fewer-layers`).

Preconditions: shell form, one SHELL, equal flags, nothing between but instructions that no RUN sees, scripts that one of
`dfkit.optimize.templates` fits, no comment between that turns a check off.
"""

from __future__ import annotations

from dfkit.optimize.passes import Pass
from dfkit.optimize.profit import undone, veto
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import NEUTRAL, differ, groups, join, layers, unjoinable
from dfkit.syntax.nodes import Add, Copy, Run, Workdir
from dfkit.text import Fix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model import Model, Stage
    from dfkit.optimize.passes import Facts
    from dfkit.optimize.profit import Undone

LAYER_LIMIT = 127
"""Most layers of an image that the engine takes."""
NEAR = 10


def rewrite(model: Model, facts: Facts) -> Iterator[Proposal | Refusal]:
    """Join RUNs where a later one undoes bytes of an earlier one, or where layers run short."""
    for stage in model.stages:
        if _layers(stage, facts) > LAYER_LIMIT - NEAR:
            yield from _join_all(stage, model, "merge-runs", "the stage comes near the most layers an image can have")
        elif model.is_shipped(stage):
            yield from _join_undone(stage, model)
            yield from _apart(stage, model)


def rewrite_all(model: Model, _facts: Facts) -> Iterator[Proposal | Refusal]:
    """Join all RUNs that can be joined."""
    for stage in model.stages:
        yield from _join_all(stage, model, "fewer-layers", "fewer layers were asked for")


PASS = Pass("merge-runs", "Join RUNs where a later one deletes, moves or changes what an earlier one wrote", rewrite)
FEWER_LAYERS = Pass("fewer-layers", "Join all RUNs that can be joined", rewrite_all, allow="fewer-layers")


def _join_undone(stage: Stage, model: Model) -> Iterator[Proposal | Refusal]:
    for group in groups(stage, model):
        intervals: list[tuple[int, int, Undone]] = []
        for at in range(len(group)):
            for later in range(at + 1, len(group)):
                found = next(undone(group[at], group[later], model), None)
                if found is not None:
                    intervals.append((at, later, found))
        for first, last, found in _union(intervals):
            runs = group[first : last + 1]
            lines = _lines(runs, model)
            against = veto(runs, model)
            if against is not None:
                yield Refusal("merge-runs", runs[0].span, f"{lines} are not joined: {against}.")
                continue
            why = f"A later RUN {found.how} `{found.path}`, which an earlier one made: the layers carry it twice or for nothing."
            yield _proposal(
                runs,
                model,
                "merge-runs",
                why,
                f"the bytes of `{found.path}` once, and {layers(len(runs) - 1)}",
            )


def _union(intervals: list[tuple[int, int, Undone]]) -> list[tuple[int, int, Undone]]:
    out: list[tuple[int, int, Undone]] = []
    for first, last, found in sorted(intervals, key=lambda each: (each[0], each[1])):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], last), out[-1][2])
        else:
            out.append((first, last, found))
    return out


def _join_all(stage: Stage, model: Model, name: str, why: str) -> Iterator[Proposal | Refusal]:
    for group in groups(stage, model):
        if len(group) > 1:
            yield _proposal(group, model, name, f"{why[0].upper()}{why[1:]}.", layers(len(group) - 1))


def _proposal(runs: tuple[Run, ...], model: Model, name: str, why: str, gain: str) -> Proposal | Refusal:
    edits = join(model, runs)
    lines = _lines(runs, model)
    if isinstance(edits, str):
        return Refusal(name, runs[0].span, f"{lines} are not joined: {edits}.")
    return Proposal(name, Fix(f"join the RUNs of {lines}", edits), runs[0].span, why, gain)


def _lines(runs: tuple[Run, ...], model: Model) -> str:
    numbers = [str(model.dockerfile.source.position(run.span.start).line) for run in runs]
    return f"lines {', '.join(numbers[:-1])} and {numbers[-1]}"


def _apart(stage: Stage, model: Model) -> Iterator[Refusal]:
    """RUNs that undo bytes of a RUN they cannot be joined with."""
    runs = [each for each in stage.instructions if isinstance(each, Run) and len(model.scripts(each)) == 1]
    together = {id(run): number for number, group in enumerate(groups(stage, model)) for run in group}
    for at, run in enumerate(runs):
        for later in runs[at + 1 :]:
            if together.get(id(run), -1) == together.get(id(later), -2):
                continue
            found = next((each for each in undone(run, later, model) if each.how != "deletes"), None)
            if found is not None:
                why = unjoinable(run, model) or unjoinable(later, model) or _obstacle(stage, run, later, model)
                yield Refusal(
                    "merge-runs", later.span, f"This RUN {found.how} `{found.path}`, but cannot join the RUN that made it: {why}."
                )


def _obstacle(stage: Stage, run: Run, later: Run, model: Model) -> str:
    for between in stage.instructions[stage.instructions.index(run) + 1 : stage.instructions.index(later)]:
        line = model.dockerfile.source.position(between.span.start).line
        if isinstance(between, Run):
            why = unjoinable(between, model) or differ(run, between, model)
            if why is not None:
                return f"of the RUN in line {line}, {why}"
        elif not isinstance(between, NEUTRAL):
            return f"{between.name or between.keyword.text.upper()} in line {line} stands between"
    return differ(run, later, model) or "they cannot be one"


def _layers(stage: Stage, facts: Facts) -> int:
    """The layers of a stage's image, as far as the base's are known."""
    image = stage.root.image
    base = facts.base(image) if image and image != "scratch" else None
    own = sum(isinstance(each, Run | Copy | Add | Workdir) for one in stage.lineage for each in one.instructions)
    return own + ((base.layers or 0) if base is not None else 0)
