"""What a pass says of a place: a rewrite it proposes, or one it considered and refuses."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.text import Fix, Span


class Proposal(Record):
    """A rewrite. All edits of `fix` are made, or none.

    `declared` says what of the image the rewrite changes on purpose, as `dfkit.verify.compare` takes it: a path pattern alone for
    what is no longer there (`/var/lib/apt/lists/**`), `KINDS:PATTERN` for the rest (`config:Labels.*`).
    """

    pass_name: str
    fix: Fix
    span: Span
    """What it is about; where it is shown."""
    why: str
    """What is wrong with the text as it is: one sentence."""
    gain: str
    """What the rewrite gains, in bytes or steps where they are known, else in words."""
    declared: tuple[str, ...] = ()


class Refusal(Record):
    """A rewrite that was considered and not proposed; `why` is one sentence."""

    pass_name: str
    span: Span
    why: str
