"""Builds on the engine that answers. `busybox` is a base that scripts/base-images makes where no registry gives it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from dfkit.build import (
    BuildRequest,
    BuildWarning,
    Engine,
    ImageBuilt,
    SolveFailed,
    StepDone,
    StepFailed,
    StepLog,
    StepStarted,
    build,
    connect,
)
from dfkit.build.report import OPTIMIZED, BuildReport
from dfkit.errors import BuildFailed, NoEngine
from tests.engine.near import process_of

pytestmark = pytest.mark.engine


def context(dockerfile, files=()):
    """A build context as a tar, in small pieces."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in {"Dockerfile": dockerfile, **dict(files)}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    data = raw.getvalue()
    return [data[at : at + 1000] for at in range(0, len(data), 1000)]


@pytest.fixture
def engine(any_engine):
    return any_engine


@pytest.fixture
def name(engine):
    """The name of an image that does not outlive the test."""
    made = f"dfkit-test/{secrets.token_hex(6)}:latest"
    yield made
    engine.remove(made)


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("dfkit-")}


def test_a_build_from_nothing_gives_the_image_that_it_names(engine, name):
    events = []
    dockerfile = "FROM scratch\nCOPY hello /hello\nLABEL a=b\nONBUILD RUN true\n"
    result = build(engine, BuildRequest(tags=(name,), labels={"c": "d"}), context(dockerfile, {"hello": "hi"}), events.append)
    image = engine.image(name)
    assert image.id == result.image_id
    assert ImageBuilt(result.image_id) in events
    assert image.config["Labels"] == {"a": "b", "c": "d"}
    assert image.triggers == ("RUN true",)
    assert image.size == 2
    assert len(image.layers) == 1
    assert name in image.tags
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.save(name)))) as saved:
        assert "manifest.json" in saved.getnames()
    assert threads() == set()


def test_lines_of_both_streams_and_the_times_of_steps_are_told(engine, name):
    events = []
    unique = secrets.token_hex(4)
    dockerfile = f"FROM busybox\nRUN echo {unique}; echo two >&2; sleep 0.5; printf three\n"
    result = build(engine, BuildRequest(tags=(name,)), context(dockerfile), events.append)
    lines = {(event.line, event.stderr) for event in events if isinstance(event, StepLog)}
    assert lines == {(unique, False), ("two", True), ("three", False)}
    (step,) = result.executed
    assert step.instruction.startswith("RUN echo")
    assert sorted(step.logs) == sorted([unique, "two", "three"])
    assert 0.5 <= step.seconds <= result.seconds
    started = next(at for at, event in enumerate(events) if isinstance(event, StepStarted) and event.digest == step.digest)
    done = next(at for at, event in enumerate(events) if isinstance(event, StepDone) and event.digest == step.digest)
    assert started < done


def test_a_second_build_takes_all_from_the_cache_and_no_cache_nothing(engine, name):
    dockerfile = f"FROM busybox\nRUN echo {secrets.token_hex(4)} > /a\nCOPY hello /\n"
    files = {"hello": "hi"}
    first = build(engine, BuildRequest(tags=(name,)), context(dockerfile, files))
    second = build(engine, BuildRequest(tags=(name,)), context(dockerfile, files))
    third = build(engine, BuildRequest(tags=(name,), no_cache=True), context(dockerfile, files))
    assert [len(result.executed) for result in (first, second, third)] == [2, 0, 2]
    assert second.image_id == first.image_id


def test_arguments_target_and_network_reach_the_build(engine, name):
    dockerfile = (
        "FROM busybox AS first\nARG V=default\nARG W=default\n"
        "RUN echo $V-$W-$(hostname)\nRUN ls /sys/class/net\nFROM first AS second\nRUN false\n"
    )
    events = []
    request = BuildRequest(tags=(name,), build_args={"V": "given", "W": None}, target="first", network="none", no_cache=True)
    build(engine, request, context(dockerfile), events.append)
    lines = [event.line for event in events if isinstance(event, StepLog)]
    assert any(line.startswith("given-default-") for line in lines)
    assert "eth0" not in lines

    devices = Path(f"/proc/{process_of(engine)}/net/dev").read_text().splitlines()[2:]
    inside, outside = [], {line.partition(":")[0].strip() for line in devices}
    build(engine, BuildRequest(tags=(name,), target="first", network="host", no_cache=True), context(dockerfile), inside.append)
    assert outside - {"lo"} <= {event.line for event in inside if isinstance(event, StepLog)}


