"""The reader against tars that Python's library writes, and against bytes that nobody should write."""

from __future__ import annotations

import io
import random
import tarfile
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.build.tarstream import LARGEST_EXTENSION, Member, TarError, TarStream

LONG = "a" * 90 + "/" + "b" * 90 + "/" + "ü" * 60


def written(members, form=tarfile.PAX_FORMAT):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as tar:
        for name, fields in members:
            member = tarfile.TarInfo(name)
            data = fields.pop("data", b"")
            for key, value in fields.items():
                setattr(member, key, value)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def read(data, step=None):
    """All members with their contents; `step` is the size of the pieces that the tar comes in."""
    step = step or len(data) or 1
    tar = TarStream(data[at : at + step] for at in range(0, len(data), step))
    return [(member, b"".join(tar.content())) for member in tar]


def header(name=b"a", kind=b"0", size=0, **fields):
    """A header block with a right checksum."""
    block = bytearray(512)
    values = {0: name, 100: b"0000644\0", 124: b"%011o\0" % size, 136: b"00000000000\0", 156: kind, 257: b"ustar\x0000"}
    values |= {int(at.removeprefix("at")): value for at, value in fields.items()}
    for at, value in values.items():
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def extension(kind, data):
    return header(kind=kind, size=len(data)) + data + bytes(-len(data) % 512)


END = bytes(1024)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"])
@pytest.mark.parametrize("step", [1, 7, 512, 1000, None])
def test_what_a_tar_says_is_read(form, step):
    data = random.Random(1).randbytes(1300)
    tar = written(
        [
            ("d", {"type": tarfile.DIRTYPE, "mode": 0o1777, "mtime": 1_600_000_000}),
            ("d/file", {"data": data, "mode": 0o4755, "mtime": 1_700_000_000}),
            ("d/empty", {"mode": 0}),
            ("d/sym", {"type": tarfile.SYMTYPE, "linkname": "../elsewhere"}),
            ("d/link", {"type": tarfile.LNKTYPE, "linkname": "d/file"}),
            ("d/null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),
            ("d/pipe", {"type": tarfile.FIFOTYPE}),
        ],
        form,
    )
    assert read(tar, step) == [
        (Member("d/", "dir", 0o1777, 1_600_000_000 * 10**9, 0, ""), b""),
        (Member("d/file", "file", 0o4755, 1_700_000_000 * 10**9, 1300, ""), data),
        (Member("d/empty", "file", 0, 0, 0, ""), b""),
        (Member("d/sym", "symlink", 0o644, 0, 0, "../elsewhere"), b""),
        (Member("d/link", "link", 0o644, 0, 0, "d/file"), b""),
        (Member("d/null", "special", 0o644, 0, 0, ""), b""),
        (Member("d/pipe", "special", 0o644, 0, 0, ""), b""),
    ]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_and_exact_times_are_read(form):
    (file, content), (link, _) = read(
        written([(LONG, {"data": b"x", "mtime": 1.5}), ("s", {"type": tarfile.SYMTYPE, "linkname": LONG})], form)
    )
    assert (file.path, content, link.target) == (LONG, b"x", LONG)
    assert file.mtime == (1_500_000_000 if form == tarfile.PAX_FORMAT else 10**9)


def test_a_name_in_two_parts_is_read():
    assert read(header(b"name", at345=b"some/prefix") + END)[0][0].path == "some/prefix/name"
    assert read(header(b"name", at345=b"prefix", at257=b"ustar  \0") + END)[0][0].path == "name"


def test_pax_records_go_before_the_header_and_do_not_outlive_their_entry():
    records = b"16 path=pa x/\xff\xfe\n"
    (first, data), (second, _) = read(
        extension(b"x", records + b"10 size=3\n" + b"19 mtime=-1.000001\n") + header() + b"abc" + bytes(509) + header(b"b") + END
    )
    assert (first.path, first.size, data) == ("pa x/\udcff\udcfe", 3, b"abc")
    assert first.mtime == -(10**9) - 1000
    assert (second.path, second.size, second.mtime) == ("b", 0, 0)


def test_attributes_are_those_of_their_entry():
    records = b"26 SCHILY.xattr.user.a=b\0\n" + b"26 SCHILY.xattr.user.\xff=\n=\n" + b"13 comment=x\n"
    (first, _), (second, _) = read(extension(b"x", records) + header() + header(b"b") + END)
    assert first.xattrs == {"user.a": b"b\0", "user.\udcff": b"\n="}
    assert second.xattrs == {}


def test_content_that_is_not_taken_is_skipped():
    data = written([("a", {"data": b"x" * 5000}), ("b", {"data": b"y"})])
    tar = TarStream(iter([data]))
    found = []
    for member in tar:
        found.append(member.path)
        next(tar.content())
    assert found == ["a", "b"]


def test_what_follows_the_end_is_read_and_dropped():
    taken = []

    def chunks():
        for chunk in (header(), END, b"more", b"and more"):
            taken.append(chunk)
            yield chunk

    assert [member.path for member in TarStream(chunks())] == ["a"]
    assert taken[-1] == b"and more"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off"),
        (b"no tar at all", "cut off"),
        (b"x" * 512, "number|checksum"),
        (header(), "cut off"),
        (header(size=10) + b"abc", "cut off"),
        (header()[:-1] + b"x" + END, "checksum"),
        (header(kind=b"S") + END, "unknown type"),
        (header(at124=b"zzz") + END, "number"),
        (header(at124=b"\xff" * 12) + END, "number"),
        (header(kind=b"x", size=LARGEST_EXTENSION + 1) + END, "a header of"),
        (header(kind=b"L", at124=b"\x80" + b"\xff" * 11) + END, "a header of"),
        (extension(b"x", b"5 a=b\n") + header() + END, "no record"),
        (extension(b"x", b"0 a=b\n") + header() + END, "no record"),
        (extension(b"x", b"99 a=b\n") + header() + END, "no record"),
        (extension(b"x", b"x" * 100) + header() + END, "without a length"),
        (extension(b"x", b"x 1=2\n") + header() + END, "number"),
        (extension(b"x", b"11 size=-1\n") + header() + END, "number"),
        (extension(b"L", b"name") + END, "long name"),
        (extension(b"L", b"name") * 100 + header() + END, "extend each other"),
    ],
)
def test_what_is_no_tar_is_refused(data, words):
    with pytest.raises(TarError, match=words):
        read(data)


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(data):
    with suppress(TarError):
        read(data)


@given(st.data())
def test_any_change_of_a_tar_is_read_or_refused(data):
    tar = bytearray(extension(b"x", b"16 path=pa x/\xc3\xbc\n") + header(size=3) + b"abc" + bytes(509) + header(b"b") + END)
    for _ in range(data.draw(st.integers(1, 4))):
        tar[data.draw(st.integers(0, len(tar) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # so that more than the checksum is tried
        first = tar[:512]
        first[148:156] = b" " * 8
        tar[148:156] = b"%06o\0 " % sum(first)
    with suppress(TarError):
        read(bytes(tar), data.draw(st.sampled_from([None, 1, 100])))


def test_a_large_tar_takes_little_memory():
    def chunks():
        for number in range(2000):
            yield header(b"f%d" % number, size=30_000) + bytes(30_208)
        yield END

    tar = TarStream(chunks())
    tracemalloc.start()
    try:
        assert sum(len(piece) for _ in tar for piece in tar.content()) == 60_000_000
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
