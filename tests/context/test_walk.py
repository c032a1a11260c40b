from __future__ import annotations

import os
import socket
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.context.ignore import IgnoreFile
from dfkit.context.pattern import Matcher, Pattern
from dfkit.context.tree import ContextError, walk


def paths(root, patterns=()):
    return [entry.path for entry in walk(root, Matcher.parse(patterns))]


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def test_names_come_in_the_order_of_their_bytes_and_folders_before_their_content(tmp_path):
    write(tmp_path, "b/x", "b.c", "a", "B", "é", "b/a/y", "\udcff", "\ue000")
    assert paths(tmp_path) == ["B", "a", "b", "b/a", "b/a/y", "b/x", "b.c", "é", "\ue000", "\udcff"]


def test_an_entry_has_the_facts_of_its_file(tmp_path):
    write(tmp_path, "f", "d/g")
    os.chmod(tmp_path / "f", 0o4751)
    os.utime(tmp_path / "f", ns=(0, 1_500_000_000_123_456_789))
    os.symlink("../no/where", tmp_path / "d" / "l")
    os.link(tmp_path / "f", tmp_path / "h")
    os.mkfifo(tmp_path / "p", 0o600)
    found = {entry.path: entry for entry in walk(tmp_path)}
    assert (found["f"].kind, found["f"].mode, found["f"].size) == ("file", 0o4751, 1)
    assert found["f"].mtime == 1_500_000_000_123_456_789
    assert (found["d/l"].kind, found["d/l"].linkname, found["d/l"].size) == ("symlink", "../no/where", 0)
    assert found["h"].inode == found["f"].inode is not None
    assert found["d/g"].inode is None
    assert (found["p"].kind, found["p"].mode) == ("fifo", 0o600)
    assert found["d"].kind == "dir"


def test_a_socket_is_one(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o755)
        (found,) = walk(tmp_path)
    assert (found.path, found.kind, found.mode, found.size) == ("s", "socket", 0o755, 0)


def test_a_loop_of_links_is_three_links(tmp_path):
    write(tmp_path, "d/f")
    os.symlink("b", tmp_path / "a")
    os.symlink("a", tmp_path / "b")
    os.symlink("..", tmp_path / "d" / "up")
    assert paths(tmp_path) == ["a", "b", "d", "d/f", "d/up"]


def test_what_vanishes_during_the_walk_is_left_out(tmp_path):
    write(tmp_path, "a", "b", "c/d", "e")
    seen = []
    for entry in walk(tmp_path):
        seen.append(entry.path)
        if entry.path == "a":
            os.remove(tmp_path / "b")
            os.remove(tmp_path / "c" / "d")
            os.rmdir(tmp_path / "c")
    assert seen == ["a", "e"]


def test_a_root_that_is_a_link_is_followed_and_one_that_is_a_file_is_refused(tmp_path):
    write(tmp_path, "real/f")
    os.symlink("real", tmp_path / "link")
    assert paths(tmp_path / "link") == ["f"]
    with pytest.raises(ContextError, match="is not a folder"):
        paths(tmp_path / "real" / "f")
    with pytest.raises(ContextError, match="is not a folder"):
        paths(tmp_path / "none")


def test_a_folder_that_cannot_be_listed_is_named_unless_it_is_ignored(tmp_path, run_as_nobody):
    write(tmp_path, "shut/f", "g")
    os.chmod(tmp_path / "shut", 0)
    script = "import sys; from dfkit.context.tree import walk; from dfkit.context.pattern import Matcher; "
    script += "print([entry.path for entry in walk(sys.argv[1], Matcher.parse(sys.argv[2:]))])"
    assert "shut cannot be read (Permission denied)" in run_as_nobody(script, tmp_path)
    assert run_as_nobody(script, tmp_path, "shut", "!shut/f") == "['g']\n"
    os.chmod(tmp_path / "shut", 0o700)


