"""Stages as BuildKit resolves them (frontend/dockerfile/dockerfile2llb/convert.go, toCommand; convert_runmount.go)."""

import pytest

from dfkit.model import Model
from dfkit.model.stages import context_name
from dfkit.syntax import parse


def model(text, **settings):
    return Model(parse(text), **settings)


def reference(text, **settings):
    """What the last instruction refers to."""
    m = model(text, **settings)
    (found,) = m.references(m.dockerfile.instructions[-1])
    return found


@pytest.mark.parametrize(
    ("text", "index", "problem"),
    [
        ("FROM a AS x\nFROM b\nCOPY --from=x c d", 0, ""),
        ("FROM a AS x\nFROM b\nCOPY --from=X c d", 0, ""),
        ("FROM a AS x\nFROM b\nCOPY --from=0 c d", 0, ""),
        ("FROM a AS x\nFROM b\nCOPY --from=debian c d", None, ""),
        ("FROM a\nCOPY --from=0 c d", None, "its own stage"),
        ("FROM a AS x\nCOPY --from=x c d", None, "its own stage"),
        ("FROM a AS x\nFROM b\nCOPY --from=2 c d", None, "no stage number 2"),
        ("FROM a AS x\nFROM b\nCOPY --from=-1 c d", None, "no stage number -1"),
        ("FROM a AS x\nFROM b\nCOPY --from=$S c d", None, "has a variable"),
        ("FROM a AS x\nFROM b\nRUN --mount=from=x,target=/y z", 0, ""),
        ("FROM a AS x\nFROM b\nRUN --mount=from=0,target=/y z", None, ""),
        ("FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x d e", 1, ""),
    ],
)
def test_what_a_reference_means(text, index, problem):
    found = reference(text)
    assert (found.stage.index if found.stage else None) == index
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)


def test_a_stage_below_cannot_be_read_also_if_one_above_has_the_name():
    for above in ("FROM a AS x\n", ""):
        m = model(f"{above}FROM b\nCOPY --from=x c d\nFROM e AS x")
        copy = next(each for each in m.dockerfile.instructions if each.name == "COPY")
        (found,) = m.references(copy)
        assert found.stage is None
        assert "stands below" in found.problem


def test_the_image_that_is_meant():
    assert reference("FROM a\nCOPY --from=nginx:1 c d").image_name.canonical == "docker.io/library/nginx:1"
    assert reference("FROM a AS x\nFROM b\nCOPY --from=x c d").image_name is None


def test_a_trigger_runs_in_the_stage_that_is_built_on_it():
    m = model("FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools x y\nFROM base AS app\nFROM c")
    base, app = m.stage("base"), m.stage("app")
    assert m.reachable(base) == {1}
    assert m.reachable(app) == {0, 1, 2}
    assert [instruction.name for instruction, _ in m.executed(base)] == []
    assert [instruction.name for instruction, _ in m.executed(app)] == ["COPY"]
    assert m.references(base.instructions[0])[0].stage is m.stage("tools")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("FROM a AS x\nFROM b\nCOPY --from=x c d", []),
        ("FROM a AS x\nCOPY --from=x c d", [["x"]]),
        ("FROM a AS x\nCOPY --from=y c d\nFROM b AS y\nCOPY --from=x c d", [["x", "y"]]),
        ("FROM a AS x\nCOPY --from=z c d\nFROM x AS y\nFROM y AS z", [["x", "y", "z"]]),
        ("FROM a AS x\nRUN --mount=from=y,target=/m c\nFROM b AS y\nCOPY --from=0 c d\nFROM c", [["x", "y"]]),
    ],
)
def test_stages_that_wait_for_each_other(text, groups):
    assert [[stage.label for stage in group] for group in model(text).cycles] == groups


def test_a_named_context_takes_the_place_of_a_stage():
    m = model("FROM a AS x\nUSER app\nENV K=1\nCOPY big /\nFROM x\nRUN y", contexts={"x"})
    assert m.stages[0].replaced
    assert m.state(m.final.instructions[0]).user is None
    assert m.scope(m.final.instructions[0]).lookup("K").kind == "base"
    assert m.context_use(triggers=lambda image: ()).reads == ()
    assert m.reachable(m.final) == {0, 1}


def test_a_named_context_takes_the_place_of_an_image():
    m = model("FROM debian:12\nRUN x", contexts={"debian:12"})
    assert m.end_state(m.final).user is None
    assert model("FROM debian:12\nRUN x", contexts={"debian"}).end_state(m.final).user == "root"
    assert m.is_context("docker.io/library/debian:12")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("alpine", "alpine"),
        ("alpine:latest", "alpine"),
        ("docker.io/library/alpine:3", "alpine:3"),
        ("ghcr.io/a/b", "ghcr.io/a/b"),
        ("src", "src"),
    ],
)
def test_the_name_a_context_must_have_for_an_image(image, name):
    assert context_name(image) == name
