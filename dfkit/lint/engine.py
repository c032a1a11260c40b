"""Runs checks: one walk over a file, each node handed to the checks bound to its class."""

from __future__ import annotations

import os

from dfkit._record import Record, replace
from dfkit.checks.binding import Place
from dfkit.lint.title import title
from dfkit.syntax import nodes
from dfkit.syntax.nodes import Cmd, Comment, Directive, Entrypoint, Healthcheck, Instruction, Run
from dfkit.syntax.walk import children, instructions
from dfkit.text import DISPLAY, ERROR, SEVERITIES, Diagnostic, Fix, Position, Span
from dfkit.text.settings import TOOLS, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from dfkit.catalog import Rule, Selection
    from dfkit.checks.binding import Finding
    from dfkit.model import Model
    from dfkit.shell import Command
    from dfkit.text import Source

    Check = Callable[[Any, Place], Iterable[Finding]]

FAULT, FAULT_CODE = "internal-error", "DF0000"
"""What a mistake in dfkit itself is reported as."""

CALL = "dfkit.model.packages.Invocation"
"""The class of calls of package managers; not imported as long as there are none."""


class Report(Record):
    """What is said about one file."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    instructions: tuple[Span, ...] = ()
    """Where the instructions stand, if the profile imitates a tool that names just the line where one begins."""
    gaps: bool = False
    """Whether a finding between two characters is about a line that is not there, of which the tool names the exact place."""

    def position(self, diagnostic: Diagnostic) -> Position:
        """The line and column to print: the exact ones, or the line of the instruction and column 1."""
        start, end = diagnostic.span.start, diagnostic.span.end
        for span in reversed(() if self.gaps and start == end else self.instructions):
            if start in span or start == end == span.end:
                return Position(self.source.position(span.start).line, 1)
        exact = self.source.position(start)
        return Position(exact.line, 1) if self.instructions else exact


class Linter:
    """Applies a selection of rules to files. A check is imported when the first node or command that it looks at is met."""

    def __init__(self, rules: Selection, settings: Settings = Settings()) -> None:  # noqa: B008 - immutable
        self.settings = settings
        self.rules = rules
        self._by_node: dict[str, list[Rule]] = {}
        for rule in rules:
            for node in rule.nodes:
                self._by_node.setdefault(node, []).append(rule)
        self._bound: dict[type, tuple[list[Rule], dict[str, list[Rule]]]] = {}
        self._checks: dict[str, Check] = {}
        self.by_name = {rule.name: rule for rule in rules}
        self.needs_calls = CALL in self._by_node
        self.needs_scripts = self.needs_calls or any(node.startswith("dfkit.shell.") for node in self._by_node)
        self.needs_parts = any(_is_part(node) for node in self._by_node)

    def within(self, context: str | None) -> Linter:
        """The same linter for files of another build context."""
        if context == self.settings.context:
            return self
        other = object.__new__(Linter)
        # What is known of rules and classes of nodes holds for all contexts, so it is shared.
        other.__dict__.update(self.__dict__, settings=replace(self.settings, context=context))
        return other

    def examine(self, model: Model) -> list[Diagnostic]:
        """What cannot be read, and what the rules find. A rule that fails is reported as an `internal-error`; the others go on."""
        found = _Walk(self, model).run()
        if self.settings.profile != "buildkit":
            return found
        from dfkit.lint.buildkit.profile import imitate

        return imitate(model, self.rules, self.settings, found)

    def conclude(self, model: Model, found: Sequence[Diagnostic]) -> list[Diagnostic]:
        """Findings, of the rules and of other tools, in the order of the text, less what comments silence."""
        imitates_buildkit = self.settings.profile == "buildkit"
        if self.settings.ignore_comments and any(_may_silence(comment.text) for comment in model.dockerfile.comments):
            from dfkit.lint.suppress import suppress

            found = suppress(
                model.dockerfile,
                model.stages,
                found,
                self.rules,
                directives=not imitates_buildkit,
                exact=self.settings.profile == "hadolint",
            )
        # BuildKit says the same twice where two words give cause.
        return sorted(
            found if imitates_buildkit else dict.fromkeys(found), key=lambda each: (each.span.start, each.span.end, each.code)
        )

    def lint(self, model: Model) -> list[Diagnostic]:
        """What is wrong with a file."""
        return self.conclude(model, self.examine(model))

    def report(self, model: Model, found: Sequence[Diagnostic] | None = None) -> Report:
        """The same with the file's text, as formatters take it. `found` is what `examine` gave, and what other tools did."""
        diagnostics = self.lint(model) if found is None else self.conclude(model, found)
        profile = self.settings.profile
        spans: tuple[Span, ...] = ()
        if profile == "buildkit":
            from dfkit.lint.buildkit.profile import beginnings

            spans = beginnings(model.dockerfile)
        elif profile in TOOLS:
            spans = tuple([each.span for each in model.dockerfile.instructions])
        return Report(model.dockerfile.source, tuple(diagnostics), spans, gaps=profile == "buildkit")

    def bound(self, kind: type) -> tuple[list[Rule], dict[str, list[Rule]]]:
        """The rules for a class of nodes: those for all, and those for commands of one program, by its name."""
        known = self._bound.get(kind)
        if known is None:
            general: list[Rule] = []
            by_program: dict[str, list[Rule]] = {}
            for base in kind.__mro__:
                for rule in self._by_node.get(f"{base.__module__}.{base.__qualname__}", ()):
                    for program in rule.programs:
                        by_program.setdefault(program, []).append(rule)
                    if not rule.programs:
                        general.append(rule)
            known = self._bound[kind] = (general, by_program)
        return known

    def check(self, rule: Rule) -> Check:
        """The check of a rule with the rule's parameters."""
        known = self._checks.get(rule.name)
        if known is None:
            known = self._checks[rule.name] = _check(rule)
        return known


