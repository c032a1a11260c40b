"""Builds whose files go over the session, beside the same builds from a tar. `busybox` is what scripts/base-images makes."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time

import pytest

from dfkit.build import BuildRequest, Folders, SolveFailed, StepProgress, build
from dfkit.context import ContextError, plan
from dfkit.image import SavedImage, flatten, hard_links
from dfkit.model.uses import ContextRead
from dfkit.text import Span
from dfkit.workflow.build import build_text

pytestmark = pytest.mark.engine

EVERYTHING = "FROM scratch\nCOPY . /\n"


@pytest.fixture(scope="module", autouse=True)
def base(engine):
    assert engine.image("busybox"), "the image busybox is missing: run `scripts/base-images`"


@pytest.fixture
def sync(engine):
    """Build a text with folders; the result, and how many bytes of the context the engine was sent."""
    images = []

    def sync(planned, text, **fields):
        sent = {}

        def note(event):
            if isinstance(event, StepProgress) and event.part.startswith("transferring context"):
                sent[event.digest] = max(sent.get(event.digest, 0), event.current)

        result = build(engine, BuildRequest(**fields), Folders(planned, text.encode()), note)
        images.append(result.image_id)
        return result, sum(sent.values())

    yield sync
    for image in dict.fromkeys(images):
        engine.remove(image)


@pytest.fixture
def files(engine):
    """The files of an image."""

    def files(image):
        with SavedImage.read(engine.save(image)) as opened:
            return flatten(opened).files

    return files


def contents(files):
    return {path: entry.sha256 for path, entry in files.items() if entry.type == "file"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def no_threads(seconds=5):
    deadline = time.monotonic() + seconds
    while any(thread.name.startswith("dfkit-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)


@pytest.fixture
def odd(tmp_path):
    """A context of odd files."""
    root = tmp_path / "context"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "sub" / "program").write_bytes(b"#!/bin/sh\n")
    (root / "sub" / "program").chmod(0o6755)
    os.link(root / "sub" / "program", root / "sub" / "deep" / "same")
    os.link(root / "sub" / "program", root / "another")
    (root / "sub-").write_text("after the folder of almost the same name")
    (root / "sub.txt").write_text("too")
    (root / "link").symlink_to("sub/deep")
    (root / "dangling").symlink_to("/no/where")
    (root / "empty").mkdir(mode=0o700)
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    (root / "nothing").write_bytes(b"")
    (root / "é 日本").write_text("not ASCII")
    (root / ("n" * 250)).write_text("long")
    far = root
    for _ in range(8):
        far = far / ("d" * 60)
    far.mkdir(parents=True)
    (far / "x").write_text("deep")
    (root / "secret").write_text("not for all")
    (root / "secret").chmod(0o600)
    (root / "big").write_bytes(random.Random(1).randbytes(30_000_000))
    os.utime(root / "sub.txt", (0, 1_000_000_000))
    return root


def test_an_image_has_the_files_that_a_tar_gives(engine, sync, files, odd):
    planned = plan(odd)
    synced, _ = sync(planned, EVERYTHING, no_cache=True)
    text = EVERYTHING.encode()
    tarred = build(engine, BuildRequest(dockerfile="Dockerfile", no_cache=True), planned.archive(text, "Dockerfile"))
    found, expected = files(synced.image_id), dict(files(tarred.image_id))
    engine.remove(tarred.image_id)
    assert expected.pop("/Dockerfile").sha256 == sha256(text)  # a tar has no other place for it
    assert found == expected
    assert found["/big"].sha256 == sha256((odd / "big").read_bytes())
    assert found["/sub/program"].mode == 0o6755
    assert hard_links(found) == hard_links(expected)
    no_threads()


def test_names_that_are_not_utf8_arrive(sync, files, tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff\xfe", "wb") as file:
        file.write(b"bytes")
    result, _ = sync(plan(tmp_path), EVERYTHING)
    assert contents(files(result.image_id)) == {"/" + os.fsdecode(b"\xff\xfe"): sha256(b"bytes")}


def test_a_second_build_sends_what_has_changed_and_sees_it(sync, files, odd):
    first, sent = sync(plan(odd), EVERYTHING)
    assert sent > 30_000_000
    again, sent = sync(plan(odd), EVERYTHING)
    assert again.image_id == first.image_id
    assert again.executed == ()
    assert sent < 10_000

    (odd / "sub.txt").write_text("TOO")
    (odd / "sub-").unlink()
    (odd / "new").write_text("new")
    changed, sent = sync(plan(odd), EVERYTHING)
    assert sent < 10_000
    before, after = contents(files(first.image_id)), contents(files(changed.image_id))
    assert before.pop("/sub-")
    assert after.pop("/new") == sha256(b"new")
    assert after == before | {"/sub.txt": sha256(b"TOO")}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(["file", "folder", "link", "hard link"], 2)))
def test_a_path_that_becomes_another_kind_of_file_is_seen(sync, files, tmp_path, before, after):
    thing, other = tmp_path / "thing", tmp_path / "other"
    other.write_text("other")

    def make(kind):
        if kind == "file":
            thing.write_text("thing")
        elif kind == "folder":
            thing.mkdir()
            (thing / "inside").write_text("inside")
        elif kind == "link":
            thing.symlink_to("other")
        else:
            os.link(other, thing)

    make(before)
    sync(plan(tmp_path), EVERYTHING)
    subprocess.run(["rm", "-r", thing], check=True)
    make(after)
    found = files(sync(plan(tmp_path), EVERYTHING)[0].image_id)
    types = {"file": "file", "folder": "directory", "link": "symlink", "hard link": "file"}
    assert found["/thing"].type == types[after]
    assert ("/thing/inside" in found) == (after == "folder")
    assert ("/thing" in hard_links(found)) == (after == "hard link")
    if after == "file":
        assert found["/thing"].sha256 == sha256(b"thing")


def test_dockerfiles_of_one_size_over_one_folder_are_never_mixed_up(engine, sync, tmp_path):
    (tmp_path / "file").write_text("x")
    for letter in "abab":
        result, _ = sync(plan(tmp_path), f"FROM scratch\nCOPY file /\nLABEL name={letter}\n")
        assert engine.image(result.image_id).config["Labels"] == {"name": letter}


def test_selections_over_one_folder_are_never_mixed_up(sync, files, tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)

    def chosen(*names):
        return plan(tmp_path, reads=[ContextRead(name, Span(0, 0)) for name in names])

    assert set(contents(files(sync(chosen("a", "b"), EVERYTHING)[0].image_id))) == {"/a", "/b"}
    assert set(contents(files(sync(chosen("b", "c"), EVERYTHING)[0].image_id))) == {"/b", "/c"}
    assert set(contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))) == {"/a", "/b", "/c"}
    assert set(contents(files(sync(chosen("a"), "FROM scratch\nCOPY a /\n")[0].image_id))) == {"/a"}
    with pytest.raises(SolveFailed, match="/b"):
        sync(chosen("a"), "FROM scratch\nCOPY b /\n")


def test_what_is_ignored_stays_at_home(sync, files, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("keep", "drop", "sub/keep", "sub/drop"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("**/drop\n")
    found = contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))
    assert set(found) == {"/.dockerignore", "/keep", "/sub/keep"}
    (tmp_path / ".dockerignore").write_text("**/drop\n.dockerignore\n")
    assert set(contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))) == {"/keep", "/sub/keep"}
    (tmp_path / ".dockerignore").write_text("*\n!sub/keep\n")
    assert set(contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))) == {"/sub/keep"}


def test_a_rewritten_dockerfile_is_not_copied_and_the_original_is_as_it_was(engine, files, tmp_path):
    original = b"FROM  scratch\nCOPY . /\n# as its author wrote it\n"
    (tmp_path / "Dockerfile").write_bytes(original)
    (tmp_path / "file").write_text("x")
    planned = plan(tmp_path, dockerfile_path=tmp_path / "Dockerfile")
    result = build_text(planned, EVERYTHING, BuildRequest(), engine, lambda _event: None)
    found = contents(files(result.image_id))
    engine.remove(result.image_id)
    assert found == {"/Dockerfile": sha256(original), "/file": sha256(b"x")}


def test_a_run_sees_files_by_every_way_into_a_build(sync, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("a")
    (tmp_path / "link").symlink_to("sub")
    result, _ = sync(
        plan(tmp_path),
        "FROM busybox AS one\nADD link/a /x/\nCOPY su? /y/\nFROM busybox\nCOPY --from=one /x /y /z/\n"
        "RUN --mount=type=bind,target=/ctx test -f /ctx/sub/a && cmp /z/a /ctx/link/a\n",
    )
    assert result.image_id


def test_two_thousand_small_files_arrive(sync, files, tmp_path):
    texts = {}
    for number in range(2000):
        path = f"{number % 40}/{number}"
        (tmp_path / path).parent.mkdir(exist_ok=True)
        texts["/" + path] = f"{number}\n" * (number % 50)
        (tmp_path / path).write_text(texts["/" + path])
    found = contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))
    assert found == {path: sha256(text.encode()) for path, text in texts.items()}


def test_a_file_that_is_written_during_the_build_is_one_sentence_and_the_next_build_is_whole(sync, files, tmp_path):
    for number in range(300):
        (tmp_path / f"other{number}").write_text(str(number))
    # Large, so that it cannot be sent between two writes.
    (tmp_path / "log").write_bytes(bytes(60 << 20))
    stop = threading.Event()

    def write():
        with (tmp_path / "log").open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                file.write(b"line\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(ContextError, match="The file log changed while it was sent; build again"):
            sync(plan(tmp_path), EVERYTHING)
    finally:
        stop.set()
        writer.join()
    no_threads()
    found = contents(files(sync(plan(tmp_path), EVERYTHING)[0].image_id))
    assert found["/log"] == sha256((tmp_path / "log").read_bytes())
    assert len(found) == 301


SENDER = """
import sys
from dfkit.build import BuildRequest, Folders, StepProgress, build, connect
from dfkit.context import plan
def tell(event):
    if isinstance(event, StepProgress) and "context" in event.part and event.current > 1000000:
        print("sending", flush=True)
with connect() as engine:
    try:
        build(engine, BuildRequest(tags=(sys.argv[2],)), Folders(plan(sys.argv[1]), b"FROM scratch\\nCOPY . /\\n"), tell)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


def test_an_interrupt_while_files_are_sent_ends_the_build(engine, sync, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(3 << 30)
    name = f"dfkit-test/{secrets.token_hex(6)}:latest"
    process = subprocess.Popen([sys.executable, "-c", SENDER, tmp_path, name], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "sending\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert output.endswith("interrupted\n")
    assert process.returncode == 130
    assert time.monotonic() - began < 10
    assert engine.image(name) is None
    os.truncate(tmp_path / "large", 5)
    assert sync(plan(tmp_path), EVERYTHING)[0].image_id
