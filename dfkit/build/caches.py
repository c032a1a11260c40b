"""Caches and named contexts: the values of `--cache-to`, `--cache-from` and `--build-context`, read as buildx reads them.

https://docs.docker.com/build/cache/backends/
https://docs.docker.com/reference/cli/docker/buildx/build/#build-context
"""

from __future__ import annotations

import os
import re

from dfkit.build.flags import IMAGE_NAME, csv_fields
from dfkit.build.request import Cache
from dfkit.errors import UsageError
from dfkit.model.stages import context_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LAYOUT = "oci-layout://"
_FETCHED = re.compile(r"(?:docker-image|oci-layout|https?|git|ssh)://|git@[\w.-]+:|github\.com/")
"""The beginnings of what BuildKit fetches itself, and of images in folders, of which it fetches blobs."""


def cache_from(text: str) -> Cache:
    """`REFERENCE` or `type=TYPE[,KEY=VALUE…]`. Raises `UsageError`."""
    return _cache(text, "--cache-from")


def cache_to(text: str) -> Cache:
    """As `cache_from`; without a mode only the last stage's steps are kept, with `mode=max` those of all. Raises `UsageError`."""
    return _cache(text, "--cache-to")


def _cache(text: str, flag: str) -> Cache:
    found = csv_fields(text, f"`{flag} {text}`")
    if len(found) == 1 and "=" not in text:
        return Cache("registry", {"ref": text})
    attributes: dict[str, str] = {}
    for field in found:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"`{flag}` has `{field}`, which is no KEY=VALUE: write type=TYPE,KEY=VALUE")
        attributes[key.strip().lower()] = value
    kind = attributes.pop("type", "")
    if not kind:
        raise UsageError(f"`{flag}` has no type: write type=registry,ref=IMAGE or another type")
    if kind == "registry" and not attributes.get("ref"):
        raise UsageError(f"`{flag} {text}` has no reference: write type=registry,ref=IMAGE")
    place = "src" if flag == "--cache-from" else "dest"
    if kind == "local" and not attributes.get(place):
        raise UsageError(f"`{flag} {text}` has no folder: write type=local,{place}=FOLDER")
    return Cache(kind, attributes)


def authorized(cache: Cache, environ: Mapping[str, str] = os.environ) -> Mapping[str, str] | None:
    """The attributes of a cache with what the environment adds to them; None where a cache cannot be used here, as buildx skips it.

    GitHub gives a job the address and the token of its cache in variables:
    https://docs.docker.com/build/cache/backends/gha/#authentication
    """
    attributes = dict(cache.attributes)
    if cache.type != "gha":
        return attributes
    if environ.get("ACTIONS_CACHE_SERVICE_V2"):
        added = {"url_v2": environ.get("ACTIONS_RESULTS_URL", "")}
    else:
        added = {"url": environ.get("ACTIONS_CACHE_URL", "") or environ.get("ACTIONS_RESULTS_URL", "")}
    added["token"] = environ.get("ACTIONS_RUNTIME_TOKEN", "")
    attributes = {key: value for key, value in added.items() if value} | attributes
    return attributes if attributes.get("token") and (attributes.get("url") or attributes.get("url_v2")) else None


def named_context(text: str) -> tuple[str, str]:
    """`NAME=` and a folder, `docker-image://REFERENCE`, `oci-layout://PATH[:TAG]` or a URL, as the name and the rest.

    A name that looks like an image is made the one that BuildKit looks for: `docker.io/library/alpine:latest` is `alpine`. Raises
    `UsageError`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(
            f"`--build-context {text}` is no named context: write NAME=FOLDER, NAME=docker-image://IMAGE or NAME=URL"
        )
    if not IMAGE_NAME.fullmatch(name):
        raise UsageError(f"`{name}` is no name for a context: use lower case letters, digits and - . _ / :")
    if value.startswith("target:"):
        raise UsageError(f"`--build-context {text}`: only a bake file has other targets; name the stage in the Dockerfile itself")
    if value.startswith(LAYOUT) and not os.path.isfile(os.path.join(layout(value)[0], "index.json")):
        raise UsageError(f"`--build-context {text}`: {layout(value)[0]} is no OCI layout, it has no index.json")
    if value.startswith("docker-image://") and not IMAGE_NAME.fullmatch(value.removeprefix("docker-image://")):
        raise UsageError(f"`--build-context {text}` names no image: write {name}=docker-image://IMAGE")
    if not is_fetched(value) and not os.path.isdir(value):
        raise UsageError(f"`--build-context {text}`: {value} is not a folder")
    return context_name(name), value


def is_fetched(value: str) -> bool:
    """Whether BuildKit fetches the value of a named context itself; else it is a folder."""
    return _FETCHED.match(value) is not None


def layout(value: str) -> tuple[str, str, str]:
    """The folder, tag and digest of `oci-layout://PATH[:TAG][@DIGEST]`; the tag `latest` and no digest where they are not given."""
    path, _, digest = value.removeprefix(LAYOUT).partition("@")
    folder, colon, tag = path.rpartition(":")
    return (os.path.abspath(folder), tag, digest) if colon and "/" not in tag else (os.path.abspath(path), "latest", digest)
