"""LABEL: keys as the engine wants them, and the labels that the settings ask for."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.model import Stage
from dfkit.syntax.nodes import Label
from dfkit.text import STYLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import KeyValue

_KEY = regex(r"(?!.*(?:\.\.|--))[a-z](?:[a-z0-9._/-]*[a-z0-9])?")
"""https://docs.docker.com/engine/manage-resources/labels/#key-format-recommendations; `/` and `_` are common besides."""


@check(Label)
def malformed_key(node: Label, at: Place, *, reserved: Words) -> Iterator[Finding]:
    """A key has other characters than small letters, digits, `.` and `-`, or begins with a name that is reserved."""
    if at.stage is None or (at.imitates("hadolint") and at.model.is_trigger(node)):
        return
    for pair in node.pairs:
        key = _key(pair, node, at)
        if key is None:
            continue
        if key.startswith(reserved):
            yield Finding(pair.key.span, f"labels that begin with `{key.rpartition('.')[0]}.` are kept for Docker's own use")
        elif not _KEY.fullmatch(key):
            yield Finding(pair.key.span)


def _key(pair: KeyValue, label: Label, at: Place) -> str | None:
    if at.imitates("hadolint"):
        return pair.key.text.strip("\"'")
    return at.model.expand(pair.key, label)


# --- labels that the settings name


@check(Stage)
def missing(node: Stage, at: Place) -> Iterator[Finding]:
    """A label that the settings name is missing from the final image."""
    if node is not at.model.final:
        return
    there = {_key(pair, label, at) for stage in node.lineage for label in _labels(stage) for pair in label.pairs}
    names = [name for name, _ in at.settings.labels if name not in there]
    if names:
        yield Finding(node.from_.image.span, f"the image lacks the label{'s' * (len(names) > 1)} {', '.join(names)}")


@check(Label)
def superfluous(node: Label, at: Place) -> Iterator[Finding]:
    """A label that the settings do not name, if they say that there is to be no other."""
    if at.stage is None or not at.settings.strict_labels:
        return
    wanted = {name for name, _ in at.settings.labels}
    for pair in node.pairs:
        key = _key(pair, node, at)
        if key is not None and key not in wanted:
            yield Finding(pair.key.span, f"the settings ask for no label `{key}`")


@check(Label)
def empty(node: Label, at: Place) -> Iterator[Finding]:
    """A label that the settings name is empty."""
    for pair, value, _ in _wanted(node, at):
        if value == "":
            yield Finding(pair.span)


@check(Label)
def malformed(node: Label, at: Place, *, kind: Literal["url", "rfc3339", "spdx", "hash", "semver", "email"]) -> Iterator[Finding]:
    """A label that the settings name has a value of another kind than they say. Silent where the value is not known."""
    for pair, value, asked in _wanted(node, at):
        if asked == kind and value is not None and not _is_valid(value, kind):
            yield Finding(pair.value.span if pair.value is not None else pair.span, severity=STYLE if value == "" else None)


def _wanted(label: Label, at: Place) -> Iterator[tuple[KeyValue, str | None, str]]:
    """Labels that the settings name, each with its value (None: not known) and its kind."""
    kinds = dict(at.settings.labels)
    for pair in label.pairs if kinds and at.stage is not None else ():
        kind = kinds.get(_key(pair, label, at) or "")
        if kind is None or pair.value is None:
            continue
        yield pair, at.model.expand(pair.value, label), kind


# Semantic Versioning 2.0.0, https://semver.org
_NUMBER = r"(?:0|[1-9][0-9]*)"
_PART = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VALID = {
    "url": regex(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+"),  # RFC 3986, 3: a scheme and something after it
    "hash": regex(r"[0-9a-f]{7}|[0-9a-f]{40}|[0-9a-f]{64}"),  # git: short, SHA-1, SHA-256
    "semver": regex(rf"{_NUMBER}(?:\.{_NUMBER}){{2}}(?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"),
    "email": regex(r"[^\s@<>]+@[^\s@<>]+"),
    "rfc3339": regex(r"(?i)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"),
}


def _is_valid(value: str, kind: str) -> bool:
    if kind == "spdx":
        return _is_licence(value)
    if not _VALID[kind].fullmatch(value):
        return False
    if kind == "rfc3339":
        from datetime import datetime

        try:
            datetime.fromisoformat(value.upper())
        except ValueError:
            return False
    return True


def _is_licence(text: str) -> bool:
    """Whether a text is an SPDX license expression: https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/."""
    from dfkit.model.facts import table

    licences, exceptions = set(table("licenses")["licenses"]), set(table("licenses")["exceptions"])
    plain = regex(r"[()]").sub(" ", text)
    if text.count("(") != text.count(")"):
        return False
    words = plain.split()
    for index, word in enumerate(words):
        after = words[index - 1] if index else ""
        if index % 2:
            if word not in ("AND", "OR", "WITH"):
                return False
        elif after == "WITH":
            if word not in exceptions:
                return False
        elif word.removesuffix("+") not in licences and not regex(r"(?:DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+").fullmatch(word):
            return False
    return len(words) % 2 == 1


def _labels(stage: Stage) -> Iterator[Label]:
    return (each for each in stage.instructions if isinstance(each, Label))
