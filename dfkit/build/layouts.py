"""Folders with the layout of an OCI image: local caches (`--cache-to type=local,dest=DIR`), images as named contexts and as outputs.

Their `index.json` names a manifest by a tag, so that other tools' caches and images can be read and the other way about.

https://docs.docker.com/build/cache/backends/local/
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from contextlib import contextmanager
from pathlib import Path

from dfkit._record import replace
from dfkit.build.buildkit.content import Content
from dfkit.build.caches import LAYOUT, layout
from dfkit.build.events import Exported
from dfkit.build.request import Cache
from dfkit.errors import BuildFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from dfkit.build.buildkit.grpc import Handler
    from dfkit.build.request import BuildRequest, Output

_IMAGE_NAME = "io.containerd.image.name"
_NAME = "org.opencontainers.image.ref.name"
_INDEX = "application/vnd.oci.image.index.v1+json"
_PREFIX = "local:"
_EXPORT = "export"
"""What BuildKit calls the store that an exporter writes to."""


class Layouts:
    """The folders of one build. The daemon is told a number in the place of each path: a path may not fit into a header."""

    def __init__(self, request: BuildRequest, warn: Callable[[str], None]) -> None:
        """`warn` is called with a sentence for a folder without a cache, as it is before the first build; it is left out.

        Raises `UsageError` for a folder that has another cache, or that cannot be made.
        """
        self.exported: Exported | None = None
        """The image that was written, where the output is one in a folder and `finish` was called."""
        self._folders: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        if request.output.is_layout:
            self._folders[_EXPORT] = _output_folder(request.output)
        for cache in (cache for cache in request.cache_imports if not _has_cache(cache)):
            warn(f"there is no cache in {cache.attributes['src']} yet")
        self._request = replace(
            request,
            cache_to=tuple(self._written(cache) if cache.type == "local" else cache for cache in request.cache_to),
            contexts={
                name: self._image(value) if value.startswith(LAYOUT) else value for name, value in request.contexts.items()
            },
            cache_imports=tuple(
                self._read(cache) if cache.type == "local" else cache for cache in request.cache_imports if _has_cache(cache)
            ),
        )
        self.content = Content(self._folders, frozenset((*self._tags, _EXPORT))) if self._folders else None

    @property
    def request(self) -> BuildRequest:
        """The request as the daemon is to have it."""
        return self._request

    @property
    def error(self) -> BuildFailed | None:
        """What kept a folder from being read or written, if something did."""
        error = self.content.error if self.content is not None else None
        return BuildFailed(f"the file {error.filename}: {(error.strerror or str(error)).lower()}") if error else None

    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of what serves the folders, by gRPC path."""
        return self.content.handlers() if self.content is not None else {}

    def finish(self, response: Mapping[str, str]) -> None:
        """Name what was written in the indexes of the folders. Raises `BuildFailed`."""
        cache, image = response.get("cache.manifest"), response.get("containerimage.descriptor")
        for name, tag in self._tags.items() if cache else ():
            with _indexing(self._folders[name]) as folder:
                _put(folder, {**json.loads(cache or ""), "annotations": {_NAME: tag}})
        if _EXPORT not in self._folders:
            return
        if not image:
            raise BuildFailed(f"the engine ended the build without the image for {self._request.output.dest}")
        with _indexing(self._folders[_EXPORT]) as folder:
            descriptor = json.loads(base64.b64decode(image))
            for name in response.get("image.name", "").split(","):
                names = {_IMAGE_NAME: name, _NAME: name.rpartition(":")[2]} if name else {_NAME: "latest"}
                _put(folder, {**descriptor, "annotations": {**(descriptor.get("annotations") or {}), **names}})
        size = self.content.added[_EXPORT] if self.content is not None else 0
        self.exported = Exported(self._request.output.type, self._request.output.dest, size)

    def _name(self, folder: str) -> str:
        number = str(len(self._folders))
        self._folders[_PREFIX + number] = folder
        return number

    def _image(self, value: str) -> str:
        folder, tag, digest = layout(value)
        name = f"layout{len(self._folders)}"
        self._folders[f"oci:{name}"] = folder
        return f"{LAYOUT}{name}:{tag}@{digest or _find(folder, tag)}"

    def _written(self, cache: Cache) -> Cache:
        attributes = dict(cache.attributes)
        folder = _made(attributes.pop("dest"), "a cache")
        name = self._name(folder)
        self._tags[_PREFIX + name] = attributes.pop("tag", "latest")
        return Cache("local", {**attributes, "dest": name})

    def _read(self, cache: Cache) -> Cache:
        attributes = dict(cache.attributes)
        folder = os.path.abspath(attributes.pop("src"))
        tag = attributes.pop("tag", "latest")
        if "digest" not in attributes:
            attributes["digest"] = _find(folder, tag)
        return Cache("local", {**attributes, "src": self._name(folder)})


def _has_cache(cache: Cache) -> bool:
    return cache.type != "local" or os.path.isfile(os.path.join(cache.attributes["src"], "index.json"))


def _find(folder: str, tag: str) -> str:
    """The digest of the manifest that a folder's index names. Raises `UsageError`."""
    try:
        manifests = json.loads(Path(folder, "index.json").read_text())["manifests"]
        named = [each for each in manifests if each.get("annotations", {}).get(_NAME) == tag]
        return str((named or (manifests if len(manifests) == 1 else []))[-1]["digest"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"{folder} has nothing with the tag `{tag}`: it is no OCI layout, or its index.json has other tags"
        ) from None


def _output_folder(output: Output) -> str:
    if output.dest in ("", "-"):
        raise UsageError(f"an image in a folder needs one: write type={output.type},tar=false,dest=FOLDER")
    return _made(output.dest, "the image")


def _made(path: str, what: str) -> str:
    folder = os.path.abspath(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        reason = "a file has its name" if os.path.isfile(folder) else (error.strerror or str(error)).lower()
        raise UsageError(f"the folder {path} for {what} cannot be made: {reason}") from None
    return folder


@contextmanager
def _indexing(path: str) -> Iterator[Path]:
    """The folder whose index is written inside. Raises `BuildFailed` for what goes wrong there."""
    try:
        yield Path(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BuildFailed(f"the index of {path} cannot be written: {error}") from None


def _put(folder: Path, manifest: dict[str, Any]) -> None:
    """Name a manifest in the index, in the place of what had its names. Raises what `_indexing` catches."""
    index = folder / "index.json"
    found = json.loads(index.read_text()) if index.exists() else {}
    others = [each for each in found.get("manifests") or () if _names(each) != _names(manifest)]
    _replace(index, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [*others, manifest]})
    _replace(folder / "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _names(manifest: Mapping[str, Any]) -> tuple[str | None, str | None]:
    annotations = manifest.get("annotations") or {}
    return annotations.get(_IMAGE_NAME), annotations.get(_NAME)


def _replace(path: Path, value: object) -> None:
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        temporary.write_text(json.dumps(value))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
