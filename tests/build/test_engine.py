from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from dfkit.build import connect
from dfkit.build.dockerconfig import Endpoint
from dfkit.build.dockerpy import Client, _tls
from dfkit.errors import NoEngine


def refusal(*host, **context):
    """The sentence and the exit code with which `connect` refuses."""
    try:
        connect(*host, **context).close()
    except NoEngine as error:
        return str(error), error.exit_code
    raise AssertionError("an engine answered")


def test_a_socket_that_nobody_answers_is_one_sentence(tmp_path):
    sentence, exit_code = refusal(f"unix://{tmp_path}/docker.sock")
    assert sentence == (
        f"no Docker engine answers at unix://{tmp_path}/docker.sock (no such file or directory): "
        "start Docker, or set DOCKER_HOST to where it runs"
    )
    assert exit_code == 3
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/dead.sock")
        assert "(connection refused)" in refusal(f"unix://{tmp_path}/dead.sock")[0]


@pytest.fixture
def answering():
    """Starts servers that give one answer to all requests, and gives their addresses."""
    servers = []

    def start(status, body, *headers):
        server = socket.create_server(("127.0.0.1", 0))
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
        answer = "\r\n".join(lines).encode() + body

        def serve():
            with suppress(OSError):
                while True:
                    near, _ = server.accept()
                    with near:
                        near.recv(10_000)
                        near.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        servers.append((server, thread))
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"[]",
        b"[" * 100_000,
        b'{"ApiVersion": "1.48"}',
        b'{"ApiVersion": "x.y", "Version": "1"}',
        b'{"ApiVersion": 1.48, "Version": "1"}',
        b'{"ApiVersion": "1.48", "Version": "1", "Components": "x"}',
        b'{"ApiVersion": "1.48", "Version": "1", "Components": [1]}',
    ],
    ids=lambda body: body[:60].decode(),
)
def test_something_else_than_an_engine_is_one_sentence(answering, body):
    address = answering("200 OK", body)
    sentence, exit_code = refusal(address)
    assert exit_code == 3
    assert address in sentence
    assert "\n" not in sentence


def test_an_engine_that_sends_elsewhere_is_not_followed(answering):
    elsewhere = answering("200 OK", b'{"ApiVersion": "1.48", "Version": "1"}')
    address = answering("307 Temporary Redirect", b"", f"Location: {elsewhere.replace('tcp', 'http')}/version")
    assert "it sends its answer elsewhere" in refusal(address)[0]
    connect(elsewhere).close()


def test_an_address_or_context_that_is_none_is_one_sentence():
    assert refusal("nosuch://x")[0] == (
        "cannot use the Docker engine at nosuch://x: write unix://PATH, tcp://HOST:PORT or ssh://USER@HOST"
    )
    assert refusal(context="nosuch")[0] == "there is no docker context `nosuch`: `docker context ls` lists them"
    for address in ("ssh://", "ssh://host?x"):
        assert refusal(address)[0] == f"cannot use the Docker engine at {address}: write ssh://USER@HOST or ssh://USER@HOST:PORT"
    assert "Port" in refusal("ssh://host:port")[0]


@pytest.mark.parametrize("address", ["tcp://host:99999", "tcp://host:port", "tcp://[::1", "unix://[", "fd://"])
def test_an_address_that_no_library_can_read_is_one_sentence(address):
    assert refusal(address) == (
        f"cannot use the Docker engine at {address}: write unix://PATH, tcp://HOST:PORT or ssh://USER@HOST",
        3,
    )


@pytest.mark.parametrize(
    "address", ["tcp://ann:hunter2@host:1", "tcp://:hunter2@host:1", "ann:hunter2@host:1", "ssh://ann:hunter2@host"]
)
def test_a_password_in_an_address_is_not_said_again(address):
    sentence, _ = refusal(address)
    assert "hunter2" not in sentence
    assert "…@host" in sentence


def test_a_socket_whose_path_is_too_long_is_one_sentence(tmp_path):
    assert "too long" in refusal(f"unix://{tmp_path}/{'x' * 200}")[0]
    for address in ("ssh://me:hunter2@host", "tcp://me:hunter2@host:1"):
        assert "://me:…@host" in refusal(address)[0]


def test_the_webs_certificates_do_not_replace_the_engines(monkeypatch, tmp_path):
    own = tmp_path / "ca.pem"
    own.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/web.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/web.pem")
    monkeypatch.setattr(Client, "_retrieve_server_version", lambda _self: "1.41")
    with Client(Endpoint("tcp://127.0.0.1:1", tls=True, verify=True, ca=str(own))) as client:
        assert client.base_url == "https://127.0.0.1:1"
        assert client.merge_environment_settings(client.base_url, {}, None, None, None)["verify"] == str(own)


def test_certificates_are_for_tcp_only():
    assert _tls(Endpoint("unix:///x.sock", tls=True, verify=True)) is False
    assert _tls(Endpoint("tcp://x:1")) is False
    for host in ("tcp://x:1", "x:1"):
        assert _tls(Endpoint(host, tls=True, verify=True)).verify is True


def test_an_engine_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("dfkit.build.dockerpy.ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert refusal(address) == (
            f"no Docker engine answers at {address} (it does not answer in time): start Docker, or set DOCKER_HOST to where it runs",
            3,
        )
