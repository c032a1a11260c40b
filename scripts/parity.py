#!/usr/bin/env python3
"""Build the same things with Docker's own client and with dfkit, on the same engine: files, times and configuration must be equal.

Some steps make another thing each time they run: logs, byte code, indexes with times in them. So where the two images differ Docker's
client builds a third one, and what differs between its own two is left out and counted. What they agree on dfkit must have.

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
from collections import Counter
from pathlib import Path

from parity_cases import BASE, CASES, Case

from dfkit._record import Record
from dfkit.build import Engine, connect
from dfkit.errors import NoEngine
from dfkit.image import SavedImage, flatten
from dfkit.verify import compare
from dfkit.verify.compare import TWICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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


class Compared(Record):
    """What is not the same in two images, and how many paths were left out for which reasons."""

    differences: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


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


def beside(case: Case, engine: Engine, docker: list[str]) -> Compared:
    """What is not the same if Docker's client and dfkit build a case."""
    made: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="dfkit-parity-") as place:
        folder = Path(place)
        (folder / "c").mkdir()
        case.plant(folder / "c")
        age(folder)
        (folder / case.file).parent.mkdir(exist_ok=True)
        (folder / case.file).write_text(case.text, newline="")
        arguments = ["--no-cache", *case.options, "-f", case.file, "c"]

        def build(*command: str) -> Built:
            built = run([*command, *arguments], folder, engine)
            made.update({built.image} - {""})
            return built

        try:
            if case.base:
                (folder / "base").write_text(case.base)
                run([*docker, "-t", BASE, "-f", "base", "c"], folder, engine)
            theirs, ours = build(*docker), build(str(DFKIT), "build", "--no-optimize")
            if theirs.image and ours.image:
                return unequal(engine, theirs.image, ours.image, lambda: build(*docker))
            said = theirs.said if ours.image else ours.said
            same = theirs.image == ours.image
            return Compared(() if same else (f"only {'dfkit' if theirs.image else 'Docker'} fails: {said}",))
        finally:
            for image in made:
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


def unequal(engine: Engine, one: str, other: str, again: Callable[[], Built]) -> Compared:
    """What two images differ in; `again` builds the first anew."""
    with SavedImage.read(engine.save(one)) as first, SavedImage.read(engine.save(other)) as second:
        files, other_files = flatten(first), flatten(second)
        found = compare(files, other_files)
        late = other_times(first, second)
        said = [f"history: {first.history}, dfkit {second.history}"] if first.history != second.history else []
        if not (found.differences or found.explained or late):
            return Compared(tuple(said))
        control = again()
        if not control.image:
            return Compared((f"Docker fails the second time: {control.said}",))
        with SavedImage.read(engine.save(control.image)) as third:
            found = compare(files, other_files, noise=flatten(third))
            late_too = other_times(first, third)
    left_out = {each.path: each.reason for each in found.explained} | dict.fromkeys(late.keys() & late_too.keys(), TWICE)
    said += [f"{each.kind} {each.path}: {each.before!r}, dfkit {each.after!r}" for each in found.differences]
    said += [f"time of {path}: {late[path]}" for path in sorted(late.keys() - late_too.keys())]
    return Compared(tuple(said), tuple(Counter(left_out.values()).most_common()))


def other_times(one: SavedImage, other: SavedImage) -> dict[str, str]:
    """The times of the files that have another one in each image, in words."""
    before, after = times(one), times(other)
    paths = (path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {path: f"{before.get(path)}, dfkit {after.get(path)}" for path in paths}


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
    """The examples. They need a network, which the engine of scripts/modern-engine has not."""
    found: dict[str, Case] = {}
    for path in sorted((ROOT / "examples").glob("*/Dockerfile")):

        def plant(root: Path, folder: Path = path.parent) -> None:
            shutil.copytree(folder, root, dirs_exist_ok=True)

        found[f"examples/{path.parent.name}"] = Case(plant, path.read_text(), ("--network", "host"))
    return found


def parity() -> tuple[int, list[str]]:
    """What `docker build` and `docker buildx build` make, `dfkit build` makes too."""
    failures: list[str] = []
    lines = []
    for name, (engine, docker) in clients().items():
        with engine:
            cases = {**CASES, **({} if engine.api_version >= RECENT else examples())}
            cases = {what: case for what, case in cases.items() if engine.api_version >= RECENT or not case.recent}
            compared = {what: beside(case, engine, docker) for what, case in cases.items()}
        failed = [what for what, result in compared.items() if result.differences]
        lines.append(f"- {name}, beside `{Path(docker[0]).name} build`: {len(cases)} builds, {len(failed)} with another result")
        for what, result in compared.items():
            if result.left_out:
                counts = "; ".join(f"{count:,} ({reason})" for reason, count in result.left_out)
                lines.append(f"  - {what}, paths left out: {counts}")
        failures += [f"{name}, {what}: {line}" for what in failed for line in compared[what].differences[:SHOWN_OF_ONE]]
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
