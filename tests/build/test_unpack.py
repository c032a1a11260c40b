"""Tars put into folders: honest ones, ones over an older output, and ones that try to get out."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.build.tarstream import Member, TarError, TarStream
from dfkit.build.unpack import Unpacker

FILE, DIR, SYM, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def written(*members):
    """A tar of (path, type, content or target[, mode[, time]])."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, kind, what, *rest in members:
            member = tarfile.TarInfo(path)
            member.type = kind
            member.mode = rest[0] if rest else 0o755 if kind == DIR else 0o644
            member.mtime = rest[1] if len(rest) > 1 else 0
            if kind == FILE:
                member.size = len(what)
                tar.addfile(member, io.BytesIO(what))
            else:
                member.linkname = what
                tar.addfile(member)
    return raw.getvalue()


def unpack(folder, *members):
    """Put members into a folder; how many were skipped."""
    with Unpacker(str(folder)) as unpacker:
        tar = TarStream(iter([written(*members)]))
        for member in tar:
            unpacker.put(member, tar.content())
    return unpacker.skipped


def tree(folder):
    """All that is in a folder: contents, targets, None for a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


@pytest.fixture
def out(tmp_path):
    return tmp_path / "some" / "out"


def test_files_folders_and_links_are_made(out):
    unpack(
        out,
        ("./", DIR, ""),
        ("bin/", DIR, ""),
        ("bin/tool", FILE, b"#!"),
        ("bin/same", LINK, "bin/tool"),
        ("bin/sh", SYM, "/bin/busybox"),
        ("lib", SYM, "usr/lib"),
        ("no/folder/named/file", FILE, b"x"),
        ("empty", FILE, b""),
    )
    assert tree(out) == {
        "bin": None,
        "bin/same": b"#!",
        "bin/sh": "/bin/busybox",
        "bin/tool": b"#!",
        "empty": b"",
        "lib": "usr/lib",
        "no": None,
        "no/folder": None,
        "no/folder/named": None,
        "no/folder/named/file": b"x",
    }
    assert (out / "bin/tool").samefile(out / "bin/same")
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


def test_modes_and_times_are_kept_also_of_folders_that_are_closed(out):
    unpack(
        out,
        ("d", DIR, "", 0o555, 1_000_000_000),
        ("d/e", DIR, "", 0o1777, 1_100_000_000),
        ("d/e/file", FILE, b"x", 0o4751, 1_200_000_000),
        ("d/sym", SYM, "e", 0o777, 1_300_000_000),
    )
    found = {name: (out / name).lstat() for name in ("d", "d/e", "d/e/file", "d/sym")}
    assert {name: int(status.st_mtime) for name, status in found.items()} == {
        "d": 1_000_000_000,
        "d/e": 1_100_000_000,
        "d/e/file": 1_200_000_000,
        "d/sym": 1_300_000_000,
    }
    assert [oct(stat.S_IMODE(found[name].st_mode)) for name in ("d", "d/e", "d/e/file")] == ["0o555", "0o1777", "0o4751"]
    unpack(out, ("d", DIR, "", 0o555), ("d/e", DIR, "", 0o755), ("d/e/new", FILE, b"y"))
    assert (out / "d/e/new").read_bytes() == b"y"


@pytest.mark.parametrize("mtime", [-(1 << 80), 1 << 80])
def test_a_time_beyond_all_files_is_the_next_that_can_be(out, mtime):
    with Unpacker(str(out)) as unpacker:
        unpacker.put(Member("a", "file", 0o644, mtime, 0, ""), iter(()))
    assert (out / "a").exists()


def test_what_is_in_the_way_is_replaced_and_the_rest_stays(out, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    unpack(
        out,
        ("stays", FILE, b"1"),
        ("file", FILE, b"old", 0o600),
        ("to-link", FILE, b"old"),
        ("to-folder", FILE, b"old"),
        ("empty", DIR, ""),
        ("folder/stays", FILE, b"2"),
        ("folder-link", SYM, str(outside)),
        ("link", SYM, str(outside / "kept")),
    )
    unpack(
        out,
        ("file", FILE, b"new"),
        ("to-link", SYM, "file"),
        ("to-folder", DIR, ""),
        ("empty", FILE, b"now a file"),
        ("folder", DIR, ""),
        ("folder-link", DIR, ""),
        ("folder-link/a", FILE, b"a"),
        ("link", FILE, b"not through it"),
    )
    assert tree(out) == {
        "empty": b"now a file",
        "file": b"new",
        "folder": None,
        "folder-link": None,
        "folder-link/a": b"a",
        "folder/stays": b"2",
        "link": b"not through it",
        "stays": b"1",
        "to-folder": None,
        "to-link": "file",
    }
    assert stat.S_IMODE((out / "file").stat().st_mode) == 0o644
    assert tree(outside) == {"kept": b"kept"}


def test_a_folder_with_files_is_not_thrown_away_for_a_file(out):
    unpack(out, ("src/precious", FILE, b"1"))
    with pytest.raises(OSError, match="not empty"):
        unpack(out, ("src", FILE, b"2"))
    assert tree(out) == {"src": None, "src/precious": b"1"}


def test_devices_and_pipes_are_counted_and_not_made(out):
    members = [("pipe", tarfile.FIFOTYPE, ""), ("null", tarfile.CHRTYPE, ""), ("disk", tarfile.BLKTYPE, ""), ("a", FILE, b"a")]
    assert unpack(out, *members) == 3
    assert tree(out) == {"a": b"a"}


def attributes(path):
    return {key: os.getxattr(path, key) for key in os.listxattr(path)}


def put(folder, *members):
    """Put members without content; how many lack an attribute."""
    with Unpacker(str(folder)) as unpacker:
        for member in members:
            unpacker.put(member, iter(()))
    return unpacker.bare


@pytest.fixture
def xattrs(tmp_path):
    """A folder that takes attributes."""
    try:
        os.setxattr(tmp_path, "user.probe", b"")
    except (AttributeError, OSError):
        pytest.skip("the file system has no extended attributes")
    return tmp_path


def test_attributes_are_kept_also_where_the_mode_forbids_to_write(xattrs):
    some = {"user.some": b"a\0b", "user.\udcff": b"", "user.é": b"x" * 300}
    bare = put(
        xattrs,
        Member("d", "dir", 0o555, 0, 0, "", some),
        Member("d/file", "file", 0o400, 10**18, 0, "", some),
        Member("d/plain", "file", 0o644, 0, 0, ""),
    )
    assert bare == 0
    assert attributes(xattrs / "d") == attributes(xattrs / "d" / "file") == some
    assert attributes(xattrs / "d" / "plain") == {}
    assert (xattrs / "d" / "file").stat().st_mtime_ns == 10**18
    assert put(xattrs, Member("d", "dir", 0o555, 0, 0, "", {"user.some": b"new"}), Member("d/file", "file", 0o400, 0, 0, "")) == 0
    assert attributes(xattrs / "d") == {**some, "user.some": b"new"}
    assert attributes(xattrs / "d" / "file") == {}


def test_attributes_that_cannot_be_are_counted(xattrs):
    odd = {"user.a\0b": b"x", "": b"x", "user." + "n" * 300: b"x", "user.large": b"x" * 100_000, "nothing": b"x"}
    members = [Member(f"f{number}", "file", 0o644, 0, 0, "", {key: value}) for number, (key, value) in enumerate(odd.items())]
    assert put(xattrs, *members, Member("f", "file", 0o644, 0, 0, "", {**odd, "user.good": b"x"})) == len(odd) + 1
    assert attributes(xattrs / "f") == {"user.good": b"x"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_attributes_of_the_system_are_for_root_alone(xattrs):
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    member = Member("tool", "file", 0o755, 0, 0, "", {"security.capability": capability, "user.some": b"x"})
    assert put(xattrs, member) == 0
    assert attributes(xattrs / "tool") == member.xattrs
    nobody = 65534
    os.chown(xattrs, nobody, nobody)
    with Unpacker(str(xattrs)) as unpacker:
        try:
            os.seteuid(nobody)
            unpacker.put(member, iter(()))
        finally:
            os.seteuid(0)
    assert unpacker.bare == 1
    assert attributes(xattrs / "tool") == {"user.some": b"x"}


ESCAPES = {
    "a path that goes up": [("../evil", FILE, b"x")],
    "a path that goes up in the middle": [("a", DIR, ""), ("a/../../evil", FILE, b"x")],
    "an absolute path": [("{outside}/evil", FILE, b"x")],
    "an absolute folder": [("{outside}/evil", DIR, "")],
    "through a link of the tar": [("a", SYM, "{outside}"), ("a/evil", FILE, b"x")],
    "through a relative link of the tar": [("a", SYM, "../../outside"), ("a/evil", FILE, b"x")],
    "through two links of the tar": [("a", SYM, "{outside}"), ("b", SYM, "a"), ("b/evil", FILE, b"x")],
    "a folder through a link": [("a", SYM, "{outside}"), ("a/evil", DIR, "")],
    "a link through a link": [("a", SYM, "{outside}"), ("a/evil", SYM, "x")],
    "through a link that was there": [("there/evil", FILE, b"x")],
    "through a folder that becomes a link": [
        ("a", DIR, ""),
        ("a/b", DIR, ""),
        ("a/b", SYM, "{outside}"),
        ("a/b/evil", FILE, b"x"),
    ],
    "a hard link to a path above": [("a", LINK, "../../outside/kept")],
    "a hard link to an absolute path": [("a", LINK, "{outside}/kept")],
    "a hard link through a link of the tar": [("a", SYM, "{outside}"), ("b", LINK, "a/kept")],
    "a hard link through a link that was there": [("b", LINK, "there/kept")],
    "a hard link to nothing": [("a", LINK, "")],
    "a file without a name": [("/", FILE, b"x")],
    "a file named as the folder": [(".", FILE, b"x")],
    "a zero byte": [("a\0b", SYM, "x")],
}


@pytest.mark.parametrize("members", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_gets_out(out, tmp_path, members):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    out.mkdir(parents=True)
    (out / "there").symlink_to(outside)

    def placed(text):
        return text.replace("{outside}", str(outside))

    kinds = {FILE: "file", DIR: "dir", SYM: "symlink", LINK: "link"}

    def put_all():
        with Unpacker(str(out)) as unpacker:
            for path, kind, what in members:
                target = placed(what) if kind in (SYM, LINK) else ""
                unpacker.put(Member(placed(path), kinds[kind], 0o644, 0, 0, target), iter([what] if kind == FILE else ()))

    with pytest.raises(TarError):
        put_all()
    assert tree(outside) == {"kept": b"kept"}
    assert (outside / "kept").stat().st_nlink == 1
    assert sorted(os.listdir(tmp_path)) == ["outside", "some"]
    assert os.listdir(tmp_path / "some") == ["out"]


def test_a_hard_link_to_a_symlink_does_not_follow_it(out, tmp_path):
    (tmp_path / "secret").write_text("secret")
    unpack(out, ("a", SYM, str(tmp_path / "secret")), ("b", LINK, "a"))
    assert os.readlink(out / "b") == str(tmp_path / "secret")
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_the_mode_and_time_of_a_folder_are_not_set_through_a_link(out, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    unpack(out, ("a", DIR, "", 0o777), ("a", SYM, str(outside)))
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700


def test_a_failure_leaves_the_old_file_and_nothing_else(out):
    unpack(out, ("a", FILE, b"old"))

    def broken():
        yield b"new"
        raise TarError("it is cut off")

    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(TarError), Unpacker(str(out)) as unpacker:
        unpacker.put(Member("a", "file", 0o644, 0, 10, ""), broken())
    assert tree(out) == {"a": b"old"}
    assert os.listdir("/proc/self/fd") == descriptors


def test_linking_a_file_to_itself_leaves_no_other_name(out):
    unpack(out, ("a", FILE, b"a"), ("b", LINK, "a"), ("b", LINK, "a"), ("a", LINK, "a"))
    assert tree(out) == {"a": b"a", "b": b"a"}


def test_a_reader_never_sees_half_a_file(out):
    unpack(out, ("a", FILE, b"old"))
    seen = []

    def slowly():
        for _ in range(3):
            yield b"new"
            seen.append((out / "a").read_bytes())

    with Unpacker(str(out)) as unpacker:
        unpacker.put(Member("a", "file", 0o644, 0, 9, ""), slowly())
    assert seen == [b"old"] * 3
    assert tree(out) == {"a": b"newnewnew"}


NAMES = st.sampled_from(
    ["a", "b", "..", ".", "there", "there-file", "a/b", "b/a", "a/../b", "there/x", "there-file/x", "/a", "", "a/b/a"]
)
TARGETS = st.sampled_from(
    ["a", "b", "a/b", "..", "../outside", "../../outside/kept", "/{outside}", "/{outside}/kept", "there", "there/kept", "."]
)
MEMBERS = st.lists(
    st.tuples(st.sampled_from(["file", "dir", "symlink", "link", "special"]), NAMES, TARGETS), min_size=1, max_size=8
)


@given(MEMBERS)
def test_no_order_of_entries_gets_out(members):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        outside, out = root / "outside", root / "some" / "out"
        outside.mkdir()
        (outside / "kept").write_text("kept")
        out.mkdir(parents=True)
        (out / "there").symlink_to(outside)
        (out / "there-file").symlink_to(outside / "kept")
        (outside / "kept").chmod(0o604)
        before = {path: (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in (outside, outside / "kept")}
        with suppress(TarError, OSError), Unpacker(str(out)) as unpacker:
            for kind, path, target in members:
                target = target.replace("/{outside}", str(outside))
                unpacker.put(Member(path, kind, 0o777, 10**18, 1, target), iter([b"x"]))
        assert sorted(os.listdir(root)) == ["outside", "some"]
        assert os.listdir(root / "some") == ["out"]
        assert tree(outside) == {"kept": b"kept"}
        assert (outside / "kept").stat().st_nlink == 1
        assert {path: (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in before} == before
        assert not any(name.startswith(".dfkit-") for _, folders, files in os.walk(out) for name in (*folders, *files))
