"""Applies fixes to a text until it is stable.

In each round the fixes that fit together are applied and the text is read again. A fix that overlaps one before it waits for the
next round, in which it is proposed anew if it is still wanted. So no fix needs to know of another.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from dfkit._record import Record
from dfkit.errors import DfkitError
from dfkit.syntax import parse
from dfkit.text import DISPLAY, SAFE, apply, overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from dfkit.text import Diagnostic, Edit, Fix

ROUNDS = 10
"""Texts settle after two or three; more than this is a fix that feeds itself."""


class OscillationError(DfkitError):
    """Fixes undo each other: a mistake in dfkit, or in a user's rule. The message names the rules."""


class Proposal(Record):
    """A fix and who proposes it: a rule's or a pass's name."""

    label: str
    fix: Fix


class Refusal(Record):
    """A proposal that was tried, or could have been, and was not kept."""

    proposal: Proposal
    why: str


class Fixed(Record):
    """A text after fixes. The offsets of `applied` and `refused` fixes are those of the text in their round."""

    text: str
    applied: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]


def fix(text: str, lint_again: Callable[[str], Sequence[Diagnostic]], *, allowed: Collection[str] = ()) -> Fixed:
    """Apply the fixes of diagnostics: the safe ones, and the unsafe ones of the rules named in `allowed`.

    Raises `OscillationError` if fixes undo each other.
    """

    def propose(text: str) -> list[Proposal]:
        return [Proposal(each.rule, each.fix) for each in lint_again(text) if each.fix is not None]

    return rewrite(text, propose, allowed=allowed)


def rewrite(text: str, propose: Callable[[str], Iterable[Proposal]], *, allowed: Collection[str] = ()) -> Fixed:
    """Apply proposals for a Dockerfile's text, and those for the text that comes of it, until there are no more.

    Safe fixes are applied, unsafe ones if their label is in `allowed`, those for display never. A fix after which something can
    no longer be read is refused. Raises `OscillationError` if a text comes back.
    """
    seen = {text: 0}
    rounds: list[list[Proposal]] = []
    refused: dict[object, Refusal] = {}
    for number in range(ROUNDS + 1):
        wanted = [each for each in propose(text) if _is_allowed(each, allowed) and _identity(text, each) not in refused]
        chosen = _fitting(wanted)
        if not chosen:
            break
        if number == ROUNDS:
            for each in chosen:
                refused[_identity(text, each)] = Refusal(each, f"it was still proposed after {ROUNDS} rounds")
            break
        kept, refusals = _readable(text, chosen)
        for refusal in refusals:
            refused[_identity(text, refusal.proposal)] = refusal
        if not kept:
            continue
        text = _applied(text, kept)
        rounds.append(kept)
        if text in seen:
            labels = sorted({f"`{each.label}`" for group in rounds[seen[text] :] for each in group})
            raise OscillationError(f"fixes of {' and '.join(labels)} undo each other: ignore one, and please report it")
        seen[text] = len(rounds)
    return Fixed(text, tuple([each for group in rounds for each in group]), tuple(refused.values()))


def _is_allowed(proposal: Proposal, allowed: Collection[str]) -> bool:
    trust = proposal.fix.applicability
    return bool(proposal.fix.edits) and (trust == SAFE or (trust != DISPLAY and proposal.label in allowed))


def _identity(text: str, proposal: Proposal) -> object:
    """What tells a proposal from others in any round: its label, its texts, and the lines that it changes."""
    edits = proposal.fix.edits
    start = text.rfind("\n", 0, min(edit.span.start for edit in edits)) + 1
    end = text.find("\n", max(edit.span.end for edit in edits))
    return proposal.label, tuple(edit.text for edit in edits), text[start : end if end >= 0 else len(text)]


def _fitting(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Those that can be applied together: from the start of the text on, each that overlaps none before it."""
    chosen: list[Proposal] = []
    taken: list[Edit] = []
    for proposal in sorted(proposals, key=lambda each: min(edit.span.start for edit in each.fix.edits)):
        if not overlap(proposal.fix.edits, taken):
            chosen.append(proposal)
            taken += proposal.fix.edits
    return chosen


def _readable(text: str, chosen: Sequence[Proposal]) -> tuple[list[Proposal], list[Refusal]]:
    """Those proposals that change the text and make no new problem, and the others."""
    kept: list[Proposal] = []
    refusals: list[Refusal] = []
    for each in chosen:
        if _contradicts_itself(each.fix.edits):
            refusals.append(Refusal(each, "its own edits overlap"))
        elif _applied(text, [each]) == text:
            refusals.append(Refusal(each, "it changes nothing"))
        else:
            kept.append(each)
    before = _problems(text)
    if not _problems(_applied(text, kept)) - before:
        return kept, refusals
    tried, kept = kept, []
    for each in tried:
        problems = _problems(_applied(text, [*kept, each])) - before
        if problems:
            refusals.append(Refusal(each, f"the file could not be read after it: {min(problems)}"))
        else:
            kept.append(each)
    return kept, refusals


def _contradicts_itself(edits: Sequence[Edit]) -> bool:
    ordered = sorted(set(edits), key=lambda edit: (edit.span.start, edit.span.end))
    return any(one.span.end > other.span.start for one, other in pairwise(ordered))


def _applied(text: str, proposals: Iterable[Proposal]) -> str:
    return apply(text, [edit for proposal in proposals for edit in proposal.fix.edits])


def _problems(text: str) -> Counter[str]:
    return Counter(problem.message for problem in parse(text).problems)
