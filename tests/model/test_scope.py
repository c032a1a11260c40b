"""ARG and ENV as BuildKit's dispatchArg and dispatchEnv treat them (frontend/dockerfile/dockerfile2llb/convert.go)."""

import tracemalloc

import pytest

from dfkit.model import Model
from dfkit.model.scope import PREDEFINED
from dfkit.syntax import parse


def value(text, name, **build_args):
    """What a RUN at the end of a file would see; the base is scratch unless the text has FROM."""
    text = text if "FROM" in text else f"FROM scratch\n{text}"
    model = Model(parse(f"{text}\nRUN x"), build_args=build_args)
    return model.scope(model.final.instructions[-1]).expand(f"${name}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV X=env\nARG X=arg", "arg"),
        ("ARG X=arg\nENV X=env", "env"),
        ("ENV X=env\nARG X", "env"),
        ("ARG X=1\nARG X", "1"),
        ("ARG X=1\nARG X=2", "2"),
        ("ARG X=1 Y=$X X=$Y$Y", "11"),
        ("ARG A=1\nENV X=$A", "1"),
        ("ENV X=1\nENV X=2 Y=$X\nENV X=$Y", "1"),
        ("ENV N=X\nENV $N=named", "named"),
        ("ENV X=$NOTHING", ""),
        ("ARG X=$HTTP_PROXY", ""),
    ],
)
def test_whichever_came_last_counts(text, expected):
    assert value(text, "X") == expected


def test_a_build_argument_goes_before_a_default_and_not_before_env():
    assert value("ARG X=1", "X", X="2") == "2"
    assert value("ENV X=env\nARG X", "X", X="given") == "given"
    assert value("ENV X=env", "X", X="given") == "env"
    assert value("RUN y", "X", X="given") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG X=1\nFROM scratch", ""),
        ("ARG X=1\nFROM scratch\nARG X", "1"),
        ("ARG X=1\nFROM scratch\nARG X=own", "own"),
        ("ARG X=1\nFROM scratch\nENV X=env\nARG X", "1"),
        ("ARG X\nFROM scratch\nENV X=env\nARG X", "env"),
        ("ARG A=1\nARG X=$A-\nFROM scratch\nARG X", "1-"),
        ("FROM scratch AS a\nARG X=1\nFROM scratch", ""),
    ],
)
def test_a_global_argument_is_seen_where_it_is_declared(text, expected):
    assert value(text, "X") == expected


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("ARG X=arg", "arg"),
        ("ENV X=env", "env"),
        ("ENV X=env\nARG X=arg", "env"),
        ("ONBUILD ENV X=trigger", "trigger"),
        ("ENV A=1\nONBUILD ARG X=$A", "1"),
    ],
)
def test_a_stage_inherits_what_the_image_keeps_then_arguments(below, expected):
    assert value(f"FROM scratch AS a\n{below}\nFROM a", "X") == expected


def test_onbuild_does_nothing_in_its_own_stage_nor_two_stages_on():
    assert value("ONBUILD ENV X=1", "X") == ""
    assert value("FROM scratch AS a\nONBUILD ARG X=1\nFROM scratch AS b\nFROM b", "X") == ""
    assert value("FROM scratch AS a\nONBUILD ENV X=1\nFROM a AS b\nFROM b", "X") == "1", "an ENV stays in the image"


def test_platform_arguments_must_be_declared_and_are_not_known():
    assert value("ENV X=$TARGETARCH", "X") == ""
    assert value("ARG TARGETARCH\nENV X=$TARGETARCH", "X") is None
    assert value("ARG TARGETARCH\nENV X=$TARGETARCH", "X", TARGETARCH="arm64") == "arm64"
    model = Model(parse("FROM --platform=$BUILDPLATFORM a"), build_args={"BUILDPLATFORM": "windows/amd64"})
    assert model.end_state(model.final).os == "windows"


@pytest.mark.parametrize(
    ("text", "name", "kind", "why"),
    [
        ("FROM debian", "HOME", "base", "the base image may set it"),
        ("FROM scratch", "HOME", "unset", ""),
        ("FROM scratch\nARG X", "X", "arg", "it has no default and no --build-arg gives it"),
        ("FROM scratch\nARG TARGETOS", "TARGETOS", "arg", "it depends on the platform that is built for"),
        ("FROM scratch\nARG TARGETSTAGE", "TARGETSTAGE", "arg", "it depends on the target that is built"),
        ("FROM debian\nENV X=$HOME", "X", "env", "its value names a variable whose value is not known"),
        ("FROM debian\nARG X=$HOME", "X", "arg", "its default names a variable that is not known"),
        ("FROM debian", "HTTPS_PROXY", "base", "the base image may set it"),
    ],
)
def test_what_is_not_known_says_why(text, name, kind, why):
    model = Model(parse(f"{text}\nRUN x"))
    scope = model.scope(model.final.instructions[-1])
    assert (scope.lookup(name).kind, scope.lookup(name).why) == (kind, why)
    unknown = scope.unknown(f"a${{{name}}}b")
    assert unknown is None if kind == "unset" else unknown.why == why


def test_a_value_has_the_place_it_comes_from():
    text = "FROM scratch\nARG X=1\nENV Y=$X"
    model = Model(parse(text + "\nRUN x"))
    names = model.scope(model.final.instructions[-1]).names()
    assert [text[names[name].span.start : names[name].span.end] for name in "XY"] == ["X=1", "Y=$X"]


def test_what_the_image_keeps():
    model = Model(parse("FROM scratch AS a\nENV X=env Z=1\nARG X=arg Y=arg\nFROM a\nRUN x"))
    names = model.scope(model.final.instructions[-1]).names()
    assert {name: each.value for name, each in names.items() if each.kind != "predefined"} == {"X": "env", "Z": "1", "Y": "arg"}


def test_the_names_of_each_line_of_many():
    count = 70
    model = Model(
        parse(
            "FROM scratch\n" + "".join(f"ARG B{at}\nENV A{at}={at} B{at}=\nARG A{at}={at}\n" for at in range(count)) + "RUN x\n"
        )
    )
    for at, instruction in enumerate(model.final.instructions[1:-1:3]):
        scope = model.scope(instruction)
        assert [scope.lookup(f"A{number}").kind for number in range(count)] == ["arg"] * at + ["unset"] * (count - at)
        assert [scope.lookup(f"B{number}").kind for number in range(count)] == ["env"] * at + ["arg"] + ["unset"] * (
            count - at - 1
        )
    assert len(model.scope(model.final.instructions[-1]).names()) == 2 * count + len(PREDEFINED)


def test_the_scopes_of_a_file_of_four_times_the_size_take_five_times_the_memory_at_most():
    def memory(count):
        file = parse("FROM scratch\n" + "".join(f"ENV A{at}={at}\n" for at in range(count)))
        tracemalloc.start()
        model = Model(file)
        model.scope(file.instructions[-1])
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return taken

    memory(10)
    assert memory(4000) < 5 * memory(1000)


def test_a_value_that_doubles_in_every_line_is_given_up():
    file = parse("FROM scratch\nENV A=x\n" + "ENV A=$A$A\n" * 500 + "RUN make\n")
    assert Model(file).scope(file.instructions[-1]).lookup("A").value is None
    file = parse("FROM scratch\nENV A=x\n" + "ENV A=$A$A\n" * 10 + "RUN make\n")
    assert Model(file).scope(file.instructions[-1]).lookup("A").value == "x" * 1024
