"""`dfkit rules` as a user meets it."""

from __future__ import annotations

import json

import pytest

from dfkit.cli import main


def listed(capsys, *arguments):
    assert main(["rules", "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_has_a_line_a_rule_in_the_order_of_codes(capsys):
    assert main(["rules"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["CODE", "RULE", "SEVERITY", "FIX", "WHAT"]
    codes = [row.split()[0] for row in rows]
    assert codes == sorted(codes)
    assert "DL3004" in codes


def test_a_profile_says_codes_and_severities(capsys):
    found = {each["rule"]: each for each in listed(capsys, "--profile", "buildkit")}
    assert found["as-casing"]["code"] == "FromAsCasing"
    assert found["as-casing"]["severity"] == "warning"
    assert "sudo" not in found


def test_tags_and_severities_choose(capsys):
    found = listed(capsys, "--tag", "secrets", "--tag", "labels", "--severity", "error")
    assert found == []
    found = listed(capsys, "--tag", "secrets", "--severity", "warning")
    assert [each["rule"] for each in found] == ["secret-in-variable"]
    assert found[0]["also"]["buildkit"] == ["SecretsUsedInArgOrEnv"]


@pytest.mark.parametrize(("profile", "count"), [("hadolint", 70), ("buildkit", 22)])
def test_a_tools_profile_has_its_rules_but_those_that_are_off_there(capsys, profile, count):
    found = {each["code"] for each in listed(capsys, "--profile", profile)}
    assert len([code for code in found if code.startswith("DL") or profile == "buildkit"]) == count
