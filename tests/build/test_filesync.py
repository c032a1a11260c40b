"""File sync against a receiver that speaks fsutil's protocol over HTTP/2, as the engine does."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading
import time
import tracemalloc

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, TrailersReceived

from dfkit._record import replace
from dfkit.build import Folders
from dfkit.build.buildkit import grpc
from dfkit.build.buildkit.filesync import FileSync
from dfkit.build.buildkit.grpc import Server
from dfkit.build.buildkit.transport import SocketTransport
from dfkit.build.buildkit.wire import Message, encode
from dfkit.context import Entry, plan

STAT, REQ, DATA, FIN = range(4)
TYPES = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25
"""The bits of Go's file modes that are set for anything but a plain file."""


class Receiver:
    """The engine's side of one transfer."""

    def __init__(self, sock, folder="context", *headers):
        self.sock = sock
        sock.settimeout(10)
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.stream = self.http.get_next_available_stream_id()
        path = "/moby.filesync.v1.FileSync/DiffCopy"
        self.http.send_headers(
            self.stream,
            [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"), ("dir-name", folder), *headers],
        )
        self.flush()
        self.body = bytearray()
        self.trailers: dict[str, str] = {}
        self.ended = False

    def flush(self):
        self.sock.sendall(self.http.data_to_send())

    def send(self, *fields):
        packet = encode(*fields)
        self.http.send_data(self.stream, b"\0" + len(packet).to_bytes(4, "big") + packet)
        self.flush()

    def read(self):
        data = self.sock.recv(1 << 16)
        assert data
        for event in self.http.receive_data(data):
            if isinstance(event, DataReceived):
                self.body += event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, ResponseReceived | TrailersReceived):
                self.trailers |= dict(event.headers)
            elif isinstance(event, StreamEnded):
                self.ended = True
        self.flush()

    def packet(self):
        """The next packet; None when the call has ended."""
        while True:
            size = int.from_bytes(self.body[1:5], "big")
            if len(self.body) >= 5 + size and len(self.body) >= 5:
                assert size < grpc.LARGEST_MESSAGE
                packet = Message(bytes(self.body[5 : 5 + size]))
                del self.body[: 5 + size]
                return packet
            if self.ended:
                return None
            self.read()

    def stats(self):
        """The entries up to the end of the walk, nothing being asked for."""
        found = []
        while (packet := self.packet()) is not None and (about := packet.message(2)):
            assert packet.integer(1) == STAT
            found.append(about)
        return found

    def sync(self, kept=()):
        """Take everything but what is kept, a (path, size, time) each: Stat and contents by path, in the order that they came."""
        found: dict[bytes, Message] = {}
        contents: dict[int, list[bytes]] = {}
        open_files, walking, number = set(), True, 0
        while walking or open_files:
            packet = self.packet()
            assert packet is not None, self.trailers
            if packet.integer(1) == DATA:
                if data := packet.data(4):
                    contents[packet.integer(3)].append(data)
                else:
                    open_files.remove(packet.integer(3))
            elif about := packet.message(2):
                path = about.data(1)
                found[path] = about
                identity = (path, about.integer(5), about.signed(6))
                if not about.integer(2) & TYPES and not about.data(7) and identity not in kept:
                    contents[number] = []
                    open_files.add(number)
                    self.send((1, REQ), (3, number))
                number += 1
            else:
                walking = False
        self.send((1, FIN))
        assert self.packet().integer(1) == FIN
        assert self.packet() is None
        assert self.trailers["grpc-status"] == "0"
        numbers = dict(enumerate(found))
        return found, {numbers[at]: b"".join(pieces) for at, pieces in contents.items()}

    def status(self):
        """How the call ended: code and text."""
        while self.packet() is not None:
            pass
        return int(self.trailers["grpc-status"]), self.trailers.get("grpc-message", "")


