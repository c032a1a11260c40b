"""One build by BuildKit's control API: on a Docker engine for what its `POST /build` cannot say, and on BuildKit daemons."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from itertools import chain

from dfkit._record import replace
from dfkit.build.caches import LAYOUT, authorized
from dfkit.build.capabilities import Unsupported, check_request, check_solve, ignored
from dfkit.build.engine import Engine, trouble
from dfkit.build.events import ImageBuilt
from dfkit.build.request import IMAGE, Folders, Output
from dfkit.errors import BuildFailed, NoEngine, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dfkit.build.buildkit.channel import Channel
    from dfkit.build.buildkit.control import Typed
    from dfkit.build.buildkit.session import Dial, Session
    from dfkit.build.events import BuildResult, Event
    from dfkit.build.remote import Builder
    from dfkit.build.request import BuildRequest, Cache
    from dfkit.build.services import Services

    Peer = Engine | Builder

_ARCHIVES = ("oci", "docker")
CONTEXTS_SINCE = (1, 42)
"""The API version of Docker 23.0, the first whose own Dockerfile frontend knows named contexts."""

GATEWAY_LABEL = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"


def only_by_control(request: BuildRequest, context: object) -> str:
    """The flag of a request that `POST /build` cannot say; empty if there is none."""
    if request.contexts or (isinstance(context, Folders) and context.named):
        return "--build-context"
    if other := next((cache.type for cache in request.cache_to if cache.type != "inline"), ""):
        return f"--cache-to type={other}"
    if request.cache_imports:
        return f"--cache-from type={request.cache_imports[0].type}"
    if _is_archive(request.output) or request.output.type == "cacheonly":
        return f"--output type={request.output.type}"
    return ""


def check_control(request: BuildRequest, context: object, engine: Engine) -> None:
    """Raises `Unsupported` for what neither `POST /build` nor the control API of this engine can do, before anything is sent."""
    flag = only_by_control(request, context)
    other = "or give the build to a BuildKit daemon with --builder"
    if flag and not engine.has_buildkit:
        raise Unsupported(f"{engine.name} at {engine.host} has no BuildKit for {flag}: build on Docker Engine, {other}")
    if flag == "--build-context" and engine.api_version < CONTEXTS_SINCE:
        raise Unsupported(f"{engine.name} at {engine.host} has no named contexts ({flag}): use Docker 23.0 or newer, {other}")
    if request.output.attributes.get("push") == "true":
        raise Unsupported(f"{engine.name} at {engine.host} pushes no build: use `docker push` after it, {other}")
    if any(value.startswith(LAYOUT) for value in request.contexts.values()) and not engine.containerd_store:
        raise Unsupported(
            f"{engine.name} at {engine.host} reads no OCI layouts (oci-layout://): load the image and name it with docker-image://, "
            f"turn on the engine's containerd image store, {other}"
        )
    store = _is_archive(request.output) or any(cache.type != "inline" for cache in request.cache_to)
    if store and not engine.containerd_store:
        instead = "--cache-to type=inline" if flag.startswith("--cache-to") else "`docker save`"
        raise Unsupported(
            f"{engine.name} at {engine.host} has no {flag}: use {instead}, turn on the engine's containerd image store, {other}"
        )


def _is_archive(output: Output) -> bool:
    return output.type in _ARCHIVES and not output.is_image


def solve(
    peer: Peer,
    request: BuildRequest,
    folders: Folders,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> BuildResult:
    """Build by the control API; as `client.build` otherwise, also in what it raises and in how it is canceled."""
    from dfkit.build.services import Services

    check_solve(request)
    told: deque[str] = deque()
    if request.output.type == "registry":
        request = replace(request, output=Output("image", attributes={**request.output.attributes, "push": "true"}))
    if isinstance(peer, Engine):
        check_control(request, folders, peer)
        told.extend(check_request(replace(request, output=IMAGE), peer))
    else:
        told.extend(ignored(request, peer))
    if not isinstance(peer, Engine) and request.output.is_image:
        if request.output.type == "docker":
            return _load(peer, request, folders, on_event)
        if request.output.attributes.get("push") != "true":
            told.append(f"the image stays in the cache of {peer.name} at {peer.host}: add --load, --push or --output to get it")
            request = replace(request, output=Output("cacheonly"))
    with Services(request, folders, told.append) as services:
        return _solve(peer, request, folders, services, told, on_event)


def _solve(
    peer: Peer,
    request: BuildRequest,
    folders: Folders,
    services: Services,
    told: deque[str],
    on_event: Callable[[Event], None],
) -> BuildResult:
    from dfkit.build.buildkit.control import Solve, Solving
    from dfkit.build.buildkit.grpc import StatusError
    from dfkit.build.buildkit.session import Session
    from dfkit.build.outcome import Outcome

    began = time.monotonic()
    outcome = Outcome(services.secrets.scrub)
    with control(peer) as channel:
        ask = Solve(
            secrets.token_hex(16),
            attributes=frontend_attributes(peer, channel, services.layouts.request, folders),
            exporter=_exporter(peer, request),
            cache_to=_caches(services.layouts.request.cache_to, told),
            cache_from=_imports(services.layouts.request, told),
            entitlements=("network.host",) if request.network == "host" else (),
        )
        session = Session(session_dial(peer, channel), *services.handlers(), shared_key=services.shared_key)
        open_session(session, peer)
        try:
            solving = Solving(channel, replace(ask, session=session.id))
            try:
                for message in solving.trace():
                    for event in chain(outcome.warned(told), outcome.trace(message)):
                        on_event(event)
                response = solving.response()
                services.layouts.finish(response)
                if image := response.get("containerimage.digest"):
                    on_event(outcome.image(image))
            except StatusError as error:
                outcome.fail(error.message or "the daemon gives no reason")
            except KeyboardInterrupt:
                solving.cancel()
                raise
            finally:
                solving.close()
        finally:
            session.close()
    for warning in outcome.warned(told):
        on_event(warning)
    return services.result(outcome, time.monotonic() - began)


def _load(builder: Builder, request: BuildRequest, folders: Folders, on_event: Callable[[Event], None]) -> BuildResult:
    """Build an image archive and give it to the engine, by way of a file: the engine takes it only when the build is well."""
    if builder.engine is None:
        raise UsageError("no Docker engine can take the image: leave --load out, or name the engine")

    def pass_on(event: Event) -> None:
        if not isinstance(event, ImageBuilt):  # the engine has another id for it
            on_event(event)

    with tempfile.TemporaryDirectory(prefix="dfkit-") as folder:
        archive = os.path.join(folder, "image.tar")
        result = solve(builder, replace(request, output=Output("docker", archive, request.output.attributes)), folders, pass_on)
        image = builder.engine.load(archive)
    on_event(ImageBuilt(image))
    return replace(result, image_id=image, output=None)


@contextmanager
def control(peer: Peer) -> Iterator[Channel]:
    """A connection to a peer's control API, closed at the end.

    Raises `NoEngine`, also when the connection is lost, and `BuildFailed` for an engine without one and for an answer that cannot
    be read.
    """
    from dfkit.build.buildkit.grpc import GoneError
    from dfkit.build.buildkit.wire import WireError

    channel = _open_channel(peer)
    try:
        yield channel
    except GoneError as error:
        raise _lost(peer, channel, error) from None
    except WireError as error:
        raise BuildFailed(f"the answer of {peer.name} at {peer.host} cannot be read ({error})") from None
    finally:
        channel.close()


def _open_channel(peer: Peer) -> Channel:
    if not isinstance(peer, Engine):
        return peer.open()
    from dfkit.build.buildkit.channel import Channel
    from dfkit.build.buildkit.transport import UpgradeError, upgrade
    from dfkit.build.dockerpy import EngineTrouble

    try:
        channel = Channel(upgrade(peer.api, f"{peer.api.base_url}/v{peer.api.api_version}/grpc", ()), "localhost")
    except UpgradeError as error:
        raise BuildFailed(
            f"{peer.name} at {peer.host} opens no control connection ({error}): give the build to a BuildKit daemon with --builder"
        ) from None
    except EngineTrouble as error:
        raise trouble(error, peer.host, "open a control connection") from None
    channel.start()
    return channel


def session_dial(peer: Peer, channel: Channel) -> Dial:
    """How a session comes to the peer: a Docker engine has a request for it, a daemon's goes through its control API."""
    from dfkit.build.buildkit import control, session

    return session.through_engine(peer.api) if isinstance(peer, Engine) else control.through(channel)


