"""Secrets on the engines, and a search for where they could have been left."""

from __future__ import annotations

import hashlib
import mmap
import os
import secrets
import socket
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, Secret, SolveFailed, StepLog, build
from dfkit.context import plan

pytestmark = pytest.mark.engine

DFKIT = [sys.executable, "-c", "import sys; from dfkit.cli import main; sys.exit(main())"]


def fresh():
    """Makes a step that no cache knows."""
    return f"ARG FRESH={secrets.token_hex(8)}\n"


def test_a_secret_is_there_byte_for_byte_and_only_in_the_step_that_asks(run):
    raw = bytes(range(256)) * 10
    text = (
        f"FROM busybox\n{fresh()}"
        "RUN --mount=type=secret,id=raw --mount=type=secret,id=named,target=/other,mode=0440,uid=7,gid=8"
        " sha256sum < /run/secrets/raw; stat -c '%a %u %g' /other\n"
        "RUN echo left: $(cat /run/secrets/* /other 2>/dev/null | wc -c)\n"
    )
    given = (Secret("raw", value=raw), Secret("named", value=b"x"))
    _, lines = run(text, secrets=given)
    assert f"{hashlib.sha256(raw).hexdigest()}  -" in lines
    assert "440 7 8" in lines
    assert "left: 0" in lines


def test_a_secret_that_is_not_given_is_left_out_or_fails_the_step(run):
    optional = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=nosuch ls /run/secrets 2>&1 | wc -l\n"
    assert run(optional)[0].image_id
    required = optional.replace("id=nosuch", "id=nosuch,required=true")
    for given in ((), (Secret("other", value=b"x"),)):
        with pytest.raises(SolveFailed, match="secret nosuch"):
            run(required, secrets=given)


def test_the_largest_secret_reaches_its_step(run):
    value = secrets.token_bytes(500 * 1024)
    _, lines = run(
        f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=large sha256sum < /run/secrets/large\n",
        secrets=(Secret("large", value=value),),
    )
    assert lines == [f"{hashlib.sha256(value).hexdigest()}  -"]


def test_a_secret_that_a_step_prints_is_not_shown(run):
    value = secrets.token_hex(16)
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a echo it is $(cat /run/secrets/a); "
    result, lines = run(text + "true\n", secrets=(Secret("a", value=f"{value}\n".encode()),))
    assert lines == ["it is ***"]
    assert value not in repr(result)
    with pytest.raises(SolveFailed) as failed:
        run(text + "exit 3\n", secrets=(Secret("a", value=value.encode()),))
    assert failed.value.logs == ("it is ***",)
    assert value not in repr(failed.value.steps) + repr(failed.value)


