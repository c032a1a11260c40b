"""Where the ignore file of a build is."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

IGNORE_FILE = ".dockerignore"


def ignore_file(root: str | Path, dockerfile: str | Path | None) -> str | None:
    """The path of `<Dockerfile>.dockerignore` beside the Dockerfile, else of `.dockerignore` in the context; None if neither is there."""
    paths = [f"{dockerfile}{IGNORE_FILE}"] if dockerfile else []
    return next((path for path in (*paths, os.path.join(root, IGNORE_FILE)) if os.path.isfile(path)), None)
