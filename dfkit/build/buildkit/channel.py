"""The other side of `grpc`: calls that dfkit makes, to a BuildKit daemon's control API."""

from __future__ import annotations

from collections import deque
from urllib.parse import unquote

from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

from dfkit.build.buildkit.grpc import INTERNAL, OK, UNAVAILABLE, UNKNOWN, Call, Connection, GoneError, StatusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from h2.events import Event

    from dfkit.build.buildkit.transport import Transport

CANCELLED, DEADLINE_EXCEEDED = 1, 4
LARGEST_ANSWER = 16 << 20
"""Bytes of a message; what BuildKit's own client accepts."""

_RESETS = {ErrorCodes.CANCEL: CANCELLED, ErrorCodes.REFUSED_STREAM: UNAVAILABLE}
"""The other codes are errors inside: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors"""


class SilentError(GoneError):
    """The peer does not answer in time."""


class EndedError(Exception):
    """The peer ended the connection in order, and said why."""


class Exchange(Call):
    """A call that was made: send and receive until `receive` gives None or raises how the peer ended it, a `StatusError`."""

    def __init__(self, channel: Channel, path: str, metadata: tuple[tuple[str, str], ...]) -> None:
        super().__init__(channel, 0, path, metadata)
        self._channel = channel
        self._last = False  # nothing follows what waits to be sent
        self._closed = False  # this side has ended the stream
        self._canceled = False
        self._headers: dict[str, str] = {}

    @property
    def _nobody(self) -> bool:
        return self._gone and not self._ended

    def receive(self, largest: int = LARGEST_ANSWER, seconds: float | None = None) -> bytes | None:
        """See `Call.receive`. Raises `StatusError` also where the peer ended the call other than well."""
        message = super().receive(largest, seconds)
        if message is None and self._status is not None and self._status.code != OK:
            raise self._status
        return message

    def end(self) -> None:
        """Nothing more is sent."""
        with self._changed:
            self._last = True
        self._channel._touch(self)

    def cancel(self) -> None:
        """Drop the call; who waits for it gets `GoneError`. The peer stops what it does for it."""
        with self._changed:
            self._canceled = True
            self._unsent.clear()
        self._channel._touch(self)


class Channel(Connection):
    """Makes calls over a transport."""

    def __init__(self, transport: Transport, authority: str) -> None:
        """`authority` is the host that is meant, as in a URL."""
        super().__init__(transport, client=True, name="dfkit-control")
        self._authority = authority
        self._waiting: deque[Exchange] = deque()
        self._over = False

    def call(self, path: str, metadata: Iterable[tuple[str, str]] = ()) -> Exchange:
        """Begin a call to `/package.Service/Method`. Names in `metadata` are in lower case and may repeat. Raises `GoneError`."""
        exchange = Exchange(self, path, tuple(metadata))
        with self._lock:
            if self._over or self._closing:
                raise GoneError
            self._waiting.append(exchange)
        self._wake()
        return exchange

    def ask(self, path: str, message: bytes, metadata: Iterable[tuple[str, str]] = (), seconds: float | None = None) -> bytes:
        """A call with one message each way.

        Raises `StatusError`, `GoneError`, and `SilentError` if no answer comes within that many seconds; the call is dropped then.
        """
        exchange = self.call(path, metadata)
        exchange.send(message)
        exchange.end()
        try:
            answer = exchange.receive(seconds=seconds)
            if answer is None:
                raise StatusError(INTERNAL, f"no answer to {path}")
            if exchange.receive(seconds=seconds) is not None:
                raise StatusError(INTERNAL, f"more than one answer to {path}")
            return answer
        except TimeoutError:
            exchange.cancel()
            raise SilentError from None

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            with self._lock:
                if (call := self._calls.get(event.stream_id)) is not None:
                    for name, value in event.headers:
                        call._headers[name.decode("latin-1")] = value.decode("utf-8", "replace")
        elif isinstance(event, ConnectionTerminated):
            said = (event.additional_data or b"").decode("utf-8", "replace")
            raise EndedError(f"it ended the connection{f': {said}' if said else ''}")
        elif isinstance(event, StreamEnded | StreamReset):
            with self._lock:
                call = self._calls.get(event.stream_id)
                if call is not None and not call._ended:
                    reset = event.error_code if isinstance(event, StreamReset) else None
                    call._status = _status(call._headers, reset)
                    call._ended = True
                    call._closed |= reset is not None
                    call._unsent.clear()
                    call._changed.notify_all()
        else:
            super()._take(event)

    def _data(self, stream: int, data: bytes, counted: int) -> None:
        with self._lock:
            call = self._calls.get(stream)
            if call is not None and not call._ended:
                call._put(data, counted)
                return
        self._http.acknowledge_received_data(counted, stream)

    def _advance(self) -> None:
        with self._lock:
            room = self._http.remote_settings.max_concurrent_streams - self._http.open_outbound_streams
            while self._waiting and room > 0:
                call = self._waiting.popleft()
                call._stream = self._http.get_next_available_stream_id()
                self._calls[call._stream] = call
                self._head(call)
                call._begun = True
                room -= 1
        super()._advance()

    def _head(self, call: Call) -> None:
        headers = [(":method", "POST"), (":scheme", "http"), (":path", call.path), (":authority", self._authority)]
        headers += [("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "dfkit"), *call.metadata]
        self._http.send_headers(call._stream, headers)

    def _finished(self, call: Call) -> bool:
        assert isinstance(call, Exchange)
        if call._canceled or (call._ended and not call._closed):
            if not call._closed or not call._ended:
                self._http.reset_stream(call._stream, ErrorCodes.CANCEL)
            return True
        if call._last and not call._closed:
            self._http.end_stream(call._stream)
            call._closed = True
        return call._ended

    def _drop(self, call: Call) -> None:
        if call._ended:  # what it received can still be read
            self._calls.pop(call._stream, None)
            call._gone = True
            call._unsent.clear()
            call._changed.notify_all()
        else:
            super()._drop(call)

    def _lost(self) -> None:
        self._over = True
        for call in self._waiting:
            call._gone = True
            call._changed.notify_all()
        super()._lost()


def _status(headers: dict[str, str], reset: int | None) -> StatusError:
    """How the peer ended a call: by its trailers, or by a reset with that HTTP/2 error code."""
    if reset is not None and "grpc-status" not in headers:
        return StatusError(
            _RESETS.get(ErrorCodes(reset), INTERNAL) if reset in set(ErrorCodes) else INTERNAL, "the call was dropped"
        )
    code = headers.get("grpc-status", "")
    if code.isdecimal():
        return StatusError(int(code), unquote(headers.get("grpc-message", "")))
    if headers.get(":status") != "200":
        return StatusError(UNAVAILABLE, f"HTTP status {headers.get(':status')} instead of an answer")
    return StatusError(UNKNOWN, "an answer without a status")
