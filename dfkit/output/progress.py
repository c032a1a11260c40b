"""A build as it goes on, for people: a line at a time, or redrawn in place on a terminal."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from unicodedata import combining, east_asian_width

from dfkit.build.events import (
    BuildWarning,
    StepDone,
    StepFailed,
    StepLog,
    StepProgress,
    StepQueued,
    StepStarted,
)
from dfkit.errors import BuildFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Literal, Protocol, TextIO

    from dfkit.build.events import Event, SolveFailed

    Mode = Literal["auto", "plain", "tty", "quiet"]

    class Progress(Protocol):
        """A context manager around the build, called with each event."""

        def __call__(self, event: Event) -> None:
            """Show an event."""

        def __enter__(self) -> Progress: ...
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None: ...


MODES: tuple[Mode, ...] = ("auto", "plain", "tty", "quiet")

_REFRESH_SECONDS = 0.1
_TURN_SECONDS = 5.0
_LOG_LINES = 6
_QUIET_LINES = 2000

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links
    r"|\x1b[ -~]?|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)


def progress(mode: Mode, out: TextIO, environ: Mapping[str, str]) -> Progress:
    """The display of a mode on `out`, standard error as a rule. `auto` is `tty` where one can redraw, else `plain`."""
    if mode == "auto":
        mode = "tty" if out.isatty() and environ.get("TERM") != "dumb" else "plain"
    if mode == "tty":
        return Terminal(out, colour=not environ.get("NO_COLOR"))
    if mode == "quiet":
        return Quiet(out)

    def write(text: str) -> None:
        out.write(text)
        out.flush()

    return Plain(write)


def excerpt(error: SolveFailed) -> str:
    """The last lines that the failed step printed, under its name; empty if it printed nothing."""
    if error.step is None or not error.logs:
        return ""
    rule = "-" * 6
    return "\n".join([rule, f" > {clean(error.step.name)}:", *map(clean, error.logs), rule])


def clean(line: str) -> str:
    """A line of a step's output without what would move the cursor: of a line that overwrote itself, what stood there last."""
    return _CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2])


class Plain:
    """Numbered steps, a line at a time. The lines of steps that run side by side are kept together for some seconds."""

    def __init__(self, write: Callable[[str], object]) -> None:
        """`write` takes whole lines."""
        self._write = write
        self._names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._over: set[str] = set()
        self._held: dict[str, list[str]] = {}
        self._current: str | None = None
        self._turn = 0.0
        self._shown: str | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._release(everything=True)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StepStarted):
            self._names[event.digest] = clean(event.name)
            self._line(event.digest, None)
        elif isinstance(event, StepLog):
            self._line(event.digest, f"{event.seconds:.3f} {clean(event.line)}")
        elif isinstance(event, StepProgress):
            if event.done:
                self._line(event.digest, f"{clean(event.part)}{_amount(event)} done")
        elif isinstance(event, StepDone):
            self._end(event.digest, "CACHED" if event.cached else f"DONE {event.seconds:.1f}s")
        elif isinstance(event, StepFailed):
            self._end(event.digest, "CANCELED" if event.canceled else f"ERROR: {clean(event.error)}")
        elif isinstance(event, BuildWarning):
            self._write(f"{warning(event)}\n")

    def _line(self, digest: str, text: str | None) -> None:
        """Print or keep a line of a step; None is a step that has nothing to say yet."""
        self._numbers.setdefault(digest, len(self._numbers) + 1)
        if digest in self._over:
            return
        held = self._held.setdefault(digest, [])
        if text is not None:
            held.append(text)
        now = time.monotonic()
        if self._current is None or self._current in self._over or now - self._turn > _TURN_SECONDS:
            self._current, self._turn = digest, now
        if self._current == digest:
            self._print(digest)

    def _end(self, digest: str, text: str) -> None:
        if digest in self._over:
            return  # the engine ran it again; once is enough to read
        self._line(digest, text)
        self._over.add(digest)
        if self._current == digest:
            self._release(everything=False)

    def _release(self, *, everything: bool) -> None:
        """Print what was kept: the steps that are over, then the oldest of the others, whose turn it is now."""
        waiting = [digest for digest, lines in self._held.items() if lines]
        for digest in waiting:
            if everything or digest in self._over:
                self._print(digest)
        self._current = next((digest for digest in self._held if digest not in self._over), None)
        self._turn = time.monotonic()
        if self._current is not None and self._held[self._current]:
            self._print(self._current)

    def _print(self, digest: str) -> None:
        number = self._numbers[digest]
        if self._shown != digest:
            if self._shown is not None:
                self._write("\n" if self._shown in self._over else f"#{self._numbers[self._shown]} ...\n\n")
            self._write(f"#{number} {self._names.get(digest, digest)}\n")
            self._shown = digest
        for line in self._held.get(digest, ()):
            self._write(f"#{number} {line}\n")
        self._held[digest] = []
        if digest in self._over:
            del self._held[digest]


