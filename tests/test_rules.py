"""The examples in `rules/` are the tests of the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dfkit import _data
from dfkit.catalog import Catalog, Documentation, Example, Rule, Selection
from dfkit.catalog.rule import BLOCKS
from dfkit.fix import fix
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Diagnostic, apply
from dfkit.text.settings import Settings

CATALOG = Catalog.load()


def documentation_of(rule: Rule) -> Documentation:
    documentation = CATALOG.documentation(rule.name)
    assert documentation is not None
    return documentation


def examples_of(rule: Rule) -> tuple[Example, ...]:
    return documentation_of(rule).examples


def cases(*, bad: bool, fixed: bool = False):
    return [
        pytest.param(rule, example, id=f"{rule.name}:{example.line}")
        for rule in CATALOG.rules
        for example in examples_of(rule)
        if example.bad == bad and (example.fixed is not None or not fixed)
    ]


@pytest.fixture
def findings(tmp_path):
    """Finds what one rule says about a text, with an example's settings and build context."""

    def find(rule: Rule, example: Example, text: str) -> list[Diagnostic]:
        settings = Settings(**dict(example.options))
        if example.files:
            for path, content in example.files:
                file = tmp_path / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
            settings = Settings(**{**dict(example.options), "context": str(tmp_path)})
        return lint(Model(parse(text)), Selection(CATALOG, (rule,)), settings)

    return find


@pytest.mark.parametrize(("rule", "example"), cases(bad=True))
def test_a_bad_example_is_found_once_at_its_place(rule, example, findings):
    found = findings(rule, example, example.text)
    assert [each.rule for each in found] == [rule.name]
    if example.at is not None:
        assert example.text[found[0].span.start : found[0].span.end] == example.at


@pytest.mark.parametrize(("rule", "example"), cases(bad=False))
def test_a_good_example_is_silent(rule, example, findings):
    assert findings(rule, example, example.text) == []


@pytest.mark.parametrize(("rule", "example"), cases(bad=True, fixed=True))
def test_a_fix_gives_what_the_rule_says_and_is_stable(rule, example, findings):
    if rule.fix == "display":
        (found,) = findings(rule, example, example.text)
        text = apply(example.text, found.fix.edits)
    else:
        done = fix(example.text, lambda text: findings(rule, example, text), allowed={rule.name})
        assert done.refused == ()
        assert len(done.applied) == 1, "one finding is fixed in one step"
        text = done.text
    assert text == example.fixed
    assert parse(text).problems == ()
    assert findings(rule, example, text) == []


@pytest.mark.parametrize(("rule", "example"), [*cases(bad=True), *cases(bad=False)])
def test_an_example_can_be_read(rule, example):
    if "syntax" not in rule.tags:
        assert parse(example.text).problems == ()


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.name) for rule in CATALOG.rules])
class TestEachRule:
    def test_has_enough_examples(self, rule):
        examples = examples_of(rule)
        assert sum(example.bad for example in examples) >= 1
        assert sum(not example.bad for example in examples) >= 2
        assert any(parse(example.text).comments or re.search(r"[\\`]\n", example.text) for example in examples)

    def test_has_an_example_of_its_fix(self, rule):
        shown = [example for example in examples_of(rule) if example.fixed is not None]
        assert bool(shown) == (rule.fix != "none")

    def test_says_where_the_bad_examples_are_bad(self, rule):
        assert all(example.at is not None for example in examples_of(rule) if example.bad)

    def test_gives_a_reason_that_is_not_the_summary(self, rule):
        why = documentation_of(rule).why
        assert why.endswith(".")
        assert not rule.summary.endswith(".")
        assert rule.summary.lower().rstrip(".") not in why.lower()

    def test_stands_in_a_known_folder(self, rule):
        assert documentation_of(rule).path.split("/")[0] in BLOCKS
        assert re.fullmatch(r"DL\d{4}|DF\d{4}", rule.code)


def test_names_codes_and_aliases_find_their_rules():
    for rule in CATALOG.rules:
        for name in (rule.name, rule.code, *rule.aliases):
            assert rule in CATALOG.find(name.swapcase())


def test_the_schema_of_rule_files_is_current():
    from dfkit.catalog import schema

    written = Path(_data.folder("rules"), "rule.schema.json").read_text(encoding="utf-8")
    assert written == schema.text(), "run: python -m dfkit.catalog.schema > rules/rule.schema.json"
