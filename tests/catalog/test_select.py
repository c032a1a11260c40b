from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, Rule, select
from dfkit.errors import UsageError
from dfkit.text.settings import Settings


def rule(name: str, code: str, **more) -> Rule:
    fields = {
        "summary": "wrong", "severity": "warning", "fix": "none", "uses": "", "parameters": (), "nodes": (), "programs": (),
        "also": (), "tags": (), "profiles": (),
    }  # fmt: skip
    return Rule(name=name, code=code, **{**fields, **more})


CATALOG = Catalog(
    [
        rule("from-hadolint", "DL3001", also=(("trivy", ("DS-0001",)),)),
        rule("from-buildkit", "DF1901", also=(("buildkit", ("JSONArgsRecommended",)),), profiles=(("buildkit", "info"),)),
        rule("from-both", "DL3025", also=(("buildkit", ("WorkdirRelativePath",)),)),
        rule("renamed", "DF1902", also=(("hadolint", ("DL4000",)),), profiles=(("hadolint", "error"),)),
        rule("secret", "DF2101", tags=("security",), also=(("trivy", ("DS-0001",)),)),
        rule("opinion", "DF2501", profiles=(("recommended", "off"),)),
        rule("not-in-hadolint", "DL9999", profiles=(("hadolint", "off"),)),
    ]
)


def chosen(**settings) -> dict[str, tuple[str, str]]:
    return {rule.name: (rule.code, rule.severity) for rule in select(CATALOG, Settings(**settings))}


def test_recommended_has_all_that_is_not_switched_off_there():
    assert "opinion" not in chosen()
    assert len(chosen()) == 6


def test_all_has_all():
    assert len(chosen(profile="all")) == 7


def test_hadolint_has_its_rules_by_its_codes_and_severities():
    assert chosen(profile="hadolint") == {
        "from-hadolint": ("DL3001", "warning"),
        "from-both": ("DL3025", "warning"),
        "renamed": ("DL4000", "error"),
    }


def test_buildkit_has_its_checks_by_their_names():
    assert chosen(profile="buildkit") == {
        "from-buildkit": ("JSONArgsRecommended", "info"),
        "from-both": ("WorkdirRelativePath", "warning"),
    }


def test_security_has_what_is_tagged_so():
    assert list(chosen(profile="security")) == ["secret"]


@pytest.mark.parametrize("name", ["from-buildkit", "df1901", "jsonargsrecommended", "JSONArgsRecommended"])
def test_a_rule_is_ignored_by_any_of_its_names(name):
    assert "from-buildkit" not in chosen(ignore=(name,))


def test_a_name_that_two_rules_share_means_both():
    assert {"from-hadolint", "secret"} - set(chosen(ignore=("ds-0001",))) == {"from-hadolint", "secret"}


def test_a_rule_outside_the_profile_can_be_selected_and_ignore_is_stronger():
    assert "opinion" in chosen(select=("opinion",))
    assert "opinion" not in chosen(select=("opinion",), ignore=("DF2501",))


def test_a_severity_is_overridden_and_then_firm():
    selection = select(CATALOG, Settings(severities=(("DL3001", "error"), ("dl3001", "style"))))
    found = next(rule for rule in selection if rule.name == "from-hadolint")
    assert (found.severity, found.firm) == ("style", True)


def test_a_profile_that_imitates_keeps_its_severities_firm():
    assert all(rule.firm for rule in select(CATALOG, Settings(profile="hadolint")))
    assert not any(rule.firm for rule in select(CATALOG, Settings()))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="there is no rule `from-hadolin`; did you mean `from-hadolint`"):
        chosen(ignore=("from-hadolin",))
    with pytest.raises(UsageError, match="there is no profile `strict`"):
        chosen(profile="strict")


def test_names_of_other_tools_without_a_rule_here_are_known():
    assert len(chosen(ignore=("SC2086", "dl3057", "UndefinedVar"))) == 6
    with pytest.raises(UsageError):
        chosen(ignore=("DL305",))


def test_a_selection_is_narrowed():
    selection = select(CATALOG, Settings()).where(lambda rule: "security" in rule.tags)
    assert [rule.name for rule in selection] == ["secret"]
    assert len(selection) == 1
