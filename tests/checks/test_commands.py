from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("wget a", True),
        ("wget -O- a", True),
        ("wget -nc a", True),
        ("wget -qO- a", False),
        ("wget -cq a", False),
        ("wget -nv a", False),
        ("wget --progress=bar a", False),
        ("wget --progress bar a", False),
        ("wget -o log a", False),
        ("busybox wget a", True),
    ],
)
def test_which_options_keep_wget_quiet(say, command, found):
    assert (say("DL3047", f"RUN {command}").marks == ["wget"]) == found


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("-u 100000", True),
        ("-mu 100000", True),
        ("--uid 100000", True),
        ("--uid=100000", True),
        ("-u100000", True),
        ("-u 99999", False),
        ("-l -u 100000", False),
        ("-lu 100000", False),
        ("-u $ID", False),
        ("-g 100000", False),
    ],
)
def test_which_user_ids_are_high(say, options, found):
    assert (say("DL3046", f"RUN useradd {options} app").marks == ["useradd"]) == found


def test_wget_and_curl_are_said_once_a_stage(say):
    assert say("DL4001", "RUN curl a\nRUN wget b\nRUN curl c && wget d").marks == ["wget"]
    assert say("DL4001", "RUN curl a && sudo wget b").marks == ["wget"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("a.com/b", True),
        ("a.com/b/...", True),
        ("a.com/b@latest", True),
        ("a.com/b@v1", False),
        ("a.com/b@$V", False),
        ("./cmd/b", False),
        ("cmd/vet", False),
        ("main.go", False),
    ],
)
def test_which_go_packages_have_no_version(say, word, found):
    assert (say("DL3062", f"RUN go install -v {word}").marks == [word]) == found


def test_a_tags_value_is_no_go_package(say):
    assert say("DL3062", "RUN go install -tags a.b a.com/b@v1").marks == []
