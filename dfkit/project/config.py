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

from dfkit import __version__, _data
from dfkit._record import Record
from dfkit.errors import UsageError
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

NAME, PYPROJECT, TABLE = ".dfkit.yaml", "pyproject.toml", "tool.dfkit"
LABEL_TYPES = ("text", "rfc3339", "semver", "url", "hash", "spdx", "email")
THRESHOLDS = (*SEVERITIES, "none")


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


def read(path: str) -> Config:
    """One configuration file, of either kind. Raises `ConfigError`, or `UsageError` if it cannot be read."""
    data = content(path)
    return kept(path, data, "dfkit", lambda: _toml(path, data) if path.endswith(".toml") else from_yaml(path, data, KEYS))


def content(path: str) -> bytes:
    """A file's bytes. Raises `UsageError`."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"the configuration {path} cannot be read: {(error.strerror or str(error)).lower()}") from None


def kept(path: str, data: bytes, kind: str, make: Callable[[], Config]) -> Config:
    """What a file's content was read as before, else what `make` gives: to import a reader of YAML takes longer than to lint a file."""
    import marshal

    here = os.path.dirname(os.path.abspath(__file__))
    stamps = (__version__, os.path.splitext(path)[1], _data.stamp(here, (".py",)))
    cache = _data.cache(f"config-{kind}-{_data.digest(*stamps, data.decode('utf-8', 'surrogateescape'))}")
    if os.path.isfile(cache):
        with open(cache, "rb") as file:
            values, lines = marshal.loads(file.read())
        return Config(path, values, lines)
    config = make()
    _data.write(cache, marshal.dumps((dict(config.values), dict(config.lines))))
    return config


def _toml(path: str, data: bytes) -> Config:
    import tomllib

    try:
        text = data.decode()
        table = tomllib.loads(text).get("tool", {}).get("dfkit", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}:1: not TOML: {error}") from None
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if line.strip().startswith(f"[{TABLE}")), 0)

    def line(_mapping: Any, word: str) -> int:
        return next((number for number, each in enumerate(lines[start:], start + 1) if word in each), start + 1)

    return Reader(path, KEYS, line).config(table)


def from_yaml(path: str, data: bytes, keys: Mapping[str, Any]) -> Config:
    """The settings of a YAML file that may have these keys. Raises `ConfigError`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        root = YAML(typ="rt").load(data.decode())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {error.problem or error.context}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}:1: a configuration is UTF-8 text") from None

    def line(within: Any, word: Any) -> int:
        if isinstance(within, list):
            return int(within.lc.item(within.index(word))[0]) + 1  # type: ignore[attr-defined]
        return int(within.lc.key(word)[0]) + 1

    return Reader(path, keys, line).config({} if root is None else root)


class Reader:
    """Reads what a parser gave into settings, by a table of how each key is read."""

    def __init__(self, path: str, keys: Mapping[str, Any], line: Callable[[Any, Any], int]) -> None:
        self.path = path
        self.keys = keys
        self.line = line
        self.lines: dict[str, int] = {}

    def config(self, root: Any) -> Config:
        """The settings. Raises `ConfigError`."""
        if not isinstance(root, dict):
            raise ConfigError(f"{self.path}:1: a configuration is a mapping of settings to values")
        values: dict[str, Any] = {}
        for key in root:
            if key not in self.keys:
                self.wrong(root, key, self.unknown(str(key), tuple(self.keys)))
            values |= self.keys[key](self, root, key)
        return Config(self.path, values, self.lines)

    def wrong(self, within: Any, word: Any, message: str) -> NoReturn:
        """Raise `ConfigError` for a word's line."""
        raise ConfigError(f"{self.path}:{self.line(within, word)}: {message}")

    @staticmethod
    def unknown(name: str, known: tuple[str, ...]) -> str:
        """What to say about a setting that there is not."""
        from difflib import get_close_matches

        near = get_close_matches(name.lower().replace("-", "_"), known, 1)
        near = near or get_close_matches(name, known, 1)
        return f"there is no setting `{name}`; " + (f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}")

    def one_of(self, within: Any, key: Any, allowed: tuple[str, ...]) -> str:
        """A word of several."""
        value = within[key]
        if value not in allowed:
            self.wrong(within, key, f"`{key}` is one of {', '.join(allowed)}, not `{value}`")
        return str(value)

    def flag(self, within: Any, key: Any) -> bool:
        """True or false."""
        value = within[key]
        if not isinstance(value, bool):
            self.wrong(within, key, f"`{key}` is true or false, not `{value}`")
        return bool(value)

    def text(self, within: Any, key: Any) -> str:
        """A text."""
        value = within[key]
        if not isinstance(value, str):
            self.wrong(within, key, f"`{key}` is a text, not `{value}`")
        return str(value)

    def words(self, within: Any, key: Any) -> tuple[str, ...]:
        """A list of texts, or one text; their lines are kept."""
        value = within[key]
        if isinstance(value, str):
            self.lines.setdefault(str(value), self.line(within, key))
            return (str(value),)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(within, key, f"`{key}` is a list of texts")
        for item in value:
            self.lines.setdefault(str(item), self.line(value, item))
        return tuple([str(item) for item in value])

    def mapping(self, within: Any, key: Any) -> Any:
        """A mapping."""
        value = within[key]
        if not isinstance(value, dict):
            self.wrong(within, key, f"`{key}` is a mapping of names to values")
        return value


def _one_of(allowed: tuple[str, ...]) -> Any:
    return lambda reader, root, key: {key: reader.one_of(root, key, allowed)}


def _flag(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    return {key: reader.flag(root, key)}


def _text(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    return {key: reader.text(root, key)}


def _words(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    return {key: reader.words(root, key)}


def _severities(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    rules = reader.mapping(root, key)
    for name in rules:
        reader.lines.setdefault(str(name), reader.line(rules, name))
    return {key: tuple([(str(name), reader.one_of(rules, name, SEVERITIES)) for name in rules])}


def _paths(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    patterns = reader.mapping(root, key)
    for pattern in patterns:
        reader.lines.setdefault(str(pattern), reader.line(patterns, pattern))
    return {key: tuple([(str(pattern), reader.words(patterns, pattern)) for pattern in patterns])}


def _build_args(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    arguments = reader.mapping(root, key)
    for name in arguments:
        if not isinstance(arguments[name], str | int | float) or isinstance(arguments[name], bool):
            reader.wrong(arguments, name, f"the value of `{name}` is a text; put it in quotes")
    return {key: tuple([(str(name), str(arguments[name])) for name in arguments])}


def read_labels(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    """A mapping of labels to the types of their values."""
    labels = reader.mapping(root, key)
    return {"labels": tuple([(str(name), reader.one_of(labels, name, LABEL_TYPES)) for name in labels])}


KEYS = {
    "profile": _one_of(PROFILES),
    "select": _words,
    "ignore": _words,
    "severity": _severities,
    "per_path_ignores": _paths,
    "failure_threshold": _one_of(THRESHOLDS),
    "format": _text,
    "allowed_registries": _words,
    "labels": read_labels,
    "strict_labels": _flag,
    "ignore_comments": _flag,
    "shellcheck": _flag,
    "build_args": _build_args,
    "context": _text,
    "rule_folders": _words,
}
"""How each setting is read: a function of the reader, the mapping and the key that gives the values to keep."""
