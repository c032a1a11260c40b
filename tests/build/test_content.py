"""The content service through the protocol's own client, over a socket pair, and the local caches that it serves."""

from __future__ import annotations

import hashlib
import json
import os
import socket

import pytest

from dfkit.build import BuildRequest
from dfkit.build.buildkit import grpc
from dfkit.build.buildkit.channel import Channel
from dfkit.build.buildkit.content import FAILED_PRECONDITION, INVALID_ARGUMENT, OUT_OF_RANGE, Content
from dfkit.build.buildkit.grpc import Server, StatusError
from dfkit.build.buildkit.transport import SocketTransport
from dfkit.build.buildkit.wire import Message, encode
from dfkit.build.layouts import Layouts
from dfkit.build.request import Cache
from dfkit.errors import UsageError

STAT, WRITE, COMMIT = range(3)
SERVICE = "/containerd.services.content.v1.Content/"


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Daemon:
    """The side of BuildKit."""

    def __init__(self, channel, store):
        self.channel = channel
        self.metadata = [("buildkit-attachable-store-id", store)]

    def info(self, digest):
        return Message(self.channel.ask(f"{SERVICE}Info", encode((1, digest)), self.metadata, seconds=5)).message(1)

    def read(self, digest, offset=0, size=0):
        call = self.channel.call(f"{SERVICE}Read", self.metadata)
        call.send(encode((1, digest), (2, offset), (3, size)))
        call.end()
        data = b""
        while (message := call.receive(seconds=5)) is not None:
            piece = Message(message)
            assert piece.integer(1) == len(data)
            data += piece.data(2)
        return data

    def write(self, *messages):
        """Requests as dictionaries by field number; the answers."""
        call = self.channel.call(f"{SERVICE}Write", self.metadata)
        answers = []
        for fields in messages:
            call.send(encode(*fields.items()))
            answers.append(Message(call.receive(seconds=5)))
        call.end()
        assert call.receive(seconds=5) is None
        return answers

    def put(self, data):
        digest = digest_of(data)
        self.write(
            {1: STAT, 2: "ref", 3: len(data), 4: digest},
            {1: WRITE, 5: 0, 6: data[:3]},
            {1: WRITE, 5: 3, 6: data[3:]},
            {1: COMMIT, 3: len(data), 4: digest, 5: len(data)},
        )
        return digest


@pytest.fixture
def daemon(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "r").mkdir()
    ours, theirs = socket.socketpair()
    content = Content({"local:0": str(tmp_path / "w"), "local:1": str(tmp_path / "r")}, frozenset({"local:0"}))
    server = Server(SocketTransport(ours), content.handlers())
    channel = Channel(SocketTransport(theirs), "test")
    server.start()
    channel.start()
    yield Daemon(channel, "local:0")
    channel.close()
    server.close()


def code(call):
    with pytest.raises(StatusError) as raised:
        call()
    return raised.value.code


def files(folder):
    return sorted(name for _, _, names in os.walk(folder) for name in names)


def test_a_blob_that_is_written_can_be_read(daemon, tmp_path):
    data = os.urandom(3_000_000)
    digest = daemon.put(data)
    assert daemon.info(digest).integer(2) == len(data)
    assert daemon.read(digest) == data
    assert daemon.read(digest, 100, 50) == data[100:150]
    assert daemon.read(digest, 100) == data[100:]
    assert daemon.read(digest, len(data)) == b""
    assert files(tmp_path / "w") == [digest.removeprefix("sha256:")]


def test_a_writer_is_told_how_far_it_is(daemon):
    first, second, third = daemon.write({1: STAT, 2: "r", 3: 6}, {1: WRITE, 5: 0, 6: b"abc"}, {1: COMMIT, 5: 3, 6: b"def"})
    assert (first.integer(4), first.integer(5), first.text(6)) == (0, 6, digest_of(b""))
    assert (second.integer(4), second.text(6)) == (3, digest_of(b"abc"))
    assert (third.integer(4), third.text(6)) == (6, digest_of(b"abcdef"))
    assert daemon.read(digest_of(b"abcdef")) == b"abcdef"


def test_a_writer_may_begin_anew(daemon):
    daemon.write({1: WRITE, 2: "r", 6: b"wrong"}, {1: WRITE, 5: 0, 6: b"right"}, {1: COMMIT, 5: 5, 4: digest_of(b"right")})
    assert daemon.read(digest_of(b"right")) == b"right"


