from __future__ import annotations

import hashlib
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.errors import UsageError
from dfkit.image.flatten import flatten, hard_links
from dfkit.image.saved import SavedImage

DIR, LINK, SYM = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE


@pytest.fixture(scope="session")
def files(make):
    """The files that layers, given as lists of members, add up to."""

    def flat(*layers):
        with make.image(*layers) as image:
            return flatten(image).files

    return flat


def test_a_whiteout_hides_what_is_below(make, files):
    h = make.header
    flat = files([h("d", DIR), h("d/a"), h("d/b"), h("e", DIR), h("e/f", DIR), h("e/f/x")], [h("d/.wh.a"), h(".wh.e")])
    assert set(flat) == {"/", "/d", "/d/b"}


def test_a_whiteout_leaves_its_own_layer_alone(make, files):
    h = make.header
    flat = files([h("a", data=b"old")], [h("a", data=b"new"), h(".wh.a")])
    assert flat["/a"].size == 3
    assert flat["/a"].sha256 == hashlib.sha256(b"new").hexdigest()


def test_an_opaque_directory_hides_the_lower_ones_content_only(make, files):
    h = make.header
    flat = files([h("d", DIR), h("d/old", DIR), h("d/old/x")], [h("d", DIR, mode=0o700), h("d/new"), h("d/.wh..wh..opq")])
    assert set(flat) == {"/", "/d", "/d/new"}
    assert flat["/d"].mode == 0o700


def test_a_directory_listed_again_keeps_its_content(make, files):
    h = make.header
    flat = files([h("d", DIR), h("d/x")], [h("d/", DIR, uid=7)])
    assert set(flat) == {"/", "/d", "/d/x"}
    assert flat["/d"].uid == 7


def test_a_file_replaces_a_directory_and_a_directory_a_file(make, files):
    h = make.header
    flat = files([h("d", DIR), h("d/x"), h("f")], [h("d"), h("f", DIR), h("f/y")])
    assert {path: entry.type for path, entry in flat.items()} == {
        "/": "directory",
        "/d": "file",
        "/f": "directory",
        "/f/y": "file",
    }


def test_a_directory_replaces_a_symbolic_link(make, files):
    h = make.header
    flat = files(
        [h("usr", DIR), h("usr/lib", DIR), h("usr/lib/a"), h("lib", SYM, linkname="usr/lib")], [h("lib", DIR), h("lib/b")]
    )
    assert set(flat) == {"/", "/usr", "/usr/lib", "/usr/lib/a", "/lib", "/lib/b"}


def test_a_path_through_a_symbolic_link_goes_where_it_leads(make, files):
    h = make.header
    base = [h("usr", DIR), h("usr/lib", DIR), h("usr/lib/a"), h("lib", SYM, linkname="usr/lib"), h("l", SYM, linkname="/lib")]
    flat = files(base, [h("lib/b"), h("l/deep/c"), h("l/.wh.a")])
    assert set(flat) == {"/", "/usr", "/usr/lib", "/usr/lib/b", "/usr/lib/deep", "/usr/lib/deep/c", "/lib", "/l"}


def test_a_symbolic_link_cannot_lead_out_of_the_image(make, files):
    h = make.header
    flat = files([h("up", SYM, linkname="../../..")], [h("up/x"), h("../../y"), h("/z")])
    assert set(flat) == {"/", "/up", "/x", "/y", "/z"}


def test_symbolic_links_in_a_circle_end(make, files):
    h = make.header
    assert "/a/x" in files([h("a", SYM, linkname="b"), h("b", SYM, linkname="a")], [h("a/x")])


def test_hard_links_are_names_of_one_file(make, files):
    h = make.header
    flat = files([h("a", data=b"1"), h("b", LINK, linkname="a"), h("c", data=b"1")], [h("d", LINK, linkname="./b"), h(".wh.a")])
    assert flat["/b"] is flat["/d"]
    assert flat["/c"] is not flat["/b"]
    assert hard_links(flat) == {"/b": ("/b", "/d"), "/d": ("/b", "/d")}


def test_a_name_written_again_leaves_its_group(make, files):
    h = make.header
    flat = files([h("a", data=b"1"), h("b", LINK, linkname="a")], [h("b", data=b"2")])
    assert hard_links(flat) == {}
    assert flat["/a"].sha256 != flat["/b"].sha256


def test_a_hard_link_to_nothing_is_said(make, files):
    with pytest.raises(UsageError, match="/b is a hard link to /a, which is not there"):
        files([make.header("b", LINK, linkname="a")])