def test_all_tags_are_given(engine, name):
    other = name.replace(":latest", ":other")
    result = build(engine, BuildRequest(tags=(name, other)), context("FROM scratch\nCOPY hello /\n", {"hello": name}))
    assert engine.image(name).id == engine.image(other).id == result.image_id
    engine.remove(other)
    assert engine.image(other) is None
    engine.tag(name, other)
    assert engine.image(other).id == result.image_id
    engine.remove(other)


def test_a_gzip_context_and_another_dockerfile_are_taken(engine, name):
    tar = b"".join(context("not this one", {".dfkit-1.Dockerfile": "FROM scratch\nCOPY hello /\n", "hello": "hi"}))
    result = build(engine, BuildRequest(dockerfile=".dfkit-1.Dockerfile", tags=(name,)), [gzip.compress(tar)])
    assert engine.image(name).id == result.image_id


@pytest.mark.parametrize("has_buildkit", [True, False])
def test_an_address_is_fetched_by_the_engine(engine, name, serve, monkeypatch, has_buildkit):
    archive = b"".join(context("FROM scratch\nCOPY hello /\n", {"hello": "hi"}))

    class Archive(BaseHTTPRequestHandler):
        def log_message(self, *_args):
            pass

        def do_GET(self):
            self.send_response(200 if self.path == "/context.tar" else 404)
            self.send_header("Content-Type", "application/x-tar")
            self.send_header("Content-Length", str(len(archive)))
            self.end_headers()
            self.wfile.write(archive)

    monkeypatch.setattr(Engine, "has_buildkit", has_buildkit)
    address = serve(Archive)
    result = build(engine, BuildRequest(tags=(name,)), f"http://{address}/context.tar")
    assert engine.image(name).id == result.image_id
    with pytest.raises((SolveFailed, BuildFailed)) as failed:
        build(engine, BuildRequest(), f"http://{address}/missing.tar")
    assert "404" in str(failed.value) or "missing.tar" in str(failed.value)


def test_a_command_that_fails_is_told_with_its_step_exit_code_and_last_lines(engine, name):
    events = []
    dockerfile = "FROM busybox\nRUN for i in $(seq 30); do echo line $i; done; exit 7\n"
    with pytest.raises(SolveFailed) as failed:
        build(engine, BuildRequest(tags=(name,)), context(dockerfile), events.append)
    error = failed.value
    assert str(error).endswith("failed with exit code 7")
    assert error.step.instruction.startswith("RUN for i")
    assert error.step.exit_code == 7
    assert error.logs == tuple(f"line {number}" for number in range(21, 31))
    assert [event.exit_code for event in events if isinstance(event, StepFailed)] == [7]
    assert engine.image(name) is None
    assert threads() == set()


