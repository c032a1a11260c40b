"""What an engine can do of what a build asks for, looked up before anything is sent.

Engines take most parameters of `POST /build` without a word and use those that they know. What is in these tables was tried on Docker
20.10, 26.1 and 28.5 and on Podman 5; tests/engine/test_capabilities.py holds them against the engines that answer.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.errors import BuildFailed
from dfkit.model.features import docker_with, features, frontend_of_docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dfkit.build.engine import Engine
    from dfkit.build.remote import Builder
    from dfkit.build.request import BuildRequest, Output
    from dfkit.model import Model
    from dfkit.model.features import Feature
    from dfkit.model.stages import Stage

NEVER = (999, 0)
CACHEONLY_UNTIL = (1, 42)
"""From Docker 23.0 on `POST /build` finds no exporter of this name."""

_PINNED = regex(r"(?:docker\.io/)?docker/dockerfile:([0-9]+)\.([0-9]+)(?:\.[0-9]+)?")


class Unsupported(BuildFailed):
    """The engine cannot build what is asked for; nothing was sent to it."""


class Option(Record):
    """An option of a build: which engines use it, by the first API version whose BuildKit does, and whether the classic builder does.

    To an engine that does not use it an option that is `needed` is not sent: the build is refused, as its result would be another or
    it could only fail. Other options are sent, and a warning names them.
    """

    flag: str
    given: Callable[[BuildRequest], object]
    buildkit: tuple[int, int]
    classic: bool
    needed: bool = False


ALWAYS = (1, 39)

OPTIONS = (
    #      flag              what is asked                            BuildKit  classic  needed
    Option("--shm-size",     lambda ask: ask.shm_size,                (1, 42),  True),
    Option("--ulimit",       lambda ask: ask.ulimits,                 (1, 42),  True),
    Option("--memory",       lambda ask: ask.resources.memory,        NEVER,    True),
    Option("--memory-swap",  lambda ask: ask.resources.memory_swap,   NEVER,    True),
    Option("--cpu-shares",   lambda ask: ask.resources.cpu_shares,    NEVER,    True),
    Option("--cpu-period",   lambda ask: ask.resources.cpu_period,    NEVER,    True),
    Option("--cpu-quota",    lambda ask: ask.resources.cpu_quota,     NEVER,    True),
    Option("--cpuset-cpus",  lambda ask: ask.resources.cpuset_cpus,   NEVER,    True),
    Option("--cpuset-mems",  lambda ask: ask.resources.cpuset_mems,   NEVER,    True),
    Option("--cgroup-parent", lambda ask: ask.resources.cgroup_parent, NEVER,   True),
    Option("--secret",       lambda ask: ask.secrets,                 ALWAYS,   False,   needed=True),
    Option("--ssh",          lambda ask: ask.ssh,                     ALWAYS,   False,   needed=True),
    Option("--output",       lambda ask: not ask.output.is_image,     (1, 40),  False,   needed=True),
)  # fmt: skip
"""All other fields of a request are used by every engine that builds."""


def check_request(request: BuildRequest, engine: Engine) -> tuple[str, ...]:
    """A sentence for each option that this engine takes and ignores. Raises `Unsupported` for one that the build cannot do without."""
    for option in OPTIONS:
        if option.needed and option.given(request) and not _used(option, engine):
            raise Unsupported(
                f"{engine.name} at {engine.host} has no {option.flag}: build on Docker Engine, or leave the option out"
            )
    if refusal := _output(request.output, engine):
        raise Unsupported(refusal)
    return ignored(request, engine)


def ignored(request: BuildRequest, peer: Engine | Builder) -> tuple[str, ...]:
    """A sentence for each option that an engine or a BuildKit daemon takes and ignores."""
    options = [option for option in OPTIONS if not option.needed and option.given(request) and not _used(option, peer)]
    return tuple(f"{peer.name} ignores {option.flag}" for option in options)


def check_solve(request: BuildRequest) -> None:
    """Raises `Unsupported` for what BuildKit's control API has no word for, where a build goes by it."""
    options = {"--squash": request.squash, "--security-opt": request.security_opt, "--isolation": request.isolation}
    for flag, value in options.items():
        if value:
            raise Unsupported(f"{flag} cannot go together with what only BuildKit's control API can do: leave one of them out")


def _output(output: Output, engine: Engine) -> str:
    """Why `POST /build` cannot give this output, as a sentence; empty if it can. BuildKit in the engine has few exporters."""
    flag = f"--output type={output.type}"
    if output.type in ("tar", "local") or (output.is_image and not output.attributes):
        return ""
    if output.type == "cacheonly" and engine.api_version < CACHEONLY_UNTIL:
        return ""
    if output.type == "registry" or output.attributes.get("push"):
        return f"{engine.name} does not push what it builds: build it with a name (--tag), then `docker push` it"
    if output.is_image:
        return f"{engine.name} takes no settings for the image ({', '.join(output.attributes)}): its names come from --tag"
    if output.type in ("oci", "docker"):
        return f"{engine.name} writes no image archives (`{flag},dest=…`): build it with a name (--tag), then `docker save` it"
    return f"{engine.name} has no `{flag}`: the types are local, tar and image"


def _used(option: Option, peer: Engine | Builder) -> bool:
    from dfkit.build.engine import Engine

    if not isinstance(peer, Engine):
        return option.buildkit != NEVER
    return peer.api_version >= option.buildkit if peer.has_buildkit else option.classic


def check_features(model: Model, target: Stage | None, engine: Engine, frontend: str | None = None) -> None:
    """Raise `Unsupported` for what the frontend that this engine has built in cannot read.

    `frontend` is the image that `BUILDKIT_SYNTAX` names, which takes the place of the one in `# syntax=`. Of other frontends than
    Docker's own nothing is known, and nothing of Podman's.
    """
    name, version = _frontend(model, engine, frontend)
    if version is None:
        return
    missing = [each for each in features(model, target) if each.since > version]
    if missing:
        raise Unsupported(_sentence(missing, model, name, from_image=name != engine.name))


def _frontend(model: Model, engine: Engine, named: str | None) -> tuple[str, tuple[int, int] | None]:
    """The frontend that would read the file: what to call it, and its version where that is known."""
    directive = model.dockerfile.directive("syntax")
    image = named or (directive.value if directive is not None else None)
    if image is not None:
        pinned = _PINNED.fullmatch(image.split()[0] if image.split() else "")
        return image, (int(pinned[1]), int(pinned[2])) if pinned is not None else None
    return engine.name, frontend_of_docker(engine.version) if engine.has_buildkit else None


def _sentence(missing: list[Feature], model: Model, name: str, *, from_image: bool) -> str:
    source = model.dockerfile.source
    uses = [f"{each.name} (line {source.position(each.span.start).line})" for each in missing]
    line = source.position(missing[0].span.start).line
    since = max(each.since for each in missing)
    docker = docker_with(since)
    version = f"docker/dockerfile:{since[0]}.{since[1]}"
    if from_image:
        todo = f"name `{version}` or a newer one in `# syntax=`"
    elif docker is not None:
        todo = f"write `# syntax=docker/dockerfile:1` as the file's first line, or use Docker {docker} or newer"
    else:
        todo = f"write `# syntax={version}` as the file's first line"
    return f"{source.name}:{line}: {name} does not know {_listed(uses)}: {todo}"


def _listed(uses: list[str]) -> str:
    unique = list(dict.fromkeys(uses))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
