"""Credential helpers: other people's programs that may hang, say anything, and say it without an end.

https://github.com/docker/docker-credential-helpers#development
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

LARGEST_ANSWER = 1 << 20
"""Bytes of each output; a token has some thousands."""
_PIECE = 1 << 16
_LEFT_SECONDS = 1
"""For the end of an output after the end of the helper; something that it left running may keep the pipe."""


class Said(Record):
    """How a helper ended, and its outputs."""

    code: int
    out: bytes
    error: bytes

    def __repr__(self) -> str:
        return f"Said({self.code}, …)"


class TooMuchError(Exception):
    """A helper said more than any credentials take, and was ended."""


def ask(program: str, key: str, seconds: float) -> Said:
    """What `PROGRAM get` says of a key.

    Raises `TimeoutError`, `TooMuchError`, `OSError` if it cannot be run, and `ValueError` for a name that no program has.
    """
    process = subprocess.Popen([program, "get"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    outputs = [_Output(process, pipe) for pipe in (process.stdout, process.stderr) if pipe is not None]
    try:
        for output in outputs:
            output.start()
        if process.stdin is not None:
            with suppress(OSError), process.stdin as pipe:  # it need not read
                pipe.write(key.encode(errors="surrogateescape"))
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        process.kill()
        process.wait()
    for output in outputs:
        output.join(_LEFT_SECONDS)
    if any(len(output.said) > LARGEST_ANSWER for output in outputs):
        raise TooMuchError
    return Said(code, bytes(outputs[0].said), bytes(outputs[1].said))


class _Output(threading.Thread):
    """Reads a pipe of a helper, and ends the helper when it says too much."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        super().__init__(name="dfkit-helper", daemon=True)
        self._process = process
        self._pipe = pipe
        self.said = bytearray()

    def run(self) -> None:
        with self._pipe as pipe:
            while len(self.said) <= LARGEST_ANSWER and (piece := os.read(pipe.fileno(), _PIECE)):
                self.said += piece
        if len(self.said) > LARGEST_ANSWER:
            self._process.kill()