def test_a_lenient_walk_takes_a_closed_folder_for_an_empty_one(tmp_path, run_as_nobody):
    write(tmp_path, "shut/f", "g")
    os.chmod(tmp_path / "shut", 0)
    script = "from dfkit.context.tree import walk; print([entry.path for entry in walk(sys.argv[1], lenient=True)])"
    assert run_as_nobody(script, tmp_path) == "['g', 'shut']\n"
    os.chmod(tmp_path / "shut", 0o700)


def test_parents_of_a_file_that_is_brought_back_are_kept(tmp_path):
    write(tmp_path, "d/s/keep", "d/s/x", "d/y", "z")
    assert paths(tmp_path, ["d", "!d/s/keep"]) == ["d", "d/s", "d/s/keep", "z"]
    assert paths(tmp_path, ["*", "!**/keep"]) == ["d", "d/s", "d/s/keep"]


def test_an_excluded_folder_without_anything_brought_back_is_not_kept(tmp_path):
    write(tmp_path, "d/s/x", "z")
    assert paths(tmp_path, ["d", "!**/keep"]) == ["z"]


def test_what_the_patterns_leave_out_is_told(tmp_path):
    write(tmp_path, "d/s/keep", "d/s/x", "n/a/b", "n/c", "z.log", "z")
    ignored: list[str] = []
    assert [entry.path for entry in walk(tmp_path, Matcher.parse(["*.log", "n", "d", "!d/s/keep"]), None, ignored)]
    assert ignored == ["d/s/x", "n/", "z.log"]


NAMES = ("a", "b", "ab")


@pytest.fixture(scope="module")
def bushy(tmp_path_factory):
    root = tmp_path_factory.mktemp("bushy")
    for depth in range(4):
        for parts in product(NAMES, repeat=depth):
            write(root, *("/".join((*parts, name)) for name in ("f", "a.txt")))
    return root


def reference(root, patterns):
    """BuildKit's walk, word for word: every pattern by itself, every exception looked at to prune, whole paths compared."""
    exceptions = [pattern.text.removesuffix("/**").removesuffix("/*") for pattern in patterns if pattern.exception]
    only_prefixes = not any(set(text) & set("*[]?^\\") for text in exceptions)
    kept: list[str] = []

    def below(folder, above, hidden):
        for name in sorted(os.listdir(root / folder)):
            path = f"{folder}/{name}" if folder else name
            taken, matched = False, []
            for number, pattern in enumerate(patterns):
                match = above[number] if above else False
                if not match and pattern.exception == taken:
                    match = pattern.matches(path)
                matched.append(match)
                if match:
                    taken = not pattern.exception
            is_dir = os.path.isdir(root / path)
            if taken and is_dir and only_prefixes and not any(f"{text}/".startswith(f"{path}/") for text in exceptions):
                continue
            if not taken:
                kept.extend(parent for parent in hidden if parent not in kept)
                kept.append(path)
            if is_dir:
                below(path, matched, [*hidden, path] if taken else hidden)

    below("", [], [])
    return kept


part = st.sampled_from(["a", "b", "ab", "f", "a.txt", "*", "**", "a*", "?", "*.txt", "[ab]", "[^a]", "**b"])
patterns = st.lists(
    st.builds(lambda mark, parts: mark + "/".join(parts), st.sampled_from(["", "", "!"]), st.lists(part, min_size=1, max_size=4)),
    max_size=5,
)


@settings(max_examples=250, deadline=None)
@given(patterns)
def test_the_walk_is_buildkits(bushy, texts):
    parsed = [pattern for text in texts if (pattern := Pattern.parse(text))]
    expected = reference(bushy, parsed)
    assert paths(bushy, texts) == expected
    ignore = IgnoreFile.read("\n".join(texts))
    everything = [entry.path for entry in walk(bushy) if entry.kind == "file"]
    assert [path for path in everything if not ignore.ignores(path)] == [
        path for path in expected if path.endswith(("f", ".txt"))
    ]
