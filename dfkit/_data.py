"""Where the grammars and the rules are: inside the package when it was installed from a wheel, else in the checkout around it."""

from __future__ import annotations

import os

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
