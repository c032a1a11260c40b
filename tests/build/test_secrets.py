from __future__ import annotations

import sys
import threading
import traceback

import pytest

from dfkit.build.buildkit.grpc import NOT_FOUND
from dfkit.build.buildkit.secrets import LARGEST_SECRET, Secrets
from dfkit.build.buildkit.wire import Message, encode
from dfkit.build.request import Secret
from dfkit.errors import UsageError

VALUE = b"hunter2"
GET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"


def test_a_value_a_variable_and_a_file_are_given_byte_for_byte(serve, tmp_path, monkeypatch):
    raw = bytes(range(256))
    (tmp_path / "raw").write_bytes(raw)
    monkeypatch.setenv("DFKIT_TEST_SECRET", "ünïcode\udcff")
    given = (
        Secret("file", file=str(tmp_path / "raw")),
        Secret("variable", variable="DFKIT_TEST_SECRET"),
        Secret("value", value=b""),
    )
    peer = serve(Secrets(given).handlers())
    found = {each.id: Message(peer.call(GET, encode((1, each.id)))[2]).data(1) for each in given}
    assert found == {"file": raw, "variable": "ünïcode".encode() + b"\xff", "value": b""}


def test_an_id_that_was_not_given_is_not_found(serve):
    code, text, _ = serve(Secrets((Secret("a", value=b"hunter2"),)).handlers()).call(GET, encode((1, "b")))
    assert (code, text) == (NOT_FOUND, "no secret b was given")


def test_the_largest_secret_is_taken_and_a_larger_one_named(tmp_path, monkeypatch, serve):
    path = tmp_path / "large"
    path.write_bytes(b"x" * LARGEST_SECRET)
    peer = serve(Secrets((Secret("a", file=str(path)),)).handlers())
    assert len(peer.call(GET, encode((1, "a")))[2]) > LARGEST_SECRET
    path.write_bytes(b"x" * (LARGEST_SECRET + 1))
    for secret in (Secret("a", file=str(path)), Secret("a", value=path.read_bytes()), Secret("a", file="/dev/zero")):
        with pytest.raises(UsageError, match=r"^the secret a is too large: BuildKit takes at most 500 KiB$"):
            Secrets((secret,))


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (Secret("a", file="nosuch"), "the secret a is to be the file nosuch, which does not exist: name one with src=FILE"),
        (Secret("a", file="/"), "the secret a is to be the file /, which is a folder"),
        (Secret("a", file="/dev/null/x"), "the secret a cannot be read from /dev/null/x: not a directory"),
        (Secret("a", variable="DFKIT_UNSET"), "the secret a is to be the environment variable DFKIT_UNSET, which is not set"),
    ],
)
def test_a_secret_that_is_not_there_is_one_sentence(secret, words, monkeypatch):
    monkeypatch.delenv("DFKIT_UNSET", raising=False)
    with pytest.raises(UsageError) as error:
        Secrets((secret,))
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_two_secrets_of_one_id_are_refused():
    with pytest.raises(UsageError, match="two secrets have the id a"):
        Secrets((Secret("a", value=b"1"), Secret("a", value=b"2")))


def test_a_secret_is_taken_out_of_what_is_said():
    secrets = Secrets(
        (
            Secret("line", value=b"hunter2\n"),
            Secret("key", value=b"-----BEGIN KEY-----\r\nAAAAB3Nza\r\nabc\r\n-----END KEY-----\r\n"),
            Secret("longer", value=b"hunter22"),
            Secret("binary", value=b"\xff\xfe\x00"),
            Secret("empty", value=b"\n\n"),
        )
    )
    assert secrets.scrub("it is hunter2, or xhunter22hunter2x") == "it is ***, or x******x"
    assert secrets.scrub("echo -----BEGIN KEY----- AAAAB3Nza abc -----END KEY-----") == "echo *** *** abc ***"
    assert secrets.scrub("nothing of it") == "nothing of it"
    assert Secrets().scrub("hunter2") == "hunter2"


def crash(secrets):
    handlers = secrets.handlers()
    assert handlers
    raise ZeroDivisionError


def test_a_traceback_with_all_variables_does_not_show_a_secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(VALUE)
    errors = []
    try:
        crash(Secrets((Secret("a", value=VALUE), Secret("b", file=str(path)))))
    except ZeroDivisionError as error:
        errors.append(error)
    path.write_bytes(VALUE * LARGEST_SECRET)
    try:
        Secrets((Secret("b", file=str(path)),))
    except UsageError as error:
        errors.append(error)
    assert len(errors) == 2
    for error in errors:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert "secret" in shown
        assert VALUE.decode() not in shown


def test_a_call_that_breaks_shows_no_secret_in_its_thread(serve, monkeypatch, capfd):
    shown = []

    def show(arguments):
        shown.append(arguments)

    monkeypatch.setattr(threading, "excepthook", show)
    peer = serve(Secrets((Secret("a", value=b"hunter2"),)).handlers())
    for message in (b"\xff\xff", b"\x0a\xff", encode((1, b"\xff")), encode((1, 7))):
        code, text, _ = peer.call(GET, message)
        assert code
        assert "hunter2" not in text
    assert shown == []
    assert sys.stderr is not None
    assert "hunter2" not in "".join(capfd.readouterr())