@pytest.fixture
def serve():
    """Serve folders to a receiver."""
    running = []

    def start(files, folder="context", *headers):
        ours, theirs = socket.socketpair()
        server = Server(SocketTransport(ours), files.handlers())
        server.start()
        running.append((server, theirs))
        return Receiver(theirs, folder, *headers)

    yield start
    for server, theirs in running:
        server.close()
        theirs.close()
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("dfkit-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def folders(root, dockerfile=b"FROM scratch\n", **fields):
    return FileSync(Folders(plan(root), dockerfile, **fields))


def in_order(paths):
    """Whether folders stand before what is in them and names in the order of their bytes, as fsutil checks."""
    keys = [tuple(path.split(b"/")) for path in paths]
    return keys == sorted(keys)


def test_the_dockerfile_has_a_folder_of_its_own(serve, tmp_path):
    (tmp_path / "Dockerfile").write_text("the one on the disk")
    found, contents = serve(folders(tmp_path, b"FROM a\n" * 100_000, name="Built"), "dockerfile").sync()
    assert contents == {b"Built": b"FROM a\n" * 100_000}
    assert found[b"Built"].integer(2) == 0o644
    assert found[b"Built"].integer(5) == 700_000


def test_two_dockerfiles_of_one_size_differ_in_time_and_one_text_never_does(serve, tmp_path):
    times = []
    for text in (b"FROM a\n", b"FROM b\n", b"FROM a\n"):
        found, _ = serve(folders(tmp_path, text), "dockerfile").sync()
        times.append(found[b"Dockerfile"].integer(6))
    assert times[0] == times[2] != times[1]
    assert all(0 <= time < 2**31 * 10**9 for time in times)


@pytest.mark.parametrize("name", ["", "..", "a/Dockerfile"])
def test_a_dockerfile_whose_name_has_a_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="is no name for a Dockerfile"):
        folders(tmp_path, name=name)


def test_every_kind_of_file_arrives_as_it_is(serve, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "set-uid").write_bytes(b"program")
    (tmp_path / "a" / "set-uid").chmod(0o6755)
    (tmp_path / "a-b").write_bytes(b"")
    (tmp_path / "a.b").symlink_to("a/nowhere é")
    (tmp_path / "empty").mkdir(mode=0o700)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    os.mkfifo(tmp_path / "pipe", 0o600)
    os.link(tmp_path / "a" / "set-uid", tmp_path / "z")
    (tmp_path / "日本 語").write_bytes(b"x" * 1_000_000)
    with open(os.fsencode(tmp_path) + b"/\xff\xfe", "wb") as file:
        file.write(b"bytes")
    os.utime(tmp_path / "a-b", ns=(0, 1_600_000_000_123_456_789))
    os.utime(tmp_path / "empty", ns=(0, -1_500_000_000))
    found, contents = serve(folders(tmp_path)).sync()

    paths = [b"a", b"a/set-uid", b"a-b", b"a.b", b"empty", b"pipe", b"tmp", b"z", "日本 語".encode(), b"\xff\xfe"]
    assert list(found) == paths
    assert in_order(found)
    assert contents == {
        b"a/set-uid": b"program",
        b"a-b": b"",
        "日本 語".encode(): b"x" * 1_000_000,
        b"\xff\xfe": b"bytes",
    }
    modes = {path: found[path].integer(2) for path in (b"a/set-uid", b"a.b", b"empty", b"pipe", b"tmp", b"z")}
    assert modes == {
        b"a/set-uid": 1 << 23 | 1 << 22 | 0o755,
        b"a.b": 1 << 27 | 0o777,
        b"empty": 1 << 31 | 0o700,
        b"pipe": 1 << 25 | 0o600,
        b"tmp": 1 << 31 | 1 << 20 | 0o777,
        b"z": 1 << 23 | 1 << 22 | 0o755,
    }
    assert found[b"a.b"].text(7) == "a/nowhere é"
    assert found[b"a.b"].integer(5) == len("a/nowhere é".encode())
    assert found[b"z"].text(7) == "a/set-uid"
    assert found[b"a-b"].signed(6) == 1_600_000_000_123_456_789
    assert found[b"empty"].signed(6) == -1_500_000_000
    assert {(about.integer(3), about.integer(4)) for about in found.values()} == {(0, 0)}


