"""What a check is: a function that looks at one node and yields findings.

    @check(Command)
    def requires_flag(node: Command, at: Place, *, command: Words, any_of: Words) -> Iterator[Finding]:
        \"\"\"The command must carry one of these flags.\"\"\"

The keyword-only parameters are what a rule's `with:` gives; their annotations are checked when the rule is compiled. They may be
`str`, `int`, `bool`, `Words`, `tuple[...]`, `Mapping[str, ...]`, `Literal[...]`, and unions of these with `None`.
"""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from dfkit.model import Model, Stage
    from dfkit.shell import Script
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Edit, Note, Span
    from dfkit.text.diagnostic import Severity
    from dfkit.text.edit import Applicability
    from dfkit.text.settings import Settings

    F = TypeVar("F", bound=Callable[..., Any])

Words = tuple[str, ...]
"""A list of words in a rule's `with:`; a lone word stands for a list of one."""


class Finding(Record):
    """What a check yields: the exact characters that are wrong.

    Without a `message` the rule's summary is shown. `edits`, if there are any, are the fix: all are made or none; how far it can
    be trusted is the rule's `fix` unless `applicability` says it. `severity` may only soften the rule's.
    """

    span: Span
    message: str | None = None
    edits: tuple[Edit, ...] = ()
    notes: tuple[Note, ...] = ()
    applicability: Applicability | None = None
    severity: Severity | None = None


class Place(Record):
    """Where a node stands.

    `instruction` is the one that holds it (inside ONBUILD the inner one), for a stage its FROM, None for the file, directives and
    comments. `stage` is None for these and above the first FROM; `script` is set for what stands in shell text.
    """

    model: Model
    settings: Settings
    stage: Stage | None = None
    instruction: Instruction | None = None
    script: Script | None = None

    def imitates(self, tool: Literal["hadolint", "buildkit"]) -> bool:
        """Whether the profile is that of a tool: then a check finds what the tool finds, also where that is not right."""
        return self.settings.profile == tool


def check(*nodes: type, program: str | None = None, manager: str | None = None) -> Callable[[F], F]:
    """Bind a function to classes of nodes: of `dfkit.syntax.nodes` (a base class stands for all its kinds; `Dockerfile` for the
    whole file), `dfkit.shell.Script` or `Command`, `dfkit.model.Stage`, or `dfkit.model.packages.Invocation` for the commands of a
    RUN that call a package manager.

    `program` names a parameter that holds a program's name: a `str`, `Words` that start with it, or a tuple of such `Words`. The
    function is then only called for shell commands that run this program, directly or behind `sudo`, `env` and the like.
    `manager` names one that holds the name of a package manager, or several: the function is only called for calls of these.
    """

    def mark(function: F) -> F:
        function.__dict__["nodes"] = nodes
        function.__dict__["program"] = program
        function.__dict__["manager"] = manager
        return function

    return mark
