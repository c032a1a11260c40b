"""The session of a build: a connection over which the engine calls back for what only the client has.

A build needs one even if it shares nothing: without a session BuildKit cannot fetch an anonymous token, so no base can be
pulled from Docker Hub. A session serves one build; BuildKit takes its second build's sources for already transferred.
"""

from __future__ import annotations

import secrets

from dfkit.build.buildkit.grpc import Server, unary
from dfkit.build.buildkit.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from dfkit.build.buildkit.grpc import Handler
    from dfkit.build.buildkit.transport import Transport

    Dial = Callable[[list[tuple[str, str]]], Transport]
    """Opens the connection of a session that these headers tell of, some of them in more than one line."""

SERVING = encode((1, 1))
"""grpc.health.v1.HealthCheckResponse with status SERVING."""

HEALTH: Mapping[str, Handler] = {"/grpc.health.v1.Health/Check": unary(lambda _request: SERVING)}
"""The engine asks every few seconds and drops a session that does not answer."""


class Session:
    """Between `open` and `close` the engine can call back. `id` is what the build request names the session by."""

    def __init__(self, dial: Dial, *services: Mapping[str, Handler], shared_key: str = "") -> None:
        """`services` are handlers by gRPC path. The health service is added.

        With a `shared_key` the engine keeps the files that it is sent for later sessions of the same key.
        """
        self.id = secrets.token_hex(16)
        self._dial = dial
        self._shared_key = shared_key
        self._handlers: dict[str, Handler] = dict(HEALTH)
        for service in services:
            self._handlers |= service
        self._server: Server | None = None

    def open(self) -> None:
        """Raises what opening the connection raises."""
        headers = [("X-Docker-Expose-Session-Uuid", self.id), ("X-Docker-Expose-Session-Name", "dfkit")]
        if self._shared_key:
            headers.append(("X-Docker-Expose-Session-Sharedkey", self._shared_key))
        headers += [("X-Docker-Expose-Session-Grpc-Method", path) for path in self._handlers]
        self._server = Server(self._dial(headers), self._handlers)
        self._server.start()

    @property
    def heard(self) -> float:
        """When the engine last sent anything, by `time.monotonic`; 0 before `open`."""
        return self._server.heard if self._server else 0.0

    def close(self) -> None:
        """End the connection and its thread."""
        if self._server:
            self._server.close()


def through_engine(api: Any) -> Dial:
    """Sessions by `POST /session` of a Docker engine; `api` is a `docker.APIClient`.

    `Session.open` raises `transport.UpgradeError` if the engine has none (status 404), and what requests raises.
    """

    def dial(headers: list[tuple[str, str]]) -> Transport:
        from dfkit.build.buildkit.transport import upgrade

        return upgrade(api, f"{api.base_url}/v{api.api_version}/session", headers)

    return dial
