"""Profiles that imitate a tool find what it finds, the right answer is in `recommended`."""

from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, select
from dfkit.checks.hadolint.scripts import script_text, scripts
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

CATALOG = Catalog.load()


def codes(text, profile, code):
    settings = Settings(profile=profile)
    rules = select(CATALOG, settings).where(lambda rule: code in (rule.code, *rule.aliases))
    reader = scripts if profile == "hadolint" else None
    return [each.code for each in lint(Model(parse(text), read_scripts=reader), rules, settings)]


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
    ("code", "run", "found"),
    [
        ("DL3004", "RUN <<EOF bash\nsudo a\nEOF", True),
        ("DL3004", "RUN <<EOF && sudo b\na\nEOF", False),
        ("DL3004", "RUN cat <<EOF && sudo b\na\nEOF", False),
        ("DL3004", "RUN sudo cat <<EOF\na\nEOF", True),
        ("DL3004", "RUN <<EOF\n#!/usr/bin/python3\nsudo a\nEOF", True),
        ("DL3004", 'RUN ["a", "&&", "sudo", "b"]', True),
        ("DL3004", 'RUN ["bash", "-c", "sudo b"]', False),
        ("DL3013", 'RUN ["pip", "install", "a<1"]', True),
        ("DL3001", 'RUN p"s"', True),
        ("DL3001", "RUN exec -a x ps", True),
        ("DL3001", "RUN exec -xa ps", False),
        ("DL3001", "RUN time -p ps", True),
        ("DL3016", "RUN exec npm install -g a", False),
        ("DL3027", "RUN env A=b apt update", False),
        ("DL3059", "RUN time a\nRUN b", False),
        ("DL3059", "RUN [ -f a ] && b\nRUN c", True),
        ("DL3014", "RUN apt-get install -o=Dpkg::Use-Pty=0 a", False),
        ("DL3013", "RUN pip install . a", False),
        ("DL3013", "RUN pip install hg+https://a/b", True),
        ("DL3033", "RUN yum install -y a-1*", True),
    ],
)
def test_hadolint_reads_each_script_as_one_for_sh(code, run, found):
    assert codes(f"FROM debian:12\n{run}\n", "hadolint", code) == [code] * found
    windows = f'FROM debian:12\nSHELL ["pwsh"]\n{run}\n'
    assert codes(windows, "hadolint", code) == [code] * found


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ("FROM a:1 AS b\n{}\nFROM b", True),
        ("FROM a:1 AS b\n{}\nFROM b:2", True),
        ("FROM a:1 AS b\n{}\nFROM x.com/b", True),
        ("FROM a:1 AS b\n{}\nFROM B", False),
        ("FROM a:1\n{}\nFROM a:1", True),
        ("FROM a:1\n{}\nFROM a:2", False),
        ("FROM a:1\nONBUILD {}\nFROM b:1", True),
    ],
)
def test_hadolint_tells_stages_by_their_words(stages, found):
    assert codes(stages.format("RUN apt-get update") + "\n", "hadolint", "DL3009") == ["DL3009"] * found


@pytest.mark.parametrize(
    ("run", "text", "marked"),
    [
        ("RUN <<EOF bash -x\na b\nEOF", "bash -x\na b\n", "a b"),
        ('RUN ["a", "b\\"c", "d"]', 'a b"c d', "d"),
        ("RUN a \\\n  && cat <<EOF > b\nc\nEOF", "a   && cat ", "cat"),
    ],
)
def test_what_hadolint_reads_has_its_places_in_the_file(run, text, marked):
    file = f"FROM a:1\n{run}\n"
    found = script_text(parse(file).instructions[1])
    start = text.rindex(marked)
    span = found.span(start, start + len(marked))
    assert (found.text, file[span.start : span.end]) == (text, marked)


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


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ("A=1 B=$A", True),
        ("A=1 B=x${A}y", True),
        ("A=1 B=$AB", False),
        ("A=1 B=$AB:$A", True),
        ("A(=1 B=$A(", True),
        ("A.B=1 C=$AxB", False),
    ],
)
def test_a_name_that_the_same_env_sets_is_looked_for_letter_by_letter(env, found):
    assert codes(f"FROM debian:12\nENV {env}\n", "hadolint", "DL3044") == ["DL3044"] * found


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("{0} clean all", False),
        ("{a,b} c", False),
        ("a $({0} c)", False),
        ("if {0}; then a; fi", False),
        ("A=1 {0} c", True),
        ("> x {0}", True),
        ("{a c; }", True),
        ("a {0}", True),
        ("sh -c '{0} c'", True),
    ],
)
def test_a_script_with_a_brace_glued_to_a_command_is_none_that_hadolint_reads(command, found):
    text = f"FROM fedora:40\nRUN yum install -y a-1 && {command}\n"
    assert codes(text, "hadolint", "DL3032") == ["DL3032"] * found
    assert codes(text, "recommended", "DL3032") == ["DL3032"]
