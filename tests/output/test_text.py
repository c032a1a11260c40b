from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from dfkit.catalog import Catalog
from dfkit.lint import Report
from dfkit.output import text
from dfkit.text import Diagnostic, Edit, Fix, Note, Source, Span

if TYPE_CHECKING:
    from dfkit.text.diagnostic import Severity


def shown(source: str, marked: str, **more) -> list[str]:
    """The lines of one finding that marks a part of a source."""
    start = source.index(marked)
    diagnostic = Diagnostic("some-rule", "DL1", "warning", "it is wrong", Span(start, start + len(marked)), **more)
    return list(text.render([Report(Source(source), (diagnostic,))]))


def test_a_finding_is_shown_whole():
    more = {
        "notes": (Note(Span(0, 4), "the base is here"),),
        "fix": Fix("insert `-y`", (Edit(Span(27, 27), " -y"),)),
    }
    assert shown("FROM debian\nRUN apt-get install curl\n", "apt-get install curl", **more) == [
        "Dockerfile:2:5: warning: it is wrong [DL1 some-rule]",
        "  |",
        "2 | RUN apt-get install curl",
        "  |     ^^^^^^^^^^^^^^^^^^^^",
        "  = note: the base is here (Dockerfile:1:1)",
        "1 | FROM debian",
        "  | ----",
        "  = fix: insert `-y`",
        "",
        "1 finding in 1 file: 1 warning; 1 can be fixed.",
    ]


@pytest.mark.parametrize(
    ("source", "marked", "line", "carets"),
    [
        ("RUN a b", "b", "RUN a b", "      ^"),
        ("RUN 中文 bad", "bad", "RUN 中文 bad", "         ^^^"),
        ("RUN 中文 bad", "中文", "RUN 中文 bad", "    ^^^^"),
        ("RUN ｆｕｌｌ b", "b", "RUN ｆｕｌｌ b", "             ^"),
        ("RUN e\u0301te\u0301 b", "b", "RUN e\u0301te\u0301 b", "        ^"),
        ("RUN 한국 b", "b", "RUN 한국 b", "         ^"),
        ("RUN 🐳 b", "b", "RUN 🐳 b", "       ^"),
        ("RUN ｱ b", "b", "RUN ｱ b", "      ^"),
        ("\tRUN b", "b", "    RUN b", "        ^"),
        ("RUN\tb", "b", "RUN b", "    ^"),
        ("中\tb", "b", "中  b", "    ^"),
        ("RUN a\u3000b", "b", "RUN a b", "      ^"),
        ("RUN \x1b[31m b", "b", "RUN ␛[31m b", "          ^"),
        ("RUN \u202e b", "b", "RUN \ufffd b", "      ^"),
        ("RUN \udcff b", "b", "RUN \ufffd b", "      ^"),
        ("RUN b\r\n", "b", "RUN b", "    ^"),
        ("RUN a", "", "RUN a", "^"),
    ],
)
def test_carets_stand_under_the_text(source, marked, line, carets):
    lines = shown(source, marked)
    assert lines[2:4] == [f"1 | {line}", f"  | {carets}"]


def test_two_lines_are_both_marked():
    assert shown("RUN a && \\\n    b c\n", "a && \\\n    b")[2:6] == [
        "1 | RUN a && \\",
        "  |     ^^^^^^",
        "2 |     b c",
        "  |     ^",
    ]


def test_of_many_lines_the_first_and_the_last_are_marked():
    source = "".join(f"# {number}\n" for number in range(8)) + "RUN a \\\n b \\\n c\nUSER x\n"
    assert shown(source, "RUN a \\\n b \\\n c")[1:7] == [
        "   |",
        " 9 | RUN a \\",
        "   | ^^^^^^^",
        " … |",
        "11 |  c",
        "   |  ^",
    ]


def test_a_span_that_ends_with_its_line_end_stays_on_the_line():
    assert shown("RUN a\nRUN b\n", "RUN a\n")[2:5] == ["1 | RUN a", "  | ^^^^^", ""]


def test_the_end_of_a_file_can_be_marked():
    diagnostic = Diagnostic("r", "c", "error", "m", Span(5, 5))
    assert list(text.render([Report(Source("RUN a"), (diagnostic,))]))[2:4] == ["1 | RUN a", "  |      ^"]
    empty = Diagnostic("r", "c", "error", "m", Span(0, 0))
    assert list(text.render([Report(Source(""), (empty,))]))[2:4] == ["1 |", "  | ^"]


def test_of_a_long_line_the_marked_part_is_shown():
    lines = shown("RUN " + "a" * 300 + " bad " + "b" * 300, "bad")
    excerpt, carets = lines[2], lines[3]
    assert excerpt.startswith("1 | …")
    assert excerpt.endswith("…")
    assert len(excerpt) <= 4 + text.WIDTH
    assert excerpt[carets.index("^") :].startswith("bad")
    assert carets.count("^") == 3


def test_of_a_long_marked_part_the_start_is_marked():
    excerpt, carets = shown("RUN " + "a" * 300, "a" * 300)[2:4]
    assert excerpt.endswith("a…")
    assert len(carets) <= len(excerpt)
    assert excerpt[carets.index("^") - 4 :].startswith("RUN a")


def test_an_unsafe_fix_says_so():
    lines = shown("RUN a", "a", fix=Fix("remove it", (Edit(Span(4, 5), ""),), "unsafe"))
    assert lines[4] == "  = fix: remove it (changes the image; made only if asked for)"


def test_the_reason_is_told_once():
    catalog = Catalog.load()
    diagnostic = Diagnostic("syntax-error", "DF1000", "error", "m", Span(0, 1))
    lines = list(text.render([Report(Source("RUM"), (diagnostic, diagnostic))], catalog))
    assert lines.count("  = why: The builder stops at what it cannot read, so no image is made.") == 1


def test_colours_are_added_and_change_nothing_else():
    diagnostic = Diagnostic("r", "c", "error", "m", Span(0, 1), (Note(Span(2, 3), "n"),))
    report = Report(Source("RUM x"), (diagnostic,))
    painted = "\n".join(text.render([report], color=True))
    assert "\033[1;31merror\033[0m" in painted
    assert re.sub(r"\033\[[0-9;]*m", "", painted) == "\n".join(text.render([report]))


def test_colour_is_for_terminals_that_want_it(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert text.wants_color(Terminal())
    assert not text.wants_color(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.wants_color(Terminal())


def test_the_summary_counts():
    def one(severity: Severity) -> Diagnostic:
        return Diagnostic("r", "c", severity, "m", Span(0, 1))

    assert text.summary([Report(Source("a"), ())]) == "Nothing found in 1 file."
    found = (one("warning"), one("error"), one("warning"), one("info"), one("info"), one("style"))
    assert text.summary([Report(Source("a"), found), Report(Source("b"), ())]) == (
        "6 findings in 2 files: 1 error, 2 warnings, 2 info, 1 style."
    )


@pytest.mark.parametrize(
    ("reason", "first"),
    [
        ("One. Two.", "One."),
        ("One line\nand more. Two.", "One line and more."),
        ("Packages, e.g. curl, are many. Two.", "Packages, e.g. curl, are many."),
        ("Since 1.2 it works. Two.", "Since 1.2 it works."),
        ("No end", "No end"),
        ("Is it? `yes` it is.", "Is it?"),
    ],
)
def test_the_first_sentence(reason, first):
    assert text.first_sentence(reason) == first
