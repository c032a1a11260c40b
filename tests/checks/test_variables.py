from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("FROM scratch\nCOPY a $A\n", ["$A"]),
        ("FROM scratch\nCOPY a $A/$A\n", ["$A"]),
        ("FROM scratch\nARG A\nCOPY a $A\n", []),
        ("FROM scratch\nARG A=$A\n", []),
        ("FROM scratch\nENV PATH=$PATH:/a\n", []),
        ("FROM debian:12\nUSER $A\n", []),
        ("FROM scratch\nONBUILD USER $A\n", []),
        ("ARG A\nFROM debian:12\nEXPOSE $A\n", ["$A"]),
        ("FROM scratch AS a\nARG A=1\nFROM scratch\nVOLUME $A\n", ["$A"]),
        ("FROM scratch AS a\nARG A=1\nFROM a\nVOLUME $A\n", []),
        ("FROM scratch\nRUN echo $A\n", []),
    ],
)
def test_which_variables_are_undefined(say, text, marks):
    assert say("UndefinedVar", text).marks == marks


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("APP_HOM", "APP_HOME"),
        ("APPHOME", "APP_HOME"),
        ("EMOH_PPA", None),
        ("APP", None),
        ("JAVA_HOME", None),
        ("LD_LIBRARY_PATH", None),
    ],
)
def test_a_variable_that_the_base_may_set_is_undefined_if_another_has_nearly_its_name(say, name, near):
    said = say("UndefinedVar", f"FROM debian:12\nENV APP_HOME=/app LD_PRELOAD=/x\nWORKDIR ${{{name}}}\n").diagnostics
    assert [each.message for each in said] == (
        [f"nothing sets `{name}`, so it is empty here; did you mean `{near}`?"] if near else []
    )


@pytest.mark.parametrize(
    ("env", "marks"),
    [
        ("A=1 B=$A", ["$A"]),
        ("B=${A} A=1", ["${A}"]),
        ("A=1 B=$A$A", ["$A", "$A"]),
        ("A=$A", []),
        ("A=1 B=${A:-2}", []),
        ("A=1 B=$AB", []),
        ("A=1 B=\\$A", []),
        ("GOPATH=$GOPATH/x B=$GOPATH", []),
    ],
)
def test_which_variables_are_used_where_they_are_set(say, env, marks):
    assert say("DL3044", f"ENV {env}").marks == marks


def test_a_variable_that_was_set_before_may_be_used(say):
    assert say("DL3044", "ENV A=0\nENV A=1 B=$A").marks == []
