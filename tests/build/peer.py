"""The engine's side of a session, for tests that serve one."""

from __future__ import annotations

import contextlib
import socket

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes

from dfkit.build.buildkit.grpc import Server
from dfkit.build.buildkit.transport import SocketTransport
from dfkit.build.buildkit.wire import Message, encode


class Peer:
    """The engine's side of a session: calls, in several steps or in one."""

    def __init__(self, sock, window=None):
        """`window` is how many bytes of a stream it takes before it says so."""
        self.sock = sock
        self.sock.settimeout(10)
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        if window is not None:
            self.http.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
            self.http.local_settings.acknowledge()
        self.http.initiate_connection()
        self.flush()
        self.bodies: dict[int, bytearray] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()

    def flush(self):
        self.sock.sendall(self.http.data_to_send())

    def start(self, path, *headers):
        """Begin a call; its stream."""
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(
            stream, [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"), ("te", "trailers"), *headers]
        )
        self.flush()
        self.bodies[stream], self.headers[stream] = bytearray(), {}
        return stream

    def send(self, stream, message):
        """Send one message, as the window allows."""
        frame = memoryview(b"\0" + len(message).to_bytes(4, "big") + message)
        while frame:
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(frame))
            if stream in self.ended:
                return
            if room:
                self.http.send_data(stream, bytes(frame[:room]))
                frame = frame[room:]
                self.flush()
            else:
                self.read()

    def send_bytes(self, stream, data):
        """A BytesMessage: {1: data}."""
        self.send(stream, encode((1, data)))

    def end(self, stream):
        self.http.end_stream(stream)
        self.flush()

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        for event in self.http.receive_data(data):
            if isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, ResponseReceived | TrailersReceived):
                self.headers[event.stream_id] |= dict(event.headers)
            if isinstance(event, StreamEnded | StreamReset):
                self.ended.add(event.stream_id)
        self.flush()

    def message(self, stream):
        """The next message of a call; None when it has ended."""
        body = self.bodies[stream]
        while len(body) < 5 or len(body) < 5 + int.from_bytes(body[1:5], "big"):
            if stream in self.ended:
                return None
            self.read()
        size = int.from_bytes(body[1:5], "big")
        found = bytes(body[5 : 5 + size])
        del body[: 5 + size]
        return found

    def bytes_message(self, stream):
        return Message(self.message(stream)).data(1)

    def status(self, stream):
        """The call's status code and text, when it is over."""
        while stream not in self.ended:
            self.read()
        return int(self.headers[stream]["grpc-status"]), self.headers[stream].get("grpc-message", "")

    def call(self, path, message=b""):
        """A whole call: status code, text and answer."""
        stream = self.start(path)
        self.send(stream, message)
        self.end(stream)
        answer = self.message(stream)
        return *self.status(stream), answer


@contextlib.contextmanager
def serving():
    """A function that serves handlers and gives the server and the other end of its connection. All is closed at the end."""
    servers = []

    def start(handlers):
        ours, theirs = socket.socketpair()
        server = Server(SocketTransport(ours), handlers)
        server.start()
        servers.append((server, theirs))
        return server, theirs

    yield start
    for server, theirs in servers:
        theirs.close()
        server.close()
        assert not server._thread.is_alive()
