from __future__ import annotations

import hashlib
import json

import pytest

from dfkit.build.dockerconfig import ANONYMOUS, DEFAULT_HOST, Endpoint, credentials, endpoint, load
from dfkit.build.dockerpy import Client
from dfkit.errors import UsageError


@pytest.fixture
def docker(tmp_path):
    """Makes docker contexts and settings in a folder, and finds engines by it."""

    class Docker:
        folder = tmp_path

        def context(self, name, host="", skip=False, files=()):
            key = hashlib.sha256(name.encode()).hexdigest()
            meta = tmp_path / "contexts" / "meta" / key
            meta.mkdir(parents=True)
            docker = {"Host": host, "SkipTLSVerify": skip} if host else {}
            (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": docker}}))
            tls = tmp_path / "contexts" / "tls" / key / "docker"
            for file in files:
                tls.mkdir(parents=True, exist_ok=True)
                (tls / file).write_text("")
            return tls

        def settings(self, **values):
            (tmp_path / "config.json").write_text(json.dumps(values))

        def find(self, host=None, context=None, **environ):
            return endpoint(host, context, {"DOCKER_CONFIG": str(tmp_path), **environ})

    return Docker()


def test_without_settings_it_is_the_default_socket(docker):
    assert docker.find() == Endpoint(DEFAULT_HOST)


def test_what_is_given_comes_before_the_environment_and_that_before_the_current_context(docker):
    docker.context("one", "tcp://one:1")
    docker.context("two", "tcp://two:2")
    docker.settings(currentContext="one")
    assert docker.find().host == "tcp://one:1"
    assert docker.find(DOCKER_CONTEXT="two").host == "tcp://two:2"
    assert docker.find(DOCKER_CONTEXT="two", DOCKER_HOST="tcp://env:3").host == "tcp://env:3"
    assert docker.find(context="two", DOCKER_HOST="tcp://env:3").host == "tcp://two:2"
    assert docker.find(context="default", DOCKER_CONTEXT="two").host == DEFAULT_HOST
    assert docker.find("unix:///own.sock", "two").host == "unix:///own.sock"


def test_a_context_brings_its_certificates(docker):
    files = docker.context("full", "tcp://one:1", files=("ca.pem", "cert.pem", "key.pem"))
    assert docker.find(context="full") == Endpoint(
        "tcp://one:1", True, True, str(files / "ca.pem"), str(files / "cert.pem"), str(files / "key.pem")
    )
    files = docker.context("ca", "tcp://one:1", files=("ca.pem", "cert.pem"))
    assert docker.find(context="ca") == Endpoint("tcp://one:1", True, True, str(files / "ca.pem"))
    docker.context("blind", "tcp://one:1", skip=True)
    assert docker.find(context="blind") == Endpoint("tcp://one:1", True, False)
    docker.context("plain", "tcp://one:1")
    assert docker.find(context="plain") == Endpoint("tcp://one:1")


def test_the_environments_certificates(docker, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    assert docker.find("tcp://a:1", DOCKER_TLS_VERIFY="1") == Endpoint("tcp://a:1", True, True, str(tmp_path / "ca.pem"))
    assert docker.find("tcp://a:1", DOCKER_TLS="1", DOCKER_CERT_PATH="/nosuch") == Endpoint("tcp://a:1", True, False)
    assert docker.find("tcp://a:1", DOCKER_CERT_PATH=str(tmp_path)) == Endpoint("tcp://a:1")
    assert docker.find("tcp://a:1", DOCKER_TLS_VERIFY="") == Endpoint("tcp://a:1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "is no JSON"),
        ("[]", "holds no JSON object"),
        ('{"currentContext": "\\ud800"}', "there is no docker context"),
        ("\ufeff{}", None),
        ('{"a": 1}', None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_that_cannot_be_read_are_a_sentence(docker, content, words):
    (docker.folder / "config.json").write_text(content)
    if words is None:
        assert load({"DOCKER_CONFIG": str(docker.folder)}) == json.loads(content.lstrip("\ufeff"))
    else:
        with pytest.raises(UsageError, match=words):
            docker.find()


def test_a_context_without_an_engine_or_without_itself_is_a_sentence(docker):
    with pytest.raises(UsageError, match=r"^there is no docker context `nosuch`: `docker context ls` lists them$"):
        docker.find(context="nosuch")
    docker.context("kubernetes")
    with pytest.raises(UsageError, match="the docker context `kubernetes` names no Docker engine"):
        docker.find(DOCKER_CONTEXT="kubernetes")


@pytest.mark.parametrize(
    "settings",
    [
        '{"auths": {"x.example": {"auth": "hunter2"}}}',
        '{"auths": {"x.example": {"auth": 5}}}',
        '{"auths": {"x.example": "y"}}',
        '{"auths": {"x.example": null}, "credHelpers": null}',
    ],
)
def test_a_login_that_cannot_be_read_is_no_matter_for_those_who_do_not_ask_for_it(docker, monkeypatch, settings):
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.folder))
    (docker.folder / "config.json").write_text(settings)
    monkeypatch.setattr(Client, "_retrieve_server_version", lambda _self: "1.41")
    Client(Endpoint("tcp://127.0.0.1:1")).close()
    assert credentials("y.example") == ANONYMOUS


@pytest.mark.parametrize("name", ["auths", "credHelpers"])
def test_a_section_of_another_kind_is_a_sentence(docker, monkeypatch, name):
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.folder))
    docker.settings(**{name: ["x"]})
    with pytest.raises(UsageError, match=f"^`{name}` in docker's configuration is no object: mend {docker.folder}/config.json$"):
        credentials("x.example")
