"""gRPC over one connection that is already open: the server here, the client in `channel`.

BuildKit's session turns HTTP around: the engine, which accepted the connection, is the client. So the transport is given and
there is nothing to listen on, which no gRPC library for Python offers without its own sockets.

One thread owns the connection and the HTTP/2 state (`h2`); each call that is served runs its handler in a thread of its own. Those
threads only put bytes into a call's queue and take bytes out of it, so a message is never mixed with another one of its stream
and they may simply block. What a peer can make this side hold is bounded: streams, header lists, bytes received but not taken
(the HTTP/2 windows), bytes of one message, and bytes to send (reading stops while the peer does not take what is sent).

Protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import abc
import selectors
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes, Settings

from dfkit.build.buildkit.frames import Joiner, Pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from h2.events import Event

    from dfkit.build.buildkit.transport import Transport

    Handler = Callable[["Call"], None]

# https://grpc.github.io/grpc/core/md_doc_statuscodes.html
OK, UNKNOWN, NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 5, 6, 8, 12, 13, 14

LARGEST_MESSAGE = 4 << 20
"""Bytes; what gRPC for Go accepts, which BuildKit is written with."""
LARGEST_REQUEST = 1 << 16
"""Bytes of the single message of a unary call."""

_STREAMS = 32
_HANDLERS = 2 * _STREAMS
_LEAVE = 0.5
"""How many seconds the threads of calls have to leave when the connection is closed."""
_STREAM_WINDOW = 1 << 20
_CONNECTION_WINDOW = 4 << 20
_GIVEN_BACK = _STREAM_WINDOW // 16
"""Bytes that a receiver takes before they are given back to the windows: each time wakes the connection's thread."""
_HEADER_LIST = 1 << 16
_UNSENT_OF_CALL = 1 << 20
_UNSENT = 1 << 18
_UNSENT_REPLIES = 2 * _UNSENT
"""Where reading stops: beyond what calls may fill, or two sides that both send much would wait for each other."""
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class StatusError(Exception):
    """How a call ends other than well: a gRPC status code and a message for the peer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class GoneError(Exception):
    """The peer dropped the call or the connection ended: the handler has nobody left to answer."""


class Call:
    """One call, as those see it that serve or make it. `metadata` are the request's headers, names in lower case."""

    def __init__(self, connection: Connection, stream: int, path: str, metadata: tuple[tuple[str, str], ...]) -> None:
        self.path = path
        self.metadata = metadata
        self._connection = connection
        self._stream = stream
        self._changed = threading.Condition(connection._lock)
        self._received = bytearray()
        self._counted = 0  # what was received counts for in flow control, which is more where it was padded
        self._taken = 0  # bytes to give back to the peer's window
        self._ended = False  # the peer sends no more
        self._gone = False
        self._rest = bytearray()  # the receiver's own: the start of a message
        self._unsent = Pieces()
        self._begun = False  # this side's headers are out
        self._status: StatusError | None = None

    def receive(self, largest: int = LARGEST_MESSAGE, seconds: float | None = None) -> bytes | None:
        """The peer's next message, None after its last. Raises `StatusError` for a larger or compressed one, and `GoneError`.

        Raises `TimeoutError` if nothing at all comes for that many seconds.
        """
        while True:
            if len(self._rest) >= 5:
                size = int.from_bytes(self._rest[1:5], "big")
                if self._rest[0]:
                    raise StatusError(UNIMPLEMENTED, "compressed messages are not supported")
                if size > largest:
                    raise StatusError(RESOURCE_EXHAUSTED, f"a message of {size} bytes, at most {largest} are accepted")
                if len(self._rest) >= 5 + size:
                    message = bytes(self._rest[5 : 5 + size])
                    del self._rest[: 5 + size]
                    return message
            with self._changed:
                if not self._changed.wait_for(lambda: self._received or self._ended or self._gone, seconds):
                    raise TimeoutError(f"no answer to {self.path}")
                if self._nobody:
                    raise GoneError
                if not self._received:
                    if self._rest:
                        raise StatusError(INTERNAL, "the call ended inside a message")
                    return None
                self._rest += self._received
                self._received.clear()
                self._taken += self._counted
                self._counted = 0
                give_back = self._taken >= _GIVEN_BACK
            if give_back:
                self._connection._touch(self)

    def _put(self, data: bytes, counted: int) -> None:
        """Keep what was received, as one piece: frames may have a byte each. Needs the lock."""
        self._received += data
        self._counted += counted
        self._changed.notify_all()

    @property
    def _nobody(self) -> bool:
        """Whether what the peer may have said is of no use any more."""
        return self._gone

    @property
    def ready(self) -> bool:
        """Whether the peer has sent something that `receive` has not given yet, or sends no more."""
        with self._changed:
            return bool(self._rest or self._received or self._ended or self._gone)

    def messages(self) -> Iterator[bytes]:
        """The peer's messages until it ends its side."""
        while (message := self.receive()) is not None:
            yield message

    def send(self, *messages: bytes) -> None:
        """Queue messages; waits while much of what was sent before is still under way. Raises `GoneError`."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._unsent) < _UNSENT_OF_CALL or self._gone)
            if self._gone:
                raise GoneError
            framed = [part for message in messages for part in (b"\0" + len(message).to_bytes(4, "big"), message)]
            self._unsent.put(b"".join(framed))
        self._connection._touch(self)


def unary(function: Callable[[bytes], bytes]) -> Handler:
    """A handler for a method with one message each way."""

    def handler(call: Call) -> None:
        request = call.receive(LARGEST_REQUEST)
        if request is None:
            raise StatusError(INTERNAL, "the call has no message")
        call.send(function(request))

    return handler


class Connection(abc.ABC):
    """One side of an HTTP/2 connection and the thread that owns it, from `start` until `close` or until the peer ends it."""

    def __init__(self, transport: Transport, *, client: bool, name: str) -> None:
        """`name` is the thread's."""
        self._transport = transport
        self._lock = threading.Lock()
        self._calls: dict[int, Any] = {}  # by stream; the kind of call that the side makes of them
        self._touched: set[Any] = set()
        self._closing = False
        self._out = bytearray()
        self._joiner = Joiner(preface=not client)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.error: Exception | None = None
        """What broke the connection, if something did."""
        self.heard = time.monotonic()
        """When the peer last sent anything."""
        self._http = H2Connection(H2Configuration(client_side=client, header_encoding=None))
        self._http.local_settings = Settings(
            client=client,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_LIST,
                **({SettingCodes.ENABLE_PUSH: 0} if client else {}),
            },
        )

    def start(self) -> None:
        """Start the thread that owns the connection."""
        self._thread.start()

    def close(self) -> None:
        """End the connection and its thread. Those that wait for it get `GoneError`; one that is busy elsewhere is not waited for."""
        self._closing = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._wake_in.close()
        self._wake_out.close()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # whatever the peer did, this thread must release those that wait for it
            if not self._closing:
                self.error = error
        finally:
            with self._lock:
                self._lost()
            self._transport.close()

    def _lost(self) -> None:
        """The connection is over. Needs the lock."""
        for call in self._calls.values():
            call._gone = True
            call._changed.notify_all()
        self._calls.clear()

    def _serve(self) -> None:
        http = self._http
        http.initiate_connection()
        http.increment_flow_control_window(_CONNECTION_WINDOW - http.inbound_flow_control_window)
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_in, selectors.EVENT_READ)
            connection = selector.register(self._transport, selectors.EVENT_READ)
            while not self._closing:
                self._advance()
                reading = len(self._out) < _UNSENT_REPLIES
                wanted = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self._out else 0)
                if connection.events != wanted:
                    connection = selector.modify(self._transport, wanted)
                timeout = 0 if reading and self._transport.buffered() else None
                ready = {key.fileobj: events for key, events in selector.select(timeout)}
                if self._wake_in in ready:
                    self._drain_wakes()
                if self._out:
                    del self._out[: self._transport.send(bytes(memoryview(self._out)[:_UNSENT]))]
                if reading and not self._receive():
                    return

    def _receive(self) -> bool:
        """Take in what the peer sent; False at the end of the connection."""
        data = self._transport.receive()
        if data is None:
            return True
        if not data:
            return False
        self.heard = time.monotonic()
        for event in self._http.receive_data(self._joiner.feed(data)):
            self._take(event)
        return True

    def _take(self, event: Event) -> None:
        """Act on what the peer did."""
        if isinstance(event, DataReceived):
            self._data(event.stream_id, event.data, event.flow_controlled_length)
        elif isinstance(event, StreamEnded | StreamReset):
            self._ended(event.stream_id, gone=isinstance(event, StreamReset))

    def _data(self, stream: int, data: bytes, counted: int) -> None:
        with self._lock:
            call = self._calls.get(stream)
            if data and call is not None and call._status is None:
                call._put(data, counted)
                return
        self._http.acknowledge_received_data(counted, stream)

    def _ended(self, stream: int, *, gone: bool) -> None:
        with self._lock:
            call = self._calls.get(stream)
            if call is None:
                return
            call._ended = True
            call._changed.notify_all()
            if gone:
                self._drop(call)

    def _advance(self) -> None:
        """Give back windows, send what may be sent, end the calls that are over."""
        http = self._http
        with self._lock:
            touched, self._touched = self._touched, set()
            for call in touched:
                taken, call._taken = call._taken, 0
                if taken:
                    http.acknowledge_received_data(taken, call._stream)
            self._out += http.data_to_send()
            for call in tuple(self._calls.values()):
                try:
                    over = self._send(call)
                except StreamClosedError:
                    over = True
                if over:
                    self._drop(call)
            self._out += http.data_to_send()

    def _send(self, call: Call) -> bool:
        """Send what a call's window allows; True when the call has ended."""
        http, stream = self._http, call._stream
        while call._unsent and len(self._out) < _UNSENT:
            if not call._begun:
                self._head(call)
                call._begun = True
            room = min(http.local_flow_control_window(stream), http.max_outbound_frame_size)
            if room <= 0:
                break
            http.send_data(stream, call._unsent.take(room))
            self._out += http.data_to_send()
        if len(call._unsent) < _UNSENT_OF_CALL:
            call._changed.notify_all()
        return not call._unsent and self._finished(call)

    @abc.abstractmethod
    def _head(self, call: Call) -> None:
        """Send this side's headers. Needs the lock, as the next."""

    @abc.abstractmethod
    def _finished(self, call: Call) -> bool:
        """Whether the call is over; this side's last word is said when there is nothing else left to send."""

    def _drop(self, call: Call) -> None:
        """Forget a call; who still waits for it gets `GoneError`. Needs the lock."""
        self._calls.pop(call._stream, None)
        call._gone = True
        self._discard(call)
        self._http.acknowledge_received_data(call._taken, call._stream)
        call._taken = 0
        call._changed.notify_all()

    def _drain_wakes(self) -> None:
        try:
            while self._wake_in.recv(1024):
                pass
        except BlockingIOError:
            pass

    def _discard(self, call: Call) -> None:
        """Count what nobody will read as taken. Needs the lock."""
        call._taken += call._counted
        call._counted = 0
        call._received.clear()

    def _touch(self, call: Call) -> None:
        with self._lock:
            asleep = not self._touched  # else a wake-up is under way
            self._touched.add(call)
        if asleep:
            self._wake()

    def _wake(self) -> None:
        with suppress(OSError):  # a wake-up is under way already, or the server is closed
            self._wake_out.send(b"\0")


