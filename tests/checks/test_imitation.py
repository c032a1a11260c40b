"""Profiles that imitate a tool find what it finds, the right answer is in `recommended`."""

from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, select
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

CATALOG = Catalog.load()


def codes(text, profile, code):
    settings = Settings(profile=profile)
    rules = select(CATALOG, settings).where(lambda rule: code in (rule.code, *rule.aliases))
    return [each.code for each in lint(Model(parse(text)), rules, settings)]


@pytest.mark.parametrize(
    ("code", "text", "right"),
    [
        ("DL3006", "ARG A=one\nFROM base-$A\n", True),
        ("DL3006", "ARG A\nFROM base-$A\n", False),
        ("DL3009", "FROM debian:12\nRUN apt-get update && apt-get install -y curl && apt-get dist-clean\n", False),
        ("DL3019", "FROM alpine:3.20\nRUN apk add --no-network curl=1\n", False),
        ("DL3025", "FROM debian:12\nHEALTHCHECK CMD curl localhost || exit 1\n", False),
        ("DL3041", "FROM fedora:40\nRUN dnf install -y ./tool.rpm\n", False),
        ("DL3059", 'FROM debian:12\nSHELL ["powershell"]\nRUN one\nRUN two\n', False),
        ("DL3064", "FROM debian:12\nENV GOPRIVATE=example.com\n", False),
        ("DL3064", "FROM debian:12\nARG USERNAME=app\n", False),
        ("DL3066", "FROM debian:12\nUSER root\n", False),
    ],
)
def test_hadolint_finds_more_than_is_right(code, text, right):
    assert codes(text, "hadolint", code) == [code]
    assert (codes(text, "recommended", code) != []) == right


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("DL3007", "ARG TAG=latest\nFROM debian:$TAG\n"),
        ("DL3008", "FROM debian:12\nRUN apt install -y curl\n"),
        ("DL3009", "FROM debian:12\nRUN apt-get update && rm -rf /tmp/x\n"),
        ("DL3013", "FROM debian:12\nRUN /opt/venv/bin/pip install flask\n"),
        ("DL3045", "FROM debian:12\nADD a b\n"),
        ("DL3064", "FROM debian:12\nENV DB_PASSWD=x\n"),
    ],
)
def test_hadolint_misses_what_is_right(code, text):
    assert codes(text, "hadolint", code) == []
    assert codes(text, "recommended", code) == [code]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UndefinedVar", "FROM debian:12\nWORKDIR $GOPATH/src\n"),
        ("UndefinedVar", "FROM scratch\nLABEL a=${A:-b}\n"),
        ("UndefinedArgInFrom", "FROM debian:${TAG:-12}\n"),
        ("SecretsUsedInArgOrEnv", "FROM scratch\nENV AWS_KMS_KEY_ALIAS=x\n"),
    ],
)
def test_buildkit_finds_more_than_is_right(name, text):
    assert codes(text, "buildkit", name) == [name]
    assert codes(text, "recommended", name) == []


def test_buildkit_marks_the_earlier_of_two_commands():
    settings = Settings(profile="buildkit")
    text = 'FROM scratch\nCMD ["a"]\nCMD ["b"]\n'
    (found,) = lint(Model(parse(text)), select(CATALOG, settings), settings)
    assert (found.code, found.span.start) == ("MultipleInstructionsDisallowed", text.index("CMD"))
