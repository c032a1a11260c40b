"""One build on the engine: send the context, follow the trace, end with the image or with the step that failed."""

from __future__ import annotations

import base64
import binascii
import json
import queue
import secrets
import threading
import time
from collections import deque
from contextlib import suppress

from dfkit._record import replace
from dfkit.build.capabilities import check_request
from dfkit.build.engine import Engine, trouble
from dfkit.build.events import BuildWarning
from dfkit.build.request import Folders, query
from dfkit.errors import BuildFailed, NoEngine, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from dfkit.build.buildkit.session import Session
    from dfkit.build.events import BuildResult, Event
    from dfkit.build.outcome import Outcome
    from dfkit.build.remote import Builder
    from dfkit.build.request import BuildRequest

_LONGEST_MESSAGE = 64 << 20
"""Bytes of one line of the engine's answer; far more than any trace message has."""
_SILENCE_SECONDS = 120
"""How long an engine may say nothing at all. In a build it asks the session every few seconds whether that is alive."""
_LOOK_SECONDS = 5
_CANCEL_SECONDS = 10
_HANG_UP_SECONDS = 5


def build(
    engine: Engine | Builder,
    request: BuildRequest,
    context: Folders | Iterable[bytes],
    on_event: Callable[[Event], None] = lambda _event: None,
) -> BuildResult:
    """Build an image and call `on_event` with what happens, in the calling thread, until the engine is done.

    `context` is folders, of which the engine takes the files that it does not have yet, or a tar stream of all files, plain or
    gzip. BuildKit knows a plain tar by its first kilobyte: it must begin with an ordinary entry, not with an extended header. The
    engine applies no .dockerignore to it. The iterator is run in another thread; what it raises ends the build, and is raised
    here.

    A build of folders goes by BuildKit's control API where it asks for what the engine's own request cannot say, and always on a
    `Builder`, whose images stay there unless the request's output tells otherwise.

    Raises `UsageError` for a secret, an ssh agent or an output that cannot be used, before anything is sent; `SolveFailed` if the
    engine ends the build with an error, `ContextError` if it does so because a file of the folders cannot be sent, `OutputFailed` if
    the output cannot be written, `BuildFailed` if the engine does not take the request, `NoEngine` without an engine with BuildKit or
    if the engine is lost. On KeyboardInterrupt (also one out of `on_event`) the build is cancelled on the engine and the exception goes
    on; a second one leaves at once.
    """
    from dfkit.build.buildkit.session import Session, through_engine
    from dfkit.build.outcome import Outcome
    from dfkit.build.services import Services
    from dfkit.build.solve import only_by_control, open_session, solve

    if not isinstance(engine, Engine) or only_by_control(request, context):
        if not isinstance(context, Folders):
            raise UsageError("this build takes its context from folders, not from a tar")
        return solve(engine, request, context, on_event)
    if not engine.has_buildkit:
        raise NoEngine(f"{engine.name} at {engine.host} has no BuildKit: dfkit builds with Docker 18.09 or newer")
    began = time.monotonic()
    told = deque(check_request(request, engine))
    request = replace(request, build_args={**engine.proxy_args(), **request.build_args})
    folders, tar = (context, None) if isinstance(context, Folders) else (None, context)
    if folders is not None:
        request = replace(request, dockerfile=folders.name)
    with Services(request, folders, told.append) as services:
        outcome = Outcome(services.secrets.scrub)
        session = Session(through_engine(engine.api), *services.handlers(), shared_key=services.shared_key)
        open_session(session, engine)
        try:
            answer = _Answer(engine, request, tar, session)
            try:
                for line in answer.lines():
                    while told:
                        on_event(outcome.warn(BuildWarning(told.popleft())))
                    for event in _read(line, outcome):
                        on_event(event)
            except KeyboardInterrupt:
                answer.cancel()
                raise
            finally:
                answer.close()
        finally:
            session.close()
        while told:
            on_event(outcome.warn(BuildWarning(told.popleft())))
        return services.result(outcome, time.monotonic() - began)


def _read(line: bytes, outcome: Outcome) -> Iterator[Event]:
    """The events of one line of the engine's answer. Raises `BuildFailed` for what is no answer of a build.

    The HTTP status says nothing of how the build ends: it was sent before the build began.
    """
    try:
        message = json.loads(line)
        aux = message.get("aux")
        if message.get("id") == "moby.buildkit.trace":
            yield from outcome.trace(base64.b64decode(aux))
        elif message.get("id") == "moby.image.id":
            yield outcome.image(aux["ID"])
        elif "errorDetail" in message or "error" in message:
            outcome.fail((message.get("errorDetail") or {}).get("message") or message.get("error") or "unknown error")
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise BuildFailed(f"the engine's answer cannot be read ({type(error).__name__}: {error})") from None


class _Answer:
    """`POST /build` and the lines of its answer.

    A thread of its own sends the context and reads the answer, so that an interrupt, which Python raises in the main thread,
    cannot fall into the middle of an HTTP chunk: after it the answer can still be read to its end.
    """

    def __init__(self, engine: Engine, request: BuildRequest, tar: Iterable[bytes] | None, session: Session) -> None:
        """Without a `tar` the engine takes the files over the session."""
        self._engine = engine
        self._session = session
        self._id = secrets.token_hex(16)
        self._query = [*query(request), ("session", session.id), ("buildid", self._id)]
        if tar is None:
            self._query.append(("remote", "client-session"))
        self._tar = tar
        self._lines: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=256)
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
        quiet, heard = 0.0, self._session.heard
        while quiet < _SILENCE_SECONDS:
            with suppress(queue.Empty):
                return self._lines.get(timeout=_LOOK_SECONDS)
            # Looks are counted, not the time: this process may have been stopped in between.
            quiet = quiet + _LOOK_SECONDS if heard == self._session.heard else 0.0
            heard = self._session.heard
        raise NoEngine(f"the Docker engine at {self._engine.host} has not answered for {_SILENCE_SECONDS:.0f} s in the build")

    def cancel(self) -> None:
        """Stop the build on the engine, over a second connection, and read the answer to its end."""
        from dfkit.build.dockerpy import EngineTrouble

        self._stopped = True
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
        from dfkit.build.buildkit.transport import wait_long

        response = self._engine.api.post(
            self._url("/build"),
            params=self._query,
            data=None if self._tar is None else self._body(self._tar),
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=(self._engine.api.timeout, _SILENCE_SECONDS),
        )
        self._response = response
        wait_long(response)  # a step may be silent for hours
        if response.status_code >= 400:
            raise BuildFailed(f"the engine does not take the build: {_explanation(response.text)}")
        rest = b""
        for chunk in response.iter_content(None):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_MESSAGE:
                raise BuildFailed("the engine's answer cannot be read (a line without an end)")
            yield from (line for line in lines if line.strip())
        if rest.strip():
            yield rest

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
    except (ValueError, KeyError, TypeError):
        return body.strip() or "it gives no reason"
