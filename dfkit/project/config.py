"""dfkit's configuration: `.dfkit.yaml`, or `[tool.dfkit]` in `pyproject.toml`.

| setting | what it says |
|---|---|
| `profile` | the set of rules |
| `select`, `ignore` | rules to run besides, and rules not to run |
| `severity` | the severity of rules, by rule |
| `per_path_ignores` | rules not to run on some files, by a pattern for their paths below the file's folder (`test/**`) |
| `failure_threshold` | from which severity on `dfkit lint` exits with 1; `none`: never |
| `format` | of what `dfkit lint` prints |
| `allowed_registries` | registries that images may come from; `*` stands for any characters |
| `labels`, `strict_labels` | labels that an image must have, each with the type of its value; whether it may have no others |
| `ignore_comments` | whether comments such as `# dfkit ignore=RULE` count |
| `shellcheck` | whether ShellCheck checks the scripts |
| `build_args` | values for ARG |
| `context` | the folder of the build context |
| `rule_folders` | folders with more rules |

Paths are relative to the file. The nearest file from the linted file upward counts alone, up to the top of the work tree.
"""

from __future__ import annotations

import os

from dfkit._record import Record
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAME, PYPROJECT, TABLE = ".dfkit.yaml", "pyproject.toml", "tool.dfkit"


class ConfigError(UsageError):
    """A configuration file is wrong; the message starts with `path:line: `."""


class Config(Record):
    """What a file, the environment or the command line says. `values` has the settings that are said, by their names.

    Lists and mappings are tuples, the latter of pairs. `lines` has the lines of rules that are named; `path` is empty where the
    values come from no file.
    """

    path: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def place(self, word: str) -> str:
        """`path:line: ` of a word that stands in the file."""
        return f"{self.path}:{self.lines.get(word, 1)}: " if self.path else ""


EMPTY = Config("", {}, {})


def nearest(folder: str, known: dict[str, str | None]) -> str | None:
    """The configuration file for a folder: its own, or that of the nearest folder above, in the same work tree.

    `known` keeps the answers.
    """
    folder = os.path.abspath(folder)
    if folder not in known:
        found = _in_folder(folder)
        parent = os.path.dirname(folder)
        if found is None and parent != folder and not os.path.lexists(os.path.join(folder, ".git")):
            found = nearest(parent, known)
        known[folder] = found
    return known[folder]


def _in_folder(folder: str) -> str | None:
    path = os.path.join(folder, NAME)
    if os.path.isfile(path):
        return path
    path = os.path.join(folder, PYPROJECT)
    if os.path.isfile(path):
        with open(path, "rb") as file:
            if f"[{TABLE}".encode() in file.read():
                return path
    return None
