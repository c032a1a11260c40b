"""The profile `buildkit`: findings as BuildKit's checks have them, and the options that choose among those.

The rules find what is right; `replay` says what BuildKit says. A finding of a rule that BuildKit shares is kept for its exact place
and its fix, others are dropped, and what only BuildKit says is added.
"""

from __future__ import annotations

from dfkit._record import Record, replace
from dfkit.errors import UsageError
from dfkit.syntax.lines import BLANK
from dfkit.syntax.parser import CODE, RULE
from dfkit.text import ERROR, Diagnostic, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Rule, Selection
    from dfkit.context.ignore import IgnoreFile
    from dfkit.lint.buildkit.stages import Said
    from dfkit.model import Model
    from dfkit.syntax.nodes import Dockerfile
    from dfkit.text.settings import Settings

EXPERIMENTAL = ("CopyIgnoredFile", "InvalidDefinitionDescription")
"""The checks that are silent unless they are asked for (linter/ruleset.go)."""

BUILD_ARG = "BUILDKIT_DOCKERFILE_CHECK"
"""The build argument that takes the place of a file's `# check=` line."""

_TRUTH = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""Go's strconv.ParseBool."""


class CheckOptions(Record):
    """Which checks are made: `skip` and `experimental` hold BuildKit's names as written, or `all` alone; `error` fails the build."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    @classmethod
    def parse(cls, text: str) -> CheckOptions:
        """Options as `# check=` has them: `skip=A,B;error=true;experimental=all` (linter/linter.go, ParseLintOptions).

        Raises `UsageError`.
        """
        found: dict[str, str] = {}
        for part in text.strip().split(";", 2) if text.strip() else ():
            name, equals, value = part.partition("=")
            name = name.strip()
            if not equals or name not in ("skip", "experimental", "error"):
                raise UsageError(f"`{part}` is no option for checks: write `skip=NAMES`, `error=true` or `experimental=NAMES`")
            found[name] = value.strip()
        truth = _TRUTH.get(found.get("error", "false"))
        if truth is None:
            raise UsageError(f"`error={found['error']}` is neither true nor false: write `error=true` or `error=false`")
        return cls(_names(found.get("skip")), _names(found.get("experimental")), truth)

    def has(self, check: str) -> bool:
        """Whether a check is made. One that is experimental is asked for or not; skipping is for the others."""
        if check in EXPERIMENTAL:
            return bool(self.experimental & {check, "all"})
        return not self.skip & {check, "all"}


def _names(value: str | None) -> frozenset[str]:
    names = frozenset(name.strip() for name in value.split(",")) if value is not None else frozenset()
    return names - {"all"} if len(names) > 1 else names


def beginnings(file: Dockerfile) -> tuple[Span, ...]:
    """The instructions with the lines that BuildKit has them begin in: one that holds just the escape character is a part already."""
    found = []
    end = 0
    for instruction in file.instructions:
        start = instruction.span.start
        above = file.source.text[end:start].split("\n")
        # The lines between two instructions, the first being the rest of the line that the one above ends in.
        for number in range(len(above) - 2, 0 if end else -1, -1):
            line = above[number].strip(BLANK)
            if line == file.escape:
                start = end + sum(len(each) + 1 for each in above[:number])
            elif line and line[0] != "#":
                break
        found.append(Span(start, instruction.span.end))
        end = instruction.span.end
    return tuple(found)


def imitate(model: Model, rules: Selection, settings: Settings, found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings of the rules as BuildKit has them, and those of rules that BuildKit does not have."""
    from dfkit.lint.buildkit.replay import JUDGED, replay

    shared = {rule.name: rule for rule in rules if rule.known_as("buildkit")}
    others = [each for each in found if each.rule not in shared]
    try:
        options = _options(model, settings)
    except UsageError as error:
        directive = model.dockerfile.directive("check")
        if settings.check or directive is None or BUILD_ARG in model.build_args:
            raise
        # The build would fail at this line, before any check is made.
        return [*others, Diagnostic(RULE, CODE, ERROR, str(error), directive.value_span)]
    wanted = {name: rule for name, rule in shared.items() if options.has(rule.code) or _is_selected(rule, settings)}
    left = [each for each in found if each.rule in wanted]
    same = [each for each in left if each.rule not in JUDGED]
    for said in replay(model, _ignore_file(model, settings)):
        rule = wanted.get(said.rule)
        if rule is not None:
            same.append(_finding(model, rule, said, left))
    return [*others, *[replace(each, severity=ERROR) if options.error else each for each in same]]


def _options(model: Model, settings: Settings) -> CheckOptions:
    given = settings.check or model.build_args.get(BUILD_ARG)
    if given is not None:
        return CheckOptions.parse(given)
    directive = model.dockerfile.directive("check") if settings.ignore_comments else None
    # What follows a blank is dropped (parser/directives.go, ParseDirective).
    return CheckOptions.parse(directive.value.split(" ")[0] if directive is not None else "")


def _is_selected(rule: Rule, settings: Settings) -> bool:
    names = {name.lower() for name in (rule.name, rule.code, *rule.aliases)}
    return any(name.lower() in names for name in settings.select)


def _finding(model: Model, rule: Rule, said: Said, left: list[Diagnostic]) -> Diagnostic:
    """The rule's own finding in the same instruction, or what BuildKit says in few words."""
    if said.message is None:
        here = _instruction(model, said.span)
        for number, each in enumerate(left):
            if each.rule == rule.name and _instruction(model, each.span) == here:
                del left[number]
                return each if said.span.start < said.span.end else replace(each, span=said.span)
    return Diagnostic(rule.name, rule.code, rule.severity, said.message or rule.summary, said.span)


def _instruction(model: Model, span: Span) -> Span:
    """The instruction that a place is in, or ends."""
    for each in model.dockerfile.instructions:
        if each.span.start <= span.start <= each.span.end:
            return each.span
    return span


def _ignore_file(model: Model, settings: Settings) -> IgnoreFile | None:
    if settings.context is None:
        return None
    from dfkit.context.place import ignore_file

    path = ignore_file(settings.context, model.dockerfile.source.name)
    if path is None:
        return None
    from dfkit.context.ignore import load

    return load(path)