class Server(Connection):
    """Answers the calls that come over a transport."""

    def __init__(self, transport: Transport, handlers: Mapping[str, Handler]) -> None:
        """`handlers`: by path, `/package.Service/Method`."""
        super().__init__(transport, client=False, name="dfkit-session")
        self._handlers = handlers
        self._running: list[threading.Thread] = []

    def close(self) -> None:
        """As `Connection.close`; the threads of calls, which the end of the connection ends, have a moment to leave."""
        super().close()
        until = time.monotonic() + _LEAVE
        for thread in self._running:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event.stream_id, event.headers)
        else:
            super()._take(event)

    def _begin(self, stream: int, headers: list[tuple[bytes, bytes]]) -> None:
        metadata = tuple((name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in headers)
        path = dict(metadata).get(":path", "")
        call = Call(self, stream, path, metadata)
        handler = self._handlers.get(path)
        thread = threading.Thread(target=self._handle, args=(call, handler), name=f"dfkit-session{path}", daemon=True)
        with self._lock:
            self._calls[stream] = call
        self._running = [each for each in self._running if each.is_alive()]
        busy = len(self._running) >= _HANDLERS
        if handler is None:
            self._finish(call, StatusError(UNIMPLEMENTED, f"unknown method {path}"))
        elif busy:
            self._finish(call, StatusError(RESOURCE_EXHAUSTED, "too many calls at once"))
        else:
            thread.start()
            self._running.append(thread)

    def _head(self, call: Call) -> None:
        self._http.send_headers(call._stream, [(":status", "200"), ("content-type", "application/grpc")])

    def _finished(self, call: Call) -> bool:
        if call._status is None:
            return False
        trailers = [("grpc-status", str(call._status.code))]
        if call._status.message:
            trailers.append(("grpc-message", quote(call._status.message, safe=_PRINTABLE)))
        if not call._begun:
            trailers[:0] = [(":status", "200"), ("content-type", "application/grpc")]
        self._http.send_headers(call._stream, trailers, end_stream=True)
        if not call._ended:
            self._http.reset_stream(call._stream, ErrorCodes.NO_ERROR)
        return True

    def _handle(self, call: Call, handler: Handler) -> None:
        status = StatusError(OK, "")
        try:
            handler(call)
        except GoneError:
            return
        except StatusError as error:
            status = error
        except Exception as error:
            status = StatusError(INTERNAL, f"{type(error).__name__} in the client")  # its text may hold a secret
        self._finish(call, status)

    def _finish(self, call: Call, status: StatusError) -> None:
        with self._lock:
            call._status = status
            self._discard(call)
        self._touch(call)
