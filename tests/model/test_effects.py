"""What commands read, write and delete."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dfkit.model.effects import OPAQUE, Where, covers, effects, may_match, overlaps, steps
from dfkit.shell import shell_script
from dfkit.text import Mapped

START = Where("/work", "/root", {"NAME": "app", "SPACED": "a b"})


def of(text: str, start: Where = START):
    return effects(shell_script(Mapped(text, ((0, 0),))), start)


@pytest.mark.parametrize(
    ("text", "reads", "writes", "deletes"),
    [
        ("cp a b /x", ("/work/a", "/work/b"), ("/x",), ()),
        ("mv a /b", ("/work/a",), ("/b",), ("/work/a",)),
        ("rm -rf /var/lib/apt/lists/* x", (), (), ("/var/lib/apt/lists/*", "/work/x")),
        ("rm -rf /a/{b,c}", (), (), ("/a/b", "/a/c")),
        ("rm -rf ~/.cache", (), (), ("/root/.cache",)),
        ("mkdir -m 755 -p /a/../b", (), ("/b",), ()),
        ("tar xzf a-1.tar.gz -C /opt", ("/work/a-1.tar.gz",), ("/opt",), ()),
        ("tar -cf /x.tar .", ("/work",), ("/x.tar",), ()),
        ("unzip -q a.zip -d /opt", ("/work/a.zip",), ("/opt",), ()),
        ("curl -fsSLo /x https://e.test/y", (), ("/x",), ()),
        ("curl -fsSLO 'https://e.test/y.tgz?z=1'", (), ("/work/y.tgz",), ()),
        ("wget -q https://e.test/y.tgz", (), ("/work/y.tgz",), ()),
        ("wget -P /d https://e.test/y.tgz", (), ("/d/y.tgz",), ()),
        ("ln -s /a /b", (), ("/b",), ()),
        ("sed -i s/a/b/ f", ("/work/f",), ("/work/f",), ()),
        ("sed s/a/b/ f > g", ("/work/f",), ("/work/g",), ()),
        ("echo a > /f", (), ("/f",), ()),
        ("echo a >> /f", ("/f",), ("/f",), ()),
        ("echo a > /dev/null 2>&1", (), (), ()),
        ("cat < /f | tee /g", ("/f",), ("/g",), ()),
        ("cd /a && cd b && touch c", (), ("/a/b/c",), ()),
        ("(cd /a) && touch c", (), ("/work/c",), ()),
        ("rm -rf $NAME", (), (), ("/work/app",)),
        ("D=/d; rm -rf $D", (), (), ("/d",)),
        ("sudo rm /x", (), (), ("/x",)),
        ("sh -c 'rm /x'", (), (), ("/x",)),
        ("install -d /a", (), ("/a",), ()),
        ("install -m 755 a /b", ("/work/a",), ("/b",), ()),
        ("grep -q x /f", ("/f",), (), ()),
        ("touch $(rm /x; echo a)", (), (), ("/x",)),
    ],
)
def test_paths_come_from_the_words(text, reads, writes, deletes):
    found = of(text)
    assert found.deletes == deletes
    assert found.reads == reads
    if "$(" not in text:
        assert (found.writes, found.opaque) == (writes, False)


@pytest.mark.parametrize(
    "text",
    [
        "./setup.sh", "unknown-program", "$TOOL x", "eval rm x", ". ./x", "make install", "tar --transform s/a/b/ -xf x.tar", "git pull",
        "curl -K file", "cp -t /x a b", "sed -n 'w /x' f", "rm $UNKNOWN", "touch $SPACED", "f() { rm /x; }; f", "python x.py", "pip install .",
        "wget -i list", "cd $X; touch a",
    ],
)  # fmt: skip
def test_what_is_not_known_may_do_anything(text):
    assert of(text).opaque


def test_what_is_known_of_a_deletion_stays_known():
    found = of('rm -rf "$UNKNOWN" /x')
    assert found.opaque
    assert found.deletes == ("/x",)


def test_a_relative_path_needs_a_known_folder():
    assert of("touch a", Where(None, None, {})).opaque
    assert of("touch /a", Where(None, None, {})).writes == ("/a",)


def test_a_folder_that_may_have_changed_is_not_known():
    assert of("if true; then cd /a; fi; touch b").opaque
    assert of("false || cd /a; touch b").opaque
    assert of("for d in a b; do cd $d; done; touch b").opaque


def test_package_managers_use_their_lists():
    assert of("apt-get update").writes[0] == "/var/lib/apt/lists"
    assert "/var/lib/apt/lists" in of("apt-get install -y curl").reads
    assert of("apt-get clean").deletes == ("/var/cache/apt/archives",)
    assert of("apt-get install -y ./x.deb").may_read("/work/x.deb")
    assert not of("apt-get install -y curl").may_read("/work/x.deb")
    assert of("pip install -r requirements.txt").may_read("/work/requirements.txt")


def test_downloads_and_archives_are_bulk_and_folders_are_not():
    assert of("wget https://e.test/y.tgz").bulk == ("/work/y.tgz",)
    assert of("tar xf y-1.0.tar.gz").bulk == ("/work/y-1.0",)
    assert of("tar xf y-1.0.tar.gz --strip-components=1").bulk == ("/work",)
    assert of("git clone https://e.test/a/b.git").bulk == ("/work/b",)
    assert of("mkdir /x && touch /x/y").bulk == ()


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("touch a && touch b", [True, True]),
        ("touch a; touch b", [False, True]),
        ("set -e; touch a; touch b", [False, True, True]),
        ("touch a || touch b", [False, False]),
        ("if touch a; then touch b; fi", [False, False]),
        ("touch a | touch b", [False, True]),
        ("(touch a && touch b)", [True, True]),
        ("[ -f x ] && exit 0; touch b", [False, False, False]),
        ("! touch a", [False]),
    ],
)
def test_a_step_is_sure_if_the_script_cannot_succeed_without_it(text, sure):
    assert [step.sure for step in steps(shell_script(Mapped(text, ((0, 0),))), START)] == sure


def test_a_script_that_cannot_be_read_may_do_anything():
    assert of("echo 'a") == OPAQUE


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a/b", True),
        ("/a/*", "/a/b/c", True),
        ("/a/b*", "/a/c", False),
        ("/a/b*", "/a/*c", True),
        ("/a/*", "/a/.hidden", False),
        ("/a/\\*", "/a/b", False),
        ("/a/[bc]", "/a/b", True),
        ("/ab", "/a", False),
    ],
)
def test_patterns_overlap_where_they_may_mean_the_same(one, other, answer):
    assert overlaps(one, other) is answer
    assert overlaps(other, one) is answer


@pytest.mark.parametrize(
    ("outer", "inner", "answer"),
    [("/a", "/a/b", True), ("/a/b", "/a", False), ("/a/*", "/a/b", True), ("/a/*", "/a/*", True), ("/a/b", "/a/*", False), ("/a/?", "/a/*", False)],
)  # fmt: skip
def test_a_pattern_covers_only_what_it_surely_means(outer, inner, answer):
    assert covers(outer, inner) is answer


def as_expression(pattern):
    """A component's pattern as a regular expression."""
    out = [r"(?!\.)" if pattern[0] in "*?[" else ""]
    for star, one, escaped, char in re.findall(r"(?s)(\*)|(\?|\[..*?\])|\\(.)|(.)", pattern):
        out.append(".*" if star else "." if one else re.escape(escaped or char))
    return re.compile("".join(out), re.DOTALL)


@given(st.text("ab.*?[]\\\n", min_size=1, max_size=9), st.text("ab.\n", min_size=1, max_size=7))
def test_a_component_is_matched_as_by_a_regular_expression(pattern, name):
    assume(any(char in pattern for char in "*?["))
    assert may_match(pattern, name) is (as_expression(pattern).fullmatch(name) is not None)