def lint(model: Model, rules: Selection, settings: Settings = Settings()) -> list[Diagnostic]:  # noqa: B008 - immutable
    """What is wrong with one file; see `Linter.lint`. For many files make a `Linter` once."""
    return Linter(rules, settings).lint(model)


class _Walk:
    """One file's walk."""

    def __init__(self, linter: Linter, model: Model) -> None:
        self.linter = linter
        self.model = model
        self.found: list[Diagnostic] = []
        self.failed: set[str] = set()

    def run(self) -> list[Diagnostic]:
        linter, model = self.linter, self.model
        dockerfile = model.dockerfile
        file = Place(model, linter.settings)
        self.visit(dockerfile, file)
        directives = {directive.span for directive in dockerfile.directives}
        for node in (*dockerfile.directives, *[each for each in dockerfile.comments if each.span not in directives]):
            self.visit(node, file)
        for stage in model.stages:
            self.visit(stage, Place(model, linter.settings, stage, stage.from_))
        for instruction in instructions(dockerfile):
            place = Place(model, linter.settings, model.stage_of(instruction), instruction)
            self.visit(instruction, place)
            if linter.needs_parts:
                self.parts(instruction, place)
            if linter.needs_scripts and isinstance(instruction, Run | Cmd | Entrypoint | Healthcheck):
                self.scripts(instruction, place)
        # A rule that says why the builder refuses something takes the place of the reader's own words.
        said = {each.span for each in self.found if each.severity == ERROR}
        if any(stage.is_fragment for stage in model.stages):
            said.add(dockerfile.instructions[0].keyword.span)
        return [*[self._problem(problem) for problem in dockerfile.problems if problem.span not in said], *self.found]

    def _problem(self, problem: Diagnostic) -> Diagnostic:
        rule = self.linter.by_name.get(problem.rule)
        return replace(problem, code=rule.code, severity=rule.severity) if rule else problem

    def parts(self, node: Any, place: Place) -> None:
        for child in children(node):
            if not isinstance(child, Instruction | Comment):
                self.visit(child, place)
                self.parts(child, place)

    def scripts(self, instruction: Instruction, place: Place) -> None:
        from dfkit.shell import commands, effective

        try:
            scripts = self.model.scripts(instruction)
        except Exception as error:
            self.fault("the reader of shell text", error, instruction.span)
            return
        may_install = self.linter.needs_calls and isinstance(instruction, Run) and place.stage is not None
        for script in scripts:
            inside = replace(place, script=script)
            self.visit(script, inside)
            for command in commands(script):
                general, by_program = self.linter.bound(type(command))
                self.call(general, command, inside)
                if by_program:
                    for program in {command.name or "", effective(command).name or ""}:
                        self.call(by_program.get(program, ()), command, inside)
                if may_install:
                    self.installs(effective(command), inside)

    def installs(self, command: Command, place: Place) -> None:
        from dfkit.model.packages import invocation

        call = invocation(command)
        if call is not None:
            general, by_manager = self.linter.bound(type(call))
            self.call(general, call, place)
            self.call(by_manager.get(call.manager, ()), call, place)

    def visit(self, node: Any, place: Place) -> None:
        self.call(self.linter.bound(type(node))[0], node, place)

    def call(self, rules: Iterable[Rule], node: Any, place: Place) -> None:
        for rule in rules:
            if rule.name in self.failed:
                continue
            try:
                for finding in self.linter.check(rule)(node, place):
                    self.found.append(self.diagnostic(rule, finding))
            except Exception as error:
                self.failed.add(rule.name)
                self.fault(f"rule `{rule.name}`", error, _span(node))

    def diagnostic(self, rule: Rule, finding: Finding) -> Diagnostic:
        severity = rule.severity
        if finding.severity is not None and not rule.firm:
            severity = max(severity, finding.severity, key=SEVERITIES.index)
        fix = None
        if finding.edits:
            trust = finding.applicability or (DISPLAY if rule.fix == "none" else rule.fix)
            fix = Fix(title(self.model.dockerfile.source, finding.edits), finding.edits, trust)  # type: ignore[arg-type]
        return Diagnostic(rule.name, rule.code, severity, finding.message or rule.summary, finding.span, finding.notes, fix)

    def fault(self, who: str, error: Exception, span: Span) -> None:
        message = f"dfkit made a mistake here, please report it: {who} failed with {type(error).__name__}: {error}{_where(error)}"
        self.found.append(Diagnostic(FAULT, FAULT_CODE, ERROR, message, span))


def _check(rule: Rule) -> Check:
    module, _, name = rule.uses.rpartition(".")
    # importlib and functools would be imported for these two lines alone.
    function: Callable[..., Iterable[Finding]] = getattr(__import__(f"dfkit.checks.{module}", fromlist=(name,)), name)
    parameters = dict(rule.parameters)
    return (lambda node, place: function(node, place, **parameters)) if parameters else function


def _may_silence(comment: str) -> bool:
    text = comment.lower()
    return "ignore" in text or "skip" in text


def _is_part(node: str) -> bool:
    """Whether a class of nodes stands inside instructions, by its qualified name."""
    module, _, name = node.rpartition(".")
    return module == nodes.__name__ and not issubclass(getattr(nodes, name), Instruction | Comment | Directive | nodes.Dockerfile)


def _span(node: Any) -> Span:
    """Where a node is, of a stage its FROM, of a call its command."""
    if not hasattr(node, "span"):
        node = node.command if hasattr(node, "command") else node.from_
    span: Span = node.span
    return span


def _where(error: Exception) -> str:
    """The file and line of the code where an exception came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace else ""
