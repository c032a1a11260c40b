from __future__ import annotations

import re

import pytest

from tests.checks.conftest import CATALOG


def pattern(rule):
    (found,) = CATALOG.find(rule)
    return re.compile(dict(found.parameters)["pinned"])


@pytest.mark.parametrize(
    ("rule", "fixed", "loose"),
    [
        ("unpinned-apt-package", ["a=1", "a/stable", "./a.deb", "/tmp/a.deb", "a=1.*", "*.deb"], ["a", "g++", "libc6-dev", "a-"]),
        (
            "unpinned-pip-package",
            ["a==1", "a>=1", "a~=1.0", "a[x]<2", ".", ".[dev]", "./a", "dir/a", "a.whl", "a @ https://example.com/a", "a==$V",
             "git+https://example.com/a@v1", "git+ssh://git@example.com/a@v1#egg=a", "https://example.com/a.zip"],
            ["a", "a[x]", "git+https://example.com/a", "git+https://example.com/a#egg=b", "git+ssh://git@example.com/a"],
        ),
        (
            "unpinned-npm-package",
            ["a@1", "@s/a@1.2", "a@^1", "./a", "/a", "file:a", "a.tgz", "git+https://example.com/a#v1", "a@$V", "."],
            ["a", "@s/a", "a@latest", "@s/a@next", "user/repository"],
        ),
        ("unpinned-gem", ["a:1.2", "a.gem", "a:$V"], ["a", "a-b"]),
        ("unpinned-apk-package", ["a=1", "a~1", "a~=1", "a<2", "./a.apk"], ["a", "a-dev", "a@edge"]),
        ("unpinned-yum-package", ["a-1.2", "a-devel-1.2", "a.rpm", "https://example.com/a", "@group"], ["a", "a-devel"]),
        ("unpinned-zypper-package", ["a=1", "a>=1", "a.rpm"], ["a", "a-devel"]),
    ],
)  # fmt: skip
def test_which_words_say_a_version(rule, fixed, loose):
    assert [word for word in fixed if not pattern(rule).search(word)] == []
    assert [word for word in loose if pattern(rule).search(word)] == []


@pytest.mark.parametrize(
    ("run", "mark", "message"),
    [
        ("apt-get install -y a=1 b c", "b", "`b` and 1 more have no version: a rebuild may install another one"),
        ("apt-get install -y $DEPS b", "b", "`b` has no version: a rebuild may install another one"),
        ("apt-get install -y a-$V", "a-$V", "`a-$V` has no version: a rebuild may install another one"),
    ],
)
def test_the_first_package_without_a_version_is_marked(say, run, mark, message):
    said = say("DL3008", f"RUN {run}")
    assert said.marks == [mark]
    assert [each.message for each in said.diagnostics] == [message]


@pytest.mark.parametrize("word", ["$DEPS", '"$DEPS"', "$(cat /a=b)", "`cat /a=b`"])
def test_packages_that_cannot_be_seen_are_judged_softly(say, word):
    assert say("DL3008", f"RUN apt-get install -y {word}").severities == ["style"]


def test_what_follows_two_dashes_is_not_a_gem(say):
    assert say("DL3028", "RUN gem install pg:1.5 -- --with-pg-config=/opt/pg").marks == []


@pytest.mark.parametrize(
    ("mount", "silent"),
    [
        ("type=cache,target=/root/.cache/pip", True),
        ("type=cache,target=/root/.cache", True),
        ("type=tmpfs,target=/root", True),
        ("type=cache,target=/root/.cache/pip-tools", False),
        ("type=cache,target=/x", False),
        ("type=secret,target=/root/.cache/pip", False),
    ],
)
def test_only_a_mount_over_the_cache_takes_the_place_of_the_option(say, mount, silent):
    assert (say("DL3042", f"RUN --mount={mount} pip install a==1").marks == []) == silent


def test_the_home_of_the_user_decides_where_the_cache_is(say):
    run = "RUN --mount=type=cache,target=/root/.cache/pip pip install a==1"
    assert say("DL3042", f"ENV HOME=/srv\n{run}").marks == ["pip install"]


@pytest.mark.parametrize("value", ["0", "off", "False", '""'])
def test_a_variable_that_is_off_does_not_count(say, value):
    assert say("DL3042", f"ENV PIP_NO_CACHE_DIR={value}\nRUN pip install a==1").marks == ["pip install"]


def test_lists_are_left_if_they_are_fetched_again_after_cleaning(say):
    assert say("DL3009", "RUN rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y a").fixes == ["safe"]


@pytest.mark.parametrize(
    ("later", "fix"),
    [
        ("RUN useradd app", "safe"),
        ("RUN make", "unsafe"),
        ("RUN apt-get update && apt-get install -y b", "safe"),
        ("RUN apt-get install -y b", None),
        ("CMD apt-get install -y b", None),
        ("RUN ./install.sh", "unsafe"),
        ("RUN curl https://example.com | bash", "unsafe"),
        ("FROM base\nRUN apt-get install -y b", None),
        ("FROM alpine:3\nCOPY --from=base /a /a\nFROM base\nRUN useradd app", "safe"),
    ],
)
def test_lists_that_a_later_step_may_need_are_not_removed_unasked(say, later, fix):
    assert say("DL3009", f"FROM debian:12 AS base\nRUN apt-get update && apt-get install -y a\n{later}\n").fixes[:1] == [fix]


def test_caches_in_a_stage_that_is_not_shipped_are_a_matter_of_style_without_a_fix(say):
    text = "FROM python:3.12 AS build\nRUN pip install a==1\nFROM scratch\nCOPY --from=build /a /a\n"
    said = say("DL3042", text)
    assert (said.severities, said.fixes) == (["style"], [None])


@pytest.mark.parametrize(
    "run",
    [
        "apt-get update && apt-get -y upgrade",
        "apt-get update && apt-get build-dep -y a",
        "apt-get update && sh -c 'apt-get install -y a'",
        "apt-get update && $INSTALL",
        "apt-get update && xargs apt-get install -y < packages",
    ],
)
def test_an_update_is_not_alone_if_something_may_use_it(say, run):
    assert say("apt-update-alone", f"RUN {run}").marks == []


def test_the_note_of_a_lone_update_shows_the_install(say):
    text = "RUN apt-get update\nRUN make\nRUN apt-get install -y a"
    said = say("apt-update-alone", text)
    (note,) = said.diagnostics[0].notes
    assert said.text[note.span.start : note.span.end] == "apt-get install"


@pytest.mark.parametrize(
    "text",
    [
        "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN apt-get install a",
        'SHELL ["pwsh", "-Command"]\nRUN apt-get install a',
        "RUN <<EOF python3\napt-get install a\nEOF",
        "CMD apt-get install a",
    ],
)
def test_other_languages_and_what_runs_later_are_not_judged(say, text):
    assert say("DL3014", text).marks == []


def test_what_onbuild_holds_counts(say):
    assert say("DL3014", "ONBUILD RUN apt-get install a").fixed == "FROM debian:12\nONBUILD RUN apt-get install -y a\n"
