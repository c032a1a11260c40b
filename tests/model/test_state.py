"""State as BuildKit's dispatch functions keep it (frontend/dockerfile/dockerfile2llb/convert.go)."""

import pytest

from dfkit.model import Model
from dfkit.syntax import parse


def end(text, **build_args):
    model = Model(parse(text), build_args=build_args)
    return model.end_state(model.final)


def test_an_entrypoint_takes_the_bases_command_away_and_not_the_stages_own():
    assert end("FROM a AS x\nCMD b\nFROM x\nENTRYPOINT c").cmd is None
    assert end("FROM a AS x\nCMD b\nFROM x\nENTRYPOINT c").cmd_origin == "none"
    assert end("FROM a\nENTRYPOINT c").cmd_origin == "none"
    own = end("FROM a\nCMD b\nENTRYPOINT c")
    assert (own.cmd.name, own.cmd_origin) == ("CMD", "stage")
    assert end("FROM a\nENTRYPOINT c\nCMD b").cmd_origin == "stage"
    assert end("FROM a AS x\nCMD b\nFROM x").cmd_origin == "base"


def test_what_a_stage_inherits():
    text = 'FROM a AS x\nUSER u\nWORKDIR /w\nSHELL ["s", "-c"]\nENTRYPOINT e\nCMD c\nHEALTHCHECK CMD h\nFROM x AS y\nFROM y\nWORKDIR z'
    state = end(text)
    assert (state.user, state.workdir, state.shell) == ("u", "/w/z", ("s", "-c"))
    assert [each.name for each in (state.entrypoint, state.cmd, state.healthcheck)] == ["ENTRYPOINT", "CMD", "HEALTHCHECK"]


def test_triggers_change_the_state_of_the_stage_built_on_them():
    text = "FROM scratch AS x\nENV D=/srv\nONBUILD WORKDIR $D\nONBUILD USER app\n"
    assert end(text).user == "root"
    assert (end(text + "FROM x").user, end(text + "FROM x").workdir) == ("app", "/srv")


@pytest.mark.parametrize(
    ("text", "platform", "os"),
    [
        ("FROM --platform=linux/arm64 a", "linux/arm64", "linux"),
        ("ARG P=windows/amd64\nFROM --platform=$P a", "windows/amd64", "windows"),
        ("FROM --platform=$TARGETPLATFORM a", None, "linux"),
        ("FROM --platform=$TARGETPLATFORM mcr.microsoft.com/windows/nanoserver:ltsc2022", None, "windows"),
        ("FROM --platform=linux/arm64 a AS x\nFROM --platform=linux/amd64 x", "linux/arm64", "linux"),
        ("FROM a", None, "linux"),
    ],
)
def test_the_platform_is_that_of_the_lowest_stage(text, platform, os):
    assert (end(text).platform, end(text).os) == (platform, os)
