"""What the tests with a Docker engine share. `busybox` and `debian:12-slim` are on every engine that they get."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dfkit.build import BuildRequest, BuildResult, Engine, Event, Folders, StepLog, build, connect
from dfkit.context import plan
from dfkit.errors import NoEngine
from tests.engine.near import SCRIPTS, listener, script, without_engine

BASES = ("busybox:latest", "debian:12-slim")


@pytest.fixture(scope="session")
def default_engine() -> Iterator[Engine]:
    """The engine that docker's settings name."""
    try:
        found = connect()
    except NoEngine as error:
        without_engine(str(error))
    with found:
        for base in BASES:
            if found.image(base) is None:
                found.api.pull(base)  # where a registry answers scripts/base-images leaves it to the engine
        yield found


@pytest.fixture(scope="session")
def engine(default_engine: Engine) -> Engine:
    """The default engine, where a module does not say otherwise."""
    return default_engine


@pytest.fixture(scope="session")
def modern_engine(default_engine: Engine) -> Iterator[Engine]:
    """An engine of Docker 28 or newer: see scripts/modern-engine."""
    asked = subprocess.run([sys.executable, SCRIPTS / "modern-engine", "address"], capture_output=True, text=True)
    if asked.returncode:
        without_engine(asked.stderr.strip())
    with connect(asked.stdout.strip()) as found:
        for base in BASES:
            if found.image(base) is None:
                give(default_engine, found, base)
        yield found


def give(source: Engine, target: Engine, image: str) -> None:
    """Bring an image from one engine to another."""
    held = source.image(image)
    assert held is not None
    list(target.api.load_image(source.save(image)))
    target.tag(held.id, image)


class OwnEngine:
    """A dockerd that a test may stop and kill, with all that it started."""

    def __init__(self, folder: Path) -> None:
        modern = script("modern-engine")
        if not modern.is_made() or os.geteuid():
            without_engine("there is no folder with an engine to start: run `scripts/modern-engine start` as root")
        self.run, self.data = folder / "run", folder / "data"
        self.run.mkdir()
        self.data.mkdir()
        namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        start = ["sh", "-c", modern.START, "sh", modern.DEBIAN, self.run, self.data]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(["unshare", *namespaces, *start], stdout=log, stderr=log, start_new_session=True)
        self.host = f"unix://{self.run}/docker.sock"

    def wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(f"{self.run}/docker.sock") == 0:
                    return
            time.sleep(0.2)
        raise AssertionError("the engine does not start")

    def signal(self, number: int) -> None:
        """To dockerd itself, the first process in its namespace."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), number)

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def own_engine(default_engine: Engine, tmp_path: Path) -> Iterator[OwnEngine]:
    """An engine for one test, which has `busybox`."""
    own = OwnEngine(tmp_path)
    try:
        own.wait()
        with connect(own.host) as found:
            give(default_engine, found, "busybox:latest")
        yield own
    finally:
        own.close()


@pytest.fixture(params=["default", "modern"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two engines in turn."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


class Run:
    """Builds texts with the files of `folder`."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.images: list[str] = []

    def __call__(self, text: str, **fields: Any) -> tuple[BuildResult, list[str]]:
        """What a build with these fields of its request comes to, and the lines that its steps print."""
        lines: list[str] = []

        def note(event: Event) -> None:
            if isinstance(event, StepLog):
                lines.append(event.line)

        folders = Folders(plan(str(self.folder)), text.encode())
        result = build(self.engine, BuildRequest(**fields), folders, note)
        self.images.append(result.image_id)
        return result, lines


@pytest.fixture
def run(any_engine: Engine, tmp_path: Path) -> Iterator[Run]:
    """Builds of one test, whose images do not outlive it."""
    made = Run(any_engine, tmp_path / "context")
    made.folder.mkdir()
    yield made
    for image in dict.fromkeys(filter(None, made.images)):
        any_engine.remove(image)


@pytest.fixture
def serve(any_engine: Engine) -> Iterator[Callable[[type[BaseHTTPRequestHandler]], str]]:
    """Runs a handler class on the engine's loopback and gives the address."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener(any_engine)
        server.server_address = server.socket.getsockname()
        server.server_port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
