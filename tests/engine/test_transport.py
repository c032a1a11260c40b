"""The ways to an engine: TCP, TLS with certificates of its own, ssh, docker contexts. Each carries a build with its session."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import selectors
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, build, connect
from dfkit.context import plan
from dfkit.errors import NoEngine
from tests.engine.near import program
from tests.engine.test_build import Forwarder
from tests.engine.test_loss import nothing_left

pytestmark = pytest.mark.engine


class TcpForwarder(Forwarder):
    """A TCP port in front of an engine's socket, with TLS if `tls` is an `ssl.SSLContext`."""

    def __init__(self, engine, tls=None):
        self.engine = engine.removeprefix("unix://")
        self.tls = tls
        self.sockets, self.threads = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self.serve, args=(near,), daemon=True))
                self.threads[-1].start()

    def serve(self, near):
        """An OpenSSL connection is for one thread at a time, so this one carries both ways."""
        with ExitStack() as opened:
            opened.enter_context(suppress(OSError))
            opened.enter_context(near)
            if self.tls is not None:
                near = opened.enter_context(self.tls.wrap_socket(near, server_side=True))
            far = opened.enter_context(socket.socket(socket.AF_UNIX))
            self.sockets.append(near)
            far.connect(self.engine)
            near.setblocking(False)
            far.setblocking(False)
            self.carry(near, far)

    @staticmethod
    def carry(near, far):
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ)
            selector.register(far, selectors.EVENT_READ)
            while True:
                selector.select(0.05)
                for source, sink in ((near, far), (far, near)):
                    with suppress(BlockingIOError, ssl.SSLWantReadError):
                        while data := source.recv(1 << 16):
                            sink.setblocking(True)
                            sink.sendall(data)
                            sink.setblocking(False)
                        return


@pytest.fixture
def forward(engine):
    made = []

    def start(tls=None):
        if not engine.host.startswith("unix://"):
            pytest.skip("the engine is not behind a unix socket")
        made.append(TcpForwarder(engine.host, tls))
        return made[-1].port

    yield start
    for each in made:
        each.listener.shutdown(socket.SHUT_RDWR)
        each.listener.close()
        for one in each.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in (each.thread, *each.threads):
            thread.join()


def built(host, tmp_path, **how):
    """Build with a file that only the session can bring, and give what it is built on."""
    folder = tmp_path / "context"
    folder.mkdir(exist_ok=True)
    unique = secrets.token_hex(4)
    (folder / "hello").write_text(unique * 100_000)
    text = f"FROM busybox\nCOPY hello /\nRUN test $(head -c 8 /hello) = {unique}\n"
    with connect(host, **how) as engine:
        return build(engine, BuildRequest(), Folders(plan(str(folder)), text.encode())).image_id


def test_tcp(forward, tmp_path):
    assert built(f"tcp://127.0.0.1:{forward()}", tmp_path)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and a server's and a client's certificate by it."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=dfkit test")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    (folder / "docker").mkdir()
    for source, target in (("ca.pem", "ca.pem"), ("client.pem", "cert.pem"), ("client.key", "key.pem")):
        shutil.copy(folder / source, folder / "docker" / target)
    return folder


@pytest.fixture
def tls_port(forward, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return forward(context)


def test_tls_with_the_environments_certificates(tls_port, certificates, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{tls_port}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates / "docker"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/etc/ssl/certs/ca-certificates.crt")  # the web's, which does not know the engine's
    assert built(None, tmp_path)


def test_tls_that_is_not_what_it_should_be_is_one_sentence(tls_port, certificates, tmp_path, monkeypatch):
    address = f"tcp://127.0.0.1:{tls_port}"
    with pytest.raises(NoEngine, match=rf"^no Docker engine answers at {address} "):
        connect(address)  # without TLS
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(NoEngine, match="certificate verify failed"):
        connect(address)  # the system's authorities
    (tmp_path / "ca.pem").write_bytes((certificates / "ca.pem").read_bytes())
    with pytest.raises(NoEngine) as refused:
        connect(address)  # no certificate of our own
    assert "\n" not in str(refused.value)
    assert "TLS" in str(refused.value)


def make_context(folder, name, host, tls=None, skip=False):
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    if tls is not None:
        shutil.copytree(tls, folder / "contexts" / "tls" / key / "docker")


def test_a_docker_context_with_certificates(tls_port, certificates, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    make_context(tmp_path, "remote", f"tcp://127.0.0.1:{tls_port}", certificates / "docker")
    make_context(tmp_path, "blind", f"tcp://127.0.0.1:{tls_port}", certificates / "docker", skip=True)
    assert built(None, tmp_path, context="remote")
    assert built(None, tmp_path, context="blind")
    (tmp_path / "config.json").write_text('{"currentContext": "remote"}')
    assert built(None, tmp_path)
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    with connect() as engine:
        assert engine.host == "unix:///var/run/docker.sock"


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    """An ssh server on the loopback, and in PATH an `ssh` that knows it as the host `engine`."""
    if os.geteuid() or not shutil.which("docker"):
        pytest.skip("an ssh server for this needs root, and the docker command")
    sshd = program("sshd")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n"
    )
    (folder / "config").write_text(
        f"Host engine\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n IdentityFile {folder}/user\n"
        f" StrictHostKeyChecking no\n UserKnownHostsFile {folder}/known\n"
    )
    # sshd wants a user `sshd`, which a machine without the package lacks, and a folder that is empty.
    users = Path("/etc/passwd").read_text()
    users += "" if "\nsshd:" in users else "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(users)
    start = f"mount --bind {folder}/passwd /etc/passwd; mkdir -p /run/sshd; exec {sshd} -D -e -f {folder}/sshd_config"
    libraries = ":".join(map(str, Path(sshd).parents[1].glob("lib/*-linux-gnu")))
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", start]
    environ = {**os.environ, "LD_LIBRARY_PATH": libraries} if sshd.startswith(str(Path.cwd())) else None
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
    for line in server.stderr:
        if "Server listening" in line:
            break
    threading.Thread(target=server.stderr.read, daemon=True).start()
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)
    yield folder / "bin"
    server.terminate()
    server.wait()
    server.stderr.close()


def test_ssh(ssh, any_engine, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(ssh), prepend=":")
    path = any_engine.host.removeprefix("unix://")
    with nothing_left():
        assert built(f"ssh://engine{path}", tmp_path)


def test_ssh_that_fails_is_told_in_its_own_words(ssh, monkeypatch):
    monkeypatch.setenv("PATH", str(ssh), prepend=":")
    for host, words in {
        "ssh://engine:1": "connection refused",
        "ssh://engine/nosuch.sock": "/nosuch.sock",
        "ssh://nosuchuser@engine": "permission denied",
    }.items():
        with nothing_left(), pytest.raises(NoEngine) as refused:
            connect(host)
        assert str(refused.value).startswith(f"no Docker engine answers at {host} (")
        assert words in str(refused.value).lower()
        assert "\n" not in str(refused.value)
