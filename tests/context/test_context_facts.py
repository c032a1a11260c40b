from __future__ import annotations

import os

import pytest

from dfkit.context.facts import Share, by_folder, by_type, dead_lines, largest, looks_secret, total, unused
from dfkit.context.ignore import IgnoreFile
from dfkit.context.selection import select
from dfkit.context.tree import walk
from dfkit.model.copies import ContextRead
from dfkit.text import Span


@pytest.fixture
def entries(tmp_path):
    for name, size in {"a.py": 5, "src/b.py": 7, "src/in/c.js": 20, "README": 1}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    os.link(tmp_path / "src/in/c.js", tmp_path / "src/in/d.js")
    os.symlink("a.py", tmp_path / "l.py")
    return list(walk(tmp_path))


def test_bytes_are_counted_once_for_a_file_with_two_names(entries):
    assert total(entries) == Share("", 5, 33)
    assert total([]) == Share("", 0, 0)


def test_shares_are_sorted_by_weight(entries):
    assert by_folder(entries) == [Share("src", 3, 27), Share(".", 2, 6)]
    assert by_folder(entries, 2) == [Share("src/in", 2, 20), Share("src", 1, 7), Share(".", 2, 6)]
    assert by_type(entries) == [Share(".js", 2, 20), Share(".py", 2, 12), Share("", 1, 1)]


def test_the_largest_files_come_first(entries):
    assert [entry.path for entry in largest(entries, 2)] == ["src/in/c.js", "src/in/d.js"]


def test_files_that_no_instruction_reads_are_found(entries, tmp_path):
    selection = select(tmp_path, [ContextRead("src", Span(0, 0))])
    assert [entry.path for entry in unused(tmp_path, IgnoreFile.read("README"), selection)] == ["a.py"]


def test_patterns_that_match_nothing_are_found(entries, tmp_path):
    ignore = IgnoreFile.read("src\nno\n!src/in\n*.rb\n")
    assert [line.line for line in dead_lines(tmp_path, ignore)] == [2, 4]


@pytest.mark.parametrize(
    "path",
    [".env", "a/.env.production", ".ssh/config", "x/.git/HEAD", "id_rsa", "k/server.pem", "a/.aws/credentials", ".npmrc",
     "terraform.tfstate", "service-account.json", ".docker/config.json", ".git-credentials"],
)  # fmt: skip
def test_what_looks_secret_is_told(path):
    assert looks_secret(path)


@pytest.mark.parametrize(
    "path", [".env.example", "env", ".gitignore", ".github/x.yml", "id_rsa.pub", "src/key.py", "git/HEAD", "docker/config.json"]
)
def test_what_does_not_look_secret_is_left_alone(path):
    assert looks_secret(path) is None
