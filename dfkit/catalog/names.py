"""The names a rule goes by: its own, its code, and its names in other tools; in any case."""

from __future__ import annotations

from dfkit.catalog.rule import SHELLCHECK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dfkit.catalog.rule import Rule

HADOLINT = ("dl", "sc")
BUILDKIT = (
    "ConsistentInstructionCasing", "CopyIgnoredFile", "DuplicateStageName", "ExposeInvalidFormat", "ExposeProtoCasing",
    "FromAsCasing", "FromPlatformFlagConstDisallowed", "InvalidBaseImagePlatform", "InvalidDefaultArgInFrom",
    "InvalidDefinitionDescription", "JSONArgsRecommended", "LegacyKeyValueFormat", "MaintainerDeprecated",
    "MultipleInstructionsDisallowed", "NoEmptyContinuation", "RedundantTargetPlatform", "ReservedStageName",
    "SecretsUsedInArgOrEnv", "StageNameCasing", "UndefinedArgInFrom", "UndefinedVar", "WorkdirRelativePath",
)  # fmt: skip
"""BuildKit's checks: https://docs.docker.com/reference/build-checks/."""


class Names:
    """Finds rules by any of their names.

    A code of hadolint's or ShellCheck's (`DL3000`, `SC2086`) and a check of BuildKit's is always known, also where no rule has
    it: a file that names it is not wrong.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules: dict[str, set[str]] = {}
        self._written: list[str] = []
        self._foreign = {name.lower() for name in BUILDKIT}
        for rule in rules:
            for name in (rule.name, rule.code, *rule.aliases):
                self._rules.setdefault(name.lower(), set()).add(rule.name)
                self._written.append(name)

    def find(self, name: str) -> frozenset[str]:
        """The rules that a name stands for, by their own names, or the code that only other tools have; empty if unknown."""
        low = name.lower()
        rules = self._rules.get(low)
        if rules is not None:
            return frozenset(rules)
        low = low.removeprefix(SHELLCHECK)
        foreign = low in self._foreign or (low[:2] in HADOLINT and len(low) == 6 and low[2:].isdecimal())
        return frozenset((low.upper() if low[:2] in HADOLINT else name,)) if foreign else frozenset()

    def nearest(self, name: str) -> str | None:
        """A known name that is written nearly like this one."""
        from difflib import get_close_matches

        known = {each.lower(): each for each in (*BUILDKIT, *self._written)}
        close = get_close_matches(name.lower(), known, 1)
        return known[close[0]] if close else None
