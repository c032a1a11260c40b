from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile

import pytest

from dfkit.context.archive import stream
from dfkit.context.tree import ContextError, Entry, walk

TEXT = b"FROM scratch\n"
FIRST = Entry("Dockerfile.sent", "file", 0o644, 0, 0)


def packed(root, entries=None, text=TEXT):
    return b"".join(stream(root, walk(root) if entries is None else entries, FIRST, text))


def content(archive, member):
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {member.name: member for member in archive}
        return found, {name: content(archive, member) for name, member in found.items() if member.isreg()}


def test_the_dockerfile_comes_first_as_a_plain_block(tmp_path):
    (tmp_path / "a").write_text("x")
    data = packed(tmp_path)
    first = tarfile.TarInfo.frombuf(data[:512], "utf-8", "strict")
    assert (first.name, first.size, first.type, first.mode) == ("Dockerfile.sent", len(TEXT), tarfile.REGTYPE, 0o644)
    assert data[257:265] == tarfile.GNU_MAGIC
    assert data[512 : 512 + len(TEXT)] == TEXT


def test_a_first_entry_with_a_long_name_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="too long"):
        next(stream(tmp_path, [], Entry("x" * 101, "file", 0o644, 0, 0), TEXT))


def test_what_is_read_back_is_what_was_there(tmp_path):
    names = ["f", "d/" + "n" * 98, "d/" + "n" * 99, "/".join(["l" * 200] * 3), "é", "\udcff", "sp ace", "-x", "new\nline"]
    for at, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % at * at * 100)
        os.utime(path, (0, 1_600_000_000 + at))
    os.chmod(tmp_path / "f", 0o6755)
    os.chmod(tmp_path / "d", 0o1770)
    os.symlink("é", tmp_path / "link")
    os.symlink("t" * 300, tmp_path / "far")
    os.link(tmp_path / names[3], tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe", 0o640)
    found, contents = members(packed(tmp_path))
    expected = {entry.path for entry in walk(tmp_path)}
    assert set(found) == expected | {"Dockerfile.sent"}
    for at, name in enumerate(names):
        assert found[name].mtime == 1_600_000_000 + at
        if found[name].isreg():
            assert contents[name] == b"%d" % at * at * 100
    assert (found["f"].mode, found["d"].mode, found["d"].isdir()) == (0o6755, 0o1770, True)
    assert (found["link"].linkname, found["far"].linkname) == ("é", "t" * 300)
    assert (found["hard"].isreg(), found[names[3]].islnk(), found[names[3]].linkname) == (True, True, "hard")
    assert (found["pipe"].isfifo(), found["pipe"].mode) == (True, 0o640)
    assert {(member.uid, member.gid, member.uname, member.gname) for member in found.values()} == {(0, 0, "", "")}


@pytest.mark.skipif(not shutil.which("tar"), reason="needs GNU tar")
def test_gnu_tar_reads_it_without_a_word(tmp_path):
    root = tmp_path / "root"
    for name in ("f", "d/" + "n" * 150, "é"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    os.symlink("x" * 150, root / "l")
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(["tar", "-xf", "-", "-C", out], input=packed(root), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    os.remove(out / "Dockerfile.sent")
    assert subprocess.run(["diff", "-r", "--no-dereference", root, out], capture_output=True, check=False).stdout == b""


def test_equal_content_gives_equal_bytes(tmp_path):
    roots = []
    for name, order in (("one", "abc"), ("two", "cab")):
        root = tmp_path / name
        root.mkdir()
        for letter in order:
            (root / letter).write_text(letter)
            os.utime(root / letter, (1, 1))
        roots.append(root)
    assert packed(roots[0]) == packed(roots[1])


def test_times_before_1970_and_after_2242_are_kept(tmp_path):
    entries = [Entry("old", "dir", 0o755, 0, -5_500_000_000), Entry("new", "dir", 0o755, 0, 9_000_000_000_000_000_000)]
    found, _ = members(packed(tmp_path, entries))
    assert (found["old"].mtime, found["new"].mtime) == (-6, 9_000_000_000)


def test_a_device_keeps_its_numbers(tmp_path):
    found, _ = members(
        packed(tmp_path, [Entry("null", "char", 0o666, 0, 0, device=(1, 3)), Entry("sda", "block", 0o660, 0, 0, device=(8, 0))])
    )
    assert found["null"].ischr()
    assert (found["null"].devmajor, found["null"].devminor) == (1, 3)
    assert found["sda"].isblk()


def test_extended_attributes_have_a_header_of_their_own(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    value = b"with\0null=\xff" + b"v" * 90
    try:
        os.setxattr(tmp_path / "b", "user.some", value)
    except OSError:
        pytest.skip("the file system has no extended attributes for users")
    found, _ = members(packed(tmp_path))
    assert found["b"].pax_headers["SCHILY.xattr.user.some"].encode("utf-8", "surrogateescape") == value
    assert not found["a"].pax_headers


def test_a_sparse_file_larger_than_8_gib_is_sent_whole_in_little_memory(tmp_path):
    size = 8 * 1024**3 + 5
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(size)
    chunks = stream(tmp_path, walk(tmp_path), FIRST, TEXT)
    head = next(chunks)
    assert tarfile.TarInfo.frombuf(head[1024:1536], "utf-8", "strict").size == size
    assert len(head) < 2**20
    assert len(next(chunks)) < 2**20


def test_a_socket_is_an_empty_file(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o755)
        found, contents = members(packed(tmp_path))
    assert (found["s"].isreg(), found["s"].mode, contents["s"]) == (True, 0o755, b"")


def test_a_file_that_has_vanished_is_left_out(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    entries = list(walk(tmp_path))
    os.remove(tmp_path / "b")
    assert set(members(packed(tmp_path, entries))[0]) == {"Dockerfile.sent", "a", "c"}


def test_a_file_that_changed_before_it_is_read_is_sent_as_it_is_then(tmp_path):
    (tmp_path / "a").write_text("short")
    entries = list(walk(tmp_path))
    (tmp_path / "a").write_text("much longer than it was")
    assert members(packed(tmp_path, entries))[1]["a"] == b"much longer than it was"


@pytest.mark.parametrize("change", ["grow", "shrink", "same size"])
def test_a_file_that_changes_while_it_is_read_ends_the_archive(tmp_path, change):
    path = tmp_path / "big"
    path.write_bytes(b"x" * 2**20)
    os.utime(path, (1, 1))
    chunks = stream(tmp_path, walk(tmp_path), FIRST, TEXT)
    next(chunks)
    if change == "grow":
        with open(path, "ab") as file:
            file.write(b"y")
    elif change == "shrink":
        os.truncate(path, 10)
    else:
        path.write_bytes(b"z" * 2**20)
    with pytest.raises(ContextError, match="big changed while it was sent"):
        list(chunks)


def test_a_file_that_became_a_link_or_a_folder_is_not_followed(tmp_path):
    (tmp_path / "a").write_text("x")
    entries = list(walk(tmp_path))
    os.remove(tmp_path / "a")
    os.symlink("/etc/passwd", tmp_path / "a")
    with pytest.raises(ContextError):
        packed(tmp_path, entries)
    os.remove(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(ContextError, match="a changed while it was sent"):
        packed(tmp_path, entries)


def test_a_file_that_may_not_be_read_is_named(tmp_path, run_as_nobody):
    (tmp_path / "shut").write_text("x")
    os.chmod(tmp_path / "shut", 0)
    script = "from dfkit.context.planning import plan; list(plan(sys.argv[1]).archive(b'FROM x'))"
    assert "shut cannot be read (Permission denied); change its mode or add it to .dockerignore." in run_as_nobody(
        script, tmp_path
    )
