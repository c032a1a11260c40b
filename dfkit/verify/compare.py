"""Whether two images are the same but for what a rewrite declared and for what differs between any two builds."""

from __future__ import annotations

import re

from dfkit._record import Record
from dfkit.errors import UsageError
from dfkit.image.flatten import hard_links
from dfkit.verify.noise import reason, reason_to_come_or_go
from dfkit.verify.packages import gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Literal

    from dfkit.image.entry import Entry
    from dfkit.image.flatten import Flat

    Kind = Literal["added", "removed", "type", "content", "mode", "owner", "target", "device", "xattrs", "links", "config"]

KINDS: tuple[Kind, ...] = (
    "added",
    "removed",
    "type",
    "content",
    "mode",
    "owner",
    "target",
    "device",
    "xattrs",
    "links",
    "config",
)
_CHANGED: tuple[Kind, ...] = ("content", "mode", "owner", "target", "device", "xattrs", "links")

PACKAGES = "packages"
"""Declares that packages are gone with all that was theirs."""

TWICE = "differs between two builds of the original, too"
"""Why a difference is explained by `noise`."""
_PYC_TIME = "a .pyc that differs only in the modification time of its source"

_NOT_COMPARED = frozenset(
    ("Hostname", "Domainname", "Image", "AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "Tty")
)
"""What builders leave of the last build container: no engine takes it from an image."""
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant", "author")


class Difference(Record):
    """One thing that differs.

    `path` is a file's, or for the kind `config` the setting's name (`Cmd`, `Env.PATH`, `Labels.version`). `before` and `after`
    are what each image has, None where it has nothing. `reason` says why the difference is no fault, "" where nothing does.
    """

    kind: Kind
    path: str
    before: Any = None
    after: Any = None
    reason: str = ""


class Comparison(Record):
    """What differs between two images. `explained` differences have a reason."""

    differences: tuple[Difference, ...]
    explained: tuple[Difference, ...]

    @property
    def equivalent(self) -> bool:
        """Whether no difference is left without a reason."""
        return not self.differences


def compare(
    original: Flat, optimized: Flat, *, noise: Flat | None = None, declared: Iterable[str] = (), base_layers: int = 0
) -> Comparison:
    """Compare two flattened images: files, modes, owners, links, attributes, configuration. Times are not compared.

    `noise` is a second build of the original. A difference is explained where the second build has one of the same kind at the
    same path; so what both builds of the original have, the optimized image must have. Configuration is never noise.

    `declared` says what the rewrite meant to change, each as `KINDS:PATTERN`: `removed:/var/lib/apt/lists/**`,
    `content,mode:/etc/app.conf`, `config:Labels.*`. The kinds are those of `KINDS`, or `changed` for any change to a file that
    keeps its type; a pattern alone means `removed`. In a pattern `*` and `?` stay within a path component, `**` is one component
    or more, `**/` none or more.

    Raises `UsageError` if a declaration names an unknown kind.
    """
    declared = tuple(declared)
    allowed = [_declaration(text) for text in declared if text != PACKAGES]
    packages = gone(original, optimized, base_layers) if PACKAGES in declared else None
    noisy = {(one.kind, one.path) for one in _files(original, noise)} if noise else set()

    def explain(one: Difference) -> str:
        for text, kinds, pattern in allowed:
            if one.kind in kinds and pattern.fullmatch(one.path):
                return f"declared: {text}"
        if packages is not None and packages.explains(one.kind, one.path):
            return f"declared: the packages {', '.join(packages.names[:5])}{' …' if len(packages.names) > 5 else ''} are gone"
        if (one.kind, one.path) in noisy:
            return TWICE
        if one.kind in ("added", "removed"):
            return reason_to_come_or_go(one.path)
        return reason(one.path) if one.kind == "content" else ""

    found = (*_files(original, optimized), *_config(original.config, optimized.config))
    judged = [Difference(one.kind, one.path, one.before, one.after, one.reason or explain(one)) for one in found]
    return Comparison(tuple(one for one in judged if not one.reason), tuple(one for one in judged if one.reason))


def _files(one: Flat, other: Flat) -> Iterator[Difference]:
    common = one.files.keys() & other.files.keys()
    names, other_names = (hard_links({path: flat.files[path] for path in common}) for flat in (one, other))
    for path in sorted(one.files.keys() | other.files.keys()):
        before, after = one.files.get(path), other.files.get(path)
        if before is None:
            yield Difference("added", path, None, after)
        elif after is None:
            yield Difference("removed", path, before, None)
        elif before.type != after.type:
            yield Difference("type", path, before.type, after.type)
        else:
            yield from _inode(path, before, after)
            if names.get(path) != other_names.get(path):
                yield Difference("links", path, names.get(path), other_names.get(path))


def _inode(path: str, before: Entry, after: Entry) -> Iterator[Difference]:
    if before.sha256 != after.sha256:
        same = before.stable_sha256 == after.stable_sha256
        yield Difference("content", path, before.sha256, after.sha256, _PYC_TIME if same else "")
    if before.mode != after.mode:
        yield Difference("mode", path, before.mode, after.mode)
    if (before.uid, before.gid) != (after.uid, after.gid):
        yield Difference("owner", path, (before.uid, before.gid), (after.uid, after.gid))
    if before.linkname != after.linkname:
        yield Difference("target", path, before.linkname, after.linkname)
    if before.device != after.device:
        yield Difference("device", path, before.device, after.device)
    if before.xattrs != after.xattrs:
        yield Difference("xattrs", path, before.xattrs, after.xattrs)


def _config(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = _settings(one), _settings(other)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Difference("config", name, before.get(name), after.get(name))
    order = [[name for name in settings if name.startswith("Env.")] for settings in (before, after)]
    if order[0] != order[1] and sorted(order[0]) == sorted(order[1]):
        yield Difference("config", "Env", order[0], order[1])


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What containers get from an image, by name; Env and other maps by key, in their order. What is empty is left out."""
    settings = {name.capitalize(): config[name] for name in _PLATFORM if config.get(name)}
    for name, value in (config.get("config") or {}).items():
        if name == "Env":
            value = dict(variable.partition("=")[::2] for variable in value or ())
        if name in _NOT_COMPARED or not value or (name, value) == ("WorkingDir", "/"):
            continue
        if isinstance(value, dict) and name != "Healthcheck":
            settings |= {f"{name}.{key}": setting for key, setting in value.items()}
        else:
            settings[name] = value
    return settings


def _declaration(text: str) -> tuple[str, frozenset[str], re.Pattern[str]]:
    names, _, pattern = text.partition(":") if not text.startswith("/") else ("removed", "", text)
    kinds = frozenset(kind for name in names.split(",") for kind in (_CHANGED if name == "changed" else (name,)))
    if unknown := kinds.difference(KINDS):
        raise UsageError(f"{text!r} declares {', '.join(map(repr, sorted(unknown)))}; say changed, {', '.join(KINDS)}")
    return text, kinds, _glob(pattern)


def _glob(pattern: str) -> re.Pattern[str]:
    parts = {"**/": "(?:[^/]+/)*", "**": ".+", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(parts.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)), re.DOTALL)
