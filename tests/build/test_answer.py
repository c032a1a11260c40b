"""The answer of an engine that means ill, or is broken."""

from __future__ import annotations

import socket
import threading
import tracemalloc
from contextlib import suppress

import pytest

from dfkit.build import SolveFailed, connect
from dfkit.build.answer import Answer
from dfkit.build.client import _read
from dfkit.build.outcome import Outcome
from dfkit.errors import BuildFailed

VERSION = b'{"Version":"1","ApiVersion":"1.41","Os":"linux","Arch":"amd64","Components":[]}'


class Peer:
    """Listens as an engine would, says its version, and answers a build with these bytes."""

    def __init__(self, path, pieces):
        self.pieces = pieces
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                with near, suppress(OSError):
                    self.answer(near)

    def answer(self, near):
        request = b""
        while b"\r\n\r\n" not in request:
            more = near.recv(1 << 16)
            if not more:
                return
            request += more
        if b"/version" in request:
            near.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(VERSION) + VERSION)
            return
        for piece in self.pieces:
            near.sendall(piece)

    def close(self):
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def lines(tmp_path):
    """The lines of an answer that comes in these pieces."""
    opened = []

    def lines(pieces):
        peer = Peer(tmp_path / "sock", pieces)
        engine = connect(f"unix://{tmp_path}/sock")
        answer = Answer(engine, [])
        opened.append((peer, engine, answer))
        return answer.lines()

    yield lines
    for peer, engine, answer in opened:
        answer.close()
        engine.close()
        peer.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


def test_lines_come_whole_however_they_are_cut(lines):
    text = b'{"a":1}\n\n{"b":2}\r\n{"c":3}'
    pieces = [CHUNKED, *(chunk(text[at : at + 3]) for at in range(0, len(text), 3)), chunk(b"")]
    assert [line.strip() for line in lines(pieces)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_line_is_not_held_back_until_its_chunk_is_whole(lines):
    found = lines([CHUNKED, b"ffffffff\r\n" + b'{"a":1}\n' + b" " * (1 << 17) + b"\n"])
    assert next(found) == b'{"a":1}'


@pytest.mark.parametrize("size", [1 << 16, 1 << 30], ids=["small chunks", "one chunk"])
def test_a_line_without_an_end_is_given_up_in_little_memory(lines, size):
    def pieces():
        yield CHUNKED + (b"%x\r\n" % size if size > 1 << 20 else b"")
        for _ in range(1000):
            yield chunk(bytes(1 << 16)) if size == 1 << 16 else bytes(1 << 16)

    tracemalloc.start()
    try:
        with pytest.raises(BuildFailed, match="a line without an end"):
            list(lines(pieces()))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_an_endless_error_is_cut(lines):
    def pieces():
        yield b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield chunk(b"no " * 10_000)

    with pytest.raises(BuildFailed, match="the engine does not take the build: no no") as error:
        list(lines(pieces()))
    assert len(str(error.value)) < 100_000


def test_an_error_without_a_bottom_is_told_as_it_is(lines):
    body = b"[" * 50_000
    with pytest.raises(BuildFailed, match=r"the engine does not take the build: \[\[\["):
        list(lines([b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body]))


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[1]",
        b"[" * 100_000,
        b'{"id": "moby.buildkit.trace", "aux": 5}',
        b'{"id": "moby.buildkit.trace", "aux": "////"}',
        b'{"id": "moby.image.id", "aux": {}}',
        b'{"id": "moby.image.id", "aux": {"ID": 5}}',
        b'{"id": "moby.image.id", "aux": {"ID": "sha256:../../x"}}',
        b'{"errorDetail": 5}',
    ],
    ids=lambda line: line[:60].decode(),
)
def test_a_line_that_no_engine_says_ends_the_build_with_one_sentence(line):
    with pytest.raises(BuildFailed, match=r"^the engine's answer cannot be read \(.*\)$"):
        list(_read(line, Outcome()))


def test_a_reason_that_is_no_text_is_told_all_the_same():
    outcome = Outcome()
    list(_read(b'{"errorDetail": {"message": {"a": 1}}}', outcome))
    with pytest.raises(SolveFailed, match=r"{'a': 1}"):
        outcome.result(1.0)
