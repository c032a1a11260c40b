"""The trace of a build: BuildKit's `StatusResponse` messages become events, and the steps when all is over.

Field numbers: https://github.com/moby/buildkit/blob/master/api/services/control/control.proto
"""

from __future__ import annotations

import re
from collections import deque

from dfkit.build.buildkit.wire import Message
from dfkit.build.events import (
    LOG_LINES,
    BuildWarning,
    Step,
    StepDone,
    StepFailed,
    StepLog,
    StepProgress,
    StepQueued,
    StepStarted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dfkit.build.events import Event

_LONGEST_LINE = 1 << 16
"""Bytes after which an unfinished line is given out as it is."""

_EXIT_CODE = re.compile(r"exit code: (\d+)(?:: context canceled)*$")


class _Vertex:
    """What is known of a step so far. The engine sends it many times, and may start and finish it more than once."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.name = ""
        self.cached = False
        self.error = ""
        self.begun: float | None = None
        self.runs: dict[float, float] = {}  # when a run started → when it was completed
        self.told: tuple[object, ...] | None = None  # the outcome that was last given out
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.partial: dict[int, bytes] = {}  # output stream → what came since its last line end
        self.parts: dict[str, StepProgress] = {}

    @property
    def seconds(self) -> float:
        """The time that its runs cover together."""
        total, covered = 0.0, float("-inf")
        for start, end in sorted(self.runs.items()):
            total += max(0.0, end - max(start, covered))
            covered = max(covered, end)
        return total

    @property
    def exit_code(self) -> int | None:
        found = _EXIT_CODE.search(self.error)
        return int(found[1]) if found else None

    @property
    def canceled(self) -> bool:
        return self.error.endswith("context canceled")

    def step(self) -> Step:
        error = self.error or None
        return Step(self.digest, self.name, self.cached, self.seconds, error, self.exit_code, self.canceled, tuple(self.lines))


class Trace:
    """Reads the messages of one build in the order in which they come."""

    def __init__(self, scrub: Callable[[str], str] = str) -> None:
        """`scrub` is applied to each text that the engine says."""
        self._scrub = scrub
        self._vertexes: dict[str, _Vertex] = {}
        self._warnings: dict[BuildWarning, None] = {}

    def read(self, data: bytes) -> Iterator[Event]:
        """The events of one `StatusResponse`. Raises `WireError`."""
        response = Message(data)
        finished: list[_Vertex] = []
        for message in response.messages(1):
            yield from self._vertex(message, finished)
        for message in response.messages(2):
            yield from self._status(message)
        for message in response.messages(3):
            yield from self._log(message)
        for message in response.messages(4):
            yield from self._warning(message)
        for vertex in finished:  # last, so that a step's output stands before its end
            yield from self._outcome(vertex)

    def steps(self) -> tuple[Step, ...]:
        """All steps so far, in the order in which the engine named them."""
        return tuple(vertex.step() for vertex in self._vertexes.values())

    def failed(self) -> Step | None:
        """The step that broke the build: of those with an error, the first that was not merely stopped."""
        steps = [step for step in self.steps() if step.error]
        return next((step for step in steps if not step.canceled), steps[0] if steps else None)

    def _known(self, digest: str) -> _Vertex:
        return self._vertexes.setdefault(digest, _Vertex(digest))

    def _vertex(self, message: Message, finished: list[_Vertex]) -> Iterator[Event]:
        digest = message.text(1)
        new = digest not in self._vertexes
        vertex = self._known(digest)
        vertex.name = self._scrub(message.text(3)) or vertex.name
        vertex.cached = message.flag(4)
        vertex.error = self._scrub(message.text(7))
        if new:
            yield StepQueued(digest, vertex.name)
        started, completed = _time(message.message(5)), _time(message.message(6))
        if started is not None and started != vertex.begun and started not in vertex.runs:
            vertex.begun = started
            yield StepStarted(digest, vertex.name)
        if completed is not None:
            vertex.runs[completed if started is None else started] = completed
            finished.append(vertex)

    def _outcome(self, vertex: _Vertex) -> Iterator[Event]:
        for stream in tuple(vertex.partial):
            yield from self._lines(vertex, stream, b"", vertex.seconds, last=True)
        outcome = (vertex.seconds, vertex.cached, vertex.error)
        if outcome == vertex.told:
            return
        vertex.told = outcome
        if vertex.error:
            yield StepFailed(vertex.digest, vertex.name, vertex.error, vertex.exit_code, vertex.canceled, vertex.seconds)
        else:
            yield StepDone(vertex.digest, vertex.name, vertex.cached, vertex.seconds)

    def _status(self, message: Message) -> Iterator[Event]:
        vertex = self._known(message.text(2))
        part = self._scrub(message.text(1))
        done = message.message(8) is not None
        event = StepProgress(vertex.digest, part, message.signed(4), message.signed(5), done)
        if vertex.parts.get(part) != event:
            vertex.parts[part] = event
            yield event

    def _log(self, message: Message) -> Iterator[Event]:
        vertex = self._known(message.text(1))
        at = _time(message.message(2))
        seconds = at - vertex.begun if at is not None and vertex.begun is not None else 0.0
        yield from self._lines(vertex, message.signed(3), message.data(4), seconds)

    def _lines(self, vertex: _Vertex, stream: int, data: bytes, seconds: float, *, last: bool = False) -> Iterator[Event]:
        *lines, rest = (vertex.partial.pop(stream, b"") + data).split(b"\n")
        if rest and (last or len(rest) > _LONGEST_LINE):
            lines.append(rest)
            rest = b""
        if rest:
            vertex.partial[stream] = rest
        for line in lines:
            text = self._scrub(line.rstrip(b"\r").decode("utf-8", "replace"))
            vertex.lines.append(text)
            yield StepLog(vertex.digest, text, stream == 2, max(0.0, seconds))

    def _warning(self, message: Message) -> Iterator[Event]:
        first = next(iter(message.messages(7)), None)
        start = first.message(1) if first else None
        line = start.signed(1) if start else 0
        warning = BuildWarning(self._scrub(message.text(3)), line or None, message.text(5) or None)
        if warning not in self._warnings:
            self._warnings[warning] = None
            yield warning


def _time(timestamp: Message | None) -> float | None:
    """A google.protobuf.Timestamp in seconds since 1970."""
    return timestamp.signed(1) + timestamp.signed(2) / 1e9 if timestamp else None
