"""The gRPC server against a real HTTP/2 client and against peers that misbehave, over a socket pair."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

from dfkit.build.buildkit import grpc
from dfkit.build.buildkit.grpc import StatusError, unary
from tests.build.peer import Peer, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Client(Peer):
    """The engine's side of a session, with calls of one message."""

    def send(self, stream, message):
        super().send(stream, message)
        self.end(stream)

    def call(self, path, message=b""):
        """A unary call: its status code, status text, and answer."""
        stream = self.start(path)
        self.send(stream, message)
        return self.finish(stream)

    def finish(self, stream):
        while stream not in self.ended:
            self.read()
        headers = self.headers[stream]
        return int(headers["grpc-status"]), headers.get("grpc-message", ""), bytes(self.bodies[stream][5:])


@pytest.fixture
def serve():
    with serving() as start:
        yield start


def echo(call):
    for message in call.messages():
        call.send(message)


def fail(_request):
    raise StatusError(5, "none such: 100 %\n")


def crash(_request):
    raise RuntimeError("a secret")


def test_a_unary_call_is_answered(serve):
    _, theirs = serve({"/x.Y/Z": unary(lambda request: request[::-1])})
    assert Client(theirs).call("/x.Y/Z", b"abc") == (0, "", b"cba")


def test_an_unknown_method_is_unimplemented(serve):
    _, theirs = serve({})
    assert Client(theirs).call("/x.Y/Z")[0] == grpc.UNIMPLEMENTED


def test_a_status_reaches_the_peer_percent_encoded(serve):
    _, theirs = serve({"/x.Y/Z": unary(fail)})
    assert Client(theirs).call("/x.Y/Z") == (5, "none such: 100 %25%0A", b"")


def test_a_handler_that_crashes_says_so_without_its_text(serve):
    _, theirs = serve({"/x.Y/Z": unary(crash), "/ok": unary(bytes)})
    client = Client(theirs)
    code, text, _ = client.call("/x.Y/Z")
    assert code == grpc.INTERNAL
    assert "secret" not in text
    assert client.call("/ok")[0] == 0


def test_large_messages_survive_small_windows_in_both_directions_side_by_side(serve):
    _, theirs = serve({"/echo": echo})
    client = Client(theirs, window=1000)
    sent = {client.start("/echo"): random.Random(number).randbytes(200_000) for number in range(3)}
    for stream, message in sent.items():
        client.send(stream, message)
    for stream, message in sent.items():
        assert client.finish(stream) == (0, "", message)


def test_more_than_the_connection_window_can_be_received_and_dropped(serve):
    _, theirs = serve({"/drop": lambda call: call.receive() and None, "/ok": unary(bytes)})
    client = Client(theirs)
    for _ in range(8):
        stream = client.start("/drop")
        client.send(stream, bytes(1_000_000))
        assert client.finish(stream)[0] == 0
    assert client.call("/ok")[0] == 0


def test_a_message_that_is_too_large_or_compressed_is_refused(serve):
    _, theirs = serve({"/x.Y/Z": unary(bytes)})
    client = Client(theirs)
    for frame, code in ((b"\0\xff\xff\xff\xff", grpc.RESOURCE_EXHAUSTED), (b"\1\0\0\0\0", grpc.UNIMPLEMENTED)):
        stream = client.start("/x.Y/Z")
        client.http.send_data(stream, frame)
        client.flush()
        assert client.finish(stream)[0] == code


def test_a_call_that_ends_inside_a_message_is_an_error(serve):
    _, theirs = serve({"/x.Y/Z": unary(bytes)})
    client = Client(theirs)
    stream = client.start("/x.Y/Z")
    client.http.send_data(stream, b"\0\0\0\0\x09abc", end_stream=True)
    client.flush()
    assert client.finish(stream)[0] == grpc.INTERNAL


def test_a_reset_call_releases_its_handler_and_its_window(serve):
    gone = threading.Event()

    def handler(call):
        try:
            call.receive()
        except grpc.GoneError:
            gone.set()
            raise

    _, theirs = serve({"/wait": handler, "/ok": unary(bytes)})
    client = Client(theirs)
    stream = client.start("/wait")
    client.http.send_data(stream, b"\0\0\x10\0\0" + bytes(10_000))
    client.http.reset_stream(stream)
    client.flush()
    assert gone.wait(5)
    assert client.call("/ok")[0] == 0


