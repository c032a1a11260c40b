from __future__ import annotations

import pytest

from dfkit.model import Model
from dfkit.model.named import named_use
from dfkit.syntax import parse


def use(text, name="src", target=None, triggers=lambda _image: ()):
    model = Model(parse(text), contexts=(name,))
    return named_use(model, name, model.stage(target) if target else model.final, triggers)


def sources(text, **options):
    found = use(text, **options)
    assert found.reasons == ()
    return [read.source for read in found.reads]


def test_what_is_copied_and_mounted_from_the_name_is_read():
    text = (
        "FROM scratch\nARG d=dir\nCOPY --from=src a $d/* /\nCOPY b /\nCOPY --from=other c /\n"
        "RUN --mount=from=src,source=/m,target=/m --mount=type=cache,from=src,target=/x --mount=from=other,target=/y true\n"
    )
    assert sources(text) == ["a", "dir/*", "m", "."]


def test_only_the_stages_that_the_target_needs_count():
    text = "FROM scratch AS a\nCOPY --from=src a /\nFROM scratch AS b\nCOPY --from=src b /\n"
    assert sources(text) == ["b"]
    assert sources(text, target="a") == ["a"]


def test_the_flags_of_a_copy_go_with_its_source():
    [read] = use("FROM scratch\nCOPY --from=src --exclude=*.o --parents ./x/y /\n").reads
    assert (read.source, read.exclude, read.parents) == ("x/y", ("*.o",), True)
    [read] = use("FROM scratch\nCOPY --from=src --exclude=$x . /\n").reads
    assert read.exclude == ()


def test_a_name_is_an_image_in_each_of_its_spellings():
    text = "FROM scratch\nCOPY --from=docker.io/library/tool:latest a /\nCOPY --from=tool b /\nCOPY --from=tool:2 c /\n"
    assert sources(text, name="tool") == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "FROM src\n",
        "FROM docker.io/library/src\n",
        "FROM src AS base\nFROM base\n",
        "FROM scratch AS src\nFROM src\n",
        "FROM scratch AS src\n",
    ],
)
def test_a_stage_that_starts_from_it_needs_all(text):
    assert any("starts from the context `src`" in reason for reason in use(text).reasons)


def test_of_a_stage_whose_place_it_takes_only_what_is_copied_is_read():
    assert sources("FROM other AS src\nRUN x\nFROM scratch\nCOPY --from=src a /\n") == ["a"]


def test_what_is_not_known_needs_all():
    assert "has a value that is not known" in use("FROM scratch\nARG a\nCOPY --from=src $a /\n").reasons[0]
    assert "ONBUILD triggers" in use("FROM base\n", triggers=lambda _image: None).reasons[0]
    assert "names a frontend" in use("# syntax=example/x\nFROM scratch\n").reasons[0]


def test_a_trigger_of_a_stage_reads_too():
    assert sources("FROM scratch AS a\nONBUILD COPY --from=src t /\nFROM a\n") == ["t"]
