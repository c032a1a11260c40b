"""BuildKit's control API: the messages and calls by which a daemon, or the one inside a Docker engine, is asked to build.

The Docker engine's `POST /build` covers what the engine itself can say; this API takes all that BuildKit can do. It is a module of
its own because the engine's way to it, `POST /grpc`, is marked deprecated upstream and may go: builds that do not need it never
come here.

Messages: https://github.com/moby/buildkit/blob/master/api/services/control/control.proto
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from types import MappingProxyType

from dfkit._record import Record
from dfkit.build.buildkit.grpc import INTERNAL, UNIMPLEMENTED, GoneError, StatusError
from dfkit.build.buildkit.transport import SocketTransport
from dfkit.build.buildkit.wire import Message, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from dfkit.build.buildkit.channel import Channel, Exchange
    from dfkit.build.buildkit.session import Dial
    from dfkit.build.buildkit.transport import Transport
    from dfkit.build.buildkit.wire import Value

    Fields = list[tuple[int, Value | None]]

SOLVE = "/moby.buildkit.v1.Control/Solve"
STATUS = "/moby.buildkit.v1.Control/Status"
SESSION = "/moby.buildkit.v1.Control/Session"
INFO = "/moby.buildkit.v1.Control/Info"
LIST_WORKERS = "/moby.buildkit.v1.Control/ListWorkers"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"

FRONTEND = "dockerfile.v0"
"""BuildKit's built-in reader of Dockerfiles; a `# syntax=` line has it call another one."""

SILENCE_SECONDS = 20
"""How long the daemon may say nothing before it is asked whether it is there; a step may be silent for hours."""
ANSWER_SECONDS = 20
"""How long it then may take to answer."""
_LAST_WORDS_SECONDS = 3
"""How long the trace may go on after the answer, as in BuildKit's own client."""
_CANCEL_SECONDS = 10
_PIECE = 1 << 16

_NONE: Mapping[str, str] = MappingProxyType({})


class Worker(Record):
    """One that builds for a daemon. `platforms` are `os/architecture[/variant]`, its own first."""

    id: str
    labels: Mapping[str, str]
    platforms: tuple[str, ...]


class Typed(Record):
    """A kind of exporter or of cache with its attributes, as BuildKit names both."""

    type: str
    attributes: Mapping[str, str] = _NONE

    def fields(self) -> Fields:
        """As the messages Exporter and CacheOptionsEntry hold it."""
        return [(1, self.type), *pairs(2, self.attributes)]


class Solve(Record):
    """What to build. `attributes` are the frontend's; `session` is the id of the session that it may call back.

    `internal`: a question to the frontend, which the daemon's history of builds leaves out; the frontend is then asked apart.
    """

    ref: str
    session: str = ""
    attributes: Mapping[str, str] = _NONE
    exporter: Typed | None = None
    cache_to: tuple[Typed, ...] = ()
    cache_from: tuple[Typed, ...] = ()
    entitlements: tuple[str, ...] = ()
    internal: bool = False

    def message(self) -> bytes:
        """A SolveRequest. The exporter stands in it twice, as daemons before 0.13 know only the older field."""
        fields: Fields = [(1, self.ref)]
        if self.exporter is not None:
            fields += [(3, self.exporter.type), *pairs(4, self.exporter.attributes)]
        fields.append((5, self.session))
        if not self.internal:
            fields += [(6, FRONTEND), *pairs(7, self.attributes)]
        cache: Fields = [(4, encode(*entry.fields())) for entry in self.cache_to]
        cache += [(5, encode(*entry.fields())) for entry in self.cache_from]
        fields += [(8, encode(*cache)), *[(9, each) for each in self.entitlements]]
        if self.internal:
            fields.append((11, 1))
        if self.exporter is not None:
            fields.append((13, encode(*self.exporter.fields())))
        return encode(*fields)


def pairs(number: int, values: Mapping[str, str]) -> Fields:
    """A map field."""
    return [(number, encode((1, key), (2, value))) for key, value in values.items()]


def mapping(message: Message, number: int) -> dict[str, bytes]:
    """The map in a field. Raises `wire.WireError`."""
    return {pair.text(1): pair.data(2) for pair in message.messages(number)}


def version(channel: Channel) -> str:
    """The daemon's version, empty if it does not say. Raises `StatusError`, `GoneError`, `wire.WireError`."""
    try:
        about = Message(channel.ask(INFO, b"", seconds=ANSWER_SECONDS)).message(1)
    except StatusError as error:
        if error.code != UNIMPLEMENTED:  # before 0.11 there is no such call
            raise
        return ""
    return about.text(2) if about else ""


def workers(channel: Channel) -> tuple[Worker, ...]:
    """Who builds for the daemon. Raises `StatusError`, `GoneError`, `wire.WireError`."""
    answer = Message(channel.ask(LIST_WORKERS, b"", seconds=ANSWER_SECONDS))
    return tuple(_worker(each) for each in answer.messages(1))


def _worker(message: Message) -> Worker:
    labels = {key: value.decode("utf-8", "replace") for key, value in mapping(message, 2).items()}
    platforms = ("/".join(part for part in (each.text(2), each.text(1), each.text(3)) if part) for each in message.messages(3))
    return Worker(message.text(1), labels, tuple(platforms))


