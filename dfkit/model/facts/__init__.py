"""Tables of what is known about commands, package managers and base images.

Written as YAML beside this file, read by checks and passes alike. The wheel carries them compiled; in a checkout they are compiled on
first use and cached by content.
"""

from __future__ import annotations

import marshal
import os

from dfkit import _data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("packages", "commands", "images", "licenses", "manifests", "features")
"""The tables; a wheel carries each compiled."""
_tables: dict[str, dict[str, Any]] = {}


def table(name: str) -> dict[str, Any]:
    """A table by its name: the content of `<name>.yaml` as plain dicts, lists and scalars."""
    if name not in _tables:
        _tables[name] = _load(name)
    return _tables[name]


def _load(name: str) -> dict[str, Any]:
    packaged = _data.compiled(f"facts-{name}")
    if packaged is not None:
        with open(packaged, "rb") as file:
            return marshal.loads(file.read())  # type: ignore[no-any-return]
    with open(os.path.join(HERE, f"{name}.yaml"), "rb") as file:
        text = file.read()
    path = _data.cache(f"facts-{name}-{_data.digest(text.decode())}")
    try:
        with open(path, "rb") as file:
            return marshal.loads(file.read())  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError):
        made = compile_table(text)
        _data.write(path, marshal.dumps(made))
        return made


def compile_table(text: bytes) -> dict[str, Any]:
    """A YAML table as plain data."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)  # type: ignore[no-any-return]
