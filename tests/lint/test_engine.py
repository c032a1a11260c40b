from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dfkit.catalog import Catalog, Rule, Selection
from dfkit.checks.binding import Finding, check
from dfkit.lint import Linter, lint
from dfkit.model import Model, Stage
from dfkit.model.packages import Invocation
from dfkit.shell import Command, Script
from dfkit.syntax import parse
from dfkit.syntax.nodes import Comment, Dockerfile, Flag, Instruction, Run, User
from dfkit.text import Edit, Note, Span
from dfkit.text.settings import Settings

TEXT = """\
ARG TAG=1
# the base
FROM debian:$TAG AS builder
RUN --network=none apt-get update && \\
    # then
    sudo apt-get install curl
ONBUILD RUN make
FROM builder
USER root
"""


def rule(name: str, function, **more) -> Rule:
    """A rule that uses a function as its check."""
    sys.modules["dfkit.checks.sample"].__dict__[function.__name__] = function
    fields = {
        "code": "DF2501", "summary": f"{name} was met", "severity": "warning", "fix": "safe", "parameters": (), "programs": (),
        "also": (), "tags": (), "profiles": (),
        "nodes": tuple(f"{node.__module__}.{node.__qualname__}" for node in function.nodes),
    }  # fmt: skip
    return Rule(name=name, uses=f"sample.{function.__name__}", **{**fields, **more})


@pytest.fixture(autouse=True)
def sample(monkeypatch):
    """An empty module of checks, which `rule` puts functions into."""
    monkeypatch.setitem(sys.modules, "dfkit.checks.sample", ModuleType("dfkit.checks.sample"))


def run(*rules: Rule, text: str = TEXT, **settings):
    return lint(Model(parse(text)), Selection(Catalog(rules), rules), Settings(**settings))


def marked(found, text: str = TEXT) -> list[str]:
    return [text[each.span.start : each.span.end] for each in found]


@check(Run)
def each_run(node, at):
    yield Finding(node.keyword.span)


def test_a_check_is_called_for_its_nodes_also_inside_onbuild():
    found = run(rule("run", each_run))
    assert marked(found) == ["RUN", "RUN"]
    assert (found[0].rule, found[0].code, found[0].severity, found[0].message) == ("run", "DF2501", "warning", "run was met")
    assert found[0].fix is None


def test_a_base_class_stands_for_all_its_kinds():
    @check(Instruction)
    def each(node, at):
        yield Finding(node.keyword.span)

    assert marked(run(rule("any", each))) == ["ARG", "FROM", "RUN", "ONBUILD", "RUN", "FROM", "USER"]


def test_a_check_knows_its_place():
    seen = []

    @check(Instruction)
    def look(node, at):
        seen.append((node.name, at.stage and at.stage.label, at.instruction is node, at.script, at.settings.strict_labels))
        yield from ()

    assert run(rule("look", look), strict_labels=True) == []
    assert seen == [
        ("ARG", None, True, None, True),
        ("FROM", "builder", True, None, True),
        ("RUN", "builder", True, None, True),
        ("ONBUILD", "builder", True, None, True),
        ("RUN", "builder", True, None, True),
        ("FROM", "1", True, None, True),
        ("USER", "1", True, None, True),
    ]


def test_files_stages_comments_and_parts_are_nodes_too():
    met = []

    @check(Dockerfile, Stage, Comment, Flag)
    def meet(node, at):
        met.append((type(node).__name__, at.stage and at.stage.index))
        yield from ()

    run(rule("meet", meet), text="# escape=\\\n" + TEXT)
    assert met == [("Dockerfile", None), ("Comment", None), ("Comment", None), ("Stage", 0), ("Stage", 1), ("Flag", 0)]


def test_shell_commands_are_reached_with_their_script():
    @check(Command)
    def each(node, at):
        assert isinstance(at.script, Script)
        assert at.instruction.name == "RUN"
        yield Finding(node.span, node.name)

    found = run(rule("command", each))
    assert [each.message for each in found] == ["apt-get", "sudo", "make"]
    assert marked(found)[1] == "sudo apt-get install curl"


def test_a_check_of_one_program_sees_its_commands_also_behind_sudo():
    @check(Command, program="command")
    def each(node, at, *, command):
        yield Finding(node.span, " ".join(command))

    found = run(rule("apt", each, programs=("apt-get",), parameters=(("command", ("apt-get", "install")),)))
    assert marked(found) == ["apt-get update", "sudo apt-get install curl"]
    assert {each.message for each in found} == {"apt-get install"}
    assert run(rule("other", each, programs=("yum",), parameters=(("command", ("yum",)),))) == []