class Solving:
    """A build under way: its trace, then its answer.

    Threads of their own read both calls, so that an interrupt, which Python raises in the main thread, cannot fall between a
    message and its count in the flow control.
    """

    def __init__(self, channel: Channel, solve: Solve) -> None:
        """Begins it. Raises `GoneError`."""
        self._channel = channel
        self._said: queue.Queue[tuple[Exchange, bytes | Exception | None]] = queue.Queue(maxsize=16)
        self._solve = _send(channel, SOLVE, solve.message())
        self._status = _send(channel, STATUS, encode((1, solve.ref)))
        self._open = {self._solve, self._status}
        self._answer: bytes | None = None
        self._threads = [
            threading.Thread(target=self._read, args=(call,), name="dfkit-solve", daemon=True)
            for call in (self._solve, self._status)
        ]

    def trace(self) -> Iterator[bytes]:
        """The StatusResponse messages, until the build is over.

        Raises the `StatusError` that the build ended with, `GoneError` if the daemon is lost, `SilentError` if it does not answer.
        """
        for thread in self._threads:
            thread.start()
        failed: StatusError | None = None
        until = float("inf")
        while self._open and (left := until - time.monotonic()) > 0:
            try:
                call, said = self._said.get(timeout=min(left, SILENCE_SECONDS))
            except queue.Empty:
                if self._solve in self._open:
                    self._ask_whether_it_lives()
                continue
            if isinstance(said, bytes):
                if call is self._status:
                    yield said
                else:
                    self._answer = said
                continue
            self._open.discard(call)
            if isinstance(said, Exception) and not isinstance(said, StatusError):
                raise said
            if call is self._solve:
                failed = said
                if failed is None and self._answer is None:
                    failed = StatusError(INTERNAL, "the daemon ended the build without an answer")
                until = time.monotonic() + _LAST_WORDS_SECONDS
        if failed is not None:
            raise failed

    def response(self) -> dict[str, str]:
        """What the exporters tell of what they made, after the trace."""
        return {key: value.decode("utf-8", "replace") for key, value in mapping(Message(self._answer or b""), 1).items()}

    def stop(self) -> None:
        """Drop the build at the daemon, from any thread; the trace then ends with `GoneError`."""
        self._solve.cancel()

    def cancel(self) -> None:
        """Drop the build at the daemon, and read the trace to its end."""
        self._solve.cancel()
        until = time.monotonic() + _CANCEL_SECONDS
        try:
            while self._status in self._open and self._threads[0].ident is not None:
                call, said = self._said.get(timeout=max(0.0, until - time.monotonic()))
                if not isinstance(said, bytes):
                    self._open.discard(call)
        except queue.Empty:
            return

    def close(self) -> None:
        """End what is still open."""
        for call in (self._solve, self._status):
            call.cancel()
        for thread in self._threads:
            while thread.is_alive():
                self._empty()
                thread.join(0.05)

    def _empty(self) -> None:
        while True:
            try:
                self._said.get_nowait()
            except queue.Empty:
                return

    def _read(self, call: Exchange) -> None:
        try:
            while (message := call.receive()) is not None:
                self._said.put((call, message))
            self._said.put((call, None))
        except Exception as error:
            self._said.put((call, error))

    def _ask_whether_it_lives(self) -> None:
        """The keep-alive of gRPC cannot be used: servers written in Go hang up on a client that pings more than every five minutes."""
        if time.monotonic() - self._channel.heard < SILENCE_SECONDS:
            return
        try:
            self._channel.ask(HEALTH_CHECK, b"", seconds=ANSWER_SECONDS)
        except StatusError:
            return  # it does not know this service, and so it lives


def _send(channel: Channel, path: str, message: bytes) -> Exchange:
    call = channel.call(path)
    call.send(message)
    call.end()
    return call


def through(channel: Channel) -> Dial:
    """Sessions over a daemon's control API: the connection's bytes go to and fro in the messages of one call."""

    def dial(headers: list[tuple[str, str]]) -> Transport:
        import socket

        call = channel.call(SESSION, [(name.lower(), value) for name, value in headers])
        ours, theirs = socket.socketpair()
        threading.Thread(target=_carry, args=(call, theirs), name="dfkit-session-out", daemon=True).start()
        return SocketTransport(ours)

    return dial


def _carry(call: Exchange, sock: socket.socket) -> None:
    """Bytes from the session to the daemon and back, until one of them ends it."""
    back = threading.Thread(target=_carry_back, args=(call, sock), name="dfkit-session-in", daemon=True)
    back.start()
    try:
        while data := sock.recv(_PIECE):
            call.send(encode((1, data)))
        call.end()
    except (GoneError, OSError):
        call.cancel()
    back.join()
    sock.close()


def _carry_back(call: Exchange, sock: socket.socket) -> None:
    import socket

    try:
        while (message := call.receive()) is not None:
            sock.sendall(Message(message).data(1))
    except (GoneError, StatusError, OSError, ValueError):
        call.cancel()
    with suppress(OSError):  # it ended from the other side
        sock.shutdown(socket.SHUT_RDWR)
