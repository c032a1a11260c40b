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
class Secret:
    """What `RUN --mount=type=secret,id=…` may read: a file's content, an environment variable's, or `value`; one of the three.

    It is read once, before anything is sent.
    """

    id: str
    file: str | None = None
    variable: str | None = None
    value: bytes | None = None

    def __repr__(self) -> str:
        place = f"file={self.file!r}" if self.file is not None else f"variable={self.variable!r}"
        return f"Secret({self.id!r}, {place if self.value is None else 'value=…'})"


@record
class SshAgent:
    """What `RUN --mount=type=ssh,id=…` may ask for signatures: the agent at a socket, or files with private keys.

    Without `paths` it is the agent that SSH_AUTH_SOCK names.
    """

    id: str = "default"
    paths: tuple[str, ...] = ()


@record
class Output:
    """Where the result goes.

    `tar` and `local` give the files of the last stage as a tar and as a folder; `image` gives the engine an image, as does
    `docker` without a destination. `oci` and `docker` with a destination are image archives, `cacheonly` keeps nothing.
    `dest` is a path; `-` is standard output. `attributes` go to BuildKit's exporter as they are.
    """

    type: str
    dest: str = ""
    attributes: Mapping[str, str] = _NONE

    @property
    def is_image(self) -> bool:
        """Whether the engine keeps the result as an image."""
        return self.type in ("image", "docker") and not self.dest


IMAGE = Output("image")


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
    secrets: tuple[Secret, ...] = ()
    ssh: tuple[SshAgent, ...] = ()
    output: Output = IMAGE


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
    if not request.output.is_image:
        # A folder comes as a tar too: its own protocol would have the engine say where each file goes.
        kind = "tar" if request.output.type == "local" else request.output.type
        pairs.append(("outputs", json.dumps([{"Type": kind, "Attrs": dict(request.output.attributes)}])))
    pairs += [(name, "1") for name, wanted in (("nocache", request.no_cache), ("pull", request.pull)) if wanted]
    return pairs
