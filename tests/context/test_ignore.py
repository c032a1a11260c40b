from __future__ import annotations

import pytest

from dfkit.context.ignore import IgnoreError, IgnoreFile, load
from dfkit.context.place import ignore_file
from dfkit.errors import UsageError


def texts(text):
    return [("!" if line.pattern.exception else "") + line.pattern.text for line in IgnoreFile.read(text).lines]


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("\ufeffa\n\ufeffb", ["a", "\ufeffb"]),
        ("\ufeff# said\na", ["a"]),
        ("# a comment\n #a\n#\n", ["#a"]),
        ("  a  \n\t\n\n\u00a0b\u2003\n", ["a", "b"]),
        ("/a/b\n//c\n/\n", ["a/b", "c", "/"]),
        ("! a\n!/b\n!./c/\n", ["!a", "!b", "!c"]),
        ("a/../b\n./\n..\n", ["b", ".", ".."]),
        ("\x1fa\né\n", ["\x1fa", "é"]),
        ("a b\n", ["a b"]),
        ("\udcff\n", ["\udcff"]),
        ("", []),
    ],
)
def test_lines_are_read_as_moby_reads_them(text, patterns):
    assert texts(text) == patterns


def test_a_pattern_knows_its_line_and_its_place():
    text = "\ufeff# one\n\n  !a/b \t\r\nc"
    first, second = IgnoreFile.read(text).lines
    assert (first.line, text[first.span.start : first.span.end]) == (3, "!a/b")
    assert (second.line, text[second.span.start : second.span.end]) == (4, "c")
    bom = IgnoreFile.read("\ufeff a").lines[0]
    assert "\ufeff a"[bom.span.start : bom.span.end] == "a"


@pytest.mark.parametrize("bad", ["!", "! ", "!/", "[", "a[]b]", "a\\"])
def test_a_bad_pattern_is_named_with_its_line(bad):
    with pytest.raises(IgnoreError) as caught:
        IgnoreFile.read(f"# said\nok\n{bad}\n", "sub/.dockerignore")
    assert (caught.value.file, caught.value.line) == ("sub/.dockerignore", 3)
    assert str(caught.value).startswith("sub/.dockerignore:3: the pattern `")


def test_a_pattern_that_no_path_comes_to_may_be_wrong():
    ignore = IgnoreFile.read("*\n!keep\n\\q\n")
    assert ignore.ignores("a")
    with pytest.raises(IgnoreError, match=r"^\.dockerignore:3: the pattern `\\q` is not valid: "):
        ignore.ignores("keep")


def test_a_line_that_is_too_long_for_docker_is_named():
    with pytest.raises(IgnoreError, match=r"^\.dockerignore:1: .*64 KiB"):
        IgnoreFile.read("é" * 32768 + "\n")
    assert len(IgnoreFile.read("a" * 65535 + "\n").lines) == 1


@pytest.mark.parametrize("control", ["\t", "\0", "\x1b", "\x7f"])
def test_a_control_character_is_refused_as_the_engine_cannot_send_it(control):
    with pytest.raises(IgnoreError, match=r"^\.dockerignore:2: .*control character"):
        IgnoreFile.read(f"ok\na{control}b\n")
    assert len(IgnoreFile.read(f"é\na{control}b\n").lines) == 2
    assert len(IgnoreFile.read(f"# {control}\na\t\n").lines) == 1


def test_the_deciding_line_is_told():
    ignore = IgnoreFile.read("*.md\n!README.md\nbuild\n!build/*/**\n")

    def decided(path):
        line = ignore.decided_by(path)
        return line and line.line

    assert (decided("a.md"), ignore.ignores("a.md")) == (1, True)
    assert (decided("README.md"), ignore.ignores("README.md")) == (2, False)
    assert (decided("src/x.c"), ignore.ignores("src/x.c")) == (None, False)
    assert (decided("build/x/f"), ignore.ignores("build/x/f")) == (3, True)


def test_the_ignore_file_of_the_dockerfile_comes_first(tmp_path):
    assert ignore_file(tmp_path, None) is None
    (tmp_path / ".dockerignore").write_text("a")
    (tmp_path / "docker").mkdir()
    dockerfile = tmp_path / "docker" / "web.Dockerfile"
    assert ignore_file(tmp_path, dockerfile) == str(tmp_path / ".dockerignore")
    own = tmp_path / "docker" / "web.Dockerfile.dockerignore"
    own.write_text("")
    assert ignore_file(tmp_path, dockerfile) == str(own)


def test_an_ignore_file_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "none")
