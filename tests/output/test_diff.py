from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.output.diff import render


def test_a_change_is_shown_with_its_file():
    assert render("FROM a\nADD x y\n", "FROM a\nCOPY x y\n", "some/Dockerfile") == (
        "--- a/some/Dockerfile\n+++ b/some/Dockerfile\n@@ -1,2 +1,2 @@\n FROM a\n-ADD x y\n+COPY x y\n"
    )


def test_no_change_is_nothing():
    assert render("a\n", "a\n", "f") == ""


def test_a_missing_line_end_is_said():
    assert render("a", "a\n", "f").endswith("-a\n\\ No newline at end of file\n+a\n")
    assert render("a\nb", "c\nb", "f").endswith("-a\n+c\n b\n\\ No newline at end of file\n")


def test_only_line_feeds_end_lines():
    assert "-a\x0cb\n+a\x0cc\n" in render("a\x0cb\n", "a\x0cc\n", "f")
    assert "-a\r\n+a\n" in render("a\r\n", "a\n", "f")


def test_colours_change_nothing_else():
    plain = render("a\nb\n", "a\nc", "f")
    painted = render("a\nb\n", "a\nc", "f", color=True)
    assert "\033[31m-b\033[0m\n" in painted
    assert re.sub(r"\033\[[0-9;]*m", "", painted) == plain


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@given(
    st.lists(st.sampled_from(["a", "b", "c", "", "-x", "+y", "\r"])),
    st.lists(st.sampled_from(["a", "b", "d", ""])),
    st.booleans(),
    st.booleans(),
)
def test_git_applies_the_diff(tmp_path_factory, before, after, end_before, end_after):
    old = "\n".join(before) + ("\n" if end_before and before else "")
    new = "\n".join(after) + ("\n" if end_after and after else "")
    folder = tmp_path_factory.mktemp("diff")
    (folder / "f").write_bytes(old.encode())
    change = render(old, new, "f")
    if change:
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(
            command, cwd=folder, input=change.encode(), check=True, env={"GIT_CEILING_DIRECTORIES": "/", "PATH": "/usr/bin:/bin"}
        )
    assert (folder / "f").read_bytes() == new.encode()
