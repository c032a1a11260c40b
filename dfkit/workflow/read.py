"""Finding and reading Dockerfiles."""

from __future__ import annotations

import os
import sys

from dfkit.errors import UsageError
from dfkit.text import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dfkit.model import Model

STDIN = "-"


def read(path: str) -> Source:
    """A file's text, of standard input for `-`. Raises `UsageError`."""
    if path == STDIN:
        return Source.decode(sys.stdin.buffer.read(), "-")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder: name the Dockerfile in it") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError(f"{path} is UTF-16: a Dockerfile is UTF-8, save it as that")
    if b"\0" in data:
        raise UsageError(f"{path} is no text file: it has a zero byte at offset {data.index(0)}")
    return Source.decode(data, path)


def find(paths: Iterable[str]) -> Iterator[str]:
    """The files that paths stand for: a folder for the Dockerfiles in it. Raises `UsageError` for a folder without one."""
    for path in paths:
        if path == STDIN or not os.path.isdir(path):
            yield path
            continue
        from dfkit.project.discover import dockerfiles

        found = False
        for found_path in dockerfiles(path):
            found = True
            yield found_path
        if not found:
            raise UsageError(f"{path}: there is no Dockerfile in this folder")


def context_folder(model: Model, given: str | None = None) -> str | None:
    """The build context of a file: what was given, else the file's own folder if a literal COPY or ADD source exists there."""
    if given is not None:
        if not os.path.isdir(given):
            raise UsageError(f"the context {given} is not a folder")
        return given
    if model.dockerfile.source.name == STDIN:
        return None
    folder = os.path.dirname(model.dockerfile.source.name) or "."
    from dfkit.model.copies import EVERYTHING, sources
    from dfkit.syntax.nodes import Transfer
    from dfkit.syntax.walk import instructions

    for instruction in instructions(model.dockerfile):
        if isinstance(instruction, Transfer) and model.stage_of(instruction) is not None:
            for source, _ in sources(instruction, model):
                if source == EVERYTHING or (source and os.path.lexists(os.path.join(folder, source))):
                    return folder
    return None
