from __future__ import annotations

import gc
import socket
import threading

import pytest
from docker.tls import TLSConfig

from dfkit.build import connect
from dfkit.build.dockerpy import Client, locate
from dfkit.errors import NoEngine


def refusal(*host, **context):
    """The sentence and the exit code with which `connect` refuses."""
    try:
        connect(*host, **context).close()
    except NoEngine as error:
        return str(error), error.exit_code
    raise AssertionError("an engine answered")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
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
    gc.collect()  # docker-py leaves a socket open that it could not connect: its warning belongs here


def test_something_else_than_an_engine_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.settimeout(10)

        def answer():
            near, _ = server.accept()
            with near:
                near.recv(1000)
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        sentence, exit_code = refusal(address)
        thread.join()
    assert exit_code == 3
    assert address in sentence
    assert "\n" not in sentence


def test_an_address_or_context_that_is_none_is_one_sentence():
    assert "nosuch://x" in refusal("nosuch://x")[0]
    assert 'no docker context "nosuch"' in refusal(context="nosuch")[0]


def test_the_engine_is_looked_for_as_the_docker_command_does(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    default = locate(None, None)["base_url"]
    assert default.startswith(("unix://", "npipe://"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://build:2375")
    assert locate(None, None) == {"base_url": "tcp://build:2375"}
    assert locate("unix:///own.sock", None) == {"base_url": "unix:///own.sock"}


def test_the_webs_certificates_do_not_replace_the_engines(monkeypatch, tmp_path):
    own = tmp_path / "ca.pem"
    own.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/web.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/web.pem")
    with Client(base_url="https://127.0.0.1:1", version="1.41", tls=TLSConfig(verify=True, ca_cert=str(own))) as client:
        assert client.merge_environment_settings(client.base_url, {}, None, None, None)["verify"] == str(own)
