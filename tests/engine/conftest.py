"""What the tests with a Docker engine share. `busybox` and `debian:12-slim` are on every engine that they get."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from dfkit.build import Engine, connect
from dfkit.errors import NoEngine

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
BASES = ("busybox:latest", "debian:12-slim")


def without_engine(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine that docker's settings name."""
    try:
        found = connect()
    except NoEngine as error:
        without_engine(str(error))
    with found:
        yield found


@pytest.fixture(scope="session")
def modern_engine(engine: Engine) -> Iterator[Engine]:
    """An engine of Docker 28 or newer: see scripts/modern-engine."""
    asked = subprocess.run([sys.executable, SCRIPTS / "modern-engine", "address"], capture_output=True, text=True)
    if asked.returncode:
        without_engine(asked.stderr.strip())
    with connect(asked.stdout.strip()) as found:
        for base in BASES:
            if found.image(base) is None:
                held = engine.image(base)
                assert held, f"the image {base} is missing: run `scripts/base-images`"
                list(found.api.load_image(engine.save(base)))
                found.tag(held.id, base)
        yield found


def script(name: str) -> ModuleType:
    """A script as a module."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = spec_from_loader(name, SourceFileLoader(name, str(SCRIPTS / name)))
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(SCRIPTS))


class OwnEngine:
    """A dockerd that a test may stop and kill, with all that it started."""

    def __init__(self, folder: Path) -> None:
        modern = script("modern-engine")
        if not modern.MADE.exists() or os.geteuid():
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
def own_engine(engine: Engine, tmp_path: Path) -> Iterator[OwnEngine]:
    """An engine for one test, which has `busybox`."""
    own = OwnEngine(tmp_path)
    try:
        own.wait()
        with connect(own.host) as found:
            list(found.api.load_image(engine.save("busybox")))
            held = engine.image("busybox")
            assert held is not None
            found.tag(held.id, "busybox")
        yield own
    finally:
        own.close()


@pytest.fixture(params=["default", "modern"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two engines in turn."""
    found: Engine = request.getfixturevalue("engine" if request.param == "default" else "modern_engine")
    return found
