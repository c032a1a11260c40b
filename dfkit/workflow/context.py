"""What a build sends of a folder and what it does not, an ignore file for it, and what Docker's own client makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from dfkit._record import Record
from dfkit.context import plan
from dfkit.context.place import IGNORE_FILE
from dfkit.context.selection import select
from dfkit.context.suggest import suggest
from dfkit.context.survey import survey
from dfkit.errors import DfkitError, NoEngine, UsageError
from dfkit.workflow.build import context_use, triggers_of
from dfkit.workflow.read import read
from dfkit.workflow.write import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dfkit.build import Engine
    from dfkit.context import ContextPlan, Entry, Selection
    from dfkit.context.suggest import Suggestion
    from dfkit.context.survey import Survey
    from dfkit.model.uses import ContextUse

_NO_DOCKERFILE = "there is no Dockerfile"
_EVERYTHING = "FROM scratch\nCOPY . /\n"


class Inspection(Record):
    """A build context looked at. `file` is the Dockerfile; `assumed` says that what is unused holds if the bases have no triggers."""

    folder: str
    file: str | None
    plan: ContextPlan
    survey: Survey
    use: ContextUse | None
    assumed: bool


class Against(Record):
    """What differs between the files that Docker's client shows an engine and those that dfkit does: the paths, sorted.

    `docker` and `dfkit` are those that only one has, `different` those of another kind, size, mode or link; `same` counts the rest.
    """

    docker: tuple[str, ...]
    dfkit: tuple[str, ...]
    different: tuple[str, ...]
    same: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.docker or self.dfkit or self.different)


def inspect(
    folder: str,
    file: str | None,
    *,
    build_args: Mapping[str, str],
    target: str | None = None,
    ignore_file: str | None = None,
    engine: Engine | None = None,
) -> Inspection:
    """Plan a build as `dfkit build` does, and look at all that is in its context; without a Dockerfile everything is planned.

    Raises `UsageError`, `ContextError`.
    """
    if file is None:
        planned = plan(folder, ignore_file=ignore_file, reasons=(_NO_DOCKERFILE,))
        return Inspection(folder, None, planned, survey(planned, None), None, False)
    text = read(file).text
    use = context_use(file, text, build_args=build_args, target=target, triggers=triggers_of(engine))
    path = file if os.path.isfile(file) else None
    planned = plan(folder, dockerfile_path=path, ignore_file=ignore_file, reads=use.reads, reasons=use.reasons)
    known, assumed = use, False
    if use.reasons:
        known = context_use(file, text, build_args=build_args, target=target, triggers=_assumed(engine))
        assumed = not known.reasons
    usage = None if known.reasons else select(folder, known.reads)
    return Inspection(folder, file, planned, survey(planned, usage), known, assumed)


def _assumed(engine: Engine | None) -> Callable[[str], tuple[str, ...]]:
    """Triggers of base images, where those that are not known are taken to have none."""
    known = triggers_of(engine)
    return lambda image: tuple(known(image) or ())


def suggestion(inspected: Inspection) -> Suggestion:
    """An ignore file for an inspected context: its own with more patterns."""
    found = inspected.survey
    path = ignore_path(inspected)
    text = read(path).text if os.path.exists(path) else ""
    unused = {entry.path for entry in found.unused or ()}
    inside = os.path.relpath(path, inspected.folder)
    new = None if os.path.lexists(path) or inside.startswith("..") else inside
    return suggest(text, found.visible, found.secrets, unused, _named(inspected).wants, new)


def _named(inspected: Inspection) -> Selection:
    """What instructions read by more than copying the whole context; everything if that cannot be told."""
    use = inspected.use
    if use is None:
        return select(inspected.folder, ())
    return select(inspected.folder, None if use.reasons else [read for read in use.reads if read.source not in (".", "/")])


def ignore_path(inspected: Inspection) -> str:
    """Where a suggested ignore file goes: to the file in use, else `.dockerignore` of the context."""
    return os.fspath(inspected.plan.ignore_path or os.path.join(inspected.folder, IGNORE_FILE))


def write_ignore_file(inspected: Inspection, suggested: Suggestion, *, force: bool = False) -> str:
    """Write a suggested ignore file, whole or not at all, and say where. Raises `UsageError` if it exists, unless forced."""
    path = ignore_path(inspected)
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists: `--force` writes these patterns behind its own")
    put(os.path.realpath(path), suggested.text)
    return path


def against_docker(inspected: Inspection) -> Against:
    """Ask Docker's client which files it shows an engine, by building `COPY . /` of the context, and compare.

    Uses the `docker` program, or the one that `DFKIT_BUILDX` names, and the engine of its environment. Raises `NoEngine` if there is
    none of them, `DfkitError` if the client does not build.
    """
    theirs = _docker_sees(inspected)
    visible = inspected.survey.visible
    first: dict[tuple[int, int], str] = {}
    ours = {}
    for entry in visible:
        link = first.setdefault(entry.inode, entry.path) if entry.inode else entry.path
        ours[entry.path] = ("link", link) if link != entry.path else _facts(entry)
    both = theirs.keys() & ours.keys()
    different = tuple(sorted(path for path in both if theirs[path] != ours[path]))
    return Against(tuple(sorted(theirs.keys() - both)), tuple(sorted(ours.keys() - both)), different, len(both) - len(different))


def _facts(entry: Entry) -> tuple[object, ...]:
    kind = "file" if entry.kind == "socket" else entry.kind
    return (kind, entry.size, entry.mode if entry.kind != "symlink" else 0, entry.linkname)


def _docker_sees(inspected: Inspection) -> dict[str, tuple[object, ...]]:
    """Every path that `COPY . /` brings into an image, as Docker's client builds it."""
    import tarfile

    kinds = {
        tarfile.DIRTYPE: "dir",
        tarfile.SYMTYPE: "symlink",
        tarfile.FIFOTYPE: "fifo",
        tarfile.CHRTYPE: "char",
        tarfile.BLKTYPE: "block",
    }
    seen: dict[str, tuple[object, ...]] = {}
    with tempfile.TemporaryDirectory(prefix="dfkit-context-") as folder:
        file = os.path.join(folder, "Dockerfile")
        put(file, _EVERYTHING)
        if inspected.plan.ignore_path:  # the ignore file of a Dockerfile goes before the context's
            shutil.copyfile(inspected.plan.ignore_path, f"{file}{IGNORE_FILE}")
        command = [*_client(), "build", "--quiet", "--no-cache", "--file", file, "--output", "type=tar,dest=-", inspected.folder]
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=_environment()) as process:
                assert process.stdout is not None
                try:
                    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                        for member in archive:
                            mode = 0 if member.issym() else member.mode
                            facts = (kinds.get(member.type, "file"), member.size, mode, member.linkname)
                            seen[member.name.rstrip("/")] = ("link", member.linkname) if member.islnk() else facts
                except tarfile.ReadError:
                    seen.clear()  # an empty output, or a broken one: the exit code says which
                process.stdout.close()
            if process.returncode:
                errors.seek(0)
                raise _failed(errors.read().decode("utf-8", "replace"))
    return seen


def _client() -> list[str]:
    named = os.environ.get("DFKIT_BUILDX")
    found = named or shutil.which("docker")
    if not found:
        raise NoEngine("there is no program `docker` to compare with; install it, or name a docker-buildx with DFKIT_BUILDX")
    return [found]


def _environment() -> dict[str, str]:
    host = os.environ.get("DFKIT_BUILDX_HOST")
    return {**os.environ, "DOCKER_BUILDKIT": "1", **({"DOCKER_HOST": host} if host else {})}


def _failed(errors: str) -> DfkitError:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "it said nothing")
    return DfkitError(f"Docker's client did not build the context: {said.removeprefix('ERROR: ')}")
