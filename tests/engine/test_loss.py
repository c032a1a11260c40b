"""Builds that are cancelled, and engines that are lost: one typed error, and nothing stays behind."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, SolveFailed, StepLog, build, connect
from dfkit.build import answer as answer_module
from dfkit.context import plan
from dfkit.errors import NoEngine
from tests.engine.test_build import context, gone

pytestmark = pytest.mark.engine


def open_files():
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found


@contextmanager
def nothing_left(seconds=6.0):
    """No thread, socket, pipe, child process or temporary file more than before, soon."""

    def state():
        return {
            "threads": {thread.name for thread in threading.enumerate()},
            "files": {name for name in open_files().values() if name.startswith(("socket:", "pipe:"))},
            "children": set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
            "temporary": set(os.listdir(folder)),
        }

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        before = state()
        yield
        until = time.monotonic() + seconds
        while any((left := {what: after - before[what] for what, after in state().items()}).values()):
            assert time.monotonic() < until, f"left behind: {left}"
            time.sleep(0.1)


def sleeper(number):
    return f"FROM busybox\nRUN echo started {number}; sleep {number}\nCOPY a /a\n"


def folders(tmp_path, text):
    tmp_path.joinpath("a").write_text("hello")
    return Folders(plan(str(tmp_path)), text.encode())


def as_context(kind, tmp_path, text):
    return folders(tmp_path, text) if kind == "folders" else context(text, {"a": "hello"})


@pytest.mark.parametrize("kind", ["folders", "tar"])
def test_a_build_that_is_interrupted_leaves_nothing(any_engine, tmp_path, kind):
    number = f"6{secrets.randbelow(10**6)}.5"
    name = f"dfkit-test/{secrets.token_hex(6)}:latest"

    def stop(event):
        if isinstance(event, StepLog):
            raise KeyboardInterrupt

    with nothing_left(), connect(any_engine.host) as near, pytest.raises(KeyboardInterrupt):
        build(near, BuildRequest(tags=(name,)), as_context(kind, tmp_path, sleeper(number)), stop)
    assert gone(f"sleep\0{number}")
    assert any_engine.image(name) is None


def test_a_build_that_fails_or_is_well_leaves_nothing(any_engine, tmp_path):
    unique = secrets.token_hex(4)
    with nothing_left(), connect(any_engine.host) as near:
        build(near, BuildRequest(), folders(tmp_path, f"FROM busybox\nCOPY a /a\nRUN echo {unique}\n"))
        with pytest.raises(SolveFailed):
            build(near, BuildRequest(), folders(tmp_path, f"FROM busybox\nCOPY a /a\nRUN echo {unique}; false\n"))


@pytest.mark.parametrize("kind", ["folders", "tar"])
def test_an_engine_that_is_killed_in_a_build_is_one_sentence(own_engine, tmp_path, kind):
    def kill(event):
        if isinstance(event, StepLog):
            own_engine.signal(signal.SIGKILL)

    (tmp_path / "context").mkdir()
    with nothing_left(), connect(own_engine.host) as near, pytest.raises((NoEngine, SolveFailed)) as lost:
        build(near, BuildRequest(), as_context(kind, tmp_path / "context", sleeper(60)), kill)
    assert isinstance(lost.value, NoEngine)
    assert str(lost.value).startswith(f"lost the Docker engine at {own_engine.host}, which was to build")


def test_an_engine_that_stands_still_is_given_up(own_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_module, "SILENCE_SECONDS", 1.5)
    monkeypatch.setattr(answer_module, "LOOK_SECONDS", 0.5)

    def stop(event):
        if isinstance(event, StepLog):
            own_engine.signal(signal.SIGSTOP)

    (tmp_path / "context").mkdir()
    with (
        nothing_left(),
        connect(own_engine.host) as near,
        pytest.raises(NoEngine, match=r"has not answered for 2 s in the build$"),
    ):
        build(near, BuildRequest(), folders(tmp_path / "context", sleeper(60)), stop)


def test_a_quiet_step_is_not_taken_for_a_lost_engine(any_engine, monkeypatch):
    monkeypatch.setattr(answer_module, "SILENCE_SECONDS", 8)
    monkeypatch.setattr(answer_module, "LOOK_SECONDS", 1)
    build(any_engine, BuildRequest(no_cache=True), context("FROM busybox\nRUN sleep 12\n"))


class Mute:
    """An engine that says its version and never another word."""

    def __init__(self, path, upgrades):
        self.upgrades = upgrades
        self.sockets = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.sockets.append(near)
                threading.Thread(target=self.answer, args=(near,), daemon=True).start()

    def answer(self, near):
        with suppress(OSError):
            while request := near.recv(65536):
                if b"/version" in request:
                    body = b'{"ApiVersion": "1.41", "Version": "20.10.0", "Os": "linux", "Arch": "amd64"}'
                    near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                elif self.upgrades and b"/session" in request:
                    near.sendall(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for one in self.sockets:
            one.close()


@pytest.mark.parametrize("upgrades", [False, True])
def test_an_engine_that_never_answers_a_build_is_given_up(tmp_path, monkeypatch, upgrades):
    monkeypatch.setattr(answer_module, "SILENCE_SECONDS", 1)
    monkeypatch.setattr(answer_module, "LOOK_SECONDS", 0.25)
    monkeypatch.setattr("dfkit.build.dockerpy.SILENCE_SECONDS", 1)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with nothing_left():
        mute = Mute(f"{tmp_path}/docker.sock", upgrades)
        try:
            with connect(f"unix://{tmp_path}/docker.sock") as near, pytest.raises(NoEngine, match="answer"):
                build(near, BuildRequest(), context("FROM busybox\n"))
        finally:
            mute.close()


COMMAND = [sys.executable, "-m", "dfkit", "build"]


@pytest.mark.parametrize("interrupts", [1, 2])
def test_the_command_ends_on_ctrl_c_with_130(any_engine, tmp_path, interrupts):
    number = f"6{secrets.randbelow(10**6)}.5"
    (tmp_path / "Dockerfile").write_text(sleeper(number))
    (tmp_path / "a").write_text("hello")
    command = [*COMMAND, "--progress", "plain", "--no-optimize", "-H", any_engine.host, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if f"started {number}" in line and "RUN" not in line:
                break
        for _ in range(interrupts):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, rest = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, "".join(said) + rest
    assert rest.endswith("dfkit: interrupted\n")
    assert "Traceback" not in rest
    assert gone(f"sleep\0{number}")
