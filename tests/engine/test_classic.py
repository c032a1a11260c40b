"""Builds as on engines without BuildKit. Docker still has the builder that their interface is made after."""

from __future__ import annotations

import secrets

import pytest

from dfkit.build import BuildRequest, Folders, Resources, Secret, SolveFailed, StepLog, Unsupported, build, connect
from dfkit.build.engine import Engine
from dfkit.context import plan
from tests.engine.test_build import context, gone
from tests.engine.test_loss import nothing_left

pytestmark = pytest.mark.engine


@pytest.fixture
def classic(any_engine, monkeypatch):
    monkeypatch.setattr(Engine, "has_buildkit", False)
    return any_engine


@pytest.fixture
def name(any_engine):
    made = f"dfkit-test/{secrets.token_hex(6)}:latest"
    yield made
    any_engine.remove(made)


def test_folders_are_built_and_what_is_lacking_is_said_once(classic, tmp_path, name):
    (tmp_path / "hello").write_text(secrets.token_hex(4))
    text = b"FROM busybox AS one\nCOPY . /all/\nRUN cat /all/hello; ls -A /all\nFROM busybox\nCOPY --from=one /all/hello /\n"
    events = []
    with nothing_left(), connect(classic.host) as near:
        result = build(near, BuildRequest(tags=(name,)), Folders(plan(str(tmp_path)), text), events.append)
    assert classic.image(name).id == result.image_id
    assert [each.message for each in result.warnings] == [
        f"{classic.name} has no BuildKit: stages are built one after the other, and all files are sent each time"
    ]
    assert (tmp_path / "hello").read_text() in "".join(event.line for event in events if isinstance(event, StepLog))
    assert result.executed[0].instruction == "COPY . /all/"
    again = build(classic, BuildRequest(tags=(name,)), Folders(plan(str(tmp_path)), text))
    assert [step.cached for step in again.steps if step.instruction.startswith("RUN")] == [True]


def test_limits_work(classic):
    events = []
    request = BuildRequest(resources=Resources(memory=64 << 20), shm_size=1 << 20, no_cache=True)
    result = build(classic, request, context("FROM busybox\nRUN df -k /dev/shm | tail -n 1\n"), events.append)
    assert len(result.warnings) == 1
    assert " 1024 " in next(event.line for event in events if isinstance(event, StepLog))


def test_a_command_that_fails_is_told_with_its_exit_code_and_last_lines(classic):
    with nothing_left(), connect(classic.host) as near, pytest.raises(SolveFailed) as failed:
        build(near, BuildRequest(), context("FROM busybox\nRUN echo one; exit 7\n"))
    assert str(failed.value) == "the step [2/2] RUN echo one; exit 7 failed with exit code 7"
    assert failed.value.logs == ("one",)


def test_what_cannot_be_built_is_one_sentence(classic):
    with pytest.raises(SolveFailed) as failed:
        build(classic, BuildRequest(), context("FROM localhost:1/nosuch/base\nRUN true\n"))
    assert "\n" not in str(failed.value)
    assert "localhost:1" in str(failed.value)


def test_what_needs_a_session_is_refused(classic):
    for request, flag in (
        (BuildRequest(secrets=(Secret("a", value=b"x"),)), "--secret"),
        (BuildRequest(contexts={"a": "docker-image://busybox"}), "--build-context"),
    ):
        with pytest.raises(Unsupported, match=flag):
            build(classic, request, context("FROM busybox\n") if flag == "--secret" else Folders(plan("."), b"FROM busybox\n"))


def test_an_interrupt_stops_the_build(classic):
    number = f"6{secrets.randbelow(10**6)}.5"

    def stop(event):
        if isinstance(event, StepLog):
            raise KeyboardInterrupt

    with nothing_left(), connect(classic.host) as near, pytest.raises(KeyboardInterrupt):
        build(near, BuildRequest(), context(f"FROM busybox\nRUN echo started; sleep {number}\n"), stop)
    assert gone(f"sleep\0{number}")