class Quiet:
    """Nothing, unless the build fails: then the end of what `Plain` would have shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._kept: deque[str] = deque(maxlen=_QUIET_LINES)
        self._plain = Plain(self._kept.append)

    def __enter__(self) -> Progress:
        return self

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self._plain(event)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._plain.__exit__(kind, error, trace)
        if isinstance(error, BuildFailed):
            self._out.writelines(self._kept)
            self._out.flush()


class _Row:
    """A step on the terminal."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began: float | None = None
        self.end: StepDone | StepFailed | None = None
        self.logs: deque[str] = deque(maxlen=_LOG_LINES)
        self.parts: dict[str, StepProgress] = {}


class Terminal:
    """All steps in place, redrawn some times a second; a running step shows its last lines, a finished one only its time."""

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._rows: dict[str, _Row] = {}
        self._warnings: list[str] = []
        self._began = time.monotonic()
        self._drawn = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="dfkit-progress", daemon=True)

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._draw(last=True)

    def __call__(self, event: Event) -> None:
        """Take an event into the next drawing."""
        with self._lock:
            if isinstance(event, BuildWarning):
                self._warnings.append(warning(event))
            elif isinstance(event, StepQueued):
                self._rows.setdefault(event.digest, _Row(clean(event.name)))
            elif isinstance(event, StepStarted):
                begun = self._rows.setdefault(event.digest, _Row(clean(event.name)))
                begun.began = begun.began or time.monotonic()
            elif isinstance(event, StepLog | StepProgress | StepDone | StepFailed) and (row := self._rows.get(event.digest)):
                if isinstance(event, StepLog):
                    row.logs.append(clean(event.line))
                elif isinstance(event, StepProgress):
                    row.parts[event.part] = event
                else:
                    row.end = event

    def _refresh(self) -> None:
        while not self._over.wait(_REFRESH_SECONDS):
            self._draw(last=False)

    def _draw(self, *, last: bool) -> None:
        from shutil import get_terminal_size

        width, height = get_terminal_size()
        with self._lock:
            lines = self._lines(last=last)
        shown = lines if last else [lines[0], *lines[1:][-max(1, height - 2) :]]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        body = "".join(f"\r\x1b[2K{self._paint(_fit(text, right, width - 1), code)}\n" for text, right, code in shown)
        self._out.write(f"{up}{body}\x1b[J")
        self._out.flush()
        self._drawn = len(shown)

    def _lines(self, *, last: bool) -> list[tuple[str, str, str]]:
        """What to draw: text, what stands at the right edge, colour."""
        now = time.monotonic()
        begun = [row for row in self._rows.values() if row.began is not None]
        over = sum(row.end is not None for row in begun)
        state = " FINISHED" if last and over == len(self._rows) else ""
        lines = [(f"[+] Building {now - self._began:.1f}s ({over}/{len(self._rows)}){state}", "", "")]
        for row in begun:
            end = row.end
            if isinstance(end, StepFailed):
                lines.append((f" => {'CANCELED' if end.canceled else 'ERROR'} {row.name}", f"{end.seconds:.1f}s", "31"))
            elif end is not None:
                lines.append((f" => {'CACHED ' if end.cached else ''}{row.name}", f"{end.seconds:.1f}s", "34"))
            else:
                lines.append((f" => {row.name}", f"{now - (row.began or now):.1f}s", ""))
                if not last:
                    parts = [part for part in row.parts.values() if not part.done]
                    lines += [(f" => => {clean(part.part)}{_amount(part)}", "", "") for part in parts]
                    lines += [(f" => => # {line}", "", "2") for line in row.logs]
        return lines + [(text, "", "33") for text in self._warnings]

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._colour else text


def warning(event: BuildWarning) -> str:
    """A warning on one line."""
    return clean(f"WARN: {event.message}" + (f" ({event.url})" if event.url else ""))


def _amount(event: StepProgress) -> str:
    """How many bytes of how many; empty where the engine does not know."""
    if not event.current and not event.total:
        return ""
    return f" {_bytes(event.current)}" + (f" / {_bytes(event.total)}" if event.total else "")


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f}{unit}" if unit == "B" else f"{count:.1f}{unit}"


def _fit(text: str, right: str, width: int) -> str:
    """Text cut to a width in terminal columns, with another text at its right edge."""
    room = width - len(right) - (1 if right else 0)
    kept, used = [], 0
    for char in text.expandtabs(4):
        columns = 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
        if used + columns > room:
            break
        kept.append(char)
        used += columns
    return "".join(kept) + (" " * (room - used + 1) + right if right else "")
