"""The flags of `dfkit build` that BuildKit's control API serves, in real processes."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys

import pytest

import dfkit as library
from dfkit.build import Output
from dfkit.build.remote import Builder
from dfkit.build.request import BuildRequest
from tests.engine.test_control import Forwarder, files_of

pytestmark = pytest.mark.engine

DOCKERFILE = """\
# hello greets
FROM scratch as hello
ARG NAME=world
COPY hello /
"""

CHECKED = """\
Check complete, 1 warning has been found!

WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
'as' and 'FROM' keywords' casing do not match
app/Dockerfile:2
--------------------
   1 |     # hello greets
   2 | >>> FROM scratch as hello
   3 |     ARG NAME=world
   4 |     COPY hello /
--------------------
"""

BROKEN = """\
ERROR: dockerfile parse error on line 2: unknown instruction: NOPE (did you mean COPY?)
app/Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> NOPE
   3 |     {nothing}
--------------------
""".format(nothing="")


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "hello").write_text("hello")
    return folder


@pytest.fixture
def run(app):
    def run(engine, *arguments, **environ):
        environ = {**os.environ, "DOCKER_HOST": getattr(engine, "host", "unix:///nowhere"), **environ}
        command = [sys.executable, "-m", "dfkit", "build", *arguments, "app"]
        return subprocess.run(command, cwd=app.parent, env=environ, capture_output=True, text=True)

    return run


@pytest.fixture
def builder(modern_engine):
    forwarder = Forwarder(modern_engine, socket.create_server(("127.0.0.1", 0)))
    yield Builder(forwarder.host)
    forwarder.close()


def test_check_prints_what_docker_prints(run, modern_engine, app):
    done = run(modern_engine, "--check", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (1, CHECKED, "")
    (app / "Dockerfile").write_text(DOCKERFILE.replace("as", "AS"))
    done = run(modern_engine, "--call=check", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Check complete, no warnings found.\n", "")


def test_check_of_a_file_that_cannot_be_read_shows_the_place(run, modern_engine, app):
    (app / "Dockerfile").write_text("FROM scratch\nNOPE\n")
    done = run(modern_engine, "--check", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", BROKEN)


def test_outline_and_targets_print_what_docker_prints(run, modern_engine):
    outline = "TARGET:      hello\nDESCRIPTION: greets\n\nBUILD ARG   VALUE   DESCRIPTION\nNAME        world   \n\n"
    assert run(modern_engine, "--call=outline", "-q").stdout == outline
    assert run(modern_engine, "--call=targets", "-q").stdout == "TARGET          DESCRIPTION\nhello (default) greets\n"


def test_the_answers_can_be_had_as_json(run, builder):
    for question, key in (("check", "warnings"), ("outline", "args"), ("targets", "targets")):
        done = run(None, f"--call={question},format=json", "-q", "--builder", builder.host)
        assert done.stderr == ""
        assert json.loads(done.stdout)[key]


def test_an_engine_without_these_answers_gets_dfkits_own_and_says_so(run, engine):
    if engine.api_version >= (1, 42):
        pytest.skip("the engine is not old")
    done = run(engine, "--check", "-q")
    assert done.returncode == 1
    assert "FromAsCasing" in done.stdout
    assert (
        f"dfkit: {engine.name} at {engine.host} has no --call=check; this is what `dfkit lint --profile buildkit` says"
        in done.stderr
    )
    done = run(engine, "--call=targets")
    assert "hello (default)" in done.stdout
    assert "this is what `dfkit targets` says" in done.stderr


def test_a_build_with_a_named_context_an_inline_cache_and_rewrites(run, modern_engine, app):
    name = f"dfkit-test/{secrets.token_hex(6)}"
    (app.parent / "other").mkdir()
    (app.parent / "other" / "b").write_text("b")
    (app.parent / "other" / "not-copied").write_text("n")
    (app / "Dockerfile").write_text("FROM base\nCOPY --from=other b /b\nRUN echo 1 > /1\nRUN echo 2 > /2\nCOPY hello /\n")
    contexts = ("--build-context", "other=other", "--build-context", "base=docker-image://busybox")
    try:
        done = run(modern_engine, *contexts, "-t", name, "-q", "--cache-to", "type=inline")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == modern_engine.image(name).id
        done = run(modern_engine, *contexts, "--dry-run", "--no-optimize", "-q")
        assert "# context: 1 file, 5 B" in done.stdout
        assert "# context `other`: 1 file, 1 B\n#        1 B  b\n" in done.stdout
        assert {"b", "1", "2", "hello"} <= files_of(modern_engine, name)
    finally:
        modern_engine.remove(name)


def test_a_build_on_a_daemon_says_where_the_image_is(run, builder, app):
    done = run(None, "--builder", builder.host, "--progress", "plain")
    assert (done.returncode, done.stdout) == (0, "")
    assert "the image stays in the cache of BuildKit" in done.stderr
    done = run(None, "-o", "out", "-q", BUILDKIT_HOST=builder.host)
    assert done.returncode == 0, done.stderr
    assert (app.parent / "out" / "hello").read_text() == "hello"


def test_a_daemon_that_is_not_there_is_exit_3(run):
    done = run(None, "--builder", "tcp://127.0.0.1:1")
    assert done.returncode == 3
    assert done.stderr.startswith("dfkit: no BuildKit daemon answers at tcp://127.0.0.1:1 (connection refused)")
    assert done.stderr.count("\n") == 1


def test_the_library_builds_with_named_contexts_on_a_daemon(builder, app, tmp_path):
    (app / "Dockerfile").write_text("FROM scratch\nCOPY --from=other b /\nCOPY hello /\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b").write_text("b")
    request = BuildRequest(output=Output("local", str(tmp_path / "out")))
    report = library.build(str(app), contexts={"other": str(tmp_path / "other")}, request=request, engine=builder)
    assert report.engine == builder.name
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b", "hello"]
