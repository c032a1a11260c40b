"""Bases from real registries, open and with a login, and the logins of docker's configuration."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import threading
import urllib.parse

import pytest

from dfkit.build import BuildRequest, SolveFailed, build
from tests.engine.near import prefix, program
from tests.engine.test_build import Registry, context

pytestmark = pytest.mark.engine

HTPASSWD = "ann:$2y$05$3htW4HJ832mi0vIi8PvaQOhodlZxcwSlK1Vytr9jj55aop3GWsZWK\n"
"""The password is `pass`."""
PASSWORD = "pass"


class RealRegistry:
    """Debian's docker-registry beside an engine, with the image `base` in it."""

    def __init__(self, engine, folder, *, private):
        self.engine = engine
        settings = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": f"{folder}/blobs"}},
            "http": {"addr": "127.0.0.1:0"},
            "log": {"accesslog": {"disabled": True}},
        }
        if private:
            (folder / "htpasswd").write_text(HTPASSWD)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": f"{folder}/htpasswd"}}
        (folder / "config.yml").write_text(json.dumps(settings))
        command = [*prefix(engine), program("docker-registry"), "serve", str(folder / "config.yml")]
        environ = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
        for line in self.process.stderr:
            if found := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
                self.address = found[1]
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.base = f"{self.address}/some/base"
        engine.tag("busybox", self.base)
        login = {"username": "ann", "password": PASSWORD} if private else {"username": "", "password": ""}
        said = engine.api.push(self.base, auth_config=login)
        engine.remove(self.base)
        assert "error" not in said

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@pytest.fixture
def registries(any_engine, tmp_path):
    made = []

    def make(*, private=False):
        folder = tmp_path / f"registry{len(made)}"
        folder.mkdir()
        made.append(RealRegistry(any_engine, folder, private=private))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Writes docker's configuration; `helper` makes a credential helper that notes whom it is asked for."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    class Docker:
        asked = folder / "asked"

        @staticmethod
        def settings(**values):
            (folder / "config.json").write_text(json.dumps(values))

        @staticmethod
        def helper(name, script):
            path = folder / f"docker-credential-{name}"
            path.write_text(f'#!/bin/sh\nread host\necho "$1 $host" >> {folder}/asked\n{script}\n')
            path.chmod(0o755)

    return Docker


def dockerfile(*bases):
    stages = "".join(f"FROM {base}\nRUN echo {secrets.token_hex(4)} > /a{number}\n" for number, base in enumerate(bases))
    copies = "".join(f"COPY --from={number} /a{number} /\n" for number in range(len(bases) - 1))
    return context(stages + copies)


def login(name, password):
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


GIVES = f"""printf '{{"ServerURL": "%s", "Username": "ann", "Secret": "{PASSWORD}"}}' "$host" """


def test_an_open_registry_needs_nobody_and_no_helper_is_run(any_engine, registries, docker):
    docker.helper("test", GIVES)
    docker.settings(credsStore="test")
    result = build(any_engine, BuildRequest(), dockerfile(registries().base))
    assert result.warnings == ()
    assert not docker.asked.exists()


def test_a_login_in_the_configuration_opens_a_private_registry(any_engine, registries, docker):
    registry = registries(private=True)
    with pytest.raises(SolveFailed, match=r"401|[Aa]uthoriz|denied|no basic auth"):
        build(any_engine, BuildRequest(), dockerfile(registry.base))
    docker.settings(auths={registry.address: login("ann", "not-this-one")})
    with pytest.raises(SolveFailed) as refused:
        build(any_engine, BuildRequest(), dockerfile(registry.base))
    assert "not-this-one" not in str(refused.value)
    assert "\n" not in str(refused.value)
    docker.settings(auths={registry.address: login("ann", PASSWORD)})
    build(any_engine, BuildRequest(), dockerfile(registry.base))


def test_a_helper_is_asked_for_the_registries_that_want_a_login_and_no_others(any_engine, registries, docker):
    one, two, free = registries(private=True), registries(private=True), registries()
    docker.helper("one", GIVES)
    docker.helper("others", "echo credentials not found in native keychain; exit 1")
    docker.settings(credHelpers={one.address: "one"}, credsStore="others", auths={two.address: login("ann", PASSWORD)})
    result = build(any_engine, BuildRequest(), dockerfile(one.base, two.base, free.base))
    assert result.warnings == ()
    assert sorted(docker.asked.read_text().split("\n")) == sorted(["", f"get {one.address}", f"get {two.address}"])


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo the keychain is locked; exit 1", "failed: the keychain is locked"), ("exec sleep 60", r"did not answer in 0\.5 s")],
)
def test_a_helper_that_fails_or_hangs_is_a_warning_by_name(any_engine, registries, docker, monkeypatch, script, words):
    monkeypatch.setattr("dfkit.build.dockerconfig.HELPER_SECONDS", 0.5)
    registry = registries(private=True)
    docker.helper("bad", script)
    docker.settings(credsStore="bad")
    events = []
    with pytest.raises(SolveFailed):
        build(any_engine, BuildRequest(), dockerfile(registry.base), events.append)
    warnings = [event.message for event in events if hasattr(event, "message")]
    assert re.fullmatch(f"no credentials for {registry.address}: docker-credential-bad {words}", warnings[0])


def test_a_registry_that_is_gone_is_one_sentence(any_engine, registries, docker):
    registry = registries()
    registry.close()
    with pytest.raises(SolveFailed) as lost:
        build(any_engine, BuildRequest(), dockerfile(registry.base))
    assert registry.base in str(lost.value)
    assert "\n" not in str(lost.value)


def test_an_identity_token_is_exchanged_for_the_registrys(any_engine, serve, docker):
    asked = []

    class Handler(Registry):
        password = "nobody:has-this"

        def do_POST(self):
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append((form.get("grant_type"), form.get("refresh_token")))
            granted = form.get("refresh_token") == ["my-identity"]
            answer = {"access_token": "letmein", "expires_in": 60} if granted else {}
            self.answer(200 if granted else 401, json.dumps(answer).encode())

    address = serve(Handler)
    docker.helper("token", """printf '{"Username": "<token>", "Secret": "my-identity"}'""")
    docker.settings(credHelpers={address: "token"})
    build(any_engine, BuildRequest(), context(f"FROM {address}/private/base\nCOPY a /\n", {"a": "hello"}))
    assert (["refresh_token"], ["my-identity"]) in asked
