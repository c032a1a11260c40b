"""Reads a configuration: YAML or TOML into settings, each checked and with the line that it stands in."""

from __future__ import annotations

import marshal
import os

from dfkit import __version__, _data
from dfkit.errors import UsageError
from dfkit.project.config import TABLE, Config, ConfigError
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

LABEL_TYPES = ("text", "rfc3339", "semver", "url", "hash", "spdx", "email")
THRESHOLDS = (*SEVERITIES, "none")


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
