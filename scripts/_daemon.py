"""A background process that a script starts and a later run stops: known by its id and start time, so never taken for another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from _setup import ADMIN_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def process_name(pid: int) -> str | None:
    """The name of a live process; None for one that ended, a zombie too."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return None
    return None if rest.split()[0] in "ZX" else name


def start_time(pid: int) -> str:
    """Tells a process from a later one with the same id: field 22 of proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


class Daemon:
    """At most one process, noted in the file `note`, its output in `log`."""

    def __init__(self, note: Path, log: Path) -> None:
        self.note = note
        self.log = log

    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        try:
            started = json.loads(self.note.read_text())
            pid = int(started["pid"])
            return pid if process_name(pid) and start_time(pid) == started["start_time"] else None
        except (OSError, ValueError, KeyError):
            return None

    def start(self, command: Sequence[str | Path], answers: Callable[[], bool], seconds: float) -> str | None:
        """Start it and wait until `answers`. None when it does; else how it failed, in words, and it is stopped again."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=os.environ | {"PATH": ADMIN_PATH},
            )
        self.note.write_text(json.dumps({"pid": process.pid, "start_time": start_time(process.pid)}))
        until = time.monotonic() + seconds
        while time.monotonic() < until and process.poll() is None:
            if answers():
                return None
            time.sleep(0.3)
        ended = process.poll()
        if ended is None:
            process.terminate()
        self.note.unlink()
        return f"does not answer after {seconds:.0f} s" if ended is None else f"ended with {ended}"

    def stop(self, seconds: float) -> bool:
        """Ask it to end and wait; False when it still runs after `seconds`."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        while self.pid() and time.monotonic() < until:
            time.sleep(0.1)
        if self.pid():
            return False
        self.note.unlink(missing_ok=True)
        return True
