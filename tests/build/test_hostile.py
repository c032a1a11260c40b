"""An engine that means ill, or is broken: it can neither exhaust this side's memory nor keep its threads."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
import tracemalloc

import hpack
import pytest

from dfkit.build.buildkit import grpc
from dfkit.build.buildkit.filesync import FileSync
from dfkit.build.buildkit.grpc import unary
from dfkit.build.buildkit.wire import Message, WireError, encode
from dfkit.build.request import Folders
from dfkit.context import plan
from tests.build.peer import serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_HEADERS, PADDED = 4, 8


def frame(kind, payload=b"", flags=0, stream=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def opened(stream, path="/wait"):
    block = hpack.Encoder().encode(
        [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")], huffman=False
    )
    return frame(HEADERS, block, END_HEADERS, stream)


class Raw:
    """A peer that sends frames as they are given. Its own windows are as large as can be."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(5)
        self.send(PREFACE + frame(SETTINGS))

    def send(self, data):
        """Whether this side still takes it."""
        with contextlib.suppress(OSError):
            self.sock.sendall(data)
            return True
        return False

    def settle(self):
        """Until all that was sent is taken in."""
        mark = secrets.token_bytes(8)
        self.sock.settimeout(30)
        self.sock.sendall(frame(PING, mark))
        received = b""
        while mark not in received:
            more = self.sock.recv(1 << 16)
            assert more, "the connection is over"
            received += more


@pytest.fixture
def serve():
    with serving() as start:

        def raw(handlers):
            server, theirs = start(handlers)
            return server, Raw(theirs)

        yield raw


@contextlib.contextmanager
def memory(most):
    """Nothing in here may take more memory than that at once."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield
        assert tracemalloc.get_traced_memory()[1] - before < most
    finally:
        tracemalloc.stop()


def wait(call):
    """A handler that never reads."""
    with call._changed:
        call._changed.wait_for(lambda: call._gone)


def test_frames_of_one_byte_cost_what_they_hold(serve):
    server, peer = serve({"/wait": wait})
    peer.send(opened(1))
    for _ in range(20):
        peer.send(frame(DATA, b"\0x", PADDED, 1) * 1000)  # padded frames are not joined before they are taken apart
    peer.settle()
    assert server._calls[1]._received == b"x" * 20_000
    assert server._calls[1]._counted == 40_000


def test_empty_frames_for_ever_cost_nothing(serve):
    server, peer = serve({"/wait": wait})
    peer.send(opened(1))
    for _ in range(30):
        peer.send(frame(DATA, b"", 0, 1) * 1000 + frame(DATA, b"\0", PADDED, 1) * 100)
    peer.settle()
    assert server._thread.is_alive()
    assert not server._calls[1]._received
    assert server._calls[1]._counted == 0


def test_more_data_than_the_window_allows_ends_the_connection(serve):
    server, peer = serve({"/wait": wait})
    peer.send(opened(1))
    with memory(16 << 20):
        while peer.send(frame(DATA, bytes(1 << 14), 0, 1)):
            pass
    server._thread.join(5)
    assert not server._thread.is_alive()


def test_streams_beyond_the_limit_end_the_connection_and_release_their_handlers(serve):
    server, peer = serve({"/wait": wait})
    for stream in range(1, 2001, 2):
        if not peer.send(opened(stream)):
            break
    server._thread.join(5)
    assert not server._thread.is_alive()
    deadline = time.monotonic() + 5
    while any(thread.name == "dfkit-session/wait" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_streams_that_are_opened_and_reset_for_ever_cost_neither_threads_nor_memory(serve):
    most = 0
    server, peer = serve({"/wait": wait})
    with memory(8 << 20):
        for stream in range(1, 2001, 2):
            peer.send(opened(stream) + frame(RESET, bytes(4), 0, stream))
            most = max(most, sum(thread.name == "dfkit-session/wait" for thread in threading.enumerate()))
        peer.settle()
    assert most <= grpc._HANDLERS
    assert len(server._calls) == 0
    assert server._thread.is_alive()


def test_headers_that_unpack_to_very_much_end_the_connection(serve):
    server, peer = serve({"/wait": wait})
    large = hpack.Encoder()
    first = large.encode([("x-large", "x" * 3000)], huffman=False)
    again = large.encode([("x-large", "x" * 3000)], huffman=False)  # one byte: it is in the table now
    assert len(again) < 3
    with memory(8 << 20):
        peer.send(frame(HEADERS, first + again * 5000, END_HEADERS, 1))
        server._thread.join(5)
    assert not server._thread.is_alive()
    assert server.error is not None


def test_headers_without_an_end_end_the_connection(serve):
    server, peer = serve({"/wait": wait})
    with memory(16 << 20):
        peer.send(frame(HEADERS, b"", 0, 1))
        for _ in range(10_000):
            if not peer.send(frame(CONTINUATION, bytes(1000), 0, 1)):
                break
        server._thread.join(5)
    assert not server._thread.is_alive()


def test_settings_for_ever_to_a_peer_that_does_not_read_are_not_answered_for_ever(serve):
    server, peer = serve({})
    peer.sock.settimeout(0.5)
    with memory(16 << 20):
        sent = 0
        while sent < 100 << 20 and peer.send(frame(SETTINGS) * 5000):
            sent += 45_000
    assert sent < 100 << 20
    assert len(server._out) < 2 << 20


def test_a_window_of_nothing_holds_back_what_a_handler_sends(serve):
    sent = []

    def flood(call):
        while True:
            call.send(bytes(100_000))
            sent.append(1)

    server, peer = serve({"/flood": flood})
    with memory(8 << 20):
        peer.send(frame(SETTINGS, b"\0\4" + bytes(4)) + opened(1, "/flood"))
        peer.settle()
    assert len(sent) < 20
    server.close()
    assert not any(thread.name == "dfkit-session/flood" and thread.join(5) for thread in threading.enumerate())


def test_a_message_that_is_announced_and_never_comes_ends_with_the_session(serve):
    server, peer = serve({"/ok": unary(bytes)})
    for stream in range(1, 21, 2):
        peer.send(opened(stream, "/ok") + frame(DATA, b"\0\0\0\xff\xff", 0, stream))
    peer.settle()
    assert sum(thread.name == "dfkit-session/ok" for thread in threading.enumerate()) == 10
    server.close()
    deadline = time.monotonic() + 5
    while any(thread.name == "dfkit-session/ok" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_large_packet_to_the_file_sync_is_refused(serve, tmp_path):
    service = FileSync(Folders(plan(str(tmp_path)), b""))
    server, peer = serve(service.handlers())
    block = hpack.Encoder().encode(
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/moby.filesync.v1.FileSync/DiffCopy"),
            (":authority", "x"),
            ("dir-name", "context"),
        ]
    )
    peer.send(frame(HEADERS, block, END_HEADERS, 1) + frame(DATA, b"\0" + (grpc.LARGEST_REQUEST + 1).to_bytes(4, "big"), 0, 1))
    peer.settle()
    deadline = time.monotonic() + 10
    while server._calls:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert server._thread.is_alive()


def test_a_message_of_very_many_fields_is_refused():
    with memory(4 << 20), pytest.raises(WireError, match="different fields"):
        Message(b"".join(encode((number, 1)) for number in range(1, 20_000)))
