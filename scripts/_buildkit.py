"""Ask BuildKit's own checks: `docker buildx build --check` on an engine that has no registry.

A base image is known to no engine without its registry, and without it BuildKit gives up before most of its checks. So one tiny
image, which sets nothing, stands for all that a Dockerfile names: each name is given to the build as a named context.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from parity import BUILDX, PLUGINS, modern_host

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Any

STAND_IN = f"dfkit-checks/{os.getpid()}"
USUAL = "linux/amd64"
ATTEMPTS = 40
"""How many names a file may need: BuildKit speaks of one at a time."""

_MISSING = re.compile(r"failed to resolve source metadata for (\S+): ")
_PLATFORM = re.compile(r"\blinux/(?:386|amd64|arm64|arm|ppc64le|riscv64|s390x)\b(?:/v[0-9]+)?")
_STAGE = re.compile(r"(?i)\bas[\s\\`]+(\S+)")
_SYNTAX = re.compile(r"(?i)^(\ufeff?)#[ \t]*syntax[ \t]*=.*$", re.MULTILINE)


class Case(Record):
    """A Dockerfile and what its build is given. `check` are options as the build argument BUILDKIT_DOCKERFILE_CHECK has them."""

    text: str
    build_args: tuple[tuple[str, str], ...] = ()
    check: str = ""
    ignore: str = ""
    """The text of the ignore file."""


class Remark(Record):
    """One of BuildKit's findings."""

    rule: str
    line: int
    detail: str


class Answer(Record):
    """What BuildKit says. `error` is why a build would fail, at `error_line` (0: it has no place)."""

    warnings: tuple[Remark, ...]
    error: str = ""
    error_line: int = 0

    @property
    def counted(self) -> bool:
        """Whether BuildKit came to its checks: all but the names of base images was there."""
        return not _MISSING.search(self.error)


def find() -> tuple[str, str]:
    """The program `docker-buildx` and the address of an engine, empty where there is none.

    Those that DFKIT_BUILDX and DFKIT_BUILDX_HOST name, else docker's plugin and a recent engine (scripts/modern-engine).
    """
    places = (os.environ.get("DFKIT_BUILDX"), shutil.which(BUILDX), *(folder / BUILDX for folder in PLUGINS))
    program = next((str(place) for place in places if place and Path(place).exists()), "")
    return program, os.environ.get("DFKIT_BUILDX_HOST") or modern_host()