def test_a_blob_that_is_there_is_not_taken_again(daemon):
    digest = daemon.put(b"abc")
    assert code(lambda: daemon.write({1: STAT, 2: "ref", 4: digest})) == grpc.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{1: WRITE, 2: "r", 6: b"abc"}, {1: COMMIT, 5: 3, 4: digest_of(b"abd")}], FAILED_PRECONDITION),
        ([{1: WRITE, 2: "r", 6: b"abc"}, {1: COMMIT, 5: 3, 3: 4}], FAILED_PRECONDITION),
        ([{1: WRITE, 2: "r", 5: 7, 6: b"abc"}], OUT_OF_RANGE),
        ([{1: STAT, 2: "r", 4: "sha256:../../../../etc/passwd"}], INVALID_ARGUMENT),
    ],
)
def test_a_blob_that_is_not_what_was_announced_leaves_nothing(daemon, tmp_path, messages, expected):
    assert code(lambda: daemon.write(*messages)) == expected
    assert files(tmp_path) == []


def test_a_write_that_breaks_off_leaves_nothing(daemon, tmp_path):
    daemon.write({1: WRITE, 2: "r", 6: b"abc"})
    assert files(tmp_path) == []


def test_only_what_is_shared_is_read_and_only_what_is_for_writing_written(daemon):
    digest = daemon.put(b"abc")
    assert code(lambda: daemon.read(digest_of(b"other"))) == grpc.NOT_FOUND
    assert code(lambda: daemon.info("sha256:../w")) == INVALID_ARGUMENT
    assert code(lambda: daemon.read(digest, 4)) == OUT_OF_RANGE
    read_only = Daemon(daemon.channel, "local:1")
    assert code(lambda: read_only.read(digest)) == grpc.NOT_FOUND
    assert code(lambda: read_only.put(b"abc")) == FAILED_PRECONDITION
    assert code(lambda: Daemon(daemon.channel, "/etc").read(digest)) == grpc.NOT_FOUND


def test_the_manifest_of_a_cache_is_named_in_the_index_and_found_by_its_name(tmp_path):
    folder = tmp_path / "a b"
    for tag, digest in (("latest", "sha256:1"), ("other", "sha256:2"), ("latest", "sha256:3")):
        caches = Layouts(BuildRequest(cache_to=(Cache("local", {"dest": str(folder), "tag": tag, "mode": "max"}),)), pytest.fail)
        assert caches.request.cache_to[0].attributes == {"dest": "0", "mode": "max"}
        caches.finish({"cache.manifest": json.dumps({"digest": digest, "size": 1, "mediaType": "m"})})
    index = json.loads((folder / "index.json").read_text())
    assert [(each["digest"], *each["annotations"].values()) for each in index["manifests"]] == [
        ("sha256:2", "other"),
        ("sha256:3", "latest"),
    ]
    sources = (Cache("local", {"src": str(folder)}), Cache("local", {"src": str(folder), "tag": "other"}))
    read = Layouts(BuildRequest(cache_imports=sources), pytest.fail).request.cache_imports
    assert [each.attributes["digest"] for each in read] == ["sha256:3", "sha256:2"]
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "oci-layout"]


def test_a_folder_without_a_cache_is_left_out_and_one_with_another_is_an_error(tmp_path):
    said = []
    assert Layouts(BuildRequest(cache_imports=(Cache("local", {"src": str(tmp_path)}),)), said.append).request.cache_imports == ()
    assert "no cache" in said[0]
    (tmp_path / "index.json").write_text('{"manifests": []}')
    with pytest.raises(UsageError, match="has nothing with the tag `x`"):
        Layouts(BuildRequest(cache_imports=(Cache("local", {"src": str(tmp_path), "tag": "x"}),)), said.append)


def test_the_image_of_an_oci_layout_is_named_by_its_digest(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    named = {"annotations": {"org.opencontainers.image.ref.name": "v1"}, "digest": "sha256:1"}
    (folder / "index.json").write_text(json.dumps({"manifests": [named, {"digest": "sha256:2"}]}))
    values = {"a": f"oci-layout://{folder}:v1", "b": f"oci-layout://{folder}:x@sha256:3", "c": "docker-image://d"}
    contexts = Layouts(BuildRequest(contexts=values), pytest.fail).request.contexts
    assert contexts == {"a": "oci-layout://layout0:v1@sha256:1", "b": "oci-layout://layout1:x@sha256:3", "c": "docker-image://d"}
    with pytest.raises(UsageError, match="has nothing with the tag `latest`"):
        Layouts(BuildRequest(contexts={"a": f"oci-layout://{folder}/"}), pytest.fail)
