"""The gRPC client against dfkit's own server, against a hand-made peer, and against peers that misbehave, over a socket pair."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, SettingsAcknowledged, StreamEnded, StreamReset
from h2.settings import SettingCodes

from dfkit.build.buildkit import grpc
from dfkit.build.buildkit.channel import CANCELLED, Channel, SilentError
from dfkit.build.buildkit.grpc import GoneError, Server, StatusError, unary
from dfkit.build.buildkit.transport import SocketTransport


@pytest.fixture
def pair():
    """A channel and what is at the other end: `pair(handlers)` a server, `pair()` a bare socket."""
    ends = []

    def make(handlers=None):
        ours, theirs = socket.socketpair()
        channel = Channel(SocketTransport(ours), "test")
        channel.start()
        ends.append(channel)
        if handlers is None:
            theirs.settimeout(5)
            ends.append(theirs)
            return channel, theirs
        server = Server(SocketTransport(theirs), handlers)
        server.start()
        ends.append(server)
        return channel, server

    yield make
    for end in ends:
        end.close()
        assert not isinstance(end, Channel) or not end._thread.is_alive()


class Peer:
    """A server by hand."""

    def __init__(self, sock, **settings):
        self.sock = sock
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        for name, value in settings.items():
            self.http.local_settings[getattr(SettingCodes, name)] = value
            self.http.local_settings.acknowledge()
        self.http.initiate_connection()
        self.flush()
        self.events = []

    def flush(self):
        self.sock.sendall(self.http.data_to_send())

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        new = self.http.receive_data(data)
        for event in new:
            if isinstance(event, DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.events += new
        self.flush()

    def read_on(self):
        while True:
            self.read()

    def wait(self, kind):
        while not (found := [event for event in self.events if isinstance(event, kind)]):
            self.read()
        return found[0]

    def answer(self, stream, message=None, status="0", text=None):
        self.http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        if message is not None:
            self.http.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message)
        self.http.send_headers(stream, [("grpc-status", status), *([("grpc-message", text)] if text else [])], end_stream=True)
        self.flush()


def answering(channel, results, path="/x.Y/Z", message=b"hi", **options):
    """A call in another thread, which puts what it comes to into `results`."""

    def run():
        try:
            results.append(channel.ask(path, message, **options))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_until(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fail(_request):
    raise StatusError(5, "none such: 100 %\n")


def echo(call):
    for message in call.messages():
        call.send(message)


def test_a_call_is_answered(pair):
    channel, _ = pair({"/x.Y/Z": unary(lambda request: request[::-1])})
    assert channel.ask("/x.Y/Z", b"abc") == b"cba"
    assert channel.ask("/x.Y/Z", b"") == b""


def test_a_call_that_ends_badly_raises_its_status_and_text(pair):
    channel, _ = pair({"/x.Y/Z": unary(fail)})
    with pytest.raises(StatusError) as raised:
        channel.ask("/x.Y/Z", b"")
    assert (raised.value.code, raised.value.message) == (5, "none such: 100 %\n")
    with pytest.raises(StatusError) as raised:
        channel.ask("/x.Y/Missing", b"")
    assert raised.value.code == grpc.UNIMPLEMENTED


def test_the_headers_of_a_call_reach_the_server_in_order_and_more_than_once(pair):
    seen = []
    channel, _ = pair({"/x.Y/Z": lambda call: seen.append(call.metadata) or call.send(b"")})
    channel.ask("/x.Y/Z", b"", [("one", "a"), ("one", "b")])
    assert [value for name, value in seen[0] if name == "one"] == ["a", "b"]
    assert dict(seen[0])[":authority"] == "test"


def test_messages_go_both_ways_while_the_call_is_open(pair):
    channel, _ = pair({"/echo": echo})
    call = channel.call("/echo")
    for number in range(3):
        call.send(b"%d" % number)
        assert call.receive(seconds=5) == b"%d" % number
    call.end()
    assert call.receive(seconds=5) is None


def test_large_messages_cross_side_by_side(pair):
    channel, _ = pair({"/echo": echo})
    sent = [random.Random(number).randbytes(3_000_000) for number in range(3)]
    got = {}

    def run(number):
        call = channel.call("/echo")
        call.send(sent[number])
        call.end()
        got[number] = call.receive(seconds=20)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[number] for number in range(3)] == sent


def test_the_windows_of_the_peer_are_kept(pair):
    channel, theirs = pair()
    peer = Peer(theirs, INITIAL_WINDOW_SIZE=1000)
    results = []
    thread = answering(channel, results, message=bytes(50_000))
    request = peer.wait(RequestReceived)
    peer.wait(StreamEnded)  # h2 raises on its side if a window is passed
    peer.answer(request.stream_id, b"done")
    thread.join(5)
    assert results == [b"done"]


def test_no_more_calls_are_open_at_once_than_the_peer_allows(pair):
    channel, theirs = pair()
    peer = Peer(theirs, MAX_CONCURRENT_STREAMS=1)
    results = []
    first = answering(channel, results)
    one = peer.wait(RequestReceived)
    peer.wait(SettingsAcknowledged)
    second = answering(channel, results)
    theirs.settimeout(0.3)
    with pytest.raises(TimeoutError):
        peer.read_on()
    theirs.settimeout(5)
    assert sum(isinstance(event, RequestReceived) for event in peer.events) == 1
    peer.answer(one.stream_id, b"1")
    peer.events.clear()
    peer.answer(peer.wait(RequestReceived).stream_id, b"2")
    first.join(5)
    second.join(5)
    assert sorted(results) == [b"1", b"2"]


def test_a_call_that_is_canceled_is_reset_at_the_peer(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    call = channel.call("/x.Y/Z")
    peer.wait(RequestReceived)
    call.cancel()
    assert peer.wait(StreamReset).error_code == 8  # CANCEL
    with pytest.raises(GoneError):
        call.receive(seconds=5)


def test_a_call_without_an_answer_in_time_is_dropped(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    with pytest.raises(SilentError):
        channel.ask("/x.Y/Z", b"", seconds=0.2)
    assert peer.wait(StreamReset).error_code == 8


def test_what_came_before_the_end_of_a_call_can_be_read_after_it(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    call = channel.call("/x.Y/Z")
    call.end()
    peer.answer(peer.wait(RequestReceived).stream_id, b"late", "14", "bye")
    peer.http.close_connection()
    peer.flush()
    theirs.close()
    channel._thread.join(5)
    assert call.receive() == b"late"
    with pytest.raises(StatusError) as raised:
        call.receive()
    assert raised.value.code == grpc.UNAVAILABLE


def test_a_reset_is_a_status(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    results = []
    thread = answering(channel, results)
    peer.http.reset_stream(peer.wait(RequestReceived).stream_id, 8)
    peer.flush()
    thread.join(5)
    assert results[0].code == CANCELLED


def test_an_answer_of_another_protocol_is_a_status(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    results = []
    thread = answering(channel, results)
    peer.http.send_headers(peer.wait(RequestReceived).stream_id, [(":status", "404")], end_stream=True)
    peer.flush()
    thread.join(5)
    assert results[0].code == grpc.UNAVAILABLE
    assert "404" in results[0].message


def test_sending_to_a_peer_that_has_ended_the_call_does_not_block(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    call = channel.call("/x.Y/Z")
    peer.answer(peer.wait(RequestReceived).stream_id, b"enough")
    assert call.receive(seconds=5) == b"enough"
    wait_until(lambda: call._gone)
    with pytest.raises(GoneError):
        call.send(bytes(5_000_000))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(256)) * 10])
def test_a_peer_that_goes_away_or_talks_nonsense_releases_those_that_wait(pair, said):
    channel, theirs = pair()
    results = []
    thread = answering(channel, results)
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert isinstance(results[0], GoneError)
    with pytest.raises(GoneError):
        channel.ask("/x.Y/Z", b"")


def test_the_reason_of_a_peer_that_ends_the_connection_is_kept(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    results = []
    thread = answering(channel, results)
    peer.wait(RequestReceived)
    peer.http.close_connection(additional_data=b"too_many_pings")
    peer.flush()
    thread.join(5)
    assert "too_many_pings" in str(channel.error)


def test_an_answer_that_is_too_large_is_refused(pair):
    channel, theirs = pair()
    peer = Peer(theirs)
    results = []
    thread = answering(channel, results)
    stream = peer.wait(RequestReceived).stream_id
    peer.http.send_headers(stream, [(":status", "200")])
    peer.http.send_data(stream, b"\0\xff\xff\xff\xff")
    peer.flush()
    thread.join(5)
    assert results[0].code == grpc.RESOURCE_EXHAUSTED
