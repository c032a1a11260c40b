from __future__ import annotations

import pytest

from dfkit.model import Model
from dfkit.model.features import docker_with, features, frontend_of_docker
from dfkit.syntax import parse
from dfkit.text import Source


def used(text, target=None):
    model = Model(parse(Source(text)))
    found = features(model, model.stage(target) if target else None)
    return [(each.name, each.since, model.dockerfile.source.slice(each.span)) for each in found]


def test_a_plain_file_needs_nothing_new():
    assert used("FROM a AS b\nRUN echo ${x#y} <b\nCOPY a b\nADD https://example.org/x /\nENV x=${y:-z}\n") == []


def test_a_feature_is_told_with_its_version_and_place():
    assert used("FROM a\nCOPY --link --chown=1 a b\nRUN <<E cat\nhello\nE\n") == [
        ("COPY --link", (1, 4), "--link"),
        ("COPY --chown", (1, 0), "--chown=1"),
        ("a heredoc", (1, 4), "<<E"),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ARG a b=1", "several names in one ARG"),
        ("ADD https://example.org/x.git#main /x", "a git repository in ADD"),
        ("ADD git@example.org:x /x", "a git repository in ADD"),
        ("COPY --chmod=$m a b", "a variable in --chmod"),
        ("COPY --chmod=u=rw a b", "a --chmod that is not octal"),
        ("RUN --mount=type=cache,target=$d true", "a variable in --mount"),
        ("RUN --mount=type=secret,id=a,env=A true", "a secret in an environment variable"),
        ("ENV a=${b-c}", "${name-word} without a colon"),
        ("LABEL a=x${b%.*}", "${name#pattern}, ${name%pattern} and ${name/pattern/word}"),
    ],
)
def test_each_thing_that_is_no_flag_is_seen(text, name):
    assert name in [found for found, _, _ in used(f"FROM a\n{text}\n")]


def test_a_trigger_counts_where_it_is_run():
    base = "FROM a AS base\nONBUILD COPY --link --from=x b c\n"
    assert used(base) == []
    assert [name for name, _, _ in used(f"{base}FROM base\n")] == ["COPY --link", "COPY --from", "--from in ONBUILD"]


def test_a_value_counts_only_where_the_target_needs_its_stage_and_a_flag_everywhere():
    text = "FROM a AS one\nENV a=${b-c}\nCOPY --link a b\nFROM a AS two\n"
    assert [name for name, _, _ in used(text)] == ["COPY --link"]
    assert [name for name, _, _ in used(text, "one")] == ["${name-word} without a colon", "COPY --link"]


def test_dockers_frontends_are_known_up_to_the_newest_engine_in_the_table():
    assert frontend_of_docker("20.10.24+dfsg1") == (1, 2)
    assert frontend_of_docker("27.1.1") == (1, 8)
    assert frontend_of_docker("28.5.2") == (1, 19)
    assert frontend_of_docker("17.06.0") == (1, 0)
    assert frontend_of_docker("99.0.0") is None
    assert frontend_of_docker("dev") is None
    assert docker_with((1, 4)) == "23.0"
    assert docker_with((1, 3)) == "23.0"
    assert docker_with((9, 9)) is None