class Traces:
    """Where an engine keeps what it writes, and what it wrote since this was made. Its dockerd is the one that made the socket."""

    def __init__(self, engine):
        if not engine.host.startswith("unix://") or os.geteuid():
            pytest.skip("the engine's files cannot be read: it is not this machine's, or this user is not root")
        with socket.socket(socket.AF_UNIX) as near:
            near.connect(engine.host.removeprefix("unix://"))
            process, _, _ = struct.unpack("3i", near.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.root = f"/proc/{process}/root{engine.api.info()['DockerRootDir']}"
        self.logs = [f"/proc/{process}/fd/{number}" for number in (1, 2)]
        self.began = time.time() - 1

    def files(self):
        found = subprocess.run(
            ["find", f"{self.root}/.", "-newerct", f"@{self.began:.0f}", "-type", "f", "-print0"], capture_output=True
        ).stdout
        logs = [path for path in self.logs if stat.S_ISREG(os.stat(path).st_mode)]
        return [*map(os.fsdecode, found.split(b"\0")[:-1]), *logs]

    def having(self, value):
        """The files that have these bytes."""
        found = []
        for path in self.files():
            with (
                suppress(OSError, ValueError),  # it is gone, or empty
                open(path, "rb") as file,
                mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content,
            ):
                if content.find(value) >= 0:
                    found.append(path)
        return found


def processes():
    """The command lines of all processes, and the environments of all but this one and what it was started by."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append((str(path), path.read_bytes()))
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found.append((str(path), path.read_bytes()))
    return found


def test_the_search_finds_what_is_left_in_an_image(any_engine, run):
    traces = Traces(any_engine)
    value = secrets.token_hex(16).encode()
    run(f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cp /run/secrets/a /left\n", secrets=(Secret("a", value=value),))
    assert traces.having(value)


def test_a_secret_is_left_nowhere(any_engine, run, tmp_path, capfd):
    traces = Traces(any_engine)
    value = secrets.token_hex(16)
    (tmp_path / "secret").write_text(value)
    seen = []
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cat /run/secrets/a | sha256sum; sleep 1\n"
    folders = Folders(plan(str(run.folder)), text.encode())
    events = []

    def note(event):
        events.append(repr(event))
        if isinstance(event, StepLog):
            seen.extend(processes())

    request = BuildRequest(secrets=(Secret("a", file=str(tmp_path / "secret")),))
    result = build(any_engine, request, folders, note)
    try:
        assert f"{hashlib.sha256(value.encode()).hexdigest()}  -" in "".join(events)
        assert [path for path, content in seen if value.encode() in content] == []
        assert len(seen) > 10
        assert value not in "".join(events) + repr(request) + repr(result)
        image = b"".join(any_engine.save(result.image_id))
        assert len(image) > 1 << 20
        assert value.encode() not in image
        assert value not in str(any_engine.api.history(result.image_id)) + str(any_engine.api.inspect_image(result.image_id))
        assert traces.files()
        assert traces.having(value.encode()) == []
        out, err = capfd.readouterr()
        assert value not in out + err
    finally:
        any_engine.remove(result.image_id)


CRASH = """
import faulthandler, os, sys, threading, traceback
from dfkit.build import BuildRequest, Folders, Secret, StepLog, build, connect
from dfkit.context import plan
faulthandler.enable()
def show(kind, error, trace):
    print("".join(traceback.TracebackException(kind, error, trace, capture_locals=True).format()), file=sys.stderr)
sys.excepthook = show
threading.excepthook = lambda given: show(given.exc_type, given.exc_value, given.exc_traceback)
def crash(event):
    if isinstance(event, StepLog):
        {how}
with connect({host!r}) as engine:
    build(engine, BuildRequest(secrets=(Secret("a", variable="DFKIT_TEST_SECRET"),)), Folders(plan({folder!r}), {text!r}), crash)
"""


@pytest.mark.parametrize("how", ["1 / 0", "os.abort()"])
def test_a_crash_does_not_show_a_secret(any_engine, run, how):
    value = secrets.token_hex(16)
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cat /run/secrets/a; sleep 1\n".encode()
    script = CRASH.format(how=how, host=any_engine.host, folder=str(run.folder), text=text)
    done = subprocess.run(
        ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh", sys.executable, "-X", "dev", "-c", script],
        env={**os.environ, "DFKIT_TEST_SECRET": value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode
    assert ("ZeroDivisionError" if how == "1 / 0" else "Fatal Python error: Aborted") in done.stderr
    assert value not in done.stdout + done.stderr


def test_the_command_shows_no_secret_and_says_what_a_step_needs(any_engine, run):
    value = secrets.token_hex(16)
    (run.folder / "Dockerfile").write_text(
        f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=TOKEN,required=true cat /run/secrets/TOKEN; exit 4\n"
    )
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host, "--progress=plain"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=run.folder)
    assert done.returncode == 2
    assert "Dockerfile:3: the step needs the secret TOKEN, which is not given: add `--secret id=TOKEN,src=FILE`" in done.stderr
    assert "#1 " not in done.stderr

    report = run.folder.parent / "report.json"
    done = subprocess.run(
        [*command, "--secret", "id=TOKEN", "--report", report], env={**os.environ, "TOKEN": value}, capture_output=True, text=True
    )
    assert done.returncode == 4
    assert "***" in done.stderr
    assert value not in done.stdout + done.stderr


def test_a_secret_that_can_be_read_once_serves_all_builds_of_a_proof(engine, tmp_path):
    value = secrets.token_hex(8)
    (tmp_path / "Dockerfile").write_text(
        f'FROM busybox\nRUN --mount=type=secret,id=a,required=true test "$(cat /run/secrets/a)" = {value}\n'
    )
    ours, theirs = os.pipe()
    os.write(theirs, value.encode())
    os.close(theirs)
    command = [*DFKIT, "prove", str(tmp_path), "-H", engine.host, "--secret", f"id=a,src=/dev/fd/{ours}"]
    done = subprocess.run(command, pass_fds=[ours], capture_output=True, text=True)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert "verdict: equivalent" in done.stdout
