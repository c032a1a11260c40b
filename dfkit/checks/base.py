"""Base images: what FROM names."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.model.scope import PLATFORM
from dfkit.syntax.image import HUB, ImageName, is_reference
from dfkit.syntax.nodes import Copy, Word
from dfkit.syntax.words import BadWord, expand, variables
from dfkit.text import Edit, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place

_ID = r"(?:sha256:)?[0-9a-f]{64}|[0-9a-f]{12}"


def _name(stage: Stage, at: Place) -> ImageName | None:
    """The base image, variables replaced by their defaults; where that is not possible, as written if its tag can be seen.

    hadolint takes it as written, but for one that begins with a variable and has no tag.
    """
    text = stage.from_.image.text
    if (stage.base is not None and not (at.imitates("hadolint") and "$" in text)) or stage.image == "scratch":
        return None
    if at.imitates("hadolint"):
        return None if text.startswith("$") and ":" not in text.rpartition("}")[2] else ImageName.parse(text)
    if stage.image is not None:
        return stage.image_name
    return None if "$" in text.rpartition("/")[2] else ImageName.parse(text)


@check(Stage)
def untagged(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has neither tag nor digest."""
    name = _name(node, at)
    if name is not None and name.tag is None and name.digest is None and not regex(_ID).fullmatch(node.image or ""):
        yield Finding(node.from_.image.span)


@check(Stage)
def latest(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has the tag `latest` and no digest."""
    name = _name(node, at)
    if name is not None and name.tag == "latest" and name.digest is None:
        text, span = node.from_.image.text, node.from_.image.span
        written = text.endswith(":latest") and span.end - span.start == len(text)
        yield Finding(Span(span.end - len("latest"), span.end) if written else span)


@check(Stage)
def image_id(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names an image by its id, which only the machine that made it knows."""
    if node.base is None and node.image is not None and regex(_ID).fullmatch(node.image):
        yield Finding(node.from_.image.span)


@check(Stage)
def foreign_registry(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM or `COPY --from` names an image of a registry that the settings do not allow; silent if they allow all.

    A `*` in an allowed name stands for any characters. Silent where the registry is in a variable whose value is not known.
    """
    allowed = at.settings.allowed_registries
    if not allowed:
        return
    from fnmatch import fnmatchcase

    named = (
        [(node.from_.image.span, node.image or node.from_.image.text)] if node.base is None and node.image != "scratch" else []
    )
    for instruction in node.instructions:
        flag = instruction.flag("from") if isinstance(instruction, Copy) else None
        for reference in at.model.references(instruction) if flag is not None else ():
            if reference.image_name is not None and flag is not None and flag.value_span is not None:
                named.append((flag.value_span, reference.text))
    for span, text in named:
        registry = _registry(text)
        if registry is not None and not any(fnmatchcase(registry, pattern) for pattern in map(_canonical, allowed)):
            yield Finding(span, f"images may come from {', '.join(allowed)} only, not from {registry}")


def _registry(text: str) -> str | None:
    name = ImageName.parse(text)
    if name is None or "$" in (name.registry or text.partition("/")[0]):
        return None
    return _canonical(name.registry or HUB)


def _canonical(registry: str) -> str:
    return HUB if registry in ("index.docker.io", "hub.docker.com", "registry-1.docker.io") else registry


# --- platforms


@check(Stage)
def constant_platform(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has a `--platform` without a variable, and the stage is not named for that platform (`AS build-amd64`)."""
    flag = node.from_.flag("platform")
    if flag is None or not flag.value:
        return
    if at.imitates("hadolint"):
        found = not any(name in flag.value for name in ("BUILDPLATFORM", "TARGETPLATFORM"))
    else:
        parts = flag.value.split("/")[:2]
        found = "$" not in flag.value and not any(part in (node.name or "") for part in parts)
    if found:
        yield Finding(flag.value_span or flag.span)


@check(Stage)
def target_platform(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM has `--platform=$TARGETPLATFORM`, which is the default."""
    flag = node.from_.flag("platform")
    if flag is None or flag.value not in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
        return
    text = at.model.dockerfile.source.text
    end = flag.span.end
    while text[end] in " \t":
        end += 1
    edits = () if text[end] == at.model.dockerfile.escape else (Edit(Span(flag.span.start, end), ""),)
    yield Finding(flag.span, edits=edits)


# --- variables in FROM


@check(Stage)
def undeclared_argument(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM uses a variable that no ARG above the first FROM declares and that has no default in place."""
    flag = node.from_.flag("platform")
    words = [node.from_.image]
    if flag is not None and flag.value and flag.value_span is not None:
        words.append(Word(flag.value_span, at.model.dockerfile.source.slice(flag.value_span)))
    for word in words:
        for variable in variables(word, at.model.dockerfile.escape):
            if variable.operator not in ("-", ":-") and variable.name not in at.model.global_arguments:
                message = f"no ARG above the first FROM declares `{variable.name}`, so it is empty here: declare it there"
                yield Finding(variable.span, message)


_PLATFORM_DEFAULTS = {"PLATFORM": "linux/amd64", "OS": "linux", "ARCH": "amd64"}
"""Values for the platform ARGs: what counts here is only whether they are empty."""


@check(Stage)
def invalid_default(node: Stage, at: Place) -> Iterator[Finding]:
    """With the defaults of its ARGs, FROM names no image: a variable without a default is empty."""
    word = node.from_.image
    if "$" not in word.text:
        return
    try:
        text = expand(word.text, lambda name: _default(name, at), at.model.dockerfile.escape)
    except BadWord:
        return
    if not is_reference(text):
        yield Finding(word.span, f"without --build-arg this is `{text}`, which names no image: give the ARG a default")


def _default(name: str, at: Place) -> str | None:
    if name in PLATFORM:
        return _PLATFORM_DEFAULTS.get(name.removeprefix("BUILD").removeprefix("TARGET"), "")
    binding = at.model.global_arguments.get(name)
    return binding.value if binding is not None else None


@check(Stage)
def other_platform(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names an image that is known to be for another platform than its `--platform`; variants are not compared."""
    wanted = at.model.state(node.from_).platform
    there = dict(at.settings.platforms).get(node.image or "")
    if node.base is None and wanted and there and wanted.split("/")[:2] != there.split("/")[:2]:
        yield Finding(node.from_.image.span, f"the image is for {there}, and `--platform` asks for {wanted}")


@check(Stage)
def committed(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names an image that the engine knows to be made by `docker commit`."""
    if node.base is None and node.image is not None and node.image in at.settings.committed:
        yield Finding(node.from_.image.span)
