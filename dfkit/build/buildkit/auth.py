"""The session's auth service: what the engine may use to log in to a registry, taken from the user's docker configuration.

Only the registry that the engine names gets its credentials, and only then is a credential helper run.

Messages: https://github.com/moby/buildkit/blob/master/session/auth/auth.proto
"""

from __future__ import annotations

import threading

from dfkit.build.buildkit.grpc import RESOURCE_EXHAUSTED, UNAVAILABLE, StatusError, unary
from dfkit.build.buildkit.wire import Message, encode
from dfkit.build.dockerconfig import ANONYMOUS, Credentials, credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dfkit.build.buildkit.grpc import Handler


MOST_HOSTS = 64
"""Registries of one build; each may start a program."""


class Auth:
    """The service. `lookup` gives a host's credentials and is asked once a host."""

    def __init__(self, lookup: Callable[[str], Credentials] = credentials, warn: Callable[[str], None] = lambda _: None) -> None:
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
            if host not in self._known and len(self._known) >= MOST_HOSTS:
                raise StatusError(RESOURCE_EXHAUSTED, f"credentials for more than {MOST_HOSTS} registries")
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
