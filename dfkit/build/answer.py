"""`POST /build` and the lines of its answer, of either builder."""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
from contextlib import suppress

from dfkit.build.engine import Engine, trouble
from dfkit.errors import BuildFailed, NoEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from dfkit.build.buildkit.session import Session
    from dfkit.build.events import Event

SILENCE_SECONDS = 120
"""How long an engine may say nothing at all. In a build it asks the session every few seconds whether that is alive."""
LOOK_SECONDS = 5
_LONGEST_MESSAGE = 24 << 20
"""Bytes of one line of the engine's answer; far more than any trace message has, of which gRPC takes 16 MiB at most."""
_WAITING = 16
"""Lines that may wait to be read."""
_PIECE = 1 << 16
"""Bytes to read at once. A chunk of the answer that is smaller is not waited for, of a larger one not all is kept."""
_CANCEL_SECONDS = 10
_HANG_UP_SECONDS = 5


class Answer:
    """One build's.

    A thread of its own sends the context and reads the answer, so that an interrupt, which Python raises in the main thread,
    cannot fall into the middle of an HTTP chunk: after it the answer can still be read to its end.
    """

    def __init__(
        self,
        engine: Engine,
        parameters: Iterable[tuple[str, str]],
        tar: Iterable[bytes] | None = None,
        *,
        session: Session | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """The `parameters` say where the files are if not in a `tar`. Without a `session` it is the classic builder."""
        self._engine = engine
        self._session = session
        self._id = secrets.token_hex(16)
        self._query = list(parameters)
        if session is not None:
            self._query += [("session", session.id), ("buildid", self._id)]
        self._headers = {"Content-Type": "application/x-tar", **(headers or {})}
        self._tar = tar
        self._lines: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=_WAITING)
        self._stopped = False  # the context is not wanted any more
        self._over = False  # the end of the answer was read
        self._broken: BaseException | None = None
        self._response: Any = None
        self._thread = threading.Thread(target=self._run, name="dfkit-build", daemon=True)

    def lines(self) -> Iterator[bytes]:
        """The lines as they come. Raises what sending and reading them raised, and `NoEngine` when the engine says nothing any more."""
        self._thread.start()
        while (line := self._next()) is not None:
            if isinstance(line, BaseException):
                raise line
            yield line
        self._over = True

    def _next(self) -> bytes | BaseException | None:
        quiet, heard = 0.0, self._heard
        while quiet < SILENCE_SECONDS:
            with suppress(queue.Empty):
                return self._lines.get(timeout=LOOK_SECONDS)
            # Looks are counted, not the time: this process may have been stopped in between.
            quiet = quiet + LOOK_SECONDS if heard == self._heard else 0.0
            heard = self._heard
        raise NoEngine(f"the Docker engine at {self._engine.host} has not answered for {SILENCE_SECONDS:.0f} s in the build")

    @property
    def _heard(self) -> float:
        """Changes when the engine says something; the classic builder is silent while a step is."""
        return self._session.heard if self._session is not None else time.monotonic()

    def follow(self, read: Callable[[bytes], Iterable[Event]], on_event: Callable[[Event], None]) -> None:
        """Call `on_event` with what `read` makes of each line, until the end; on KeyboardInterrupt cancel the build. Raises as `lines`."""
        try:
            for line in self.lines():
                for event in read(line):
                    on_event(event)
        except KeyboardInterrupt:
            self.cancel()
            raise
        finally:
            self.close()

    def cancel(self) -> None:
        """Stop the build on the engine, over a second connection, and read the answer to its end."""
        from dfkit.build.dockerpy import EngineTrouble

        self._stopped = True
        if self._session is None:
            return  # the classic builder has no such request; it stops when `close` hangs up
        try:
            self._engine.api.post(self._url("/build/cancel"), params={"id": self._id}, timeout=_CANCEL_SECONDS).close()
        except EngineTrouble:
            return  # `close` hangs up, which stops the build too
        self._drain(_CANCEL_SECONDS)

    def close(self) -> None:
        """End the connection and the thread. The engine stops a build whose client hangs up."""
        from dfkit.build.buildkit.transport import hang_up

        self._stopped = True
        if self._thread.ident is None:
            return
        self._drain(0)
        if not self._over:
            hang_up(self._response)
            self._drain(_HANG_UP_SECONDS)
        if self._over:
            self._thread.join()
        if self._response is not None:
            self._response.close()

    def _drain(self, seconds: float) -> None:
        """Throw away the rest of the answer, as far as it comes within that time."""
        until = time.monotonic() + seconds
        with suppress(queue.Empty):
            while not self._over:
                self._over = self._lines.get(timeout=max(0.0, until - time.monotonic())) is None

    def _url(self, path: str) -> str:
        return f"{self._engine.api.base_url}/v{self._engine.api.api_version}{path}"

    def _run(self) -> None:
        from dfkit.build.dockerpy import EngineTrouble

        try:
            for line in self._post():
                self._lines.put(line)
        except EngineTrouble as error:
            self._lines.put(self._broken or trouble(error, self._engine.host, "build"))
        except Exception as error:
            self._lines.put(self._broken or error)
        self._lines.put(None)

    def _post(self) -> Iterator[bytes]:
        from dfkit.build.buildkit.transport import said, wait_long

        response = self._engine.api.post(
            self._url("/build"),
            params=self._query,
            data=None if self._tar is None else self._body(self._tar),
            headers=self._headers,
            stream=True,
            timeout=(self._engine.api.timeout, SILENCE_SECONDS),
        )
        self._response = response
        wait_long(response)  # a step may be silent for hours
        if response.status_code >= 400:
            raise BuildFailed(f"the engine does not take the build: {_explanation(said(response))}")
        rest = bytearray()
        for chunk in response.iter_content(_PIECE):
            rest += chunk
            if b"\n" in chunk:
                *lines, last = bytes(rest).split(b"\n")
                yield from (line for line in lines if line.strip())
                rest = bytearray(last)
            if len(rest) > _LONGEST_MESSAGE:
                raise BuildFailed("the engine's answer cannot be read (a line without an end)")
        if rest.strip():
            yield bytes(rest)

    def _body(self, tar: Iterable[bytes]) -> Iterator[bytes]:
        """The context; its own errors are kept, since requests would take an `OSError` for one of the connection."""
        try:
            for chunk in tar:
                if self._stopped:
                    raise ConnectionAbortedError("the build was cancelled")
                yield chunk
        except Exception as error:
            self._broken = error
            raise


def _explanation(body: str) -> str:
    """The `message` of the engine's JSON error body, or the body."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.strip() or "it gives no reason"