def test_devices_and_extended_attributes_arrive(serve, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    try:
        os.setxattr(tmp_path / "file", "user.colour", b"\x00blue")
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError as error:
        pytest.skip(f"not possible here: {error}")
    found, _ = serve(folders(tmp_path)).sync()
    assert [(pair.text(1), pair.data(2)) for pair in found[b"file"].messages(10)] == [("user.colour", b"\x00blue")]
    null = found[b"null"]
    assert null.integer(2) & ~0o777 == 1 << 26 | 1 << 21
    assert (null.integer(8), null.integer(9)) == (1, 3)


def test_a_socket_arrives_as_an_empty_file(serve, tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o755)
        found, contents = serve(folders(tmp_path)).sync()
    assert (found[b"s"].integer(2), found[b"s"].integer(5)) == (0o755, 0)
    assert contents == {b"s": b""}


def test_nothing_is_read_that_the_engine_keeps(serve, tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name * 1000)
    files = folders(tmp_path)
    found, _ = serve(files).sync()
    kept = {(path, about.integer(5), about.signed(6)) for path, about in found.items()}
    (tmp_path / "a").chmod(0)
    (tmp_path / "b").write_text("changed")
    assert serve(files).sync(kept)[1] == {b"b": b"changed"}


def test_only_the_entries_of_the_plan_are_served(serve, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("in", "out", "sub/in", ".dockerignore"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("out\n.dockerignore\n")
    assert list(serve(folders(tmp_path)).sync()[0]) == [b"in", b"sub", b"sub/in"]
    assert serve(folders(tmp_path), "context", ("followpaths", ".dockerignore")).sync() == ({}, {})


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ([("followpaths", ".dockerignore")], ".dockerignore"),
        ([("followpaths", "none"), ("followpaths", "b")], "b"),
        ([("followpaths", "link")], "all"),
        ([("followpaths", "folder")], "all"),
        ([("followpaths", "folder/c")], "all"),
        ([("followpaths", "*")], "all"),
        ([("followpaths", "b"), ("followpaths", "\\b")], "all"),
        ([("followpaths", "b"), ("followpaths", "é")], "all"),
        ([("followpaths", "b"), ("followpaths-encoded", "1")], "all"),
        ([("include-patterns", "b")], "all"),
        ([("exclude-patterns", "b")], "all"),
    ],
)
def test_only_names_of_plain_files_narrow_what_is_served(serve, tmp_path, headers, names):
    (tmp_path / ".dockerignore").write_text("# nothing\n")
    (tmp_path / "b").write_text("b")
    (tmp_path / "é").write_text("b")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c").write_text("c")
    (tmp_path / "link").symlink_to("b")
    everything = [b".dockerignore", b"b", b"folder", b"folder/c", b"link", "é".encode()]
    found, _ = serve(folders(tmp_path), "context", *headers).sync()
    assert list(found) == (everything if names == "all" else [names.encode()])


@pytest.mark.parametrize("folder", ["", "other", "../context"])
def test_another_folder_is_not_found(serve, tmp_path, folder):
    assert serve(folders(tmp_path), folder).status()[0] == grpc.NOT_FOUND


def test_a_file_is_served_while_the_walk_goes_on(serve, tmp_path):
    (tmp_path / "first").write_bytes(b"contents")
    planned = plan(tmp_path)
    many = [Entry(f"folder{number:06}", "dir", 0o755, 0, 0) for number in range(60_000)]
    receiver = serve(FileSync(Folders(replace(planned, entries=(*planned.entries, *many)), b"")))
    assert receiver.packet().message(2).text(1) == "first"
    receiver.send((1, REQ))
    while (packet := receiver.packet()).integer(1) != DATA:
        assert packet.message(2), "the walk ended before the file came"
    assert packet.data(4) == b"contents"


@pytest.mark.parametrize(
    "packets",
    [
        [((1, REQ), (3, 7))],
        [((1, REQ), (3, 1))],
        [((1, REQ),), ((1, REQ),)],
        [((1, DATA), (4, b"x"))],
        [((1, 4), (4, b"no space left"))],
        [((1, 99),)],
    ],
    ids=["unknown entry", "a folder's contents", "twice", "data", "error", "unknown packet"],
)
def test_a_receiver_that_breaks_the_protocol_is_refused_and_the_next_is_served(serve, tmp_path, packets):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").mkdir()
    files = folders(tmp_path)
    receiver = serve(files)
    for fields in packets:
        receiver.send(*fields)
    assert receiver.status()[0] == grpc.UNKNOWN
    assert files.error is None
    assert serve(files).sync()[1] == {b"a": b"a"}


def test_a_receiver_that_ends_before_its_time_or_sends_garbage_is_refused(serve, tmp_path):
    receiver = serve(folders(tmp_path))
    receiver.http.end_stream(receiver.stream)
    receiver.flush()
    assert receiver.status()[0] == grpc.UNKNOWN
    receiver = serve(folders(tmp_path))
    receiver.http.send_data(receiver.stream, b"\0\0\0\0\x02\x0f\xff")
    receiver.flush()
    assert receiver.status()[0] == grpc.INTERNAL


def test_what_vanishes_before_it_is_named_is_left_out(serve, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a", "b", "sub/c"):
        (tmp_path / name).write_text(name)
    os.link(tmp_path / "a", tmp_path / "hard")
    files = folders(tmp_path)
    (tmp_path / "a").unlink()
    (tmp_path / "sub" / "c").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "sub").write_text("a file now")
    assert serve(files).sync()[1] == {b"b": b"b", b"hard": b"a"}


def shrink(path):
    os.truncate(path, 10)


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def touch(path):
    os.utime(path, ns=(0, 1))


def turn_into_a_link(path):
    path.unlink()
    path.symlink_to("/etc/hostname")


def turn_into_a_folder(path):
    path.unlink()
    path.mkdir()


CHANGES = [os.unlink, shrink, grow, touch, turn_into_a_link, turn_into_a_folder]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_after_it_was_named_is_one_sentence(serve, tmp_path, change):
    path = tmp_path / "log"
    path.write_bytes(bytes(1000))
    files = folders(tmp_path)
    receiver = serve(files)
    assert len(receiver.stats()) == 1
    change(path)
    receiver.send((1, REQ))
    code, text = receiver.status()
    assert code == grpc.UNKNOWN
    assert "log changed while it was sent" in text
    assert "log changed while it was sent" in str(files.error)


@pytest.mark.parametrize("change", [os.unlink, shrink, grow])
def test_a_file_that_changes_while_it_is_read_is_one_sentence(serve, tmp_path, change):
    path = tmp_path / "log"
    path.write_bytes(bytes(20_000_000))
    files = folders(tmp_path)
    receiver = serve(files)
    receiver.stats()
    receiver.send((1, REQ))
    assert receiver.packet().integer(1) == DATA
    change(path)
    if change is os.unlink:  # an open file stays what it was
        while (packet := receiver.packet()).data(4):
            pass
        assert packet.integer(1) == DATA
    else:
        assert receiver.status()[0] == grpc.UNKNOWN
        assert "log changed while it was sent" in str(files.error)


def test_a_file_that_turned_into_something_else_before_it_was_named_is_one_sentence(serve, tmp_path):
    (tmp_path / "log").write_text("x")
    files = folders(tmp_path)
    turn_into_a_folder(tmp_path / "log")
    assert serve(files).status()[0] == grpc.UNKNOWN
    assert "log changed while it was sent" in str(files.error)


def test_a_file_that_may_not_be_read_is_one_sentence(serve, tmp_path):
    (tmp_path / "closed").write_text("x")
    (tmp_path / "closed").chmod(0)
    files = folders(tmp_path)
    receiver = serve(files)
    receiver.stats()
    user = os.geteuid()
    os.seteuid(user or 65534)  # root may read everything
    try:
        receiver.send((1, REQ))
        assert receiver.status()[0] == grpc.UNKNOWN
    finally:
        os.seteuid(user)
    assert "closed cannot be read (Permission denied)" in str(files.error)


def test_a_large_file_is_sent_with_little_memory(serve, tmp_path):
    size = 40 << 20
    with (tmp_path / "large").open("wb") as file:
        file.seek(size - 3)
        file.write(b"end")
    receiver = serve(folders(tmp_path))
    assert [about.integer(5) for about in receiver.stats()] == [size]
    tracemalloc.start()
    try:
        receiver.send((1, REQ))
        digest, taken = hashlib.sha256(), 0
        while data := receiver.packet().data(4):
            digest.update(data)
            taken += len(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken == size
    assert digest.digest() == hashlib.sha256(bytes(size - 3) + b"end").digest()
    assert peak < 8 << 20


def test_a_receiver_that_does_not_read_is_waited_for_and_its_leaving_ends_the_call(serve, tmp_path):
    (tmp_path / "large").write_bytes(bytes(8 << 20))
    receiver = serve(folders(tmp_path))
    receiver.stats()
    receiver.send((1, REQ))
    time.sleep(0.3)
    assert [thread for thread in threading.enumerate() if thread.name.endswith("/DiffCopy")]
    receiver.sock.close()
    deadline = time.monotonic() + 5
    while [thread for thread in threading.enumerate() if thread.name.endswith("/DiffCopy")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_shared_key_stays_with_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "link").symlink_to("a")
    key = folders(tmp_path / "a").shared_key()
    assert folders(tmp_path / "a", b"FROM other\n").shared_key() == key
    assert folders(tmp_path / "link").shared_key() == key
    assert folders(tmp_path / "b").shared_key() != key
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "a").mkdir()
    assert folders(tmp_path / "a").shared_key() != key
