from __future__ import annotations

from dfkit.build.buildkit.trace import Trace
from dfkit.build.buildkit.wire import encode
from dfkit.build.events import (
    LOG_LINES,
    BuildWarning,
    StepDone,
    StepFailed,
    StepLog,
    StepProgress,
    StepQueued,
    StepStarted,
)


def at(seconds):
    return encode((1, int(seconds)), (2, round(seconds % 1 * 1e9)))


def vertex(digest="d", name="[1/1] RUN x", started=None, completed=None, cached=0, error=None):
    times = [(number, at(time)) for number, time in ((5, started), (6, completed)) if time is not None]
    return encode((1, encode((1, digest), (3, name), (4, cached), *times, (7, error))))


def log(data, digest="d", stream=1, seconds=0.0):
    return encode((3, encode((1, digest), (2, at(seconds)), (3, stream), (4, data))))


def events(trace, *messages):
    return [event for message in messages for event in trace.read(message)]


def test_a_step_that_is_sent_again_and_again_is_told_once():
    trace = Trace()
    told = events(
        trace,
        vertex(),
        vertex(started=10),
        vertex(started=10),
        vertex(started=10, completed=12.5),
        vertex(started=10, completed=12.5),
    )
    assert told == [StepQueued("d", "[1/1] RUN x"), StepStarted("d", "[1/1] RUN x"), StepDone("d", "[1/1] RUN x", False, 2.5)]


def test_the_time_of_overlapping_runs_counts_once():
    trace = Trace()
    events(trace, vertex(started=10, completed=12), vertex(started=11, completed=13), vertex(started=20, completed=21))
    assert trace.steps()[0].seconds == 4


def test_a_step_found_in_the_cache_late_is_told_again():
    told = events(Trace(), vertex(started=1, completed=2), vertex(started=1, completed=2, cached=1))
    assert [event.cached for event in told if isinstance(event, StepDone)] == [False, True]


def test_lines_are_put_together_from_pieces_and_keep_their_stream():
    trace = Trace()
    told = events(
        trace, vertex(started=10), log(b"one\r\ntw", seconds=11), log(b"err\n", stream=2, seconds=12), log(b"o\n", seconds=13)
    )
    assert [event for event in told if isinstance(event, StepLog)] == [
        StepLog("d", "one", False, 1.0),
        StepLog("d", "err", True, 2.0),
        StepLog("d", "two", False, 3.0),
    ]


def test_a_last_line_without_end_stands_before_the_end_of_its_step():
    told = events(Trace(), vertex(started=1), log(b"no newline"), vertex(started=1, completed=2))
    assert [type(event) for event in told[-2:]] == [StepLog, StepDone]
    assert told[-2].line == "no newline"


def test_output_that_is_not_utf8_is_shown_all_the_same():
    told = events(Trace(), log(b"caf\xe9\n"))
    assert told[-1].line == "caf\ufffd"


def test_a_line_without_end_does_not_grow_for_ever():
    trace = Trace()
    told = events(trace, *[log(b"x" * 10_000) for _ in range(50)])
    assert sum(len(event.line) for event in told if isinstance(event, StepLog)) > 400_000


def test_a_step_keeps_only_its_last_lines():
    trace = Trace()
    events(trace, vertex(), log(b"".join(b"%d\n" % number for number in range(1000))))
    assert trace.steps()[0].logs == tuple(str(number) for number in range(1000 - LOG_LINES, 1000))


def test_the_exit_code_is_read_from_the_end_of_either_wording():
    for error in (
        "executor failed running [/bin/sh -c exit 7]: exit code: 7",
        'process "/bin/sh -c echo exit code: 3; exit 7" did not complete successfully: exit code: 7',
    ):
        told = events(Trace(), vertex(started=1, completed=2, error=error))
        assert told[-1] == StepFailed("d", "[1/1] RUN x", error, 7, False, 1.0)


def test_the_step_that_failed_is_not_the_one_that_was_stopped_for_it():
    trace = Trace()
    stopped = "executor failed running [sleep]: exit code: 137: context canceled: context canceled"
    told = events(
        trace,
        vertex("one", "[a 2/2] RUN sleep", started=1, completed=2, error=stopped),
        vertex("two", "[b 2/2] RUN false", started=1, completed=2, error="exit code: 1"),
    )
    assert [(event.canceled, event.exit_code) for event in told if isinstance(event, StepFailed)] == [(True, 137), (False, 1)]
    failed = trace.failed()
    assert failed is not None
    assert failed.digest == "two"


def test_progress_is_told_when_it_changes():
    part = encode((2, encode((1, "layer"), (2, "d"), (4, 5), (5, 10))))
    done = encode((2, encode((1, "layer"), (2, "d"), (4, 10), (5, 10), (8, at(3)))))
    assert events(Trace(), part, part, done) == [
        StepProgress("d", "layer", 5, 10, False),
        StepProgress("d", "layer", 10, 10, True),
    ]


def test_a_warning_has_its_line_and_address_and_is_told_once():
    place = encode((1, encode((1, 4), (2, 0))))
    message = encode(
        (4, encode((1, "d"), (3, "StageNameCasing: be consistent (line 4)"), (5, "https://example.org/rule"), (7, place)))
    )
    assert events(Trace(), message, message) == [
        BuildWarning("StageNameCasing: be consistent (line 4)", 4, "https://example.org/rule")
    ]


def test_a_step_tells_its_instruction_whatever_the_engine_calls_its_place():
    trace = Trace()
    names = [
        "[2/4] RUN make",
        "[stage-0 2/4] RUN make",
        "[internal] load metadata for x",
        "exporting to image",
        "copy /context /",
    ]
    events(trace, *[vertex(str(number), name) for number, name in enumerate(names)])
    assert [step.instruction for step in trace.steps()] == ["RUN make", "RUN make", None, None, None]