def test_a_step_beside_the_one_that_failed_is_only_cancelled(engine):
    dockerfile = (
        f"FROM busybox AS slow\nRUN echo {secrets.token_hex(4)}; sleep 60\nFROM busybox AS bad\nRUN sleep 1; exit 3\n"
        "FROM busybox\nCOPY --from=slow /bin/sh /a\nCOPY --from=bad /bin/sh /b\n"
    )
    with pytest.raises(SolveFailed) as failed:
        build(engine, BuildRequest(), context(dockerfile))
    assert failed.value.step.exit_code == 3
    assert [step.canceled for step in failed.value.steps if step.error and "sleep 60" in step.name] in ([True], [])


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM scratch\nECHO hi\n", "unknown instruction: ECHO"),
        ("FROM scratch\nCOPY missing /\n", "/missing"),
        ("FROM localhost:1/nosuch/base\nRUN true\n", "localhost:1/nosuch/base"),
        ("", "cannot be empty"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_sentence(engine, dockerfile, words):
    with pytest.raises(SolveFailed) as failed:
        build(engine, BuildRequest(), context(dockerfile))
    assert words in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "LLB" not in str(failed.value)


def test_a_request_that_the_engine_does_not_take_is_told_in_its_words(engine):
    with pytest.raises(BuildFailed, match="the engine does not take the build: network mode"):
        build(engine, BuildRequest(network="nosuch"), context("FROM scratch\n"))
    assert threads() == set()


def test_a_flag_that_an_old_engine_ignores_is_a_warning_by_name(engine, name):
    result = build(engine, BuildRequest(tags=(name,), shm_size=1 << 20), context("FROM scratch\nCOPY hello /\n", {"hello": "x"}))
    named = BuildWarning(f"{engine.name} ignores --shm-size")
    assert (named in result.warnings) == (engine.api_version < (1, 42))


def test_an_error_while_the_context_is_read_is_raised_as_it_is(engine):
    def broken():
        yield from context("FROM scratch\nCOPY hello /\n", {"hello": "x" * 5000})[:3]
        raise PermissionError("cannot read hello")

    with pytest.raises(PermissionError, match="cannot read hello"):
        build(engine, BuildRequest(), broken())
    assert threads() == set()


def test_an_error_of_the_caller_ends_the_build(engine):
    def stop(event):
        if isinstance(event, StepLog):
            raise ZeroDivisionError

    number = f"{secrets.randbelow(10**6)}.5"
    with pytest.raises(ZeroDivisionError):
        build(engine, BuildRequest(), context(f"FROM busybox\nRUN echo started; sleep 7{number}\n"), stop)
    assert threads() == set()
    assert gone(f"sleep\0007{number}")


def gone(command, seconds=10):
    """Whether no process has this command line, soon; vacuous where the engine's processes cannot be seen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                lines.append(path.read_bytes())
        if not any(command.encode() in line for line in lines):
            return True
        time.sleep(0.1)
    return False


SLEEPER = """
import signal, sys, threading
from dfkit.build import BuildRequest, StepLog, build, connect
sys.path[:0] = [{folder!r}]
from tests.engine.test_build import context
tell = lambda event: isinstance(event, StepLog) and print("started", flush=True)
with connect({host!r}) as engine:
    try:
        build(engine, BuildRequest(tags=({name!r},)), context({dockerfile!r}), tell)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("interrupted", [thread.name for thread in threading.enumerate()], flush=True)
        sys.exit(130)
"""


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_stops_the_build_and_leaves_nothing(engine, name, interrupts):
    number = f"6{secrets.randbelow(10**6)}.5"
    script = SLEEPER.format(
        folder=str(Path(__file__).parents[2]),
        host=engine.host,
        name=name,
        dockerfile=f"FROM busybox\nRUN echo started; sleep {number}\n",
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "started\n"
        began = time.monotonic()
        for _ in range(interrupts):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert output == "interrupted ['MainThread']\n"
    assert process.returncode == 130
    assert time.monotonic() - began < 8
    assert gone(f"sleep\0{number}")
    assert engine.image(name) is None


class Forwarder:
    """A unix socket in front of the engine's, whose connections can be cut."""

    def __init__(self, path, engine):
        self.path = path
        self.engine = engine.removeprefix("unix://")
        self.sockets = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.engine)
                self.sockets += [near, far]
                threading.Thread(target=self.pump, args=(near, far), daemon=True).start()
                threading.Thread(target=self.pump, args=(far, near), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for one in self.sockets:
            one.close()


def test_an_engine_that_is_lost_during_a_build_is_one_sentence(engine, tmp_path):
    if not engine.host.startswith("unix://"):
        pytest.skip("the engine is not behind a unix socket")
    forwarder = Forwarder(f"{tmp_path}/docker.sock", engine.host)
    try:
        with connect(f"unix://{forwarder.path}") as near, pytest.raises((NoEngine, SolveFailed)) as lost:
            build(
                near,
                BuildRequest(),
                context(f"FROM busybox\nRUN echo {secrets.token_hex(4)}; sleep 30\n"),
                lambda event: isinstance(event, StepLog) and forwarder.cut(),
            )
    finally:
        forwarder.close()
    assert isinstance(lost.value, NoEngine)
    assert str(lost.value).startswith(f"lost the Docker engine at unix://{forwarder.path}")
    assert threads() == set()


class Registry(BaseHTTPRequestHandler):
    """A registry with one image, that wants a token, as Docker Hub does; and the service that gives tokens."""

    default_request_version = "HTTP/1.0"  # an engine that tries TLS first must see that this is HTTP
    password: str | None = None
    layer = gzip.compress(b"".join(context("inside")), mtime=0)

    def log_message(self, *_args):
        pass

    def blobs(self):
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(self.layer))]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json",
                    "size": len(config),
                    "digest": digest(config),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "size": len(self.layer),
                        "digest": digest(self.layer),
                    }
                ],
            }
        ).encode()
        return {digest(config): config, digest(self.layer): self.layer, digest(manifest): manifest, "latest": manifest}

    def do_GET(self):
        here = f"http://127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/token"):
            wanted = self.password and "Basic " + base64.b64encode(self.password.encode()).decode()
            if self.headers["Authorization"] != wanted:
                return self.answer(401, b"{}")
            return self.answer(200, json.dumps({"token": "letmein", "access_token": "letmein", "expires_in": 60}).encode())
        if self.headers["Authorization"] != "Bearer letmein":
            return self.answer(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{here}/token",service="test"'})
        blob = self.blobs().get(self.path.rpartition("/")[2])
        if blob is None:
            return self.answer(404 if self.path != "/v2/" else 200, b"{}")
        kind = "application/octet-stream" if "/blobs/" in self.path else "application/vnd.docker.distribution.manifest.v2+json"
        return self.answer(200, blob, {"Content-Type": kind, "Docker-Content-Digest": digest(blob)})

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):  # BuildKit tries OAuth first; a 404 sends it to GET
        self.answer(404, b"{}")

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **dict(headers)}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(params=[None, "ann:pass"], ids=["anonymous", "private"])
def registry(serve, request):
    return serve(type("Handler", (Registry,), {"password": request.param})), request.param


