"""Which files of a folder are Dockerfiles."""

from __future__ import annotations

import os
import re
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"(?:(?:docker|container)file(?:[._-].+)?|.+\.(?:docker|container)file)", re.I)
_NOT = re.compile(r"\.(?:dockerignore|containerignore|md|txt|html?|py|js|json|ya?ml|swp|orig|rej|bak)$|~$", re.I)
_SKIPPED = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__"})


def is_dockerfile(name: str) -> bool:
    """Whether a file of this name is a Dockerfile: `Dockerfile`, `Dockerfile.dev`, `app.dockerfile`, `Containerfile`."""
    return _NAME.fullmatch(name) is not None and _NOT.search(name) is None


def dockerfiles(folder: str) -> Iterator[str]:
    """The Dockerfiles in a folder and below, sorted; what git ignores is left out, as are the folders of package managers."""
    for path in sorted(_files(folder)):
        if is_dockerfile(os.path.basename(path)):
            yield os.path.normpath(os.path.join(folder, path))


def _files(folder: str) -> Iterator[str]:
    listed = _git_files(folder)
    if listed is not None:
        for path in listed:
            if os.path.isfile(os.path.join(folder, path)):
                yield path
        return
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in names:
            yield os.path.relpath(os.path.join(base, name), folder)


def _git_files(folder: str) -> list[str] | None:
    """The files that git tracks or would track below a folder, None outside a work tree or without git."""
    command = ["git", "-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    try:
        run = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    if run.returncode != 0:
        return None
    return [os.fsdecode(name) for name in run.stdout.split(b"\0") if name]
