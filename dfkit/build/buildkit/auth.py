"""The session's auth service: what the engine may use to log in to a registry, taken from the user's docker configuration.

Only the registry that the engine names gets its credentials, and only then is a credential helper run.

Messages: https://github.com/moby/buildkit/blob/master/session/auth/auth.proto
"""

from __future__ import annotations

import threading

from dfkit._record import record
from dfkit.build.buildkit.grpc import UNAVAILABLE, StatusError, unary
from dfkit.build.buildkit.wire import Message, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from dfkit.build.buildkit.grpc import Handler

DOCKER_HUB = "registry-1.docker.io"
"""The host that serves Docker Hub's images; its credentials are kept under the name of the older index."""


@record
class Credentials:
    """A name and a password; an empty name with an identity token; both empty for nobody."""

    username: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


ANONYMOUS = Credentials("", "")


def configured(host: str, config: Any = None) -> Credentials:
    """What docker's configuration, or `config` (a `docker.auth.AuthConfig`), holds for a registry host.

    Runs the credential helper that is set for the host. Raises `docker.errors.DockerException` if the configuration cannot be
    read or the helper fails.
    """
    from docker import auth

    config = auth.load_config() if config is None else config
    entry = config.resolve_authconfig(None if host == DOCKER_HUB else host) or {}
    found = {name.lower(): value for name, value in entry.items()}  # helpers' entries are in capitals, the file's are not
    if token := found.get("identitytoken"):
        return Credentials("", token)
    return Credentials(found.get("username") or "", found.get("password") or "")


class Auth:
    """The service. `lookup` gives a host's credentials and is asked once a host."""

    def __init__(self, lookup: Callable[[str], Credentials] = configured, warn: Callable[[str], None] = lambda _: None) -> None:
        """`warn` is called, from another thread, with a sentence if a lookup fails; the engine then goes on as nobody."""
        self._lookup = lookup
        self._warn = warn
        self._known: dict[str, Credentials] = {}
        self._lock = threading.Lock()

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path."""
        return {
            "/moby.filesync.v1.Auth/Credentials": unary(self._credentials),
            "/moby.filesync.v1.Auth/GetTokenAuthority": unary(_no_authority),
        }

    def _credentials(self, request: bytes) -> bytes:
        host = Message(request).text(1)
        with self._lock:
            if host not in self._known:
                try:
                    self._known[host] = self._lookup(host)
                except Exception as error:  # a helper is someone else's program: the build may not need the login at all
                    self._known[host] = ANONYMOUS
                    self._warn(f"no credentials for {host}: {error}")
            found = self._known[host]
        return encode((1, found.username), (2, found.secret))


def _no_authority(_request: bytes) -> bytes:
    """With this answer the engine asks for credentials and fetches the registry's token itself."""
    raise StatusError(UNAVAILABLE, "the client signs no token requests")
