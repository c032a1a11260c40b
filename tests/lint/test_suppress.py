from __future__ import annotations

import sys
from types import ModuleType

import pytest

from dfkit.catalog import Catalog, Rule, Selection
from dfkit.checks.binding import Finding, check
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.syntax.nodes import Run, User
from dfkit.text.settings import Settings


@check(Run)
def run(node, at):
    yield Finding(node.keyword.span)


@check(User)
def user(node, at):
    yield Finding(node.keyword.span)


def rule(name: str, code: str, nodes=(), **also: str) -> Rule:
    return Rule(
        name, code, "wrong", "warning", "none", f"sample.{name}", (), tuple(f"dfkit.syntax.nodes.{node}" for node in nodes), (),
        tuple((tool, (alias,)) for tool, alias in also.items()), (), (),
    )  # fmt: skip


RULES = (
    rule("run", "DL3001", ["Run"], trivy="DS-0001", checkov="CKV_DOCKER_1"),
    rule("user", "DF2001", ["User"], buildkit="MaintainerDeprecated"),
    rule("unknown-rule-in-comment", "DF1001"),
)


@pytest.fixture(autouse=True)
def sample(monkeypatch):
    module = ModuleType("dfkit.checks.sample")
    module.__dict__.update(run=run, user=user)
    monkeypatch.setitem(sys.modules, "dfkit.checks.sample", module)


def found(text: str, **settings) -> list[str]:
    """Each finding as `line rule`."""
    source = parse(text)
    diagnostics = lint(Model(source), Selection(Catalog(RULES), RULES), Settings(**settings))
    return [f"{source.source.position(each.span.start).line} {each.rule}" for each in diagnostics]


@pytest.mark.parametrize(
    "comment",
    [
        "# dfkit ignore=run",
        "#dfkit ignore=DL3001",
        "# DFKIT Ignore = dl3001",
        "# dfkit ignore=user,run",
        "# dfkit ignore=user , RUN",
        "# dfkit ignore=run # the reason",
        "# dfkit ignore=run because it must be so",
        "# dfkit ignore=run; reason",
        "# dfkit ignore=user run",
        "# hadolint ignore=DL3001",
        "# hadolint ignore=DL3002,DL3001,SC2086",
        "# tally ignore=DL3001;reason=x",
        "# check=skip=UndefinedVar,run",
        "# check=error=true;skip=DL3001",
        "# trivy:ignore:DS-0001",
    ],
)
def test_a_comment_silences_a_rule_for_the_instruction_below(comment):
    assert found(f"FROM a\n{comment}\nRUN x\nRUN y\n") == ["4 run"]


@pytest.mark.parametrize("between", ["\n", "# another comment\n", "\n\n# one\n\n# two\n"])
def test_blank_lines_and_comments_may_stand_in_between(between):
    assert found(f"FROM a\n# dfkit ignore=run\n{between}RUN x\n") == []


def test_a_comment_inside_an_instruction_counts_for_it():
    assert found("FROM a\nRUN x && \\\n  # dfkit ignore=run\n  y\nRUN z\n") == ["5 run"]


def test_only_the_named_rules_are_silenced():
    assert found("FROM a\n# dfkit ignore=user\nRUN x\n") == ["3 run"]
    assert found("FROM a\n# dfkit ignore=run\nONBUILD RUN x\n") == []


@pytest.mark.parametrize(
    "comment", ["# dfkit global ignore=run", "# hadolint global ignore=DL3001", "# checkov:skip=CKV_DOCKER_1:why"]
)
def test_a_global_comment_counts_for_the_file_wherever_it_stands(comment):
    assert found(f"FROM a\nRUN x\nUSER u\n{comment}\n") == ["3 user"]


def test_a_stage_comment_counts_for_the_stage_below_or_around_it():
    text = "FROM a\nRUN x\n# dfkit stage ignore=run\nFROM b\nRUN y\nRUN z\nFROM c\nRUN x\n"
    assert found(text) == ["2 run", "8 run"]
    assert found("FROM a\nRUN x\n# hadolint stage ignore=DL3001\nRUN y\nFROM b\nRUN z\n") == ["6 run"]


def test_the_check_directive_counts_for_the_file():
    assert found("# check=skip=MaintainerDeprecated\nFROM a\nUSER a\nRUN x\n") == ["4 run"]
    assert found("# syntax=docker/dockerfile:1\n# check=skip=all;error=true\nFROM a\nUSER a\nRUN x\n") == ["5 run"]
    assert found("# check=error=true\nFROM a\nUSER a\n") == ["3 user"]


def test_unknown_names_are_reported_at_their_place():
    text = "FROM a\n# dfkit ignore=runn,DL3001\nRUN x\n"
    (diagnostic,) = lint(Model(parse(text)), Selection(Catalog(RULES), RULES))
    assert text[diagnostic.span.start : diagnostic.span.end] == "runn"
    assert diagnostic.message == "there is no rule `runn`; did you mean `run`?"
    assert found("FROM a\n# hadolint ignore=DL3001,foo\nRUN x\n") == ["2 unknown-rule-in-comment"]
    assert found("FROM a\n# check=skip=foo\nUSER x\n") == ["2 unknown-rule-in-comment", "3 user"]


def test_a_comment_without_names_is_reported():
    assert found("FROM a\n# dfkit ignore=\nRUN x\n") == ["2 unknown-rule-in-comment", "3 run"]


def test_names_of_other_tools_are_not_judged():
    assert found("FROM a\n# trivy:ignore:AVD-9999\n# tally ignore=tally/x\nUSER x\n") == ["4 user"]


def test_the_report_of_an_unknown_name_can_be_silenced():
    assert found("# dfkit global ignore=unknown-rule-in-comment\nFROM a\n# dfkit ignore=foo\nRUN x\n") == ["4 run"]


def test_comments_can_be_switched_off():
    assert found("FROM a\n# dfkit ignore=run\nRUN x\n", ignore_comments=False) == ["3 run"]


def test_comments_that_only_mention_the_words_do_nothing():
    text = "FROM a\n# we ignore=run here\n# dfkit: ignore run\n# skip this\nRUN x\n"
    assert found(text) == ["5 run"]


def test_a_comment_below_everything_silences_nothing():
    assert found("FROM a\nRUN x\n# dfkit ignore=run\n") == ["2 run"]
