"""The tables of what engines can do, held against those that answer."""

from __future__ import annotations

import pytest

from dfkit._record import replace
from dfkit.build import BuildRequest, Folders, Resources, SolveFailed, StepLog, Unsupported, build
from dfkit.build.capabilities import OPTIONS, check_features, check_request
from dfkit.cli import main
from dfkit.context import plan
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Source
from tests.engine.test_build import context

pytestmark = pytest.mark.engine

LIMITS = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"
CPUS = "grep Cpus_allowed_list /proc/self/status"
TRIES = {
    "--shm-size": (BuildRequest(shm_size=1 << 20), "df -k /dev/shm | tail -n 1 | awk '{ print $2 }'"),
    "--ulimit": (BuildRequest(ulimits={"nofile": (99, 99)}), "ulimit -n"),
    "--memory": (BuildRequest(resources=Resources(memory=100 << 20)), LIMITS),
    "--cpuset-cpus": (BuildRequest(resources=Resources(cpuset_cpus="0")), CPUS),
    "--cgroup-parent": (BuildRequest(resources=Resources(cgroup_parent="/dfkit")), "sed 's,/[^/]*$,,' /proc/self/cgroup"),
}


def printed(engine, request, command):
    """What a command prints in a build."""
    events = []
    result = build(engine, replace(request, no_cache=True), context(f"FROM busybox\nRUN {command}\n"), events.append)
    return [event.line for event in events if isinstance(event, StepLog)], [each.message for each in result.warnings]


@pytest.mark.parametrize("flag", TRIES)
def test_an_option_works_or_is_named_as_ignored(any_engine, flag):
    request, command = TRIES[flag]
    without, _ = printed(any_engine, BuildRequest(), command)
    used, warnings = printed(any_engine, request, command)
    assert without
    if used == without:
        assert f"{any_engine.name} ignores {flag}" in warnings
    else:
        assert warnings == []


def test_the_table_agrees_with_the_flags_that_were_tried():
    assert set(TRIES) <= {option.flag for option in OPTIONS}


def test_a_request_without_options_has_nothing_to_say(any_engine):
    assert check_request(BuildRequest(), any_engine) == ()


def test_what_the_control_api_cannot_say_is_refused_or_named(modern_engine, tmp_path):
    folders = Folders(plan(str(tmp_path)), b"FROM base\nRUN true\n")
    named = {"base": "docker-image://busybox"}
    for request, flag in (
        (BuildRequest(contexts=named, squash=True), "--squash"),
        (BuildRequest(contexts=named, isolation="x"), "--isolation"),
    ):
        with pytest.raises(Unsupported, match=f"^{flag} cannot go together"):
            build(modern_engine, request, folders)
    result = build(modern_engine, BuildRequest(contexts=named, resources=Resources(memory=1 << 30)), folders)
    assert f"{modern_engine.name} ignores --memory" in [each.message for each in result.warnings]


OLD = "FROM busybox\nRUN <<END\ntrue\nEND\n"


def asked(engine, text, **options):
    model = Model(parse(Source(text, "Dockerfile")))
    check_features(model, model.final, engine, **options)


def test_what_the_frontend_cannot_read_is_told_with_its_line_and_what_to_do(engine):
    if engine.api_version > (1, 41):
        pytest.skip("this engine reads heredocs")
    with pytest.raises(Unsupported) as refused:
        asked(engine, OLD)
    assert str(refused.value) == (
        f"Dockerfile:2: {engine.name} does not know a heredoc (line 2): "
        "write `# syntax=docker/dockerfile:1` as the file's first line, or use Docker 23.0 or newer"
    )
    asked(engine, "# syntax=docker/dockerfile:1\n" + OLD)
    asked(engine, OLD, frontend="docker/dockerfile:1")
    with pytest.raises(SolveFailed, match="unknown instruction"):
        build(engine, BuildRequest(), context(OLD))


def test_a_frontend_that_the_file_pins_too_old_is_told(modern_engine):
    asked(modern_engine, OLD)
    with pytest.raises(Unsupported, match=r"name `docker/dockerfile:1.4` or a newer one in `# syntax=`$"):
        asked(modern_engine, "# syntax=docker/dockerfile:1.2\n" + OLD)
    with pytest.raises(Unsupported, match=r"^Dockerfile:2: Docker \S+ does not know RUN --device \(line 2\): write `# syntax="):
        asked(modern_engine, "FROM busybox\nRUN --device=a/b=c true\n")


def test_the_command_refuses_before_it_sends_anything(engine, tmp_path, capsys):
    if engine.api_version > (1, 41):
        pytest.skip("this engine reads heredocs")
    (tmp_path / "Dockerfile").write_text(OLD)
    assert main(["build", str(tmp_path)]) == 4
    said = capsys.readouterr().err
    assert "dfkit: " in said
    assert "does not know a heredoc (line 2)" in said
    assert "Sending" not in said
