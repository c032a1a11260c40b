"""A connection taken over from docker-py after an HTTP upgrade: bytes in, bytes out, never blocking."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

import requests
from urllib3 import HTTPHeaderDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    class Transport(Protocol):
        """What the HTTP/2 side needs of a connection. Other kinds of connection (a pipe to ssh) fit in here."""

        def fileno(self) -> int:
            """What to wait on."""

        def receive(self) -> bytes | None:
            """Some bytes, empty at the end, None if there are none yet. Raises `OSError`."""

        def buffered(self) -> bool:
            """Whether bytes are there already that waiting on `fileno` would not show."""

        def send(self, data: bytes) -> int:
            """Send what the connection takes now and tell how much that was. Raises `OSError`."""

        def close(self) -> None:
            """Close the connection; a second time does nothing."""


_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_READ = 1 << 16
_LONGEST_ERROR = 1 << 16


class UpgradeError(Exception):
    """The engine did not switch protocols; `status` is the HTTP status it answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class SocketTransport:
    """A unix, TCP or TLS socket. Used by one thread only: an OpenSSL connection is not safe with two."""

    def __init__(self, sock: socket.socket, first: bytes = b"", response: Any = None) -> None:
        """`first` are bytes that were read already; `response` is the HTTP response that the socket came with, if it did."""
        self._socket = sock
        self._first = first
        self._response = response  # while it lives its connection is not closed, and it closes the reader on the socket
        sock.setblocking(False)

    def fileno(self) -> int:
        """See `Transport`."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """See `Transport`."""
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return self._socket.recv(_READ)
        except _WAIT:
            return None

    def buffered(self) -> bool:
        """See `Transport`."""
        return bool(self._first) or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0)

    def send(self, data: bytes) -> int:
        """See `Transport`."""
        try:
            return self._socket.send(data)
        except _WAIT:
            return 0

    def close(self) -> None:
        """See `Transport`."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._response is not None:
            self._response.close()
        self._socket.close()


def upgrade(api: Any, url: str, headers: Iterable[tuple[str, str]]) -> SocketTransport:
    """POST to a URL of the engine with `Upgrade: h2c` and take over the connection that docker-py opened for it.

    A name may stand in `headers` more than once; each is sent as a line of its own. Raises `UpgradeError`, and what requests
    raises.
    """
    request = api.prepare_request(requests.Request("POST", url))
    lines = HTTPHeaderDict(request.headers)
    for name, value in (("Connection", "Upgrade"), ("Upgrade", "h2c"), *headers):
        lines.add(name, value)
    request.headers = lines
    response = api.send(request, stream=True, timeout=api.timeout)
    if response.status_code != 101:
        try:
            raise UpgradeError(response.status_code, said(response).strip())
        finally:
            response.close()
    # The response's buffered reader has usually read some of the engine's first HTTP/2 bytes with the headers.
    reader = response.raw._fp.fp
    sock = reader.raw._sock
    if not isinstance(sock, socket.socket):
        response.close()
        raise UpgradeError(101, f"dfkit cannot take over a connection of the kind {type(sock).__name__}")
    sock.setblocking(False)
    try:
        first = reader.read1(len(reader.peek()))
    except _WAIT:
        first = b""
    return SocketTransport(sock, first, response)


def said(response: Any) -> str:
    """The body of an error, as far as it is no longer than any sentence is."""
    body = b""
    for chunk in response.iter_content(_LONGEST_ERROR):
        body += chunk
        if len(body) >= _LONGEST_ERROR:
            break
    return body[:_LONGEST_ERROR].decode("utf-8", "replace")


def hang_up(response: Any) -> None:
    """Shut the socket of a response that another thread may be reading; that thread then sees the end of the stream."""
    with suppress(AttributeError, OSError):  # it was read to its end, or closed
        response.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)


def wait_long(response: Any) -> None:
    """Let reading a response's body take any time; until here the limit of its request counts."""
    with suppress(AttributeError, OSError):  # it has no body, or was read with the headers
        response.raw._fp.fp.raw._sock.settimeout(None)