def test_an_entry_has_all_that_the_tar_says(make, files):
    h = make.header
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\xff\n=\x00"
    xattrs = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"), "SCHILY.xattr.user.a": "b"}
    flat = files(
        [
            h("ping", data=b"elf", mode=0o4755, uid=3_000_000, gid=5, pax_headers=xattrs),
            h("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
            h("disk", tarfile.BLKTYPE, devmajor=8, devminor=1),
            h("pipe", tarfile.FIFOTYPE),
            h("link", SYM, linkname="../target"),
        ]
    )
    ping = flat["/ping"]
    assert (ping.type, ping.mode, ping.uid, ping.gid, ping.size) == ("file", 0o4755, 3_000_000, 5, 3)
    assert ping.sha256 == ping.stable_sha256 == hashlib.sha256(b"elf").hexdigest()
    assert ping.xattrs == (("security.capability", capability), ("user.a", b"b"))
    assert [flat[path].type for path in ("/null", "/disk", "/pipe", "/link")] == ["char", "block", "fifo", "symlink"]
    assert (flat["/null"].device, flat["/disk"].device, flat["/pipe"].device) == ((1, 3), (8, 1), None)
    assert flat["/link"].linkname == "../target"


@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_odd_and_long_names_survive(make, layout):
    names = ["a b", "n\nl", "wh.", "..x", "é", b"\xff\xfe".decode("utf-8", "surrogateescape"), "d/" * 80 + "l" * 120, "x=1"]
    layer = make.tar(*(make.header(name) for name in names), make.header("s", SYM, linkname="t" * 300), layout=layout)
    with SavedImage.read([make.docker_archive([layer])]) as image:
        flat = flatten(image).files
    assert {"/" + name for name in names} < set(flat)
    assert flat["/s"].linkname == "t" * 300


def test_the_root_and_missing_folders_are_there(make, files):
    assert files([]) == {"/": files([])["/"]}
    flat = files([make.header("./", DIR, mode=0o700), make.header("a/b/c")])
    assert flat["/"].mode == 0o700
    assert (flat["/a"].type, flat["/a/b"].mode) == ("directory", 0o755)


def test_bookkeeping_of_aufs_is_no_file(make, files):
    assert set(files([make.header(".wh..wh.plnk", DIR), make.header(".wh..wh.aufs")])) == {"/"}


def test_a_pyc_has_a_second_hash_without_the_time_of_its_source(make, files):
    def pyc(time, flags=0, body=b"code"):
        return b"\xa7\x0d\r\n" + flags.to_bytes(4, "little") + time.to_bytes(4, "little") + b"\x05\0\0\0" + body

    def both(name, **fields):
        entry = files([make.header(name, data=pyc(**fields))])["/" + name]
        return entry.sha256, entry.stable_sha256

    assert both("a.pyc", time=1)[0] != both("a.pyc", time=2)[0]
    assert both("a.pyc", time=1)[1] == both("a.pyc", time=2)[1]
    assert both("a.pyc", time=1)[1] != both("a.pyc", time=1, body=b"evil")[1]
    assert both("a.pyc", time=1, flags=1)[1] != both("a.pyc", time=2, flags=1)[1]
    assert both("a.txt", time=1)[1] != both("a.txt", time=2)[1]
    assert both("a.pyc", time=1, body=b"")[0] == hashlib.sha256(pyc(1, body=b"")).hexdigest()


names = st.sampled_from(["a", "b", "c", "wh"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
one_change = st.one_of(
    st.tuples(st.just("dir"), paths, st.integers(0, 2)),
    st.tuples(st.just("file"), paths, st.integers(0, 2)),
    st.tuples(st.just("white"), paths, st.just(0)),
    st.tuples(st.just("opaque"), paths, st.just(0)),
)


def model(layers):
    """The same by the plainest means: nested dicts for directories, numbers for files, one whole copy a layer."""
    root: dict[str, Any] = {}
    owners: dict[int, int] = {}

    def walk(path, make):
        here = root
        for name in path[:-1]:
            if not isinstance(here.get(name), dict):
                if not make:
                    return None
                here[name] = {}
                owners[id(here[name])] = 0
            here = here[name]
        return here

    for layer in layers:
        for kind, path, _ in layer:
            steps = path.split("/")
            if kind == "white" and (folder := walk(steps, False)) is not None:
                folder.pop(steps[-1], None)
            if kind == "opaque" and (folder := walk([*steps, ""], False)) is not None:
                folder.clear()
        for kind, path, owner in layer:
            steps = path.split("/")
            if kind == "file":
                walk(steps, True)[steps[-1]] = owner
            if kind == "dir":
                folder = walk([*steps, ""], True)
                owners[id(folder)] = owner

    def listing(folder, at):
        for name, value in folder.items():
            if isinstance(value, dict):
                yield f"{at}/{name}", ("directory", owners[id(value)])
                yield from listing(value, f"{at}/{name}")
            else:
                yield f"{at}/{name}", ("file", value)

    return dict(listing(root, ""))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(one_change, max_size=8), max_size=4))
def test_random_layers_add_up_as_in_the_plainest_model(make, files, layers):
    def member(kind, path, owner):
        folder, _, name = path.rpartition("/")
        if kind == "white":
            return make.header(f"{folder}/.wh.{name}" if folder else f".wh.{name}")
        if kind == "opaque":
            return make.header(f"{path}/.wh..wh..opq")
        return make.header(path, DIR if kind == "dir" else tarfile.REGTYPE, uid=owner)

    flat = files(*([member(*change) for change in layer] for layer in layers))
    found = {path: (entry.type, entry.uid) for path, entry in flat.items() if path != "/"}
    assert found == model(layers)
