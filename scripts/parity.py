#!/usr/bin/env python3
"""Build the same things with Docker's own client and with dfkit, on the same engine: files, times and configuration must be equal.

An engine before Docker 23 is asked by its own `docker build` with DOCKER_BUILDKIT=1, a newer one by `docker-buildx`: the one that
DFKIT_BUILDX names, that of docker's plugins, or that of scripts/modern-engine. Both clients get the same arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from parity_cases import BASE, CASES, Case

from dfkit._record import Record
from dfkit.build import Engine, connect
from dfkit.errors import NoEngine
from dfkit.image import SavedImage, flatten
from dfkit.verify import compare

AGED = 1_700_000_000
"""Seconds; the time that the files of a context have, unless they are older."""
ROOT = Path(__file__).resolve().parent.parent
DFKIT = Path(sys.executable).with_name("dfkit")
RECENT = (1, 48)
"""The API version of Docker 28.0, whose BuildKit knows all that the cases use."""
BUILDX = "docker-buildx"
PLUGINS = (
    Path.home() / ".docker" / "cli-plugins",
    Path("/usr/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    ROOT / ".cache" / "modern-engine" / "debian" / "usr" / "libexec" / "docker" / "cli-plugins",
)
SHOWN = 20
SHOWN_OF_ONE = 3
"""Lines that one case may have of these, so that it hides no other."""


class Built(Record):
    """What a client made: an image's id, or the end of what it said when it made none."""

    image: str
    said: str


def clients() -> dict[str, tuple[Engine, list[str]]]:
    """Engines with a client of Docker's for each: the one of the environment, and a recent one."""
    found: dict[str, tuple[Engine, list[str]]] = {}
    for host in dict.fromkeys((None, modern_host())):
        if host == "":
            continue
        try:
            engine = connect(host)
        except NoEngine:
            continue
        if command := client(engine):
            found[engine.name] = (engine, command)
        else:
            engine.close()
    return found


def modern_host() -> str:
    """The address of a recent engine, empty if there is none."""
    asked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "modern-engine", "address"], capture_output=True, text=True, check=False
    )
    return "" if asked.returncode else asked.stdout.strip()


def client(engine: Engine) -> list[str]:
    """Docker's client for an engine, with `build`; empty if there is none."""
    if engine.api_version < RECENT:
        programs = (Path(folder) / "docker" for folder in os.get_exec_path())
        own = next((str(program) for program in programs if program.exists() and has_own_buildkit(program)), "")
        return [own, "build"] if own else []
    places = (os.environ.get("DFKIT_BUILDX"), shutil.which(BUILDX), *(folder / BUILDX for folder in PLUGINS))
    plugin = next((str(place) for place in places if place and Path(place).exists()), "")
    return [plugin, "build", "--load", "--provenance=false"] if plugin else []


def has_own_buildkit(program: Path) -> bool:
    """Whether a `docker` builds with BuildKit without a plugin, as it did before Docker 23."""
    asked = subprocess.run([program, "version", "--format", "{{.Client.Version}}"], capture_output=True, text=True, check=False)
    major = asked.stdout.partition(".")[0]
    return major.isdecimal() and int(major) < 23


def differences(case: Case, engine: Engine, docker: list[str]) -> list[str]:
    """What is not the same if Docker's client and dfkit build a case."""
    with tempfile.TemporaryDirectory(prefix="dfkit-parity-") as place:
        folder = Path(place)
        (folder / "c").mkdir()
        case.plant(folder / "c")
        age(folder)
        (folder / case.file).parent.mkdir(exist_ok=True)
        (folder / case.file).write_text(case.text, newline="")
        if case.base:
            (folder / "base").write_text(case.base)
            run([*docker, "-t", BASE, "-f", "base", "c"], folder, engine)
        arguments = [*([] if case.cached else ["--no-cache"]), *case.options, "-f", case.file, "c"]
        theirs = run([*docker, *arguments], folder, engine)
        ours = run([str(DFKIT), "build", "--no-optimize", *arguments], folder, engine)
    try:
        if not (theirs.image and ours.image):
            said = theirs.said if ours.image else ours.said
            return [] if theirs.image == ours.image else [f"only {'dfkit' if theirs.image else 'Docker'} fails: {said}"]
        return unequal(engine, theirs.image, ours.image)
    finally:
        for image in {theirs.image, ours.image} - {""}:
            engine.remove(image)
        if case.base:
            engine.remove(BASE)


