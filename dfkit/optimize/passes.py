"""What a pass is: a rewrite that crosses instructions, as a function from a model to proposals and refusals.

    def rewrite(model: Model, facts: Facts) -> Iterator[Proposal | Refusal]: ...

    PASS = Pass("join-update", "…", rewrite)

A pass looks at one text and proposes edits to it; it never sees its own edits. What it proposes is applied, the text is parsed
again, and the pass is asked again until it has nothing to propose, so a pass need not find everything at once, and must fall silent
once its rewrite is made.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.text.edit import SAFE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dfkit.context import Entry
    from dfkit.model import Model
    from dfkit.optimize.proposal import Proposal, Refusal
    from dfkit.text.edit import Applicability

    Rewrite = Callable[["Model", "Facts"], Iterator["Proposal | Refusal"]]


class BaseFacts(Record):
    """What is known of a base image. None means: not known."""

    layers: int | None = None
    paths: frozenset[str] | None = None
    """The absolute paths of all its files and folders."""
    config: Mapping[str, object] | None = None
    """Its configuration as the engine gives it (`Env`, `User`, `WorkingDir`, `OnBuild`, …)."""


class ContextFacts(Record):
    """The build context: its folder, and what of it the engine would see, by path relative to that folder."""

    root: str
    entries: Mapping[str, Entry]


def nothing_known(_image: str) -> BaseFacts | None:
    """What is known of base images when nobody was asked."""
    return None


class Facts(Record):
    """What is known from outside the file; a pass that needs more than there is refuses."""

    context: ContextFacts | None = None
    base: Callable[[str], BaseFacts | None] = nothing_known
    """What is known of an image by the name that FROM gives it."""


class Pass(Record):
    """A rewrite across instructions.

    `allow` is the name by which a user asks for it (`--allow NAME`); None: it needs no asking. An UNSAFE pass has one.
    """

    name: str
    summary: str
    rewrite: Rewrite
    applicability: Applicability = SAFE
    allow: str | None = None
