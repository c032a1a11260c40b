"""Daemons that are not what they should be: addresses, silence, and answers of something else."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from dfkit.build import BuildRequest, Folders, SolveFailed, build, remote
from dfkit.build.buildkit import control
from dfkit.build.buildkit.grpc import Server, StatusError, unary
from dfkit.build.buildkit.transport import SocketTransport
from dfkit.build.buildkit.wire import encode
from dfkit.build.remote import Builder, Tls, connect_builder
from dfkit.context import plan
from dfkit.errors import NoEngine, UsageError


class Listener:
    """Takes connections and hands each to `serve`, in a thread of its own."""

    def __init__(self, serve):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self._taken = []
        self._serve = serve
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            self._taken.append(taken)
            if (made := self._serve(taken)) is not None:
                self._taken.append(made)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for each in self._taken:
            each.close()


@pytest.fixture
def listening():
    made = []

    def listen(serve):
        made.append(Listener(serve))
        return made[-1].host

    released.clear()
    yield listen
    released.set()
    for each in made:
        each.close()


released = threading.Event()


def wait_for_ever(_call):
    released.wait(30)


def daemon(**handlers):
    """Serves a control API: what a daemon says of itself, and the handlers given."""
    answers = {
        control.LIST_WORKERS: unary(lambda _: encode((1, encode((1, "w"), (3, encode((1, "arm64"), (2, "linux"), (3, "v8"))))))),
        control.INFO: unary(lambda _: encode((1, encode((2, "v0.25.2"))))),
        control.SESSION: lambda call: [None for _ in call.messages()] and None,
        **{getattr(control, name): handler for name, handler in handlers.items()},
    }

    def serve(sock):
        server = Server(SocketTransport(sock), answers)
        server.start()
        return server

    return serve


def folders(tmp_path):
    return Folders(plan(tmp_path), b"FROM scratch\n")


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("tcp://host", "is not complete: write tcp://HOST:PORT"),
        ("tcp://host:port", "is not complete"),
        ("tcp://:1234", "is not complete"),
        ("tcp://[::1", "is no address of a BuildKit daemon"),
        ("tcp://a..b:1", "names no host"),
        (f"tcp://{'a' * 300}:1", "names no host"),
        ("unix://", "has no path"),
        ("mybuilder", "is no address of a BuildKit daemon"),
        ("docker-container://x", "does not reach BuildKit by docker-container://"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_to_write(host, sentence):
    with pytest.raises(UsageError, match=sentence):
        Builder(host)


def test_a_password_in_an_address_is_not_said_again():
    with pytest.raises(UsageError, match="has no user in it") as error:
        Builder("tcp://ann:hunter2@127.0.0.1:1")
    assert "hunter2" not in str(error.value)


def test_certificates_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.pem").write_text("nothing")
    path = str(tmp_path / "x.pem")
    for tls, sentence in (
        (Tls(cacert="/missing.pem"), "there is no file /missing.pem"),
        (Tls(cacert=path), "the certificates cannot be used"),
        (Tls(cert=path), "needs both --tlscert and --tlskey"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Builder("tcp://localhost:1", tls)
    with pytest.raises(UsageError, match="socket of this machine"):
        Builder("unix:///x", Tls(servername="y"))
    with pytest.raises(UsageError, match=r"has none of ca\.pem"):
        Tls.of_folder(str(tmp_path))


def test_without_an_address_there_is_no_builder(monkeypatch):
    monkeypatch.delenv("BUILDKIT_HOST", raising=False)
    with pytest.raises(UsageError, match="set BUILDKIT_HOST"):
        connect_builder()


def test_nobody_at_the_address_is_one_sentence(tmp_path):
    with pytest.raises(NoEngine, match=r"connection refused.*correct --builder or BUILDKIT_HOST"):
        Builder("tcp://127.0.0.1:1")
    with pytest.raises(NoEngine, match="no such file"):
        Builder(f"unix://{tmp_path}/s")


def test_something_else_at_the_address_is_one_sentence(listening):
    with pytest.raises(NoEngine, match="is it a BuildKit daemon"):
        Builder(listening(web_server))
    with pytest.raises(NoEngine, match="is no BuildKit daemon"):
        Builder(listening(daemon(LIST_WORKERS=unary(_unknown))))


def web_server(sock):
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)


def _unknown(_request):
    raise StatusError(12, "unknown service")


def test_silence_at_the_address_is_one_sentence(listening, monkeypatch):
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.3)
    with pytest.raises(NoEngine, match="does not answer"):
        Builder(listening(lambda _sock: None))


def test_silence_where_encryption_is_to_begin_is_one_sentence(listening, monkeypatch):
    monkeypatch.setattr(remote, "CONNECT_SECONDS", 0.3)
    with pytest.raises(NoEngine, match="does not answer in time"):
        Builder(listening(lambda _sock: None), Tls(servername="x"))


def test_a_daemon_says_what_it_is(listening):
    made = Builder(listening(daemon()))
    assert made.name == "BuildKit 0.25.2"
    assert made.platform == "linux/arm64/v8"


def test_a_daemon_of_before_info_has_no_version(listening):
    assert Builder(listening(daemon(INFO=unary(_unknown)))).name == "BuildKit"


def test_a_daemon_that_falls_silent_ends_the_build(listening, monkeypatch, tmp_path):
    """It takes the build and then says nothing, not even when it is asked."""
    made = Builder(listening(daemon(SOLVE=wait_for_ever, STATUS=wait_for_ever, HEALTH_CHECK=wait_for_ever)))
    monkeypatch.setattr(control, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
    with pytest.raises(NoEngine, match="does not answer any more"):
        build(made, BuildRequest(), folders(tmp_path))


def test_a_daemon_that_ends_the_call_without_an_answer_has_not_built(listening, tmp_path):
    made = Builder(listening(daemon(SOLVE=lambda call: call.receive() and None, STATUS=lambda call: call.receive() and None)))
    with pytest.raises(SolveFailed, match="without an answer"):
        build(made, BuildRequest(), folders(tmp_path))


def test_a_daemon_that_is_only_quiet_is_waited_for(listening, monkeypatch, tmp_path):
    asked = []

    def solve(call):
        call.receive()
        while len(asked) < 3:
            time.sleep(0.02)
        call.send(b"")

    def health(_request):
        asked.append(1)
        return b""

    made = Builder(listening(daemon(SOLVE=solve, STATUS=lambda call: call.receive() and None, HEALTH_CHECK=unary(health))))
    monkeypatch.setattr(control, "SILENCE_SECONDS", 0.1)
    result = build(made, BuildRequest(), folders(tmp_path))
    assert result.image_id == ""


def test_a_trace_that_does_not_end_after_the_answer_is_left(listening, monkeypatch, tmp_path):
    made = Builder(listening(daemon(SOLVE=unary(lambda _: b""), STATUS=wait_for_ever)))
    monkeypatch.setattr(control, "_LAST_WORDS_SECONDS", 0.2)
    assert build(made, BuildRequest(), folders(tmp_path)).steps == ()
