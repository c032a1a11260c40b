"""hadolint's configuration for the profile that imitates it: its file and its environment variables, as dfkit's settings.

https://github.com/hadolint/hadolint#configure
"""

from __future__ import annotations

import os

from dfkit.errors import UsageError
from dfkit.project.config import NAME, PYPROJECT, Config
from dfkit.project.reader import KEYS, LABEL_TYPES, THRESHOLDS, content, from_yaml, kept, read_labels
from dfkit.text import SEVERITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dfkit.project.reader import Reader

NAMES = (".hadolint.yaml", ".hadolint.yml")
_YES = ("1", "y", "yes", "t", "true", "on")


def find(environment: Mapping[str, str]) -> str | None:
    """The file that hadolint reads: of the current folder, else of the user's folders for configuration."""
    home = environment.get("HOME") or os.path.expanduser("~")
    folders = [environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")]
    candidates = [*NAMES]
    for suffix in ("yaml", "yml"):
        candidates += [os.path.join(folder, f"hadolint.{suffix}") for folder in folders]
        candidates += [os.path.join(home, ".hadolint", f"{name}.{suffix}") for name in ("hadolint", "config")]
        candidates.append(os.path.join(home, f".hadolint.{suffix}"))
    return next((path for path in candidates if os.path.isfile(path)), None)


def is_hadolints(path: str) -> bool:
    """Whether a file that `--config` names is hadolint's, by its name and by its keys."""
    if os.path.basename(path) in (NAME, PYPROJECT):
        return False
    if "hadolint" in os.path.basename(path):
        return True
    keys = [line.partition(":")[0].strip("\"' ") for line in content(path).decode("utf-8", "replace").split("\n") if ":" in line]
    return not any(key in KEYS and key not in HADOLINT_KEYS for key in keys)


def read(path: str) -> Config:
    """A file of hadolint's. Raises `ConfigError` where hadolint would go on with its defaults, `UsageError`."""
    data = content(path)
    return kept(path, data, "hadolint", lambda: from_yaml(path, data, HADOLINT_KEYS))


def from_environment(environment: Mapping[str, str]) -> Config:
    """What the variables `HADOLINT_…` say. Raises `UsageError` for a value that is none."""
    values: dict[str, Any] = {}
    severity = []
    for name, value in environment.items():
        if not name.startswith("HADOLINT_") or not value:
            continue
        key = name.removeprefix("HADOLINT_")
        words = tuple([word.strip() for word in value.split(",") if word.strip()])
        if key == "IGNORE":
            values["ignore"] = words
        elif key == "TRUSTED_REGISTRIES":
            values["allowed_registries"] = words
        elif key == "REQUIRE_LABELS":
            values["labels"] = tuple([label(word) for word in words])
        elif key == "FAILURE_THRESHOLD":
            values["failure_threshold"] = threshold(value)
        elif key == "STRICT_LABELS":
            values["strict_labels"] = value.lower() in _YES
        elif key == "DISABLE_IGNORE_PRAGMA":
            values["ignore_comments"] = value.lower() not in _YES
        elif key == "NOFAIL" and value.lower() in _YES:
            values["no_fail"] = True
        elif key == "FORMAT":
            values["format"] = value
        elif key.startswith("OVERRIDE_") and key.removeprefix("OVERRIDE_").lower() in SEVERITIES:
            severity += [(word, key.removeprefix("OVERRIDE_").lower()) for word in words]
    if severity:
        values["severity"] = tuple(severity)
    return Config("", values, {})


def label(text: str) -> tuple[str, str]:
    """`name:type` as a pair. Raises `UsageError`."""
    name, _, kind = text.rpartition(":")
    if not name or kind not in LABEL_TYPES:
        raise UsageError(
            f"`{text}` says no label: write NAME:TYPE, with the type {', '.join(LABEL_TYPES[:-1])} or {LABEL_TYPES[-1]}"
        )
    return name, kind


def threshold(value: str) -> str:
    """A failure threshold; hadolint's `ignore` is the lowest. Raises `UsageError`."""
    if value not in (*THRESHOLDS, "ignore"):
        raise UsageError(f"`{value}` is no threshold: there are {', '.join(THRESHOLDS)}")
    return "style" if value == "ignore" else value


def _as(name: str, read_value: Any) -> Any:
    return lambda reader, root, key: {name: read_value(reader, root, key)}


def _override(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    levels = reader.mapping(root, key)
    pairs = []
    for level in levels:
        if level not in SEVERITIES:
            reader.wrong(levels, level, reader.unknown(str(level), SEVERITIES))
        pairs += [(name, str(level)) for name in reader.words(levels, level)]
    return {"severity": tuple(pairs)}


def _threshold(reader: Reader, root: Any, key: str) -> dict[str, Any]:
    value = reader.one_of(root, key, (*THRESHOLDS, "ignore"))
    return {"failure_threshold": threshold(value)}


HADOLINT_KEYS: dict[str, Any] = {
    "failure-threshold": _threshold,
    "format": lambda reader, root, key: {"format": reader.text(root, key)},
    "ignored": _as("ignore", lambda reader, root, key: reader.words(root, key)),
    "label-schema": read_labels,
    "no-color": lambda reader, root, key: {},
    "no-fail": _as("no_fail", lambda reader, root, key: reader.flag(root, key)),
    "override": _override,
    "strict-labels": _as("strict_labels", lambda reader, root, key: reader.flag(root, key)),
    "disable-ignore-pragma": _as("ignore_comments", lambda reader, root, key: not reader.flag(root, key)),
    "trustedRegistries": _as("allowed_registries", lambda reader, root, key: reader.words(root, key)),
}
