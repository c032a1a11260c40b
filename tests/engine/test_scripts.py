"""The scripts of `make engine`, `make bases` and `make venv`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import docker
import pytest

from dfkit.build import Engine
from tests.engine.near import SCRIPTS, network_of
from tests.engine.near import script as load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    module = load("engine")
    monkeypatch.setattr(module, "STATE", tmp_path)
    monkeypatch.setattr(module, "DAEMON", module.Daemon(tmp_path / "dockerd.json", tmp_path / "dockerd.log"))
    monkeypatch.setattr(module, "PIDFILES", {str(tmp_path / "docker.pid"): "dockerd"})
    return module


def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / arguments[0]), *arguments[1:]]
    unset = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=unset | environment)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


def record(script_engine: ModuleType, pid: int, start_time: str) -> None:
    script_engine.DAEMON.note.write_text(json.dumps({"pid": pid, "start_time": start_time}))


def test_make_lists_every_command() -> None:
    shown = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for name in ("demo", "test", "check", "prove", "bench", "engine", "modern-engine", "docs", "clean-bases", "help"):
        assert f"make {name} " in shown


def test_an_engine_that_is_named_and_dead_is_left_to_its_owner(tmp_path: Path) -> None:
    done = script("engine", "ensure", DOCKER_HOST=f"unix://{tmp_path}/none.sock", CI="true")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock" in done.stderr


def test_base_images_without_an_engine_says_what_to_do(tmp_path: Path) -> None:
    done = script("base-images", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock" in done.stderr


@pytest.mark.parametrize("name", ["engine", "base-images", "modern-engine", "test-programs"])
def test_wrong_use_ends_with_2(name: str) -> None:
    assert script(name, "nonsense").returncode == 2


def test_stop_ends_the_process_that_was_recorded(script_engine: ModuleType) -> None:
    process = sleeper()
    import _daemon

    record(script_engine, process.pid, _daemon.start_time(process.pid))
    script_engine.stop()
    assert process.wait(5) == -15
    assert not script_engine.DAEMON.note.exists()


def test_stop_spares_a_process_that_only_has_the_same_id(script_engine: ModuleType) -> None:
    process = sleeper()
    record(script_engine, process.pid, "1")
    script_engine.stop()
    assert process.poll() is None
    assert not script_engine.DAEMON.note.exists()
    process.kill()
    process.wait()


def test_a_pid_file_that_names_another_program_is_removed(script_engine: ModuleType, tmp_path: Path) -> None:
    pidfile = tmp_path / "docker.pid"
    pidfile.write_text(str(os.getpid()))
    script_engine.drop_stale_pidfiles()
    assert not pidfile.exists()


def test_a_dockerd_that_dies_shows_the_end_of_its_log(
    script_engine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho no such storage driver\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(script_engine, "ADMIN_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(SystemExit) as ended:
        script_engine.start_dockerd()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "dockerd ended with 7" in said
    assert "    no such storage driver" in said
    assert not script_engine.DAEMON.note.exists()


def test_only_certificates_beyond_the_packaged_ones_are_this_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    bases = load("base-images")
    packaged = next(Path("/usr/share/ca-certificates").rglob("*.crt"), None)
    own = "-----BEGIN CERTIFICATE-----\nbm90IHBhY2thZ2Vk\n-----END CERTIFICATE-----"
    bundle = f"{packaged.read_text() if packaged else ''}\n{own}\n"
    assert list(bases.own_certificates(bundle).values()) == [own]


@pytest.mark.engine
def test_status_names_the_engine_that_answers() -> None:
    done = script("engine", "status")
    assert done.returncode == 0
    assert done.stdout.startswith("engine: ")


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with contextlib.closing(docker.from_env()) as connected:
        yield connected


@pytest.mark.engine
def test_base_images_never_replaces_an_image(client: docker.DockerClient) -> None:
    def ids() -> dict[str, str | None]:
        return {tag: image.id for image in client.images.list() for tag in image.tags if tag.split(":")[0] in names}

    names = ("debian", "python", "node", "ruby", "busybox")
    before = ids()
    done = script("base-images")
    assert done.returncode == 0, done.stderr
    after = ids()
    assert {tag: after.get(tag) for tag in before} == before


@pytest.mark.engine
@pytest.mark.parametrize(
    ("image", "command"),
    [
        ("debian:12", "apt-get check"),
        ("python:3.12-slim", "python -c 'import pip, sqlite3, ssl; print(ssl.OPENSSL_VERSION)'"),
        ("python:3.12-slim", "pip --version"),
        ("node:20", "npm --version"),
        ("ruby:3.1", "bundle --version"),
        ("busybox", "sh -c 'echo yes | grep yes'"),
    ],
)
def test_a_base_runs_what_it_is_for(client: docker.DockerClient, image: str, command: str) -> None:
    assert client.containers.run(image, command, remove=True, network_mode="none")


@pytest.mark.engine
def test_the_modern_engine_has_a_network_of_its_own_with_nothing_in_it(modern_engine: Engine) -> None:
    if ".cache/modern-engine" not in modern_engine.host:
        pytest.skip("the recent engine is not one that this checkout started")
    network = network_of(modern_engine)
    assert os.readlink(network) != os.readlink("/proc/self/ns/net")
    routes = Path(network).parents[1] / "net" / "route"
    destinations = [line.split()[1] for line in routes.read_text().splitlines()[1:]]
    assert "00000000" not in destinations  # no way out


@pytest.mark.engine
def test_the_modern_engines_address_is_one_word_that_answers(modern_engine: Engine) -> None:
    done = script("modern-engine", "address")
    assert done.stdout == f"{modern_engine.host}\n"
    assert f"{modern_engine.name} at {modern_engine.host}" in script("modern-engine", "status").stdout


def test_a_named_modern_engine_that_does_not_answer_is_not_replaced(tmp_path: Path) -> None:
    done = script("modern-engine", "start", DFKIT_MODERN_ENGINE=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 3
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock" in done.stderr