def test_a_base_is_pulled_with_a_token_that_the_session_helps_to_get(engine, name, registry, tmp_path, monkeypatch):
    address, password = registry
    dockerfile = f"FROM {address}/private/base\nCOPY hello /\n"
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if password:
        with pytest.raises(SolveFailed, match=r"401|authorization|denied"):
            build(engine, BuildRequest(), context(dockerfile, {"hello": "hi"}))
        auth = base64.b64encode(password.encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))
    build(engine, BuildRequest(tags=(name,)), context(dockerfile, {"hello": "hi"}))
    assert len(engine.image(name).layers) == 2


def test_the_proxy_of_dockers_configuration_becomes_build_arguments(engine, name, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": "http://proxy.example:3128"}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    events = []
    build(engine, BuildRequest(tags=(name,), no_cache=True), context("FROM busybox\nRUN echo proxy=$http_proxy\n"), events.append)
    assert "proxy=http://proxy.example:3128" in [event.line for event in events if isinstance(event, StepLog)]


def test_the_report_of_a_build_is_json(engine, name):
    result = build(engine, BuildRequest(tags=(name,)), context(f"FROM busybox\nRUN echo {secrets.token_hex(4)}\n"))
    report = BuildReport("Dockerfile", engine.name, OPTIMIZED, (name,), result).to_dict()
    assert json.loads(json.dumps(report)) == report
    assert report["image"] == result.image_id
    assert report["executed"] == 1
    assert [step["cached"] for step in report["steps"] if (step["instruction"] or "").startswith("RUN")] == [False]


def test_the_engine_says_what_it_is(engine):
    about = engine.api.version()
    assert engine.version == about["Version"]
    assert engine.platform == f"{about['Os']}/{about['Arch']}"
    assert engine.has_buildkit
    assert os.fspath(engine.host).partition("://")[0] in {"unix", "tcp", "ssh", "npipe", "http", "https"}
    assert engine.image("nosuch/image:at-all") is None
