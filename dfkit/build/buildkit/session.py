"""The session of a build: a connection over which the engine calls back for what only the client has.

A build needs one even if it shares nothing: without a session BuildKit cannot fetch an anonymous token, so no base can be
pulled from Docker Hub. A session serves one build; BuildKit takes its second build's sources for already transferred.
"""

from __future__ import annotations

import secrets

from dfkit.build.buildkit.grpc import Server, unary
from dfkit.build.buildkit.transport import upgrade
from dfkit.build.buildkit.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dfkit.build.buildkit.grpc import Handler

SERVING = encode((1, 1))
"""grpc.health.v1.HealthCheckResponse with status SERVING."""

HEALTH: Mapping[str, Handler] = {"/grpc.health.v1.Health/Check": unary(lambda _request: SERVING)}
"""The engine asks every few seconds and drops a session that does not answer."""


class Session:
    """Between `open` and `close` the engine can call back. `id` is what the build request names the session by."""

    def __init__(self, api: Any, *services: Mapping[str, Handler], shared_key: str = "") -> None:
        """`api` is a `docker.APIClient`; `services` are handlers by gRPC path. The health service is added.

        With a `shared_key` the engine keeps the files that it is sent for later sessions of the same key.
        """
        self.id = secrets.token_hex(16)
        self._api = api
        self._shared_key = shared_key
        self._handlers: dict[str, Handler] = dict(HEALTH)
        for service in services:
            self._handlers |= service
        self._server: Server | None = None

    def open(self) -> None:
        """Raises `transport.UpgradeError` if the engine has no sessions (status 404), and what requests raises."""
        headers = [("X-Docker-Expose-Session-Uuid", self.id), ("X-Docker-Expose-Session-Name", "dfkit")]
        if self._shared_key:
            headers.append(("X-Docker-Expose-Session-Sharedkey", self._shared_key))
        headers += [("X-Docker-Expose-Session-Grpc-Method", path) for path in self._handlers]
        url = f"{self._api.base_url}/v{self._api.api_version}/session"
        self._server = Server(upgrade(self._api, url, headers), self._handlers)
        self._server.start()

    def close(self) -> None:
        """End the connection and its thread."""
        if self._server:
            self._server.close()
