"""What to build, and how the engine's `POST /build` wants it said."""

from __future__ import annotations

import json
from types import MappingProxyType

from dfkit._record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.context import ContextPlan

_NONE: Mapping[str, str] = MappingProxyType({})


@record
class BuildRequest:
    """A build of one image.

    `dockerfile` is the path of the Dockerfile inside a context that is sent as a tar; `Folders` has a name of its own for it. A
    build argument of None leaves the Dockerfile's default.
    `network` is `default`, `host` or `none`; `platform` is `os/architecture[/variant]`. `shm_size` is in bytes, 0 for the
    engine's own; `ulimits` maps a name to its soft and hard limit; `extra_hosts` are `name:address`.
    """

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    build_args: Mapping[str, str | None] = _NONE
    target: str | None = None
    labels: Mapping[str, str] = _NONE
    network: str | None = None
    platform: str | None = None
    no_cache: bool = False
    pull: bool = False
    cache_from: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    shm_size: int = 0
    ulimits: Mapping[str, tuple[int, int]] = MappingProxyType({})


@record
class Folders:
    """A build's files, sent over its session: the engine takes those that have changed since it last built this context.

    The Dockerfile has a folder of its own, so no COPY sees it, and the context keeps its own file of the same name. `dockerfile`
    is its text; `name` is what the engine's messages call it, and has no folder in it.
    """

    context: ContextPlan
    dockerfile: bytes
    name: str = "Dockerfile"


_HONOURED_SINCE = {"shm_size": ("--shm-size", (1, 42)), "ulimits": ("--ulimit", (1, 42))}
"""What older engines take and ignore: the field, its flag, the first API version whose builder uses it (Docker 23.0)."""


def ignored(request: BuildRequest, api_version: tuple[int, int]) -> tuple[str, ...]:
    """The flags of a request that an engine of this API version accepts without effect."""
    return tuple(flag for field, (flag, since) in _HONOURED_SINCE.items() if getattr(request, field) and api_version < since)


def query(request: BuildRequest) -> list[tuple[str, str]]:
    """The query parameters of `POST /build` for BuildKit (`version=2`), without those that name the session and the build.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild
    """
    pairs: list[tuple[str, str]] = [("version", "2"), ("dockerfile", request.dockerfile)]
    pairs += [("t", tag) for tag in request.tags]
    pairs += [("extrahosts", host) for host in request.extra_hosts]
    for name, text in (("target", request.target), ("networkmode", request.network), ("platform", request.platform)):
        if text:
            pairs.append((name, text))
    ulimits = [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in request.ulimits.items()]
    for name, value in (
        ("buildargs", dict(request.build_args)),
        ("labels", dict(request.labels)),
        ("cachefrom", list(request.cache_from)),
        ("ulimits", ulimits),
    ):
        if value:
            pairs.append((name, json.dumps(value)))
    if request.shm_size:
        pairs.append(("shmsize", str(request.shm_size)))
    pairs += [(name, "1") for name, wanted in (("nocache", request.no_cache), ("pull", request.pull)) if wanted]
    return pairs