class BuildKit:
    """The checks of one engine; a context manager that removes the stand-ins. Answers are kept in `cache`."""

    def __init__(self, buildx: str, host: str, cache: Path) -> None:
        import docker

        self.cache = cache
        self._buildx = buildx
        self._host = host
        self._api = docker.APIClient(base_url=host, version="auto")
        self._lock = Lock()
        self._names: set[str] = set()
        self._stand_ins: dict[str, str] = {}
        self.version: str = self._api.version()["Version"]

    def __enter__(self) -> BuildKit:
        self._stand_in(USUAL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /) -> None:
        for image in self._stand_ins.values():
            self._api.remove_image(image)
        self._api.close()

    def answers(self, cases: Iterable[Case], jobs: int = 2) -> list[Answer]:
        """The answers to cases, in their order."""
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(self.answer, cases))

    def answer(self, case: Case) -> Answer:
        """What BuildKit says of a case; from the cache if it was asked before."""
        key = json.dumps([self.version, case.text, case.build_args, case.check, case.ignore])
        path = self.cache / f"{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.json"
        if path.exists():
            return _read(json.loads(path.read_text()))
        data = self._ask(case)
        if not _read(data).counted:
            return _read(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(data))
        unfinished.replace(path)
        return _read(data)

    def _ask(self, case: Case) -> dict[str, Any]:
        options: list[str] = []
        for name, value in case.build_args:
            options += ["--build-arg", f"{name}={value}"]
        if case.check:
            options += ["--build-arg", f"BUILDKIT_DOCKERFILE_CHECK={case.check}"]
        with tempfile.TemporaryDirectory(prefix="dfkit-checks-") as folder:
            file, context = Path(folder, "Dockerfile"), Path(folder, "context")
            context.mkdir()
            file.write_bytes(case.text.encode("utf-8", "surrogateescape"))
            (context / ".dockerignore").write_text(case.ignore)
            # Names that other files needed need not be asked for again.
            stages = {name.lower() for name in _STAGE.findall(case.text)}
            contexts = {name: USUAL for name in sorted(self._names) if _last_part(name) in case.text and name not in stages}
            for _ in range(ATTEMPTS):
                data = self._run([*options, *self._contexts(contexts), "-f", str(file), str(context)])
                missing = _MISSING.search((data["error"] or ("",))[0])
                # A named context with a stage's name would take the place of the stage.
                name = _familiar(missing[1]) if missing is not None else ""
                if not name or name in stages or not self._provide(name, case.text, contexts):
                    break
        return data

    def _run(self, options: list[str]) -> dict[str, Any]:
        command = [self._buildx, "build", "--call", "check,format=json", *options]
        run = subprocess.run(command, env={**os.environ, "DOCKER_HOST": self._host}, capture_output=True, check=False)
        try:
            said = json.loads(run.stdout)
        except ValueError:
            lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
            return {"error": [lines[-1] if lines else f"exit code {run.returncode}", 0], "warnings": []}
        found = [[each["ruleName"], _line(each), each["detail"]] for each in said.get("warnings") or ()]
        error = said.get("buildError")
        return {"error": [error["message"], _line(error)] if error else None, "warnings": found}

    def _provide(self, name: str, text: str, contexts: dict[str, str]) -> bool:
        """Make an image known, first for the usual platform, then for those that the text names; False if nothing is left to try."""
        if not name.startswith(f"{STAND_IN}:"):
            self._names.add(name)
            return contexts.setdefault(name, USUAL) == USUAL
        platforms = [USUAL, *dict.fromkeys(_PLATFORM.findall(text))]
        tried = next(platform for platform, image in self._stand_ins.items() if image == name)
        following = platforms[platforms.index(tried) + 1 :] if tried in platforms else []
        if following:
            contexts.update({each: following[0] for each, platform in contexts.items() if platform == tried})
        return bool(following)

    def _contexts(self, contexts: Mapping[str, str]) -> Iterable[str]:
        for name, platform in contexts.items():
            yield from ("--build-context", f"{name}=docker-image://{self._stand_in(platform)}")

    def _stand_in(self, platform: str) -> str:
        """The name of the image that stands for all of a platform."""
        with self._lock:
            known = self._stand_ins.get(platform)
            if known is not None:
                return known
            layer = io.BytesIO()
            with tarfile.open(fileobj=layer, mode="w") as archive:
                archive.addfile(tarfile.TarInfo("stand-in"))
            tag = platform.replace("/", "-")
            answer = self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}/images/create",
                params={"fromSrc": "-", "repo": STAND_IN, "tag": tag, "platform": platform},
                data=layer.getvalue(),
            )
            answer.raise_for_status()
            assert "error" not in answer.text, answer.text
            self._stand_ins[platform] = f"{STAND_IN}:{tag}"
            return self._stand_ins[platform]


def _familiar(name: str) -> str:
    """A reference as Docker writes it for people."""
    return name.removeprefix("docker.io/").removeprefix("library/").removesuffix(":latest")


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


def plain(text: str) -> str:
    """A Dockerfile's text without its `# syntax=` lines, which a frontend would have to be pulled for."""
    return _SYNTAX.sub(r"\1#", text)


def _line(said: Mapping[str, Any]) -> int:
    ranges = (said.get("location") or {}).get("ranges") or ()
    return int(ranges[0]["start"].get("line", 0)) if ranges else 0


def _read(data: Mapping[str, Any]) -> Answer:
    error = data["error"] or ("", 0)
    return Answer(tuple([Remark(*each) for each in data["warnings"]]), error[0], error[1])
