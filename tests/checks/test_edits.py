"""A command that is appended to a list changes neither what runs nor how the script ends."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.checks.binding import Place
from dfkit.checks.edits import run_after
from dfkit.model import Model
from dfkit.shell import commands
from dfkit.syntax import parse
from dfkit.text import apply
from dfkit.text.settings import Settings


def appended(text: str, command: str = "make") -> str:
    """The Dockerfile with `clean` appended to the list that a command stands in."""
    model = Model(parse(text))
    run = model.stages[0].instructions[-1]
    (script,) = model.scripts(run)
    place = Place(model, Settings(), model.stages[0], run, script)
    (found,) = [each for each in commands(script) if each.name == command]
    return apply(text, run_after(found, "clean", place))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("make", "make && clean"),
        ("make && test", "make && test && clean"),
        ("make || test", "make || test && clean"),
        ("yes | make && test", "yes | make && test && clean"),
        ("make; test", "make && clean; test"),
        ("make # why", "make && clean # why"),
        ("set -e; make; test", "set -e; make; clean; test"),
        ("set -e; test; make", "set -e; test; make && clean"),
        ("bash -c 'make && test' && other", "bash -c 'make && test && clean' && other"),
        ("make \\\n  && test", "make \\\n  && test \\\n  && clean"),
        ("make \\\n  # why\n  && test", "make \\\n  # why\n  && test \\\n    && clean"),
        ("make &&\\\n  test", "make &&\\\n  test &&\\\n  clean"),
        ("make \\\n  one \\\n  two", "make \\\n  one \\\n  two \\\n    && clean"),
        ('["sh", "-c", "make && test"]', '["sh", "-c", "make && test && clean"]'),
        ("<<EOF\nmake\ntest\nEOF", "<<EOF\nmake && clean\ntest\nEOF"),
        ("<<EOF\nset -e\nmake\ntest\nEOF", "<<EOF\nset -e\nmake\nclean\ntest\nEOF"),
    ],
)
def test_it_is_appended_in_the_layout_of_the_list(script, expected):
    assert appended(f"FROM debian:12\nRUN {script}\n") == f"FROM debian:12\nRUN {expected}\n"


def test_lines_that_end_with_carriage_returns_stay_so():
    text = "FROM debian:12\r\nRUN make \\\r\n  one\r\n"
    assert appended(text) == "FROM debian:12\r\nRUN make \\\r\n  one \\\r\n    && clean\r\n"


def test_an_errexit_of_shell_counts():
    text = 'FROM debian:12\nSHELL ["/bin/bash", "-ec"]\nRUN make; test\n'
    assert appended(text) == text.replace("make; test", "make; clean; test")


@pytest.mark.parametrize(
    "script",
    [
        "make & test",
        "if a; then make; fi",
        "(make && test)",
        "for i in a b; do make; done",
        '["make"]',
        "f() { make; }; f",
        "echo $(make)",
        "make && cat <<X\nX",
    ],
)
def test_nothing_is_appended_where_it_is_not_certain(script):
    text = f"FROM debian:12\nRUN {script}\n"
    assert appended(text) == text


STUBS = 'ok() { echo "ok $1"; }\nbad() { echo "bad $1"; return 3; }\nclean() { echo clean >&2; }\n'


@st.composite
def lists(draw):
    size = draw(st.integers(1, 6))
    words = [f"{draw(st.sampled_from(['ok', 'bad']))} {index}" for index in range(size)]
    words[draw(st.integers(0, size - 1))] = draw(st.sampled_from(["make", "unmade"]))
    operators = [draw(st.sampled_from([" && ", " || ", "; "])) for _ in words[1:]]
    text = "".join(word + operator for word, operator in zip(words, [*operators, ""], strict=True)).replace("unmade", "make")
    return draw(st.sampled_from(["", "set -e; "])) + text, draw(st.booleans())


@settings(max_examples=150)
@given(lists())
def test_what_runs_and_how_it_ends_is_the_same(case):
    script, succeeds = case
    text = f"FROM debian:12\nRUN {script}\n"
    changed = appended(text).removeprefix("FROM debian:12\nRUN ")
    stubs = STUBS + f"make() {{ echo make; return {0 if succeeds else 4}; }}\n"
    before, after = (
        subprocess.run(["sh", "-c", stubs + each], capture_output=True, text=True, check=False) for each in (script, changed)
    )
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)
    went_well = succeeds and before.returncode == 0 and "bad" not in before.stdout
    if went_well and "make" in before.stdout:
        assert "clean" in after.stderr
