"""Whether joining RUNs pays: bytes that a later RUN undoes, against steps that are run again because their RUN was joined.

Joined RUNs share one cache entry: when the second changes, the first is run again too. What that costs is
`(p_B - p_A)+ * t_A`: how much more often B changes than A, times how long A takes.
"""

from __future__ import annotations

import re

from dfkit._record import Record
from dfkit.model.effects import covers, overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.shell import effective

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model import Model
    from dfkit.model.effects import Step
    from dfkit.model.packages import Invocation
    from dfkit.syntax.nodes import Run

SYSTEM_PACKAGES = ("apt", "apk", "yum", "dnf", "zypper")
WORTH_A_BUILD = 5.0
"""Seconds per build that the bytes saved may cost."""
_RATES = (("system", 0.02), ("manifest", 0.1), ("other", 0.1))
"""How often a RUN's own text changes, in changes per build: priors, for want of a history."""
_SECONDS = {"compile": 120.0, "manifest": 60.0, "system": 30.0, "download": 20.0, "other": 1.0}
"""How long a RUN takes: orders of magnitude."""
_COMPILERS = frozenset((
    "make", "cmake", "ninja", "gcc", "g++", "cc", "cargo", "go", "mvn", "gradle", "bazel", "meson", "configure", "dotnet",
    "swift"
))  # fmt: skip


class Undone(Record):
    """That a later RUN undoes bytes of an earlier one."""

    made: Step
    by: Step
    path: str
    how: str
    """`deletes`, `moves`, `changes the mode or owner of`, `removes`."""


def kinds(run: Run, model: Model) -> frozenset[str]:
    """What a RUN does, as far as time and change rate go: compile, manifest, system, download; other if none of these."""
    found = set()
    for script in model.scripts(run):
        for step in steps(script, where(model, run)):
            call = invocation(effective(step.command))
            if call is not None and call.action in ("install", "locked", "upgrade", "update"):
                found.add("system" if call.manager in SYSTEM_PACKAGES else "manifest")
            elif effective(step.command).name in _COMPILERS:
                found.add("compile")
            elif step.effects.network:
                found.add("download")
    return frozenset(found or {"other"})


def veto(runs: tuple[Run, ...], model: Model) -> str | None:
    """Why joining would cost more than a few seconds per build; None if it would not."""
    rates = dict(_RATES)
    of = [kinds(run, model) for run in runs]
    rate = [max(rates.get(kind, 0.1 if kind == "other" else 0.02) for kind in each) for each in of]
    seconds = [max(_SECONDS[kind] for kind in each) for each in of]
    for at in range(len(runs) - 1):
        cost = max(0.0, max(rate[at + 1 :]) - rate[at]) * sum(seconds[: at + 1])
        if cost > WORTH_A_BUILD:
            return f"the later step changes more often than this one, which takes long: about {cost:.0f} s more per build"
    return None


def undone(first: Run, later: Run, model: Model) -> Iterator[Undone]:
    """What of the bytes that one RUN makes another deletes, moves, or copies for a change of mode or owner."""
    (one,), (other,) = model.scripts(first), model.scripts(later)
    makers = list(steps(one, where(model, first)))
    own: list[str] = []
    for step in steps(other, where(model, later)):
        found = step.effects
        call = invocation(effective(step.command))
        if call is not None:
            yield from _packages(makers, step, call)
        else:
            moves = effective(step.command).name == "mv"
            for number, maker in enumerate(makers):
                for path in maker.effects.bulk:
                    gone = any(covers(deleted, path) for after in makers[number + 1 :] for deleted in after.effects.deletes)
                    if gone or owner(path) is not None or any(overlaps(path, each) for each in own):
                        continue
                    if any(_within(each, path, _is_recursive(step)) for each in found.changes):
                        yield Undone(maker, step, path, "changes the mode or owner of")
                    elif any(_within(each, path) for each in found.deletes):
                        yield Undone(maker, step, path, "moves" if moves else "deletes")
            own += found.writes


def owner(path: str) -> str | None:
    """The package manager whose lists or downloads a path is."""
    for manager, facts in table("packages").items():
        if any(covers(folder, path) for folder in (*facts.get("lists", ()), *facts.get("caches", ()))):
            return str(manager)
    return None


def _within(touched: str, made: str, recursive: bool = True) -> bool:
    """Whether what is touched is what was made, or a part of it, or holds it; `/` holds everything and says nothing."""
    if "/" in (touched, made) or not overlaps(touched, made):
        return False
    return recursive or touched.count("/") >= made.count("/")


def _is_recursive(step: Step) -> bool:
    """Whether chmod or chown goes into folders."""
    return any(re.match(r"-[A-Za-z]*R|--recursive$", word.text) for word in step.command.words)


def _packages(makers: list[Step], step: Step, call: Invocation) -> Iterator[Undone]:
    if call.action != "remove":
        return
    removed = {word.value for word in call.packages}
    for maker in makers:
        made = invocation(effective(maker.command))
        if made is None or made.manager != call.manager or made.action != "install":
            continue
        names = {word.value for word in made.packages}
        virtual = made.option("-t", "--virtual") if made.manager == "apk" else None
        value = virtual.value if virtual is not None else None
        if value is not None and not isinstance(value, str):
            names.add(value.value)
        both = sorted(name for name in names & removed if name)
        if both:
            yield Undone(maker, step, both[0], "removes")
