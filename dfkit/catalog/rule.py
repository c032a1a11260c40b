"""What a rule is."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.text.diagnostic import Severity

NONE = "none"
"""The `fix` of a rule that has none; else one of `dfkit.text.SAFE`, `UNSAFE` and `DISPLAY`."""

ON, OFF = "on", "off"

SHELLCHECK = "shellcheck-"
"""What the names of ShellCheck's findings begin with; its code follows."""

BLOCKS = {
    "syntax": 1000,
    "base": 1100,
    "stages": 1200,
    "variables": 1300,
    "packages": 1400,
    "layers": 1500,
    "cache": 1600,
    "copying": 1700,
    "context": 1800,
    "runtime": 1900,
    "users": 2000,
    "secrets": 2100,
    "shell": 2200,
    "network": 2300,
    "labels": 2400,
    "style": 2500,
}
"""The first `DF####` code of each folder of `rules/`; a block has a hundred."""

BUILTIN = ("syntax-error", "unknown-rule-in-comment")
"""Rules without a check: the reader and the engine report them themselves."""


class Rule(Record):
    """What the engine needs of a rule; the rest is its `Documentation`.

    `uses` is the check as `module.function` below `dfkit.checks`, empty for the rules of `BUILTIN`. `nodes` are the qualified
    names of the classes that the check is bound to, `programs` those of the commands that it looks at (none: all). `also` pairs a
    tool with the rule's names there, `profiles` a profile with `on`, `off` or a severity. `declares` says what of the image the
    fix changes on purpose, as `dfkit.verify.compare` takes it. `variations` pairs a profile with what is checked there instead: the
    values of `uses`, `parameters`, `nodes` and `programs`. `firm` severities are not softened by the check: the user or the profile
    chose them.
    """

    name: str
    code: str
    summary: str
    severity: Severity
    fix: str
    uses: str
    parameters: tuple[tuple[str, Any], ...]
    nodes: tuple[str, ...]
    programs: tuple[str, ...]
    also: tuple[tuple[str, tuple[str, ...]], ...]
    tags: tuple[str, ...]
    profiles: tuple[tuple[str, str], ...]
    declares: tuple[str, ...] = ()
    variations: tuple[tuple[str, tuple[str, tuple[tuple[str, Any], ...], tuple[str, ...], tuple[str, ...]]], ...] = ()
    firm: bool = False

    @property
    def aliases(self) -> tuple[str, ...]:
        """The rule's names in other tools."""
        return tuple([name for _, names in self.also for name in names])

    def known_as(self, tool: str) -> tuple[str, ...]:
        """The rule's names in one tool."""
        return dict(self.also).get(tool, ())


class Example(Record):
    """A whole Dockerfile that is `bad` or not.

    Of a bad one, `at` is the source text that the finding marks and `fixed` what the fix makes of it, if the rule file says so.
    `files` are pairs of a path in the build context and its content, `options` pairs of a setting and its value; `line` is
    where the example stands in the rule file.
    """

    text: str
    bad: bool
    at: str | None
    fixed: str | None
    files: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, Any], ...]
    line: int


class Documentation(Record):
    """What people read about a rule.

    `gain` is what its fix gains, if that is worth a sentence; `path` is the rule's file, relative to the folder of the rules.
    """

    why: str
    gain: str
    since: str
    path: str
    examples: tuple[Example, ...]
