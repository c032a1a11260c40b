from __future__ import annotations

import json

import pytest

from dfkit import lint
from dfkit.catalog import Catalog
from dfkit.lint import Report
from dfkit.output.json import render
from dfkit.text import Diagnostic, Edit, Fix, Source, Span
from dfkit.text.settings import Settings

CATALOG = Catalog.load()


def test_a_finding_has_hadolints_keys_and_more():
    source = Source("FROM a\nRUN 中 x\n", "some/Dockerfile")
    fix = Fix("insert `-y`", (Edit(Span(12, 12), " -y"),), "unsafe")
    diagnostic = Diagnostic("syntax-error", "DF1000", "warning", "bad", Span(11, 14), fix=fix)
    assert json.loads(render([Report(source, (diagnostic,))], CATALOG)) == [
        {
            "file": "some/Dockerfile",
            "line": 2,
            "column": 5,
            "level": "warning",
            "code": "DF1000",
            "message": "bad",
            "rule": "syntax-error",
            "range": {"start": {"line": 2, "column": 5}, "end": {"line": 2, "column": 8}},
            "aliases": ["DL1000"],
            "fix": {
                "title": "insert `-y`",
                "applicability": "unsafe",
                "edits": [{"range": {"start": {"line": 2, "column": 6}, "end": {"line": 2, "column": 6}}, "text": " -y"}],
            },
        }
    ]


def test_findings_of_all_files_are_one_array():
    one = Diagnostic("internal-error", "DF0000", "error", "m", Span(0, 0))
    found = json.loads(
        render([Report(Source("", "a"), (one,)), Report(Source("", "b"), ()), Report(Source("", "c"), (one,))], CATALOG)
    )
    assert [(each["file"], each["fix"], each["aliases"]) for each in found] == [("a", None, []), ("c", None, [])]


def test_nothing_found_is_an_empty_array():
    assert render([], CATALOG) == "[]\n"


def test_bytes_that_are_not_text_can_be_written():
    source = Source.decode(b"RUN \xff", "f")
    bad = Diagnostic("r", "c", "error", f"`{source.text[4:]}` is wrong", Span(4, 5))
    assert render([Report(source, (bad,))], CATALOG).encode("utf-8")


@pytest.mark.parametrize("profile", ["hadolint", "buildkit"])
def test_a_profile_that_imitates_a_tool_prints_the_line_of_the_instruction(profile):
    text = "FROM debian:12\nENV A=1 \\\n    API_TOKEN=x\n"
    report = lint(text, settings=Settings(profile=profile, ignore=("DF1302",)))
    (found,) = json.loads(render([report], CATALOG))
    assert (found["line"], found["column"]) == (2, 1)
    assert found["range"]["start"] == {"line": 3, "column": 5}
    exact = [each["line"] for each in json.loads(render([lint(text)], CATALOG)) if each["rule"] == found["rule"]]
    assert exact == [3]
