"""The profile `buildkit` against what an engine said; scripts/oracle_checks.py asks it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dfkit.catalog import Catalog, select
from dfkit.errors import UsageError
from dfkit.lint import Linter
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

CASES = YAML(typ="safe").load(Path(__file__).with_name("buildkit.yaml"))
CATALOG = Catalog.load()
CODES = frozenset(name for rule in CATALOG.rules for name in rule.known_as("buildkit"))


def report(text, **settings):
    args = settings.pop("args", {})
    chosen = Settings(**{"profile": "buildkit", "shellcheck": False, **settings})
    return Linter(select(CATALOG, chosen), chosen).report(Model(parse(text), build_args=args))


def found(text, **settings):
    said = report(text, **settings)
    return sorted((said.position(each).line, each.code) for each in said.diagnostics if each.code in CODES)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_profile_says_what_docker_build_check_says(case, tmp_path):
    (tmp_path / ".dockerignore").write_text(case.get("ignore", ""))
    expected = sorted((int(line), rule) for rule, line in (each.split() for each in case["found"]))
    settings = {"args": case.get("args") or {}, "check": case.get("check", ""), "context": str(tmp_path)}
    assert found(case["dockerfile"], **settings) == expected


def test_each_check_of_buildkit_but_one_is_said_in_some_case():
    said = {each.split()[0] for case in CASES for each in case["found"]}
    assert said == CODES - {"InvalidBaseImagePlatform"}


def test_names_of_files_and_versions_are_no_secrets_as_newer_buildkit_has_it():
    assert found("FROM scratch\nARG TOKEN_FILE KEY_VERSION\nENV file_key=1 VERSION_TOKEN=2\n") == []


@pytest.mark.parametrize(
    ("ignored", "copied", "line"),
    [("a", "./a", 2), ("a", "./x/../a", 2), ("*\n!a", "b", None), ("*\n!a", ".", None), ("a", "b", None)],
)
def test_ignored_sources_are_compared_as_newer_buildkit_does(tmp_path, ignored, copied, line):
    (tmp_path / ".dockerignore").write_text(ignored)
    said = found(f"FROM scratch\nCOPY {copied} /\n", context=str(tmp_path), check="experimental=CopyIgnoredFile")
    assert said == ([(line, "CopyIgnoredFile")] if line else [])


def test_a_comment_above_an_instruction_skips_checks_as_newer_buildkit_has_it():
    text = "FROM scratch\n# check=skip=LegacyKeyValueFormat\nENV a b\n# check=skip=all\nENV password b\nENV a b\n"
    assert found(text) == [(6, "LegacyKeyValueFormat")]


@pytest.mark.parametrize("options", ["foo=bar", "skip", "error=yes", "skip=A;", "skip=A;error=1;experimental=all;x"])
def test_wrong_options_are_an_error_of_use(options):
    if options.endswith("x"):  # what follows the third option belongs to it
        assert found("FROM scratch\n", check=options) == []
        return
    with pytest.raises(UsageError, match=r"option for checks|neither true nor false"):
        report("FROM scratch\n", check=options)
    with pytest.raises(UsageError):
        report("FROM scratch\n", args={"BUILDKIT_DOCKERFILE_CHECK": options})


def test_wrong_options_in_the_file_are_an_error_there_and_no_check_is_made():
    said = report("# check=error=yes\nFROM scratch as Foo\n")
    (diagnostic,) = said.diagnostics
    assert diagnostic.severity == "error"
    assert said.position(diagnostic).line == 1
    assert "`error=yes` is neither true nor false" in diagnostic.message


def test_a_build_argument_chooses_checks():
    assert found("FROM scratch as Foo\n", args={"BUILDKIT_DOCKERFILE_CHECK": "skip=StageNameCasing"}) == [(1, "FromAsCasing")]


@pytest.mark.parametrize(("options", "severity"), [("error=true", "error"), ("error=false", "warning"), ("skip=X", "warning")])
def test_findings_are_errors_if_the_file_says_so(options, severity):
    said = report(f"# check={options}\nFROM scratch as foo\n")
    assert {each.severity for each in said.diagnostics} == {severity}
    assert {each.severity for each in report("FROM scratch as foo\n", check=options).diagnostics} == {severity}


def test_a_file_that_may_silence_nothing_has_no_say_in_the_checks():
    text = "# check=skip=all\nFROM scratch as foo\n"
    assert found(text) == []
    assert found(text, ignore_comments=False) == [(2, "FromAsCasing")]


def test_an_experimental_check_can_be_selected():
    text = "FROM scratch\n# a remark\nARG x\n"
    assert found(text) == []
    assert found(text, select=("InvalidDefinitionDescription",)) == [(3, "InvalidDefinitionDescription")]


def test_rules_that_are_ignored_stay_silent():
    assert found("FROM scratch as Foo\n", ignore=("StageNameCasing",)) == [(1, "FromAsCasing")]


def test_the_exact_place_and_the_fix_are_kept():
    said = report("FROM scratch as Foo\ncopy a \\\n\n  /b\nCMD a b\nCMD c d\n")
    by_code = {each.code: each for each in said.diagnostics}
    text = said.source.text
    assert text[by_code["StageNameCasing"].span.start : by_code["StageNameCasing"].span.end] == "Foo"
    assert by_code["FromAsCasing"].fix is not None
    assert by_code["ConsistentInstructionCasing"].fix.edits[0].text == "COPY"
    assert by_code["NoEmptyContinuation"].fix is not None
    assert by_code["MultipleInstructionsDisallowed"].fix is not None
    assert said.position(by_code["NoEmptyContinuation"]).line == 4
    assert said.position(by_code["MultipleInstructionsDisallowed"]).line == 5


def test_a_line_for_another_frontend_lets_newer_options_pass():
    text = "FROM scratch\nCOPY --parents a /b\nENV a b\n"
    assert found(text) == []
    assert found(f"# syntax=docker/dockerfile:1\n{text}") == [(4, "LegacyKeyValueFormat")]


def test_a_platform_is_compared_with_the_one_that_an_image_is_known_to_have():
    text = "FROM --platform=linux/arm64 team/tool AS arm64\n"
    assert found(text) == []
    assert found(text, platforms=(("team/tool", "linux/amd64"),)) == [(1, "InvalidBaseImagePlatform")]
