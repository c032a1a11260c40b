from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, Selection
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

CATALOG = Catalog.load()


@pytest.mark.parametrize(
    ("image", "allowed", "found"),
    [
        ("debian", "docker.io", False),
        ("index.docker.io/debian", "docker.io", False),
        ("debian", "hub.docker.com", False),
        ("owner/app", "ghcr.io", True),
        ("a.example.com/app", "*.example.com", False),
        ("example.com/app", "*.example.com", True),
        ("localhost:5000/app", "localhost", True),
        ("$REGISTRY/app", "ghcr.io", False),
        ("scratch", "ghcr.io", False),
    ],
)
def test_which_registries_are_foreign(image, allowed, found):
    settings = Settings(allowed_registries=(allowed,))
    rules = Selection(CATALOG, CATALOG.find("foreign-registry"))
    assert (lint(Model(parse(f"ARG REGISTRY\nFROM {image}\n")), rules, settings) != []) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ARG A\nFROM $A\n", True),
        ("ARG A\nFROM debian:$A\n", True),
        ("ARG A\nFROM debian$A\n", False),
        ("FROM example.com/$TARGETARCH/app\n", False),
        ("ARG A=Debian\nFROM $A\n", True),
    ],
)
def test_which_defaults_name_no_image(say, text, found):
    assert (say("InvalidDefaultArgInFrom", text).marks != []) == found


def test_an_argument_of_a_platform_is_declared_too(say):
    assert say("UndefinedArgInFrom", "FROM --platform=$A debian:12\n").marks == ["$A"]
    assert say("UndefinedArgInFrom", "FROM --platform=linux/$TARGETARCH debian:12\n").marks == []


def test_the_reader_does_not_repeat_what_a_rule_says():
    text = "RUN make\nFROM debian:12\nONBUILD FROM debian\n"
    found = lint(Model(parse(text)), Selection(CATALOG, (*CATALOG.find("DL3061"), *CATALOG.find("DL3043"))))
    assert [each.code for each in found] == ["DL3061", "DL3043"]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("from a:1\nrun a\nRUN b\n", "from a:1\nrun a\nrun b\n"),
        ("from a:1\nRUN b\n", "FROM a:1\nRUN b\n"),
        ("From a:1\n", "FROM a:1\n"),
    ],
)
def test_keywords_are_written_as_most_are(say, text, fixed):
    text = f"# FROM \n{text}"
    assert say("ConsistentInstructionCasing", text).fixed == f"# FROM \n{fixed}"
