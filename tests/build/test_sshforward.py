"""The ssh service with OpenSSH's own agent and keys."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dfkit.build.buildkit import sshforward
from dfkit.build.buildkit.grpc import INTERNAL, NOT_FOUND, RESOURCE_EXHAUSTED
from dfkit.build.buildkit.sshforward import LARGEST_AGENT_MESSAGE, Agents
from dfkit.build.buildkit.wire import encode
from dfkit.build.request import SshAgent
from dfkit.errors import UsageError
from tests.ssh import ssh_agent

CHECK = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD = "/moby.sshforward.v1.SSH/ForwardAgent"
FAILURE = b"\0\0\0\1\5"
LIST = b"\0\0\0\1\x0b"


def generate(path, passphrase="", kind="ed25519"):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys of three kinds, and one with a passphrase."""
    folder = tmp_path_factory.mktemp("keys")
    for kind in ("ed25519", "rsa", "ecdsa"):
        generate(folder / kind, kind=kind)
    generate(folder / "locked", "open sesame")
    return folder


@pytest.fixture
def key(keys):
    return keys / "ed25519"


@pytest.fixture
def agent(tmp_path, key):
    """A real agent with one key: its socket."""
    with ssh_agent(tmp_path, key) as path:
        yield path


@pytest.fixture
def serve_agents(serve):
    """The peer of the service with these agents, and what it warns of."""
    opened = []

    def start(*agents):
        warnings = []
        service = Agents(agents, warnings.append)
        opened.append(service)
        return serve(service.handlers()), warnings

    yield start
    for service in opened:
        service.close()


def forward(peer, name="default"):
    return peer.start(FORWARD, ("buildkit.ssh.id", name))


def ask(peer, stream, request):
    """An agent's answer to one request; both with their length in front."""
    peer.send_bytes(stream, request)
    answer = bytearray(peer.bytes_message(stream))
    while len(answer) < 4 + int.from_bytes(answer[:4], "big"):
        answer += peer.bytes_message(stream)
    return bytes(answer)


def public(key):
    """The blob of a public key, as agents list it."""
    import base64

    return base64.b64decode(Path(f"{key}.pub").read_text().split()[1])


def packed(*strings):
    return b"".join(len(each).to_bytes(4, "big") + each for each in strings)


def request(kind, body=b""):
    return packed(bytes([kind]) + body)


def test_the_keys_of_an_agent_can_be_listed_and_used(serve_agents, agent, key):
    peer, _ = serve_agents(SshAgent("default", (str(agent),)))
    stream = forward(peer)
    listed = ask(peer, stream, LIST)
    assert listed[4] == 12
    assert public(key) in listed
    signed = ask(peer, stream, request(13, packed(public(key), b"data") + bytes(4)))
    assert signed[4] == 14
    assert b"ssh-ed25519" in signed
    peer.end(stream)
    assert peer.status(stream)[0] == 0


def test_all_other_requests_are_refused_and_change_nothing(serve_agents, agent, key):
    peer, warnings = serve_agents(SshAgent("default", (str(agent),)))
    stream = forward(peer)
    bodies = {18: packed(public(key)), 22: packed(b"word"), 27: packed(b"session-bind@openssh.com")}
    for kind in sorted({*range(256)} - {11, 13}):
        assert ask(peer, stream, request(kind, bodies.get(kind, b""))) == FAILURE
    assert public(key) in ask(peer, stream, LIST)
    assert warnings == []


def test_requests_may_come_in_any_pieces(serve_agents, agent, key):
    peer, _ = serve_agents(SshAgent("default", (str(agent),)))
    stream = forward(peer)
    for byte in LIST:
        peer.send_bytes(stream, bytes([byte]))
    one = peer.bytes_message(stream)
    assert public(key) in one
    peer.send_bytes(stream, LIST + FAILURE + LIST)
    assert [peer.bytes_message(stream) for _ in range(3)] == [one, FAILURE, one]


def test_keys_of_files_are_used_whatever_their_mode_and_the_agent_ends_with_the_service(serve, keys):
    files = [keys / kind for kind in ("ed25519", "rsa", "ecdsa")]
    files[1].chmod(0o644)
    service = Agents((SshAgent("default", tuple(map(str, files[:2]))), SshAgent("other", (str(files[2]),))))
    places = dict(service._sockets)
    peer = serve(service.handlers())
    both, other = (ask(peer, forward(peer, name), LIST) for name in ("default", "other"))
    assert [public(key) in both for key in files] == [True, True, False]
    assert [public(key) in other for key in files] == [False, False, True]
    assert peer.call(CHECK, encode((1, "other")))[0] == 0
    assert len(set(places.values())) == 2
    service.close()
    for path in places.values():
        assert not Path(path).parent.exists()


