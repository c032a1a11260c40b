"""Runs the passes over a text until none has anything to propose."""

from __future__ import annotations

from dfkit._record import Record
from dfkit.fix.applier import Proposal as Labelled
from dfkit.fix.applier import rewrite
from dfkit.model import Model
from dfkit.optimize.passes import Facts
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.syntax import parse
from dfkit.text import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from dfkit.optimize.passes import Pass

    RuleFixes = Callable[[Model], Iterable[Proposal]]

SWEEPS = 5
"""How often the passes are gone through: one may find work that another made."""
NOTHING = Facts()


class Optimized(Record):
    """A rewritten text. The spans of `applied` are places in the text that each was applied to; those of `refused` in `text`."""

    text: str
    applied: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]

    @property
    def declared(self) -> tuple[str, ...]:
        """What the rewrites change of the image on purpose, as `dfkit.verify.compare` takes it."""
        return tuple(dict.fromkeys(pattern for proposal in self.applied for pattern in proposal.declared))


def passes() -> tuple[Pass, ...]:
    """All passes, in the order in which they run."""
    from dfkit.optimize import (
        build_dependencies,
        copy_owner,
        join_update,
        merge_runs,
        pull_cleanup,
        split_copy,
        temporary_files,
    )

    return (
        copy_owner.PASS,
        split_copy.PASS,
        join_update.PASS,
        temporary_files.PASS,
        build_dependencies.PASS,
        pull_cleanup.PASS,
        merge_runs.PASS,
        merge_runs.FEWER_LAYERS,
    )


def optimize(
    text: str,
    *,
    build_args: Mapping[str, str] | None = None,
    contexts: Collection[str] = (),
    allow: Collection[str] = (),
    facts: Facts = NOTHING,
    rule_fixes: RuleFixes | None = None,
) -> Optimized:
    """Rewrite a Dockerfile's text.

    `contexts` are the names of its named contexts; `allow` has the names of what is not done without asking, see `Pass.allow`.

    `rule_fixes` gives the fixes of lint rules that make an image smaller or a rebuild faster. A text that cannot be parsed in full is
    rewritten where it can. Raises `dfkit.fix.applier.FixesDisagree` if passes undo each other.
    """

    def read(text: str) -> Model:
        return Model(parse(Source(text)), build_args=build_args, contexts=contexts)

    wanted = [each for each in passes() if each.allow is None or each.allow in allow]
    applied: list[Proposal] = []
    refused: list[Refusal] = []
    for _ in range(SWEEPS):
        before = text
        refused = []
        for each in wanted:
            text, made, not_made = _exhaust(each.name, lambda model, each=each: each.rewrite(model, facts), text, read)  # type: ignore[misc]
            applied += made
            refused += not_made
        if rule_fixes is not None:
            text, made, not_made = _exhaust("rules", rule_fixes, text, read)
            applied += made
            refused += not_made
        if text == before:
            break
    return Optimized(text, tuple(applied), tuple(dict.fromkeys(refused)))


def _exhaust(
    name: str, propose: Callable[[Model], Iterable[Proposal | Refusal]], text: str, read: Callable[[str], Model]
) -> tuple[str, list[Proposal], list[Refusal]]:
    """Apply what one pass proposes until it proposes nothing; what it refused last."""
    proposals: dict[int, Proposal] = {}
    refused: list[Refusal] = []

    def once(text: str) -> list[Labelled]:
        refused.clear()
        labelled = []
        for found in propose(read(text)):
            if isinstance(found, Refusal):
                refused.append(found)
            else:
                proposals[id(found.fix)] = found
                labelled.append(Labelled(found.pass_name, found.fix))
        return labelled

    fixed = rewrite(text, once, allowed=(name,))
    not_kept = [Refusal(each.proposal.label, proposals[id(each.proposal.fix)].span, each.why) for each in fixed.refused]
    return fixed.text, [proposals[id(each.fix)] for each in fixed.applied], [*refused, *not_kept]
