"""What the tests of the passes share."""

from __future__ import annotations

from dfkit.model import Model
from dfkit.optimize import Facts, Pass, Proposal, Refusal
from dfkit.syntax import parse
from dfkit.text import apply


def proposals(pass_: Pass, text: str, facts: Facts | None = None) -> list[Proposal | Refusal]:
    """What one pass says of a text."""
    return list(pass_.rewrite(Model(parse(text)), facts or Facts()))


def rewritten(pass_: Pass, text: str, facts: Facts | None = None) -> str:
    """A text after one pass has proposed once, and all it proposed was done."""
    made = [each for each in proposals(pass_, text, facts) if isinstance(each, Proposal)]
    return apply(text, [edit for each in made for edit in each.fix.edits])


def refusals(pass_: Pass, text: str, facts: Facts | None = None) -> list[str]:
    """Why a pass refuses."""
    return [each.why for each in proposals(pass_, text, facts) if isinstance(each, Refusal)]
