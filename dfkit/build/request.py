"""What to build, and how the engine's `POST /build` wants it said."""

from __future__ import annotations

import json
from types import MappingProxyType

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.context import ContextPlan

_NONE: Mapping[str, str] = MappingProxyType({})
_FALSE = ("0", "f", "F", "false", "False", "FALSE")
"""https://pkg.go.dev/strconv#ParseBool"""


class Secret(Record):
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


class SshAgent(Record):
    """What `RUN --mount=type=ssh,id=…` may ask for signatures: the agent at a socket, or files with private keys.

    Without `paths` it is the agent that SSH_AUTH_SOCK names.
    """

    id: str = "default"
    paths: tuple[str, ...] = ()


class Output(Record):
    """Where the result goes.

    `tar` and `local` give the files of the last stage as a tar and as a folder; `image` gives the engine an image, as does
    `docker` without a destination. `oci` and `docker` with a destination are image archives, with the attribute `tar=false` folders
    with the layout of an OCI image; `cacheonly` keeps nothing.
    `dest` is a path; `-` is standard output. `attributes` go to BuildKit's exporter as they are.
    """

    type: str
    dest: str = ""
    attributes: Mapping[str, str] = _NONE

    @property
    def is_image(self) -> bool:
        """Whether the engine keeps the result as an image."""
        return self.type in ("image", "docker") and not self.dest and not self.is_layout

    @property
    def is_layout(self) -> bool:
        """Whether the engine writes the result into a folder, blob by blob."""
        return self.type in ("oci", "docker") and self.attributes.get("tar", "") in _FALSE

    @property
    def is_sent(self) -> bool:
        """Whether the engine sends the result back in one piece."""
        return not self.is_layout and (self.type in ("tar", "local", "oci") or bool(self.dest))


IMAGE = Output("image")


class Cache(Record):
    """A place outside the engine for the results of steps: `type` is BuildKit's (`registry`, `inline`, `local`, `gha`, `s3` …).

    `attributes` go to BuildKit as they are; what authorizes `gha` is taken from the environment when the build begins.
    """

    type: str
    attributes: Mapping[str, str] = _NONE

    def __repr__(self) -> str:
        return f"Cache({self.type!r}, {', '.join(sorted(self.attributes))})"  # values may be keys of a store


class Resources(Record):
    """Limits for the steps of a build, 0 or "" for none. BuildKit ignores them; the classic builder does not.

    `memory` and `memory_swap` are in bytes (-1: swap without limit), `cpu_period` and `cpu_quota` in microseconds; `cpuset_cpus` and
    `cpuset_mems` are lists such as `0-2,4`.
    """

    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    cgroup_parent: str = ""


class BuildRequest(Record):
    """A build of one image.

    `dockerfile` is the path of the Dockerfile inside a context that is sent as a tar; `Folders` has a name of its own for it. A
    build argument of None leaves the Dockerfile's default.
    `network` is `default`, `host` or `none`; `platform` is `os/architecture[/variant]`. `shm_size` is in bytes, 0 for the
    engine's own; `ulimits` maps a name to its soft and hard limit; `extra_hosts` are `name:address`.
    `cache_from` are images, `cache_imports` other caches to read. `contexts` are named contexts that BuildKit fetches itself: a name
    to a URL or to `docker-image://REFERENCE`; folders stand in `Folders.named`.
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
    resources: Resources = Resources()
    squash: bool = False
    security_opt: tuple[str, ...] = ()
    isolation: str | None = None
    secrets: tuple[Secret, ...] = ()
    ssh: tuple[SshAgent, ...] = ()
    output: Output = IMAGE
    cache_to: tuple[Cache, ...] = ()
    cache_imports: tuple[Cache, ...] = ()
    contexts: Mapping[str, str] = _NONE


class Folders(Record):
    """A build's files, sent over its session: the engine takes those that have changed since it last built this context.

    The Dockerfile has a folder of its own, so no COPY sees it, and the context keeps its own file of the same name. `dockerfile`
    is its text; `name` is what the engine's messages call it, and has no folder in it. `named` are the folders of named contexts.
    """

    context: ContextPlan
    dockerfile: bytes
    name: str = "Dockerfile"
    named: Mapping[str, ContextPlan] = MappingProxyType({})


_RESOURCES = {
    "memory": "memory",
    "memswap": "memory_swap",
    "cpushares": "cpu_shares",
    "cpuperiod": "cpu_period",
    "cpuquota": "cpu_quota",
    "cpusetcpus": "cpuset_cpus",
    "cpusetmems": "cpuset_mems",
    "cgroupparent": "cgroup_parent",
}
"""Query parameters and fields of `Resources`."""


def query(request: BuildRequest) -> list[tuple[str, str]]:
    """The query parameters of `POST /build` for BuildKit (`version=2`), without those that name the session and the build.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild
    """
    pairs: list[tuple[str, str]] = [("version", "2"), ("dockerfile", request.dockerfile)]
    pairs += [("t", tag) for tag in request.tags]
    pairs += [("extrahosts", host) for host in request.extra_hosts]
    for name, text in (
        ("target", request.target),
        ("networkmode", request.network),
        ("platform", request.platform),
        ("isolation", request.isolation),
    ):
        if text:
            pairs.append((name, text))
    build_args = dict(request.build_args)
    if any(cache.type == "inline" for cache in request.cache_to):
        build_args["BUILDKIT_INLINE_CACHE"] = "1"
    ulimits = [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in request.ulimits.items()]
    for name, value in (
        ("buildargs", build_args),
        ("labels", dict(request.labels)),
        ("cachefrom", list(request.cache_from)),
        ("ulimits", ulimits),
        ("securityopt", list(request.security_opt)),
    ):
        if value:
            pairs.append((name, json.dumps(value)))
    numbers = {"shmsize": request.shm_size, **{name: getattr(request.resources, field) for name, field in _RESOURCES.items()}}
    pairs += [(name, str(value)) for name, value in numbers.items() if value]
    if not request.output.is_image:
        # A folder comes as a tar too: its own protocol would have the engine say where each file goes.
        kind = "tar" if request.output.type == "local" else request.output.type
        pairs.append(("outputs", json.dumps([{"Type": kind, "Attrs": dict(request.output.attributes)}])))
    switches = (("nocache", request.no_cache), ("pull", request.pull), ("squash", request.squash))
    pairs += [(name, "1") for name, wanted in switches if wanted]
    return pairs