def open_session(session: Session, peer: Peer) -> None:
    """Raises `NoEngine`."""
    from dfkit.build.buildkit.transport import UpgradeError
    from dfkit.build.dockerpy import EngineTrouble

    try:
        session.open()
    except UpgradeError as error:
        raise NoEngine(f"{peer.name} at {peer.host} opens no BuildKit session: {error}") from None
    except EngineTrouble as error:
        raise trouble(error, peer.host, "open a session") from None


def _lost(peer: Peer, channel: Channel, error: Exception) -> NoEngine:
    """The error for a connection that ended, or on which no answer came."""
    from dfkit.build.buildkit.channel import SilentError

    kind = "Docker engine" if isinstance(peer, Engine) else "BuildKit daemon"
    if isinstance(error, SilentError):
        return NoEngine(f"the {kind} at {peer.host} does not answer any more")
    reason = channel.error.strerror if isinstance(channel.error, OSError) else channel.error
    return NoEngine(f"lost the {kind} at {peer.host}, which was to build ({reason or 'it closed the connection'})")


def frontend_attributes(peer: Peer, channel: Channel, request: BuildRequest, folders: Folders) -> dict[str, str]:
    """What the Dockerfile frontend is told. Raises `UsageError` for what this peer cannot be told.

    https://github.com/moby/buildkit/blob/master/frontend/dockerui/config.go
    """
    from dfkit.build.buildkit.filesync import local_name

    found = {"filename": folders.name}
    proxies = peer.proxy_args() if isinstance(peer, Engine) else {}
    for name, value in {**proxies, **request.build_args}.items():
        if value is not None:
            found[f"build-arg:{name}"] = value
    found |= {f"label:{name}": value for name, value in request.labels.items()}
    if request.target:
        found["target"] = request.target
    if request.platform:
        found["platform"] = request.platform
    if request.no_cache:
        found["no-cache"] = ""
    if request.pull:
        found["image-resolve-mode"] = "pull"
    elif isinstance(peer, Engine):
        found["image-resolve-mode"] = "local"
    if request.network in ("host", "none"):
        found["force-network-mode"] = request.network
    elif request.network not in (None, "", "default"):
        raise UsageError(f"BuildKit has no network `{request.network}`: --network is default, host or none")
    if request.extra_hosts:
        found["add-hosts"] = ",".join(_host(host, peer, channel) for host in request.extra_hosts)
    if request.shm_size:
        found["shm-size"] = str(request.shm_size)
    if request.ulimits:
        found["ulimit"] = ",".join(f"{name}={soft}:{hard}" for name, (soft, hard) in request.ulimits.items())
    if contexts := {**request.contexts, **{name: f"local:{local_name(name)}" for name in folders.named}}:
        # A frontend that does not know named contexts fails with this instead of building something else.
        found["frontend.caps"] = "moby.buildkit.frontend.contexts+forward"
        found |= {f"context:{name}": value for name, value in contexts.items()}
    if imports := _imports(request, deque()):
        found["cache-imports"] = json.dumps([{"Type": each.type, "Attrs": dict(each.attributes)} for each in imports])
    return found