def test_edits_become_a_fix_as_trusted_as_the_rule_says():
    @check(User)
    def fixed(node, at):
        yield Finding(node.value.span, edits=(Edit(node.value.span, "app"),), notes=(Note(Span(0, 3), "here"),))

    @check(User)
    def shown(node, at):
        yield Finding(node.value.span, edits=(Edit(node.span, ""),), applicability="display")

    safe, display = run(rule("a", fixed), rule("b", shown, code="DF2502", fix="unsafe"))
    assert (safe.fix.title, safe.fix.applicability, safe.notes[0].message) == ("replace `root` with `app`", "safe", "here")
    assert (display.fix.title, display.fix.applicability) == ("remove `USER root`", "display")


@pytest.mark.parametrize(
    ("rules", "finds", "firm", "severity"),
    [("warning", "info", False, "info"), ("warning", "error", False, "warning"), ("error", "info", True, "error")],
)
def test_a_check_softens_a_severity_that_nobody_chose(rules, finds, firm, severity):
    @check(User)
    def soft(node, at):
        yield Finding(node.span, severity=finds)

    assert run(rule("soft", soft, severity=rules, firm=firm))[0].severity == severity


def test_findings_are_in_the_order_of_the_text_and_equal_ones_come_once():
    @check(Dockerfile)
    def backwards(node, at):
        yield Finding(Span(20, 30))
        yield Finding(Span(5, 9))
        yield Finding(Span(5, 8))
        yield Finding(Span(20, 30))

    assert [(each.span.start, each.span.end) for each in run(rule("back", backwards))] == [(5, 8), (5, 9), (20, 30)]


def test_a_check_that_fails_is_reported_once_and_hides_no_other():
    @check(Run)
    def broken(node, at):
        yield Finding(node.keyword.span)
        raise KeyError("missing")

    found = run(rule("broken", broken), rule("run", each_run, code="DF2502"))
    assert [each.rule for each in found] == ["broken", "run", "internal-error", "run"]
    fault = found[2]
    assert fault.severity == "error"
    assert "rule `broken` failed with KeyError: 'missing' (test_engine.py:" in fault.message


@pytest.mark.parametrize(("kind", "marked"), [(Stage, "FROM debian:12"), (Invocation, "apt-get install curl")])
def test_a_check_that_fails_on_what_has_no_place_of_its_own_is_reported_too(kind, marked):
    @check(kind)
    def broken(node, at):
        raise KeyError("missing")

    text = "FROM debian:12\nRUN apt-get install curl\n"
    (fault,) = run(rule("broken", broken), text=text)
    assert fault.rule == "internal-error"
    assert text[fault.span.start : fault.span.end] == marked


def test_a_check_that_cannot_be_called_is_reported():
    @check(User)
    def silent(node, at):
        return None

    assert "rule `silent` failed with TypeError" in run(rule("silent", silent))[0].message


def test_what_cannot_be_read_is_reported_and_the_rest_is_checked():
    text = "FROM a\nRUM x\nRUN y\nCOPY z\n"
    found = run(rule("run", each_run), text=text)
    assert [(each.rule, text[each.span.start : each.span.end]) for each in found] == [
        ("syntax-error", "RUM"), ("run", "RUN"), ("syntax-error", "z"),
    ]  # fmt: skip


def test_code_and_severity_of_a_syntax_error_are_those_of_the_selection():
    problem = rule("syntax-error", each_run, code="DL1000", nodes=(), severity="info")
    assert [(each.code, each.severity) for each in run(problem, text="FROM a\nRUM x\n")] == [("DL1000", "info")]


def test_one_linter_serves_many_files():
    one = rule("run", each_run)
    linter = Linter(Selection(Catalog([one]), (one,)))
    for number in range(3):
        report = linter.report(Model(parse("FROM a\n" + "RUN x\n" * number)))
        assert len(report.diagnostics) == number
        assert report.source.text.count("RUN") == number


def test_linting_imports_nothing_heavy():
    """The modules that cost more time to import than a file takes to check (measured: typing doubles Python's own start)."""
    Catalog.load()  # compiles the rules if they changed
    program = """
import sys
before = set(sys.modules)
from dfkit.catalog import Catalog, select
from dfkit.lint import Linter
from dfkit.model import Model
from dfkit.output import text
from dfkit.syntax import parse
from dfkit.text.settings import Settings
catalog = Catalog.load()
report = Linter(select(catalog, Settings()), Settings()).report(Model(parse("FROM a\\nRUM x\\n")))
assert "syntax-error" in "".join(text.render([report], catalog))
print(*sorted(set(sys.modules) - before))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-S", "-c", program], check=True, capture_output=True, text=True, cwd=root)
    heavy = {"typing", "dataclasses", "logging", "argparse", "pathlib", "json", "inspect", "lark", "ruamel", "tree_sitter"}
    assert not heavy & set(done.stdout.split())
