from __future__ import annotations

import base64
import json
import os
import signal
import time
from pathlib import Path

import pytest

from dfkit.build.buildkit.auth import MOST_HOSTS, Auth
from dfkit.build.buildkit.grpc import RESOURCE_EXHAUSTED, UNAVAILABLE, StatusError
from dfkit.build.buildkit.wire import Message, encode
from dfkit.build.dockerconfig import Credentials, credentials
from dfkit.errors import UsageError


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes docker's configuration, and a credential helper `docker-credential-store` that lists what it was asked."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    asked = tmp_path / "asked"
    helper = tmp_path / "docker-credential-store"
    helper.write_text(
        f"""#!/bin/sh
read host
echo "$host" >> {asked}
case $host in
user.example) echo '{{"ServerURL": "user.example", "Username": "ann", "Secret": "pass"}}' ;;
token.example) echo '{{"ServerURL": "token.example", "Username": "<token>", "Secret": "identity"}}' ;;
broken.example) echo 'the keychain is locked'; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""
    )
    helper.chmod(0o755)

    def write(**settings):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        return asked

    return write


def basic(text):
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_a_host_gets_its_own_credentials_and_no_other_hosts(config):
    config(auths={"one.example": basic("a:1"), "two.example:5000": basic("b:2:3")})
    assert credentials("one.example") == Credentials("a", "1")
    assert credentials("two.example:5000") == Credentials("b", "2:3")
    for host in ("two.example", "sub.one.example", "one.example:5000", "registry-1.docker.io"):
        assert credentials(host) == Credentials("", "")


def test_docker_hub_is_known_by_its_old_index(config):
    config(auths={"https://index.docker.io/v1/": basic("hub:secret")})
    assert credentials("registry-1.docker.io") == Credentials("hub", "secret")
    assert credentials("docker.example") == Credentials("", "")


def test_a_helper_is_asked_for_the_hosts_that_it_is_set_for(config):
    asked = config(credHelpers={"user.example": "store", "token.example": "store"})
    assert credentials("other.example") == Credentials("", "")
    assert not asked.exists()
    assert credentials("user.example") == Credentials("ann", "pass")
    assert credentials("token.example") == Credentials("", "identity")


def test_an_identity_token_in_the_file_goes_without_a_name(config):
    config(auths={"one.example": {**basic("a:1"), "identitytoken": "identity"}})
    assert credentials("one.example") == Credentials("", "identity")


def test_no_configuration_is_nobody(config):
    assert credentials("one.example") == Credentials("", "")


def ask(auth, host):
    answer = Message(auth.handlers()["/moby.filesync.v1.Auth/Credentials"](Ask(encode((1, host)))) or Ask.answer)
    return answer.text(1), answer.text(2)


class Ask:
    """A call with one request, as the gRPC server gives it to a handler."""

    answer = b""

    def __init__(self, request):
        self.request = request

    def receive(self, _largest):
        return self.request

    def send(self, message):
        Ask.answer = message


def test_a_helper_that_fails_is_told_once_and_the_build_goes_on_as_nobody(config):
    asked = config(credsStore="store")
    warnings: list[str] = []
    auth = Auth(warn=warnings.append)
    assert ask(auth, "broken.example") == ask(auth, "broken.example") == ("", "")
    assert len(warnings) == 1
    assert warnings[0] == "no credentials for broken.example: docker-credential-store failed: the keychain is locked"
    assert asked.read_text() == "broken.example\n"


@pytest.fixture
def helper(config, tmp_path):
    """Sets a credential helper with this script for all hosts."""

    def write(script):
        config(credsStore="odd")
        (tmp_path / "docker-credential-odd").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "docker-credential-odd").chmod(0o755)

    return write


def test_a_helper_that_hangs_is_given_up(helper, monkeypatch, tmp_path):
    helper(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    monkeypatch.setattr("dfkit.build.dockerconfig.HELPER_SECONDS", 0.5)
    with pytest.raises(UsageError, match=r"docker-credential-odd did not answer in 0\.5 s"):
        credentials("one.example")
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_helper_that_leaves_a_process_with_its_output_is_not_waited_for(helper, tmp_path):
    helper(f"""sleep 600 & echo $! > {tmp_path}/left; echo '{{"Username": "ann", "Secret": "pass"}}'""")
    began = time.monotonic()
    try:
        assert credentials("one.example") == Credentials("ann", "pass")
    finally:
        os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < 30


def test_a_helper_that_says_ever_more_is_ended(helper, tmp_path):
    for script in ("exec yes hunter2", "exec yes hunter2 >&2"):
        helper(f"echo $$ > {tmp_path}/pid; {script}")
        with pytest.raises(UsageError, match="docker-credential-odd gave an answer that cannot be read") as error:
            credentials("one.example")
        assert "hunter2" not in str(error.value)
        assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_helper_that_does_not_read_is_heard(helper):
    helper("""exec <&-; echo '{"Username": "ann", "Secret": "pass"}'""")
    assert credentials("one.example" * 1000) == Credentials("ann", "pass")


@pytest.mark.parametrize("said", ["hunter2", "[]", "{}", '{"Username": "ann"}', "", "[" * 100_000, "\\377"])
def test_a_helper_that_babbles_is_a_sentence(helper, said):
    helper(f"printf '%b' '{said}'")
    with pytest.raises(UsageError, match="docker-credential-odd gave an answer that cannot be read") as error:
        credentials("one.example")
    assert "hunter2" not in str(error.value)


def test_a_helpers_reason_is_no_longer_than_a_sentence(helper):
    helper("head -c 900000 /dev/zero | tr '\\0' x; exit 1")
    with pytest.raises(UsageError, match=r"docker-credential-odd failed: x{100}") as error:
        credentials("one.example")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["nosuch", "a\0b"])
def test_a_helper_that_is_missing_is_a_sentence(config, name):
    config(credsStore=name)
    with pytest.raises(UsageError, match=r"docker-credential-.* cannot be run"):
        credentials("one.example")


def test_a_login_that_cannot_be_read_is_a_sentence_without_it(config):
    config(auths={"one.example": {"auth": "hunter2"}, "two.example": {"auth": "aHVudGVyMg=="}})
    for host in ("one.example", "two.example"):
        with pytest.raises(UsageError, match=f"run `docker login {host}` again") as error:
            credentials(host)
        assert "hunter2" not in str(error.value)


def test_a_name_and_password_may_stand_in_the_file_and_a_key_may_be_an_address(config):
    config(auths={"https://one.example/v2/": {"username": "a", "password": "1"}})
    assert credentials("one.example") == Credentials("a", "1")


def test_the_engine_is_told_to_fetch_tokens_itself():
    with pytest.raises(StatusError) as refused:
        Auth().handlers()["/moby.filesync.v1.Auth/GetTokenAuthority"](Ask(b""))
    assert refused.value.code == UNAVAILABLE


def test_an_engine_that_asks_for_ever_more_registries_is_refused():
    asked = []

    def lookup(host):
        asked.append(host)
        return Credentials("", host)

    get = Auth(lookup)._credentials
    for number in range(MOST_HOSTS):
        get(encode((1, f"{number}.example")))
    with pytest.raises(StatusError, match="more than 64 registries") as error:
        get(encode((1, "one.more.example")))
    assert error.value.code == RESOURCE_EXHAUSTED
    assert Message(get(encode((1, "3.example")))).text(2) == "3.example"
    assert len(asked) == MOST_HOSTS


def test_credentials_do_not_show_their_secret():
    assert "hunter2" not in repr(Credentials("ann", "hunter2"))
