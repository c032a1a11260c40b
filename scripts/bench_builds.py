"""Builds of many files and of a large one: time beside Docker's own clients and docker-py, and memory.

Runs on the engines that `parity` finds. BUILD_PAIRS (default 5) is how many pairs are timed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _environment import users_environment
from parity import DFKIT, clients

from dfkit.output.size import human

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dfkit.build import Engine

    Pairs = list[tuple[float, float]]

PAIRS = int(os.environ.get("BUILD_PAIRS", "5"))
COUNT, SIZE, FOLDERS = 20_000, 4096, 200
LARGE = 2 << 30
DOCKERFILE = b"FROM scratch\nCOPY . /\n"
DOCKER_PY = """
import sys, docker
docker.from_env(timeout=600).images.build(path=sys.argv[1], nocache=True, rm=True)[0].remove(force=True)
"""


class Context:
    """A context of many files, in a folder that can be given another name: each engine keeps what it was sent by the name."""

    def __init__(self, folder: str) -> None:
        self._number = 0
        self._place = folder
        self.path = Path(folder, "0")
        for number in range(COUNT):
            path = self.path / str(number % FOLDERS) / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SIZE))
        (self.path / "Dockerfile").write_bytes(DOCKERFILE)

    def renamed(self) -> Path:
        """The same files, which no engine has seen here."""
        self._number += 1
        self.path = self.path.rename(Path(self._place, str(self._number)))
        return self.path

    def changed(self) -> Path:
        """The same folder with one file changed."""
        (self.path / "7" / "7.txt").write_bytes(os.urandom(SIZE))
        return self.path


def builds(progress: Callable[[str], None]) -> tuple[list[tuple[str, Pairs]], list[str], list[str]]:
    """Rows of paired seconds, what was measured, and lines about memory."""
    rows: list[tuple[str, Pairs]] = []
    notes = [
        f"{COUNT:,} files of 4 KiB ({human(COUNT * SIZE)}), `FROM scratch` and `COPY . /`, whole processes, {PAIRS} pairs in turn;",
        "cold: a folder that the engine has not seen, `--no-cache`; warm: one file changed since the build before.",
    ]
    peaks: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory(prefix="dfkit-bench-") as folder:
        context = Context(folder)
        large = Path(folder, "large")
        large.mkdir()
        (large / "Dockerfile").write_bytes(DOCKERFILE)
        for name, (engine, docker) in clients().items():
            dfkit = [str(DFKIT), "build", "--no-optimize", "--quiet"]
            beside = f"{name}: `dfkit build` beside `{Path(docker[0]).name} build`"
            docker.append("--quiet")
            with engine:
                progress(f"{name}, {COUNT} files, cold")
                cold = timed(engine, [[*dfkit, "--no-cache"], [*docker, "--no-cache"]], context.renamed, PAIRS, peaks)
                rows.append((f"{beside}, cold", cold))
                progress(f"{name}, {COUNT} files, warm")
                for command in (dfkit, docker):
                    build(engine, command, context.changed())
                rows.append((f"{beside}, warm", timed(engine, [dfkit, docker], context.changed, PAIRS, peaks)))
                progress(f"{name}, {COUNT} files, docker-py")
                other = [sys.executable, "-c", DOCKER_PY]
                pairs = timed(engine, [[*dfkit, "--no-cache"], other], context.renamed, PAIRS, peaks)
                rows.append((f"{name}: `dfkit build` beside docker-py's `images.build`, cold", pairs))
                what = f"one file of {human(LARGE)}"
                if what not in peaks:  # once: the second engine may keep its layers in memory
                    progress(f"{name}, {what}")
                    with (large / "file").open("wb") as file:
                        file.truncate(LARGE)
                    peaks[what] = [build(engine, [*dfkit, "--no-cache"], large)[1]]
                progress(f"{name}, cleaning up")
                forget(engine, {COUNT * SIZE + len(DOCKERFILE), LARGE + len(DOCKERFILE)})
    lines = ["The whole process of `dfkit build`, Python included:", ""]
    lines += [f"- {what}: {max(found) / 1e6:.0f} MB at most" for what, found in peaks.items()]
    return rows, notes, lines if rows else []


def timed(
    engine: Engine, commands: Sequence[list[str]], context: Callable[[], Path], runs: int, peaks: dict[str, list[int]]
) -> Pairs:
    """The seconds of two commands, in turn; the memory of the first goes to `peaks`."""
    pairs = []
    for run in range(runs):
        seconds = [0.0, 0.0]
        for at in (0, 1) if run % 2 else (1, 0):
            seconds[at], peak = build(engine, commands[at], context())
            if not at:
                peaks.setdefault(f"{COUNT:,} files, {human(COUNT * SIZE)}", []).append(peak)
        pairs.append((seconds[0], seconds[1]))
    return pairs


def build(engine: Engine, command: list[str], context: Path) -> tuple[float, int]:
    """The seconds of a build and the peak of its client's memory in bytes; the image is removed."""
    environment = {**users_environment(), "DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "1"}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "id")
        makes_id = command[1] == "build"
        arguments = [*command[:2], "--iidfile", str(told), *command[2:]] if makes_id else command
        os.sync()  # else it waits for what the build before wrote
        began = time.perf_counter()
        process = subprocess.Popen([*arguments, context], env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(arguments)} {context} failed")
        if makes_id:
            engine.remove(told.read_text())
    return seconds, usage.ru_maxrss * 1024


def forget(engine: Engine, sizes: Collection[int]) -> None:
    """Take what is of just these sizes out of the engine's build cache: the files that builds sent, and the layers they made.

    Otherwise each run leaves gigabytes, and each build after it is slower.
    """
    engine.api.timeout = 600  # there are 20,000 files to delete
    for record in engine.api.df()["BuildCache"]:
        if record["Size"] in sizes and not record["InUse"]:
            engine.api.prune_builds(filters={"id": record["ID"]}, all=True)