def test_a_peer_that_goes_away_releases_those_that_wait(serve):
    gone = threading.Event()

    def handler(call):
        try:
            call.receive()
        except grpc.GoneError:
            gone.set()

    _, theirs = serve({"/wait": handler})
    Client(theirs).start("/wait")
    time.sleep(0.1)
    theirs.close()
    assert gone.wait(5)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(1 << 24),  # a frame larger than any may be
        PREFACE + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # a window update of nothing
        PREFACE + b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff",  # headers that do not decompress
        PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x01\x00\x00\x00\x00\x00\x09x",  # data without a call
        PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x00\x01\x00\x00\x00\x00\x01" * 100,
    ],
    ids=["http1", "huge frame", "empty window update", "bad compression", "stray data", "headers inside headers"],
)
def test_frames_that_break_the_protocol_end_the_connection(serve, data):
    server, theirs = serve({"/ok": unary(bytes)})
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        theirs.sendall(data)
    server._thread.join(5)
    assert not server._thread.is_alive()
    assert server.error is not None


def test_garbage_never_hangs_or_escapes(serve):
    noise = random.Random(1)
    for _ in range(30):
        server, theirs = serve({"/ok": unary(bytes)})
        try:
            theirs.sendall(PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            for _ in range(20):
                size = noise.randrange(40)
                frame = size.to_bytes(3, "big") + bytes([noise.randrange(12), noise.randrange(256)])
                theirs.sendall(frame + noise.randrange(8).to_bytes(4, "big") + noise.randbytes(size))
        except (BrokenPipeError, ConnectionResetError):
            pass
        server.close()
        assert not server._thread.is_alive()


def test_a_peer_that_asks_and_never_reads_is_not_buffered_for(serve):
    server, theirs = serve({})
    theirs.settimeout(0.5)
    theirs.sendall(PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    ping = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh" * 1000
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200 << 20:
            sent += theirs.send(ping)
    assert sent < 200 << 20
    assert len(server._out) < 1 << 20


def test_a_handler_that_sends_for_ever_waits_for_a_peer_that_does_not_read(serve):
    sent = []

    def flood(call):
        while True:
            call.send(bytes(100_000))
            sent.append(1)

    server, theirs = serve({"/flood": flood})
    Client(theirs).start("/flood")
    time.sleep(0.5)
    before = len(sent)
    time.sleep(0.3)
    assert len(sent) == before < 100
    server.close()


def test_calls_beyond_the_limit_are_refused_and_the_rest_still_answered(serve):
    release = threading.Event()
    _, theirs = serve({"/wait": lambda _call: release.wait(5) and None, "/ok": unary(bytes)})
    client = Client(theirs)
    for _ in range(200):  # open, ask, give up: what a peer can do without ever passing the limit of streams
        stream = client.start("/wait")
        client.send(stream, b"")
        client.http.reset_stream(stream)
        client.flush()
    deadline = time.monotonic() + 5
    while client.call("/ok")[0] != grpc.RESOURCE_EXHAUSTED:
        assert time.monotonic() < deadline
    assert sum(thread.name == "dfkit-session/wait" for thread in threading.enumerate()) <= grpc._HANDLERS
    release.set()
    while client.call("/ok")[0] != grpc.OK:
        assert time.monotonic() < deadline


def test_a_call_that_takes_a_moment_to_leave_is_gone_when_the_connection_is_closed(serve):
    entered = threading.Event()

    def handler(call):
        entered.set()
        try:
            call.receive()
        finally:
            time.sleep(0.2)  # it writes down what it has, say

    server, theirs = serve({"/wait": handler})
    Client(theirs).start("/wait")
    assert entered.wait(5)
    server.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "dfkit-session/wait"]


def test_a_call_that_does_not_leave_keeps_nobody_waiting(serve):
    release, entered = threading.Event(), threading.Event()

    def handler(_call):
        entered.set()
        release.wait(30)

    server, theirs = serve({"/stuck": handler})
    Client(theirs).start("/stuck")
    assert entered.wait(5)
    server.close()
    assert [thread for thread in threading.enumerate() if thread.name == "dfkit-session/stuck"]
    release.set()