def _host(host: str, peer: Peer, channel: Channel) -> str:
    """`name:address` or `name=address` as BuildKit takes it. Raises `UsageError`."""
    name, separator, address = host.partition("=")
    if not separator:
        name, _, address = host.partition(":")
    if address == "host-gateway":
        from dfkit.build.buildkit import control

        address = next((label for worker in control.workers(channel) if (label := worker.labels.get(GATEWAY_LABEL))), "")
        if not address:
            raise UsageError(f"{peer.name} at {peer.host} does not say its host-gateway: give --add-host {name} an address")
    return f"{name}={address.removeprefix('[').removesuffix(']')}"


def _exporter(peer: Peer, request: BuildRequest) -> Typed | None:
    """Where BuildKit is to put the result; None leaves it in the cache. A folder comes as a tar, as with `request.query`."""
    from dfkit.build.buildkit.control import Typed

    output = request.output
    attributes = dict(output.attributes)
    if request.tags and output.type in ("image", *_ARCHIVES):
        attributes["name"] = ",".join(request.tags)
    if output.is_image:
        if isinstance(peer, Engine):
            return Typed("moby", attributes)
        return Typed("image", attributes)
    if output.type == "cacheonly":
        return None
    return Typed("tar" if output.type == "local" else output.type, attributes)


def _caches(caches: Iterable[Cache], told: deque[str]) -> tuple[Typed, ...]:
    from dfkit.build.buildkit.control import Typed

    found = []
    for cache in caches:
        attributes: Mapping[str, str] | None = authorized(cache)
        if attributes is None:
            told.append(f"the {cache.type} cache is left out: the environment has no address and token for it")
        else:
            found.append(Typed(cache.type, attributes))
    return tuple(found)


def _imports(request: BuildRequest, told: deque[str]) -> tuple[Typed, ...]:
    from dfkit.build.buildkit.control import Typed

    images = tuple(Typed("registry", {"ref": image}) for image in request.cache_from)
    return images + _caches(request.cache_imports, told)