def age(folder: Path) -> None:
    """Make new files old, so that their times can be told from those of a build."""
    for path in folder.rglob("*"):
        if path.lstat().st_mtime > AGED + 1:
            os.utime(path, ns=(0, AGED * 1_000_000_000 + 250_000_000), follow_symlinks=False)


def run(command: list[str], folder: Path, engine: Engine) -> Built:
    """Build with a client."""
    told = folder / "id"
    told.unlink(missing_ok=True)
    environment = {**os.environ, "DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "1", "DFKIT_PARITY": "of the environment"}
    done = subprocess.run(
        [*command[:2], "--iidfile", str(told), *command[2:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Built(told.read_text() if told.exists() and not done.returncode else "", done.stderr[-500:])


def unequal(engine: Engine, one: str, other: str) -> list[str]:
    """What two images differ in."""
    with SavedImage.read(engine.save(one)) as first, SavedImage.read(engine.save(other)) as second:
        found = compare(flatten(first), flatten(second))
        said = [
            f"{each.kind} {each.path}: {each.before!r}, dfkit {each.after!r}" for each in (*found.differences, *found.explained)
        ]
        if first.history != second.history:
            said.append(f"history: {first.history}, dfkit {second.history}")
        before, after = times(first), times(second)
        paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        return [*said, *(f"time of {path}: {before.get(path)}, dfkit {after.get(path)}" for path in paths)]


def times(image: SavedImage) -> dict[str, int]:
    """The times in seconds of the files that are not of the build's own making.

    Not of folders: now and then BuildKit sets the time of one before it writes the last file in it.
    """
    found: dict[str, int] = {}
    for layer in image.layers:
        with layer.open() as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            found |= {member.name: int(member.mtime) for member in tar if member.mtime <= AGED and not member.isdir()}
    return found


def examples() -> dict[str, Case]:
    """The examples, which need a network and much time: Docker's client builds, dfkit finds all steps done."""
    found: dict[str, Case] = {}
    for path in sorted((ROOT / "examples").glob("*/Dockerfile")):

        def plant(root: Path, folder: Path = path.parent) -> None:
            shutil.copytree(folder, root, dirs_exist_ok=True)

        found[f"examples/{path.parent.name}"] = Case(plant, path.read_text(), ("--network", "host"), cached=True)
    return found


def parity() -> tuple[int, list[str]]:
    """What `docker build` and `docker buildx build` make, `dfkit build` makes too."""
    failures: list[str] = []
    lines = []
    for name, (engine, docker) in clients().items():
        with engine:
            cases = {**CASES, **({} if engine.api_version >= RECENT else examples())}
            cases = {what: case for what, case in cases.items() if engine.api_version >= RECENT or not case.recent}
            failed = {}
            for what, case in cases.items():
                if found := differences(case, engine, docker):
                    failed[what] = found
            lines.append(
                f"- {name}, beside `{Path(docker[0]).name} build`: {len(cases)} builds, {len(failed)} with another result"
            )
            failures += [f"{name}, {what}: {line}" for what, found in failed.items() for line in found[:SHOWN_OF_ONE]]
    return len(failures), [
        *(lines or ["No client of Docker's has an engine here: nothing was run."]),
        *(f"  - {line}" for line in failures[:SHOWN]),
    ]


def main() -> int:
    failed, lines = parity()
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
