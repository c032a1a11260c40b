"""`dfkit parse`, `targets` and `outline` in real processes."""

import json
import subprocess
import sys

import pytest


def dfkit(*arguments, stdin="", cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "dfkit", *arguments], input=stdin, capture_output=True, text=True, cwd=cwd, check=False
    )


def test_parse_prints_a_tree_of_a_file_or_of_standard_input(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    expected = '1:1-1:6  FROM\n1:6-1:6    image "a"\n'
    assert dfkit("parse", cwd=tmp_path).stdout == expected
    assert dfkit("parse", "-", stdin="FROM a\n").stdout == expected


@pytest.mark.parametrize("format_", ["tree", "sexp", "json"])
def test_what_buildkit_rejects_is_exit_1_and_the_rest_is_printed(format_):
    done = dfkit("parse", "--format", format_, "-", stdin="FROM a\nRUM x\nUSER zoe\n")
    assert done.returncode == 1
    assert "zoe" in done.stdout
    assert "did you mean `RUN`?" in (done.stdout if format_ == "json" else done.stderr)
    assert dfkit("parse", "--format", format_, "-", stdin="FROM a\n").returncode == 0


def test_parse_json_has_the_error():
    error = json.loads(dfkit("parse", "--format", "json", "-", stdin="FROM a\nCOPY x\n").stdout)["error"]
    assert (error["line"], error["message"]) == (2, "COPY needs at least one source and a destination")


def test_a_file_that_cannot_be_read_is_exit_2(tmp_path):
    done = dfkit("parse", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dfkit: nowhere: there is no such file\n"


def test_targets():
    done = dfkit("targets", "-", stdin="# a is first\nFROM x AS a\nFROM y AS b\n")
    assert (done.returncode, done.stdout) == (0, "TARGET        DESCRIPTION\na             is first\nb (default)\n")
    found = json.loads(dfkit("targets", "--format", "json", "-", stdin="FROM x AS a\n").stdout)
    assert found["targets"][0]["default"] is True


def test_outline_of_a_target_with_build_arguments():
    text = "FROM x AS a\nARG V=1\nFROM y AS b\nARG W=2\n"
    assert dfkit("outline", "-", stdin=text).stdout == "TARGET: b\n\nBUILD ARG   VALUE   DESCRIPTION\nW           2\n\n"
    done = dfkit("outline", "--target", "A", "--build-arg", "V=9", "--format", "json", "-", stdin=text)
    assert [(each["name"], each["value"]) for each in json.loads(done.stdout)["args"]] == [("V", "9")]


def test_a_target_that_is_not_there_is_one_sentence():
    done = dfkit("outline", "--target", "buid", "-", stdin="FROM x AS build\n")
    assert (done.returncode, done.stderr) == (2, "dfkit: - has no stage `buid`; did you mean `build`?\n")
    done = dfkit("outline", "--target", "0", "-", stdin="FROM x AS build\n")
    assert (done.returncode, done.stderr) == (2, "dfkit: - has no stage `0` (`dfkit targets` lists them)\n")


def test_a_file_without_a_stage_is_exit_1():
    done = dfkit("outline", "-", stdin="ARG a\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no FROM" in done.stderr
