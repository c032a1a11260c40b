from __future__ import annotations

import io
import re

import pytest

from dfkit.build.events import (
    BuildWarning,
    ImageBuilt,
    SolveFailed,
    Step,
    StepDone,
    StepFailed,
    StepLog,
    StepProgress,
    StepQueued,
    StepStarted,
)
from dfkit.output.progress import Plain, Quiet, Terminal, clean, excerpt, progress

EVENTS = [
    StepQueued("a", "[1/2] FROM x"),
    StepQueued("b", "[2/2] RUN make"),
    StepStarted("a", "[1/2] FROM x"),
    StepProgress("a", "layer", 5_000_000, 10_000_000, False),
    StepProgress("a", "layer", 10_000_000, 10_000_000, True),
    StepDone("a", "[1/2] FROM x", True, 0.0),
    StepStarted("b", "[2/2] RUN make"),
    StepLog("b", "cc main.c", False, 0.25),
    StepDone("b", "[2/2] RUN make", False, 1.26),
    BuildWarning("JSONArgsRecommended: use JSON (line 3)", 3, "https://example.org/rule"),
    ImageBuilt("sha256:0"),
]


class Tty(io.StringIO):
    def isatty(self):
        return True


def shown(events, mode="plain", error=None):
    out = io.StringIO()
    display = progress(mode, out, {})
    display.__enter__()
    for event in events:
        display(event)
    display.__exit__(type(error) if error else None, error, None)
    return out.getvalue()


def test_plain_numbers_the_steps_and_ends_each():
    assert shown(EVENTS) == (
        "#1 [1/2] FROM x\n#1 layer 10.0MB / 10.0MB done\n#1 CACHED\n\n"
        "#2 [2/2] RUN make\n#2 0.250 cc main.c\n#2 DONE 1.3s\n"
        "WARN: JSONArgsRecommended: use JSON (line 3) (https://example.org/rule)\n"
    )


def test_plain_keeps_the_lines_of_steps_side_by_side_together():
    events = [StepStarted("a", "A"), StepStarted("b", "B")]
    events += [
        event for number in range(3) for event in (StepLog("a", f"a{number}", False, 0), StepLog("b", f"b{number}", False, 0))
    ]
    events += [StepDone("b", "B", False, 1), StepDone("a", "A", False, 2)]
    lines = shown(events).splitlines()
    assert [line for line in lines if line] == [
        "#1 A", "#1 0.000 a0", "#1 0.000 a1", "#1 0.000 a2", "#1 DONE 2.0s",
        "#2 B", "#2 0.000 b0", "#2 0.000 b1", "#2 0.000 b2", "#2 DONE 1.0s",
    ]  # fmt: skip


def test_plain_loses_nothing_when_the_build_breaks_off():
    text = shown([StepStarted("a", "A"), StepStarted("b", "B"), StepLog("b", "kept", False, 0)])
    assert "#2 0.000 kept\n" in text


def test_a_failed_and_a_cancelled_step_are_told_apart():
    text = shown(
        [
            StepStarted("a", "A"),
            StepFailed("a", "A", "exit code: 7", 7, False, 1.0),
            StepStarted("b", "B"),
            StepFailed("b", "B", "context canceled", None, True, 1.0),
        ]
    )
    assert "#1 ERROR: exit code: 7\n" in text
    assert "#2 CANCELED\n" in text


def test_quiet_shows_nothing_unless_the_build_fails():
    assert shown(EVENTS, "quiet") == ""
    assert shown(EVENTS, "quiet", SolveFailed("x", reason="x", step=None)) == shown(EVENTS)


def test_auto_is_a_terminal_only_where_one_can_be_redrawn():
    assert isinstance(progress("auto", Tty(), {"TERM": "xterm"}), Terminal)
    assert isinstance(progress("auto", Tty(), {"TERM": "dumb"}), Plain)
    assert isinstance(progress("auto", io.StringIO(), {"TERM": "xterm"}), Plain)
    assert isinstance(progress("quiet", Tty(), {}), Quiet)


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
def test_the_last_drawing_on_a_terminal_has_each_step_once_and_no_output_of_theirs(environ, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = Tty()
    with progress("tty", out, environ) as display:
        for event in EVENTS:
            display(event)
    text = out.getvalue()
    assert ("\x1b[34m" in text) == (not environ)
    last = re.sub(r"\x1b\[\d*[mKJA]|\r", "", text).rpartition("[+]")[2].splitlines()
    assert last[0].endswith("(2/2) FINISHED")
    assert [" ".join(line.split()) for line in last[1:3]] == ["=> CACHED [1/2] FROM x 0.0s", "=> [2/2] RUN make 1.3s"]
    assert all(len(line) <= 39 for line in last)


def test_a_running_step_shows_its_last_lines_and_wide_characters_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    out = Tty()
    display = Terminal(out, colour=False)
    display(StepStarted("a", "名" * 30))
    for number in range(20):
        display(StepLog("a", f"line {number}", False, 0))
    display._draw(last=False)
    lines = re.sub(r"\x1b\[\d*[mKJA]|\r", "", out.getvalue()).splitlines()
    assert [line for line in lines if "line" in line] == [f" => => # line {number}" for number in range(14, 20)]
    row = next(line for line in lines if "名" in line)
    assert len(row) + row.count("名") <= 19


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("10%\r50%\r100%", "100%"),
        ("done\r", "done"),
        ("a\tb\x00\x9b", "a\tb"),
        ("\x1b", ""),
    ],
)
def test_output_cannot_move_the_cursor(line, left):
    assert clean(line) == left


def test_the_excerpt_of_a_failure_has_the_steps_last_ten_lines():
    step = Step("d", "[2/2] RUN make", error="exit code: 2", exit_code=2, logs=tuple(str(number) for number in range(50)))
    lines = excerpt(SolveFailed("x", reason="x", step=step)).splitlines()
    assert lines[1] == " > [2/2] RUN make:"
    assert lines[2:-1] == [str(number) for number in range(40, 50)]
    assert excerpt(SolveFailed("x", reason="x", step=None)) == ""
