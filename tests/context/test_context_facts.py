from __future__ import annotations

import os

import pytest

from dfkit.context.facts import Share, by_folder, by_type, largest, total, tree
from dfkit.context.tree import walk


@pytest.fixture
def entries(tmp_path):
    for name, size in {"a.py": 5, "src/b.py": 7, "src/in/c.js": 20, "README": 1}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    os.link(tmp_path / "src/in/c.js", tmp_path / "src/in/d.js")
    os.symlink("a.py", tmp_path / "l.py")
    return list(walk(tmp_path))


def test_an_ending_that_tells_no_type_is_none(tmp_path):
    for name in ("a.tar.gz", "deb.org_debian_dists_Packages", "b.", "c.d e", ".gitignore", "e.é"):
        (tmp_path / name).write_bytes(b"x")
    assert {share.name: share.files for share in by_type(walk(tmp_path))} == {".gz": 1, "": 4, ".é": 1}


def test_bytes_are_counted_once_for_a_file_with_two_names(entries):
    assert total(entries) == Share("", 5, 33)
    assert total([]) == Share("", 0, 0)


def test_shares_are_sorted_by_weight(entries):
    assert by_folder(entries) == [Share("src", 3, 27), Share(".", 2, 6)]
    assert by_folder(entries, 2) == [Share("src/in", 2, 20), Share("src", 1, 7), Share(".", 2, 6)]
    assert by_type(entries) == [Share(".js", 2, 20), Share(".py", 2, 12), Share("", 1, 1)]


def test_the_largest_files_come_first(entries):
    assert [entry.path for entry in largest(entries, 2)] == ["src/in/c.js", "src/in/d.js"]


def test_a_tree_adds_up_what_is_below(entries):
    root = tree(entries)
    src = root.folders["src"]
    assert (root.files, root.size, root.own_files, root.own_size) == (5, 33, 2, 6)
    assert (src.files, src.size, src.own_files, src.own_size) == (3, 27, 1, 7)
    assert (src.folders["in"].files, src.folders["in"].size) == (2, 20)
