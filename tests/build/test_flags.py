"""The values of `--tag`, `--secret`, `--ssh` and `--output`; what buildx 0.29 makes of each was tried with it."""

from __future__ import annotations

import json
import re

import pytest

from dfkit.build.flags import output, secret, ssh, tag
from dfkit.build.request import BuildRequest, Output, Secret, SshAgent, query
from dfkit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id=a,src=f", Secret("a", file="f")),
        ("id=a,source=f", Secret("a", file="f")),
        ("src=f,id=a", Secret("a", file="f")),
        ("ID=a,SRC=f", Secret("a", file="f")),
        ("id=a,env=V", Secret("a", variable="V")),
        ("id=a,type=env,src=V", Secret("a", variable="V")),
        ("id=a,type=env,env=V", Secret("a", variable="V")),
        ("id=a,type=file,src=f", Secret("a", file="f")),
        ("id=SET", Secret("SET", variable="SET")),
        ("id=SET,type=file", Secret("SET", file="SET")),
        ("id=UNSET", Secret("UNSET", file="UNSET")),
        ("id=UNSET,type=env", Secret("UNSET", variable="UNSET")),
        ("id=a,src=", Secret("a", file="a")),
        ("id=a,src=x=y", Secret("a", file="x=y")),
        ('id=a,"src=x,y"', Secret("a", file="x,y")),
    ],
)
def test_a_secret_is_read_as_buildx_does(text, expected):
    assert secret(text, {"SET": "1"}) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("a", "is no secret"),
        ("id=a,file=b", "is no secret"),
        ("id=a, src=f", "is no secret"),
        ("src=f", "has no id"),
        ("id=a,type=value", "has a type that does not exist"),
        ("id=a,src=f,env=V", "names a file and a variable"),
        ('"id=a', "cannot be read"),
    ],
)
def test_what_is_no_secret_is_said_with_what_to_write(text, words):
    with pytest.raises(UsageError, match=words) as error:
        secret(text, {})
    assert f"`--secret {text}`" in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default", SshAgent("default")),
        ("", SshAgent("default")),
        ("a", SshAgent("a")),
        ("a=/run/agent", SshAgent("a", ("/run/agent",))),
        ("a=k1,k2", SshAgent("a", ("k1", "k2"))),
        ("=/run/agent", SshAgent("default", ("/run/agent",))),
        ("a=", SshAgent("a")),
    ],
)
def test_an_ssh_agent_is_read_as_buildx_does(text, expected):
    assert ssh(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out", Output("local", "out")),
        ("-", Output("tar", "-")),
        ("dest=out", Output("local", "dest=out")),
        ("type=tar", Output("tar", "-")),
        ("type=tar,dest=-", Output("tar", "-")),
        ("type=tar,dest=a.tar", Output("tar", "a.tar")),
        ("dest=a.tar,type=tar", Output("tar", "a.tar")),
        ("type=local,dest=out,platform-split=false", Output("local", "out", {"platform-split": "false"})),
        ("type=docker", Output("docker")),
        ("type=docker,dest=a.tar", Output("docker", "a.tar")),
        ("type=image", Output("image")),
        ("type=oci", Output("oci", "-")),
        ("type=oci,dest=out,tar=false", Output("oci", "out", {"tar": "false"})),
        ("type=oci,tar=0", Output("oci", "", {"tar": "0"})),
        ('type=local,"dest=a,b"', Output("local", "a,b")),
    ],
)
def test_an_output_is_read_as_buildx_does(text, expected):
    assert output(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "cannot be read"), ("a,b", "is no output"), ("dest=a,b=c", "has no type"), ("type=local", "has no destination")],
)
def test_what_is_no_output_is_said_with_what_to_write(text, words):
    with pytest.raises(UsageError, match=words):
        output(text)


def test_an_output_that_is_no_image_reaches_the_request():
    def asked(given):
        return json.loads(dict(query(BuildRequest(output=given))).get("outputs", "null"))

    assert asked(Output("tar", "-")) == [{"Type": "tar", "Attrs": {}}]
    assert asked(Output("local", "out", {"a": "b"})) == [{"Type": "tar", "Attrs": {"a": "b"}}]
    assert asked(Output("docker")) is None


def test_a_secret_does_not_show_its_value():
    given = Secret("a", value=b"hunter2")
    assert "hunter2" not in repr(given) + str(given) + repr(BuildRequest(secrets=(given,)))
    assert repr(Secret("a", variable="V")) == "Secret('a', variable='V')"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a:b",
        "a/b-c__d.e:V1",
        "localhost:5000/a",
        "Host/a:1",
        "a--b",
        "1",
        f"a:{'x' * 128}",
        "scratch",
        "a.b/c/d",
        "[::1]:5000/a",
    ],
)
def test_a_name_for_an_image_is_taken_as_it_is(text):
    assert tag(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a/B",
        "a\nb",
        "a\n",
        "é",
        "../x",
        "-x",
        "a:b:c",
        "a:",
        ":x",
        "a/",
        "/a",
        "a?b",
        "a@sha256:0",
        "a_",
        f"a:{'x' * 129}",
    ],
)
def test_what_is_no_name_for_an_image_is_said(text):
    with pytest.raises(UsageError, match=rf"^`--tag {re.escape(text)}` is no name for an image: write NAME or NAME:TAG"):
        tag(text)
