"""An engine behind ssh: each connection is the ssh program, which runs `docker system dial-stdio` on the other side.

So ssh's own configuration, keys, agents and jump hosts count, as for the docker command. docker-py has this only with paramiko.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
from urllib.parse import urlsplit

import urllib3
from docker.errors import DockerException
from requests.adapters import HTTPAdapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, Any

_END_SECONDS = 5
_LONGEST_REASON = 400
"""Characters of ssh's own words in an error."""


def command(url: str) -> list[str]:
    """The program for `ssh://[user@]host[:port][/path/of/socket]`. Raises `DockerException`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DockerException(str(error)) from None
    if not parts.hostname or parts.password or parts.query or parts.fragment:
        raise DockerException("write ssh://USER@HOST or ssh://USER@HOST:PORT")
    words = ["ssh", "-o", "ConnectTimeout=30", "-T"]
    words += ["-l", parts.username] if parts.username else []
    words += ["-p", str(port)] if port else []
    path = parts.path.rstrip("/")
    remote = ["docker", *(("--host", f"unix://{path}") if path else ()), "system", "dial-stdio"]
    return [*words, "--", parts.hostname, shlex.join(remote)]


class _Socket(socket.socket):
    """This side of the connection. When it is closed ssh sees the end of its input, ends, and is waited for."""

    def __init__(self, words: Sequence[str]) -> None:
        self.reason = ""
        """Once closed: the last that ssh, or the docker command on the other side, said."""
        near, far = socket.socketpair()
        super().__init__(near.family, near.type, near.proto, near.detach())
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the socket; a pipe could fill up
        try:
            # Ctrl-C is for dfkit, which cancels the build over a connection like this.
            shield = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
            self._ssh = subprocess.Popen([*shield, *words], stdin=far.fileno(), stdout=far.fileno(), stderr=self._said)
        except BaseException:
            self._said.close()
            super().close()
            raise
        finally:
            far.close()

    def _real_close(self) -> None:  # what socket.close calls once no file made of it is open any more
        super()._real_close()  # type: ignore[misc]
        if self._said.closed:
            return
        try:
            self._ssh.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._ssh.kill()
            self._ssh.wait()
        self._said.seek(0)
        said = [line for line in self._said.read(1 << 16).decode(errors="replace").split("\n") if line.strip()]
        self.reason = said[-1].strip()[:_LONGEST_REASON] if said else ""
        self._said.close()


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, words: Sequence[str], timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._words = words

    def connect(self) -> None:
        self.sock = _Socket(self._words)
        self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        sock = self.sock
        try:
            return super().getresponse()
        except (ConnectionError, urllib3.exceptions.ProtocolError):
            self.close()
            reason = sock.reason if isinstance(sock, _Socket) else ""
            raise ConnectionResetError(0, reason or "ssh ended the connection") from None


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, words: Sequence[str], timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=2)
        self._words = words

    def _new_conn(self) -> _Connection:
        return _Connection(self._words, self.timeout.connect_timeout)  # type: ignore[arg-type]


class Adapter(HTTPAdapter):
    """Carries the requests of a `requests.Session` over ssh to one engine."""

    def __init__(self, url: str, timeout: float) -> None:
        """Raises `DockerException` for what is no ssh address."""
        if os.name == "nt":
            raise DockerException("dfkit reaches engines by ssh from Linux and macOS only: use a docker context with tcp://")
        self._pool = _Pool(command(url), timeout)
        super().__init__()

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> Any:
        """The one pool there is."""
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> Any:
        """The path alone: a proxy has no part in this."""
        return request.path_url

    def close(self) -> None:
        """End the connections."""
        self._pool.close()
        super().close()
