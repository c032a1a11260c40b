"""Results that are no image, from the engines."""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import tarfile

import pytest

from dfkit.build import Output, SolveFailed
from dfkit.build.buildkit.filesend import OutputFailed
from dfkit.build.capabilities import Unsupported
from dfkit.image import SavedImage, flatten
from tests.engine.near import client

pytestmark = pytest.mark.engine

DFKIT = [sys.executable, "-c", "import sys; from dfkit.cli import main; sys.exit(main())"]


TREE = (
    "FROM busybox\n"
    "RUN mkdir -p /d/e /ro && echo 1 > /d/file && ln /d/file /d/same && ln -s ../etc/passwd /d/sym && ln -s /d /link"
    " && chmod 4711 /d/file && chmod 1777 /d/e && chmod 555 /ro && touch -d '2020-01-02 03:04:05' /d/e '/ü name'"
    " && mkfifo /pipe && rm -rf /tmp\n"
    "RUN rm /bin/vi; i=0; while [ $i -lt 300 ]; do echo $i > /many$i; i=$((i + 1)); done\n"
)


def described(folder):
    """What is in a folder, as `flatten` describes an image: but not who owns it."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        kind = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFREG: "file"}[stat.S_IFMT(status.st_mode)]
        found["/" + str(path.relative_to(folder))] = (
            kind,
            0o777 if kind == "symlink" else stat.S_IMODE(status.st_mode),
            hashlib.sha256(path.read_bytes()).hexdigest() if kind == "file" else "",
            os.readlink(path) if kind == "symlink" else "",
        )
    return found


def test_a_folder_and_a_tar_have_what_the_image_has(any_engine, run, tmp_path):
    image, _ = run(TREE)
    with SavedImage.read(any_engine.save(image.image_id)) as opened:
        wanted = {
            f"/{path.strip('/')}": (entry.type, entry.mode, entry.sha256, entry.linkname)
            for path, entry in flatten(opened).files.items()
            if path.strip("/")
        }
    result, _ = run(TREE, output=Output("local", str(tmp_path / "out")))
    assert (result.image_id, result.output.dest) == ("", str(tmp_path / "out"))
    special = sum(about[0] not in ("directory", "symlink", "file") for about in wanted.values())
    assert special
    assert f"devices and pipes are not made in a folder ({special} left out): type=tar keeps them" in {
        each.message for each in result.warnings
    }
    assert described(tmp_path / "out") == {
        path: about for path, about in wanted.items() if about[0] in ("directory", "symlink", "file")
    }
    assert (tmp_path / "out/d/file").samefile(tmp_path / "out/d/same")
    assert int((tmp_path / "out/d/e").stat().st_mtime) == int((tmp_path / "out/ü name").stat().st_mtime) == 1577934245

    result, _ = run(TREE, output=Output("tar", str(tmp_path / "out.tar")))
    with tarfile.open(tmp_path / "out.tar") as tar:
        members = {"/" + member.name.strip("/"): member for member in tar}
    assert set(members) == set(wanted)
    assert members["/pipe"].isfifo()
    assert result.output.size == (tmp_path / "out.tar").stat().st_size


def test_a_folder_has_the_attributes_that_dockers_client_gives_it(any_engine, run, tmp_path):
    (run.folder / "a").write_text("x")
    os.setxattr(run.folder / "a", "user.some", b"a\0b")
    (run.folder / "Dockerfile").write_text("FROM scratch\nCOPY a /\n")
    run("FROM scratch\nCOPY a /\n", output=Output("local", str(tmp_path / "ours")))
    environment = {**os.environ, "DOCKER_HOST": any_engine.host, "DOCKER_BUILDKIT": "1"}
    command = [*client(any_engine)[:2], "-q", "-o", str(tmp_path / "theirs"), str(run.folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert {name: os.getxattr(tmp_path / name / "a", "user.some") for name in ("ours", "theirs")} == {
        "ours": b"a\0b",
        "theirs": b"a\0b",
    }


def test_an_output_over_an_older_one_replaces_its_files_and_leaves_others(run, tmp_path):
    (run.folder / "a").write_text("new")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    (out / "mine").write_text("mine")
    run("FROM scratch\nCOPY a /\n", output=Output("local", str(out)))
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a": "new", "mine": "mine"}


def test_a_build_that_fails_leaves_the_old_output(run, tmp_path):
    path = tmp_path / "out.tar"
    path.write_text("old")
    for kind, dest in (("tar", path), ("local", tmp_path / "out")):
        with pytest.raises(SolveFailed):
            run("FROM busybox\nRUN exit 3\n", output=Output(kind, str(dest)))
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["context", "out.tar"]


def test_an_output_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "out" / "a" / "b").mkdir(parents=True)
    (run.folder / "a").write_text("x")
    with pytest.raises(OutputFailed, match="cannot be written: directory not empty"):
        run("FROM scratch\nCOPY a /a\n", output=Output("local", str(tmp_path / "out")))
    with pytest.raises(OutputFailed, match="no space left on device"):
        run("FROM scratch\nCOPY a /a\n", output=Output("tar", "/dev/full"))


@pytest.mark.parametrize("attributes", [{}, {"tar": "false"}])
@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_archive_that_the_engine_does_not_write_is_refused_by_name(any_engine, run, tmp_path, kind, attributes):
    with pytest.raises(Unsupported, match=f"^{re.escape(any_engine.name)} .*type={kind}"):
        run("FROM scratch\nCOPY . /\n", output=Output(kind, str(tmp_path / "out"), attributes))
    assert os.listdir(tmp_path) == ["context"]


def test_the_command_gives_a_tar_on_standard_output_and_a_folder(any_engine, run, tmp_path):
    (run.folder / "Dockerfile").write_text("FROM scratch\nCOPY a /a\n")
    (run.folder / "a").write_text("x" * 100_000)
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host]
    done = subprocess.run([*command, "-o", "-"], capture_output=True)
    assert done.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert tar.extractfile("a").read() == b"x" * 100_000
    done = subprocess.run([*command, "-q", "-o", str(tmp_path / "out"), "-t", "unused"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}\n")
    assert (tmp_path / "out" / "a").stat().st_size == 100_000
    done = subprocess.run(["sh", "-c", '"$@" -o - | true', "sh", *command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Fatal" not in done.stderr


def test_an_interrupt_ends_a_build_whose_output_nobody_reads(any_engine, run):
    (run.folder / "Dockerfile").write_text("FROM scratch\nCOPY large /\n")
    (run.folder / "large").write_bytes(secrets.token_bytes(4 << 20))
    ours, theirs = os.pipe()
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host, "-q", "-o", "-"]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        try:
            assert os.read(ours, 1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(ours)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Fatal" not in errors
    assert b"Traceback" not in errors
