from __future__ import annotations

import pytest

from dfkit.build import BuildRequest, Secret, SshAgent
from dfkit.errors import UsageError
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Source
from dfkit.workflow.needs import check_needs


def check(text, *, secrets=(), ssh=(), target=None, triggers=lambda _image: None, **args):
    model = Model(parse(Source(text, "Dockerfile")), build_args=args)
    request = BuildRequest(
        secrets=tuple(Secret(name, value=b"x") for name in secrets), ssh=tuple(SshAgent(name) for name in ssh), build_args=args
    )
    return check_needs(model, model.stage(target) if target else model.final, request, triggers)


NEEDY = """\
FROM a AS one
RUN --mount=type=secret,id=token true
RUN --mount=type=secret,id=token,required=true \\
  true
FROM a AS two
RUN --mount=type=ssh,required true
"""


def test_what_a_step_cannot_do_without_is_told_with_its_line():
    with pytest.raises(UsageError) as error:
        check(NEEDY, target="one")
    assert str(error.value) == (
        "Dockerfile:3: the step needs the secret token, which is not given:"
        " add `--secret id=token,src=FILE` or `--secret id=token,env=VARIABLE`"
    )
    with pytest.raises(UsageError) as error:
        check(NEEDY)
    assert str(error.value) == "Dockerfile:6: the step needs the ssh agent default, which is not given: add `--ssh default`"


def test_what_is_given_or_optional_or_in_another_stage_is_no_error():
    assert check(NEEDY, target="one", secrets=["token"]) == ()
    assert check(NEEDY, ssh=["default"]) == ()
    assert check("FROM a\nRUN --mount=type=secret,id=token --mount=type=ssh true\n") == ()
    assert check("FROM a AS x\nRUN --mount=type=secret,id=t,required true\nFROM b\nRUN true\n") == ()


def test_a_needed_stage_counts():
    with pytest.raises(UsageError, match=r"^Dockerfile:2: "):
        check("FROM a AS x\nRUN --mount=type=secret,id=t,required true\nFROM b\nCOPY --from=x / /\n")


def test_a_trigger_needs_its_secret_where_the_stage_begins():
    with pytest.raises(UsageError, match=r"^Dockerfile:3: "):
        check("FROM a AS x\nONBUILD RUN --mount=type=secret,id=t,required true\nFROM x\nRUN true\n")


def test_what_no_step_asks_for_is_named():
    assert check("FROM a\nRUN true\n", secrets=["b", "a"], ssh=["default"]) == (
        "no step asks for the secret a",
        "no step asks for the secret b",
        "no step asks for the ssh agent default",
    )


def test_ids_are_expanded_and_one_that_is_not_known_silences_all():
    text = "FROM a\nARG NAME=t\nRUN --mount=type=secret,id=$NAME,required true\n"
    assert check(text, secrets=["t"]) == ()
    with pytest.raises(UsageError, match="the secret u,"):
        check(text, NAME="u")
    assert check("FROM a\nRUN --mount=type=secret,id=${A:?x},required true\n", secrets=["t"]) == ()


@pytest.mark.parametrize("name", ["GIT_AUTH_TOKEN", "GIT_AUTH_HEADER.github.com", "HTTP_AUTH_TOKEN_example.com"])
def test_what_buildkit_asks_for_itself_is_not_called_unused(name):
    assert check("FROM a\nADD https://example.com/x.git /x\n", secrets=[name]) == ()


def test_an_agent_for_a_repository_is_not_called_unused():
    assert check("FROM a\nADD git@github.com:moby/buildkit.git /x\n", ssh=["default"]) == ()


def test_a_base_whose_triggers_have_mounts_silences_all():
    assert check("FROM a\nRUN true\n", secrets=["t"], triggers=lambda image: ("RUN --mount=type=secret,id=t x",)) == ()
    assert check("FROM a\nRUN true\n", secrets=["t"], triggers=lambda image: ("RUN x",)) != ()
