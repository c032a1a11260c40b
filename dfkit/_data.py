"""Where the grammars and the rules are: inside the package when it was installed from a wheel, else in the checkout around it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGED = os.path.join(HERE, "_compiled")
CHECKOUT = os.path.dirname(HERE)


def folder(name: str) -> str:
    """The folder `grammar` or `rules`."""
    packaged = os.path.join(PACKAGED, name)
    return packaged if os.path.isdir(packaged) else os.path.join(CHECKOUT, name)


def compiled(name: str) -> str | None:
    """A file that was compiled when the wheel was built, or None in a checkout."""
    path = os.path.join(PACKAGED, name)
    return path if os.path.isfile(path) else None


def cache(name: str) -> str:
    """A place for something compiled on first use: the checkout's own `.cache`, else the user's cache folder."""
    if os.path.isfile(os.path.join(CHECKOUT, "pyproject.toml")):
        base = os.path.join(CHECKOUT, ".cache", "dfkit")
    else:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dfkit")
    return os.path.join(base, name)


def digest(*texts: str) -> str:
    """A short name for what something was made from, and for this interpreter's marshal format."""
    # The C module: hashlib imports OpenSSL, which takes longer than everything that is kept under such a name.
    if sys.version_info >= (3, 12):
        from _sha2 import sha256
    else:
        from _sha256 import sha256  # type: ignore[import-not-found]

    made = sha256(sys.implementation.cache_tag.encode())
    for text in texts:
        made.update(b"%d " % len(text) + text.encode("utf-8", "surrogateescape"))
    return str(made.hexdigest()[:16])


def stamp(folder: str, endings: tuple[str, ...]) -> str:
    """The state of a folder's files with these endings, those in its folders too: names, sizes, times, without reading them."""
    return "\n".join(sorted(_states(folder, "", endings)))


def _states(folder: str, prefix: str, endings: tuple[str, ...]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _states(entry.path, f"{prefix}{entry.name}/", endings)
            elif entry.name.endswith(endings):
                state = entry.stat()
                yield f"{prefix}{entry.name} {state.st_size} {state.st_mtime_ns} {state.st_ino}"


def write(path: str, data: bytes) -> None:
    """Write a file whole or not at all. A folder that cannot be written to is no error: the cache is then not kept."""
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        return
