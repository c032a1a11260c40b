"""What stands near an engine: the scripts that make one, and servers on its loopback, be that in another network than the tests'."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import threading
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dfkit.build import Engine

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CLONE_NEWNET = 0x40000000


def without_engine(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


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


def client(engine: Engine) -> list[str]:
    """The command of Docker's own client that builds on an engine."""
    found: list[str] = script("parity.py").client(engine)
    if not found:
        without_engine(f"there is no client of Docker's for {engine.name}: scripts/modern-engine brings docker-buildx")
    return found


def process_of(engine: Engine) -> int:
    """The process at the other end of the engine's socket."""
    if not engine.host.startswith("unix://"):
        pytest.skip("the engine is not on this machine")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(engine.host.removeprefix("unix://"))
        pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def network_of(engine: Engine) -> str:
    return f"/proc/{process_of(engine)}/ns/net"


def prefix(engine: Engine) -> list[str]:
    """What to put before a command to have it run in the engine's network."""
    network = network_of(engine)
    return [] if os.readlink(network) == os.readlink("/proc/self/ns/net") else ["nsenter", f"--net={network}"]


def listener(engine: Engine) -> socket.socket:
    """A listening socket on the engine's loopback. A thread may go to another network, and sockets stay where they were made."""
    network = network_of(engine)
    if os.readlink(network) == os.readlink("/proc/self/ns/net"):
        return socket.create_server(("127.0.0.1", 0))
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            with open(network, "rb") as there:
                if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server(("127.0.0.1", 0)))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def program(name: str) -> str:
    """A server of scripts/test-programs."""
    found: str | None = script("test-programs").find(name)
    if found is None:
        without_engine(f"{name} is missing: run `scripts/test-programs`")
    assert found is not None
    return found
