"""Plain command lines are read as argparse reads them; all others are left to it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.cli.parser import Parser, Values
from dfkit.errors import UsageError


def declared(command):
    """The parser of a command, taken where it is asked to parse."""
    taken = []

    def take(self, _arguments):
        taken.append(self)
        raise StopIteration

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "parse_args", take)
        with suppress(StopIteration):
            import_module(f"dfkit.cli.{command}").run(["--help"])
    return taken[0]


PARSERS = {
    name: declared(name)
    for name in ("lint", "build", "optimize", "prove", "context", "rules", "explain", "parse", "targets", "outline")
}
VALUES = [
    "a",
    "b c",
    "",
    "-",
    "1",
    "-1",
    "x=y",
    "--",
    "-x",
    "error",
    "json",
    "hadolint",
    "recommended",
    "plain",
    ".",
    "=",
    "style",
]


def both(name, words):
    """What is read here, and by argparse: the values, or None where it would print or say something."""
    plain = PARSERS[name]._plain(words)
    try:
        whole = vars(PARSERS[name]._whole().parse_intermixed_args(words))
    except (UsageError, SystemExit):
        whole = None
    return plain, whole


@pytest.mark.parametrize("name", PARSERS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_is_read_here_is_what_argparse_reads(name, data):
    names = [each for _, names, _ in PARSERS[name].declared for each in names if each.startswith("-")]
    word = st.one_of(
        st.sampled_from(VALUES),
        st.sampled_from(names),
        st.builds("{}={}".format, st.sampled_from(names), st.sampled_from(VALUES)),
    )
    plain, whole = both(name, data.draw(st.lists(word, max_size=7)))
    if plain is not None:
        assert plain == whole


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lint", ["a", "b"]),
        ("lint", ["--profile", "hadolint", "-f", "json", "a", "--ignore", "DL3008", "--ignore=DL3009", "--no-color", "b"]),
        ("build", ["-t", "x:1", "--build-arg", "A=b c", "--cpu-period", "5", "."]),
        ("optimize", []),
        ("explain", ["DL3008"]),
        ("context", ["-"]),
    ],
)
def test_plain_lines_need_no_argparse(name, words):
    plain, whole = both(name, words)
    assert plain is not None
    assert plain == whole


@pytest.mark.parametrize(
    "words",
    [
        ["-h"],
        ["--help"],
        ["--bogus"],
        ["-fjson"],
        ["--profile"],
        ["--profile", "-x"],
        ["--no-fail=1"],
        ["--", "-a"],
        ["--format", "x"],
    ],
)
def test_the_rest_is_argparses(words):
    assert PARSERS["lint"]._plain(words) is None


def test_a_list_that_is_the_default_is_not_added_to():
    parser = Parser("x", "")
    parser.add_argument("--a", action="append", default=[])
    assert parser.parse_args(["--a", "1"]).a == ["1"]
    assert parser.parse_args([]).a == []
    assert isinstance(parser.parse_args([]), Values)


def test_options_do_not_bring_argparse_in(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian:12\n")
    program = (
        "import sys; from dfkit import cli; cli._run(['lint', '--profile', 'hadolint', '--ignore', 'DL3008', 'Dockerfile']); "
        "print([name for name in ('argparse', 'json', 'importlib', 'inspect') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
