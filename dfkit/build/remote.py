"""BuildKit daemons without a Docker engine: a machine, or a cluster behind one address, that builds and keeps no images of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from dfkit._record import Record
from dfkit.errors import NoEngine, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext
    from types import TracebackType

    from dfkit.build.buildkit.channel import Channel
    from dfkit.build.buildkit.control import Worker
    from dfkit.build.engine import Engine

CONNECT_SECONDS = 10
"""How long a daemon may take to accept a connection and to agree on its encryption."""

_OTHER = ("docker-container", "kube-pod", "podman-container", "nerdctl-container", "ssh", "npipe", "vsock")
"""Addresses that buildctl knows and dfkit does not."""


class Tls(Record):
    """How to encrypt the connection: paths of PEM files, as buildctl's flags of these names take them.

    Without `cacert` the system's authorities count. `servername` is the name in the daemon's certificate, if not that of the address.
    """

    cacert: str = ""
    cert: str = ""
    key: str = ""
    servername: str = ""

    @classmethod
    def of_folder(cls, folder: str) -> Tls:
        """The files `ca.pem`, `cert.pem` and `key.pem` of a folder, as far as they are there. Raises `UsageError` without any."""
        found = {name: str(path) for name in ("ca", "cert", "key") if (path := Path(folder, f"{name}.pem")).is_file()}
        if not found:
            raise UsageError(f"{folder} has none of ca.pem, cert.pem and key.pem: name the folder with the certificates")
        return cls(found.get("ca", ""), found.get("cert", ""), found.get("key", ""))


class Builder:
    """A BuildKit daemon that answers. Each build opens a connection of its own, so there is nothing to close."""

    def __init__(self, host: str, tls: Tls | None = None, engine: Engine | None = None) -> None:
        """`host` is `tcp://name:port` or `unix:///path`; TCP goes without encryption where there is no `tls`.

        `engine` gets the images of builds with `Output("docker")`.

        Raises `UsageError` for an address or certificates that are none, `NoEngine` if no BuildKit daemon answers there.
        """
        from dfkit.build.buildkit import control
        from dfkit.build.buildkit.channel import SilentError
        from dfkit.build.buildkit.grpc import UNIMPLEMENTED, GoneError, StatusError
        from dfkit.build.buildkit.wire import WireError

        self.host = host
        self.engine = engine
        self._tls = tls
        self._address = _address(host)
        if tls is not None and isinstance(self._address, str):
            raise UsageError(f"{host} is a socket of this machine: leave the TLS settings out, or name a tcp:// address")
        self._context = None if tls is None else _context(tls)
        channel = self.open()
        try:
            self.workers: tuple[Worker, ...] = control.workers(channel)
            self.version: str = control.version(channel).removeprefix("v")
        except (StatusError, WireError) as error:
            if isinstance(error, StatusError) and error.code != UNIMPLEMENTED:
                raise NoEngine(f"the BuildKit daemon at {host} refuses to say what it is: {error}") from None
            raise NoEngine(f"what answers at {host} is no BuildKit daemon ({error})") from None
        except SilentError:
            raise NoEngine(f"what accepts connections at {host} does not answer: is it a BuildKit daemon?") from None
        except GoneError:
            raise NoEngine(self._no_start(channel)) from None
        finally:
            channel.close()

    def __repr__(self) -> str:
        return f"Builder({self.name!r} at {self.host})"

    @property
    def name(self) -> str:
        """As a person calls it, such as `BuildKit 0.25.2`."""
        return f"BuildKit {self.version}" if self.version.strip("0.") else "BuildKit"

    @property
    def platform(self) -> str:
        """What it builds for unless asked otherwise, `os/architecture[/variant]`; empty if it does not say."""
        return next((platform for worker in self.workers for platform in worker.platforms), "")

    def open(self) -> Channel:
        """A new connection. Raises `NoEngine`."""
        from dfkit.build.buildkit.channel import Channel
        from dfkit.build.buildkit.transport import SocketTransport

        channel = Channel(SocketTransport(self._connect()), urlsplit(self.host).netloc or "localhost")
        channel.start()
        return channel

    def close(self) -> None:
        """For use where an engine is closed."""

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _connect(self) -> socket.socket:
        import ssl

        sock: socket.socket | None = None
        try:
            if isinstance(self._address, str):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(CONNECT_SECONDS)
                sock.connect(self._address)
                return sock
            sock = socket.create_connection(self._address, CONNECT_SECONDS)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return sock
            assert self._tls is not None, "the context is made from it"
            return self._context.wrap_socket(sock, server_hostname=self._tls.servername or self._address[0])
        except UnicodeError:  # of the codec for names, which `socket` does not make an OSError
            raise UsageError(f"{self.host} names no host: write tcp://HOST:PORT") from None
        except OSError as error:
            if sock is not None:
                sock.close()
            if isinstance(error, ssl.SSLError):
                raise NoEngine(f"no encrypted connection to the BuildKit daemon at {self.host}: {_tls_reason(error)}") from None
            reason = "it does not answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
            raise NoEngine(
                f"no BuildKit daemon answers at {self.host} ({reason}): start buildkitd there, or correct --builder or BUILDKIT_HOST"
            ) from None

    def _no_start(self, channel: Channel) -> str:
        """The sentence for a connection that was taken and then dropped.

        A daemon refuses a client's certificate after the client has begun to talk, so its reason may get lost.
        """
        import ssl

        what = f"{self.host} drops the connection"
        if isinstance(channel.error, ssl.SSLError) and "eof" not in str(channel.error).lower():
            return f"{what}: {_tls_reason(channel.error)}"
        if self._tls is not None and not self._tls.cert:
            return f"{what}: if it wants a client certificate, name one with --tlscert and --tlskey"
        if self._tls is None and not isinstance(self._address, str):
            return f"{what}: is it a BuildKit daemon? If it wants encryption, name its CA with --tlscacert"
        return f"{what}: is it a BuildKit daemon, and does it know this client?"


def connect_builder(host: str | None = None, tls: Tls | None = None, engine: Engine | None = None) -> Builder:
    """The BuildKit daemon at `host`, else at BUILDKIT_HOST; `engine` as in `Builder`.

    Raises `NoEngine`, and `UsageError` for an address that is none.
    """
    host = host or os.environ.get("BUILDKIT_HOST", "")
    if not host:
        raise UsageError("no BuildKit daemon is named: use --builder tcp://HOST:PORT, or set BUILDKIT_HOST")
    return Builder(host, tls, engine)


def _address(host: str) -> str | tuple[str, int]:
    """A path, or a name and a port. Raises `UsageError`."""
    try:
        parts = urlsplit(host)
    except ValueError:
        raise UsageError(f"{host} is no address of a BuildKit daemon: write tcp://HOST:PORT or unix:///PATH") from None
    if "@" in parts.netloc:  # not said again: it may have a password
        raise UsageError("the address of a BuildKit daemon has no user in it: write tcp://HOST:PORT")
    if parts.scheme == "unix":
        if not parts.path:
            raise UsageError(f"the address {host} has no path: write unix:///run/buildkit/buildkitd.sock")
        return parts.path
    if parts.scheme == "tcp":
        try:
            if parts.hostname and parts.port:
                return parts.hostname, parts.port
        except ValueError:
            pass
        raise UsageError(f"the address {host} is not complete: write tcp://HOST:PORT")
    if parts.scheme in _OTHER:
        raise UsageError(f"dfkit does not reach BuildKit by {parts.scheme}://: make it listen on tcp:// or unix:// and name that")
    raise UsageError(f"{host} is no address of a BuildKit daemon: write tcp://HOST:PORT or unix:///PATH")


def _context(tls: Tls) -> SSLContext:
    import ssl

    for path in (tls.cacert, tls.cert, tls.key):
        if path and not os.path.isfile(path):
            raise UsageError(f"there is no file {path}: name a PEM file for --tlscacert, --tlscert and --tlskey")
    if bool(tls.cert) != bool(tls.key):
        raise UsageError("a client certificate needs both --tlscert and --tlskey")
    try:
        context = ssl.create_default_context(cafile=tls.cacert or None)
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"the certificates cannot be used: {_tls_reason(error)}") from None
    context.set_alpn_protocols(["h2"])
    return context


def _tls_reason(error: OSError) -> str:
    """OpenSSL's words, without where in its source they were said."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid here ({error.verify_message.lower()}): name its CA with --tlscacert"
    reason = (getattr(error, "reason", None) or error.strerror or str(error)).replace("_", " ").lower()
    if "eof" in reason:
        return "it ends the connection before that is encrypted: if it does not encrypt, leave the TLS settings out"
    if "wrong version number" in reason:
        return "it does not encrypt: leave the TLS settings out"
    if "certificate required" in reason or "bad certificate" in reason:
        return f"it wants a client certificate that it knows ({reason}): name one with --tlscert and --tlskey"
    return reason
