"""What an image must have, as hadolint judges it: labels that the settings name, a HEALTHCHECK, registries."""

from __future__ import annotations

from fnmatch import fnmatchcase

from dfkit._regex import regex
from dfkit.checks.binding import Finding, check
from dfkit.model.facts import table
from dfkit.syntax.nodes import Copy, Dockerfile, From, Healthcheck, Label, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from dfkit.checks.binding import Place
    from dfkit.model import Stage
    from dfkit.syntax.nodes import KeyValue
    from dfkit.text import Span

_HUB = ("docker.io", "hub.docker.com")
"""Registries that stand for images without one."""
_NUMBER = "[0-9]+"
_VALID = {
    "url": r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+",
    "hash": "[0-9a-f]{7}|[0-9a-f]{40}",
    "semver": rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]*)?(?:\+[0-9A-Za-z.-]*)?",
    "email": r"[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|[!-?A-~]+@\[.*\]",
    "rfc3339": r"\d{4}-(?:0[1-9]|1[0-2])-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)",
}


@check(Label)
def malformed(node: Label, at: Place, *, kind: Literal["url", "rfc3339", "spdx", "hash", "semver", "email"]) -> Iterator[Finding]:
    """A label that the settings name has a value of another kind than they say, as it is written."""
    kinds = dict(at.settings.labels)
    for pair in node.pairs if not at.model.is_trigger(node) else ():
        value = pair.value.text.strip("\"'") if pair.value is not None else ""
        if kinds.get(_key(pair)) == kind and not _is_valid(value, kind):
            yield Finding(pair.span)


def _key(pair: KeyValue) -> str:
    return pair.key.text.strip("\"'")


def _is_valid(value: str, kind: str) -> bool:
    if kind == "spdx":
        return value in table("licenses")["licenses"]
    if not regex(_VALID[kind]).fullmatch(value):
        return False
    if kind != "rfc3339":
        return True
    from datetime import date

    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


@check(Label)
def superfluous(node: Label, at: Place) -> Iterator[Finding]:
    """A label that the settings do not name, if they say that there is to be no other."""
    wanted = {name for name, _ in at.settings.labels}
    if at.settings.strict_labels and not at.model.is_trigger(node):
        for pair in node.pairs:
            if _key(pair) not in wanted:
                yield Finding(pair.key.span)


@check(Dockerfile)
def missing(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """A stage lacks a label that the settings name.

    A stage has what the one that it is built on has so far; without a name of its own it is taken for that one.
    """
    wanted = {name for name, _ in at.settings.labels}
    labels: dict[str, set[str]] = {}
    stages: list[tuple[From, str]] = []
    for each in node.instructions if wanted else ():
        if isinstance(each, From):
            image = each.image.text
            name = each.alias.text if each.alias is not None else image if image in labels else str(len(stages))
            labels[name] = set(labels.get(image, ()))
            stages.append((each, name))
        elif isinstance(each, Label) and stages:
            labels[stages[-1][1]].update(map(_key, each.pairs))
    for from_, name in stages:
        lacking = sorted(wanted - labels[name])
        if lacking:
            yield Finding(from_.image.span, f"the image lacks the label{'s' * (len(lacking) > 1)} {', '.join(lacking)}")


@check(Dockerfile)
def no_healthcheck(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """A stage has no HEALTHCHECK, nor has one above that it is built on so far, nor one that is built on it."""
    good: set[int] = set()
    for stage in at.model.stages:
        if stage.base is not None and stage.base.index in good:
            good.add(stage.index)
        if any(isinstance(each, Healthcheck) for each in stage.instructions):
            good.update(each.index for each in stage.lineage)
    for stage in at.model.stages:
        if stage.index not in good and not stage.is_fragment:
            yield Finding(stage.from_.image.span)


@check(Dockerfile)
def foreign_registry(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """FROM, `COPY --from` or a mount names an image of a registry that the settings do not allow, as it is written."""
    if not at.settings.allowed_registries:
        return
    for stage in at.model.stages:
        for span, image in _images(stage, at):
            first = image.split("/")[0] if "/" in image else ""
            registry = first if "." in first or ":" in first else ""
            allowed = at.settings.allowed_registries
            if not any(fnmatchcase(each, pattern) for pattern in allowed for each in ((registry,) if registry else _HUB)):
                yield Finding(span, f"images may come from {', '.join(allowed)} only, not from {registry or _HUB[0]}")


def _images(stage: Stage, at: Place) -> Iterator[tuple[Span, str]]:
    """The images that a stage names, each with its place; stages above are none."""
    if stage.base is None and not stage.is_fragment and stage.from_.image.text != "scratch":
        yield stage.from_.image.span, stage.from_.image.text
    for each in stage.instructions:
        if isinstance(each, Copy | Run):
            for reference in at.model.references(each):
                if reference.stage is None and reference.text != "scratch":
                    yield each.keyword.span, reference.text