def test_an_agent_for_keys_ends_when_its_process_is_killed(key):
    script = (
        "import sys, time\nfrom dfkit.build.buildkit.sshforward import Agents\nfrom dfkit.build.request import SshAgent\n"
        f"service = Agents((SshAgent('default', ({str(key)!r},)),))\n"
        "print(service._sockets['default'], flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([os.sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    path = Path(process.stdout.readline().strip())
    assert path.is_socket()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while path.parent.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_id_that_was_not_given_is_not_found(serve_agents, agent):
    peer, _ = serve_agents(SshAgent("given", (str(agent),)))
    assert peer.call(CHECK, encode((1, "given")))[0] == 0
    assert peer.call(CHECK, encode((1, "")))[:2] == (NOT_FOUND, "no ssh agent default was given")
    stream = forward(peer, "other")
    assert peer.status(stream) == (NOT_FOUND, "no ssh agent other was given")


def test_without_agents_the_service_is_not_there():
    assert Agents().handlers() == {}


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ((), "no ssh agent is running (SSH_AUTH_SOCK is not set): start one"),
        (("nosuch",), "the ssh agent or key nosuch cannot be used: no such file or directory"),
        (("locked",), "the ssh key locked has a passphrase: load it into your agent with `ssh-add`"),
        (("rsa.pub",), "the ssh key rsa.pub cannot be used: it is no private key"),
        (("ecdsa", "locked"), "the ssh key locked has a passphrase"),
        (("dead.sock",), "no ssh agent answers at dead.sock (connection refused): start one"),
        (("ecdsa", "dead.sock"), "the ssh agent a is a socket and more"),
        ((".",), "the ssh key . cannot be used: is a directory"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, keys, paths, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in ("ecdsa", "locked", "rsa.pub"):
        (tmp_path / name).symlink_to(keys / name)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("dead.sock")
    with pytest.raises(UsageError) as error:
        Agents((SshAgent("a", paths),))
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_openssh_that_is_missing_is_named(key, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="`ssh-agent` is not installed"):
        Agents((SshAgent("a", (str(key),)),))


def test_two_agents_of_one_id_are_refused(agent):
    with pytest.raises(UsageError, match="two ssh agents have the id a"):
        Agents((SshAgent("a", (str(agent),)), SshAgent("a", (str(agent),))))


def test_an_agent_that_dies_is_a_failure_for_the_step_and_a_warning(serve_agents, tmp_path, agent, key):
    peer, warnings = serve_agents(SshAgent("default", (str(agent),)))
    stream = forward(peer)
    assert public(key) in ask(peer, stream, LIST)
    agent.unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(agent))
    other = forward(peer)
    assert ask(peer, other, LIST) == FAILURE
    assert warnings == [f"the ssh agent at {agent} does not answer (connection refused)"]


class FakeAgent:
    """A socket that answers every connection with the same bytes, and then stays silent."""

    def __init__(self, path, answer):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.answer = answer
        self.connections = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                with suppress(OSError):  # whoever only looked whether it answers has gone
                    connection.sendall(self.answer)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()  # it may just have taken one more connection
        for each in (self.listener, *self.connections):
            each.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "it does not answer in time"),
        (b"\xff\xff\xff\xff", "an answer of 4294967295 bytes"),
        (b"\0\0\0\0", "an answer of 0 bytes"),
    ],
    ids=["silent", "huge", "empty"],
)
def test_an_agent_that_misbehaves_is_a_failure_for_the_step(serve_agents, tmp_path, monkeypatch, answer, words):
    monkeypatch.setitem(sshforward._SECONDS, 11, 0.2)
    fake = FakeAgent(tmp_path / "fake.sock", answer)
    try:
        peer, warnings = serve_agents(SshAgent("default", (str(tmp_path / "fake.sock"),)))
        assert ask(peer, forward(peer), LIST) == FAILURE
        assert warnings == [f"the ssh agent at {tmp_path / 'fake.sock'} does not answer ({words})"]
    finally:
        fake.close()


def test_closing_the_service_does_not_wait_for_an_agent(serve, tmp_path):
    fake = FakeAgent(tmp_path / "fake.sock", b"")
    try:
        warnings = []
        service = Agents((SshAgent("default", (str(tmp_path / "fake.sock"),)),), warnings.append)
        peer = serve(service.handlers())
        stream = forward(peer)
        peer.send_bytes(stream, request(13, packed(b"key", b"data") + bytes(4)))
        deadline = time.monotonic() + 10
        while not service._open:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        service.close()
        assert peer.bytes_message(stream) == FAILURE
        assert ask(peer, stream, LIST) == FAILURE
        assert warnings == []
    finally:
        fake.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ((LARGEST_AGENT_MESSAGE + 1).to_bytes(4, "big"), RESOURCE_EXHAUSTED),
        (bytes(4), INTERNAL),
    ],
    ids=["huge", "empty"],
)
def test_a_peer_that_breaks_the_protocol_is_refused(serve_agents, agent, sent, code):
    peer, _ = serve_agents(SshAgent("default", (str(agent),)))
    stream = forward(peer)
    peer.send_bytes(stream, sent)
    peer.end(stream)
    assert peer.status(stream)[0] == code
