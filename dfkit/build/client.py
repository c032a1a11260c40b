"""One build on the engine: send the context, follow the trace, end with the image or with the step that failed."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections import deque
from itertools import chain

from dfkit._record import replace
from dfkit.build.answer import Answer
from dfkit.build.capabilities import check_request
from dfkit.build.engine import Engine
from dfkit.build.request import Folders, query
from dfkit.errors import BuildFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dfkit.build.events import BuildResult, Event
    from dfkit.build.outcome import Outcome
    from dfkit.build.remote import Builder
    from dfkit.build.request import BuildRequest


def build(
    engine: Engine | Builder,
    request: BuildRequest,
    context: Folders | Iterable[bytes] | str,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> BuildResult:
    """Build an image and call `on_event` with what happens, in the calling thread, until the engine is done.

    `context` is folders, of which the engine takes the files that it does not have yet, or a tar stream of all files, plain or
    gzip. BuildKit knows a plain tar by its first kilobyte: it must begin with an ordinary entry, not with an extended header. The
    engine applies no .dockerignore to it. The iterator is run in another thread; what it raises ends the build, and is raised
    here. A string is the address of a git repository or an archive, which the engine fetches itself.

    An engine without BuildKit, such as Podman, builds by the older interface of Docker's, and a warning says what that lacks.

    A build of folders goes by BuildKit's control API where it asks for what the engine's own request cannot say, and always on a
    `Builder`, whose images stay there unless the request's output tells otherwise.

    Raises `UsageError` for a secret, an ssh agent or an output that cannot be used, before anything is sent; `SolveFailed` if
    the engine ends the build with an error, `ContextError` if it does so because a file of the folders cannot be sent,
    `OutputFailed` if the output cannot be written, `BuildFailed` if the engine does not take the request, `NoEngine` if the
    engine is lost. On KeyboardInterrupt (also one out of `on_event`) the build is cancelled on the engine and the exception
    goes on; a second one leaves at once.
    """
    from dfkit.build.buildkit.session import Session, through_engine
    from dfkit.build.outcome import Outcome
    from dfkit.build.services import Services
    from dfkit.build.solve import only_by_control, open_session, solve

    if not isinstance(engine, Engine) or only_by_control(request, context):
        if not isinstance(context, Folders):
            raise UsageError("this build takes its context from folders, not from a tar or an address")
        return solve(engine, request, context, on_event)
    if not engine.has_buildkit:
        from dfkit.build.classic import build_classic

        return build_classic(engine, request, context, on_event)
    began = time.monotonic()
    told = deque(check_request(request, engine))
    request = replace(request, build_args={**engine.proxy_args(), **request.build_args})
    folders = context if isinstance(context, Folders) else None
    tar = None if isinstance(context, Folders | str) else context
    if folders is not None:
        request = replace(request, dockerfile=folders.name)
    parameters = query(request)
    if tar is None:
        parameters.append(("remote", context if isinstance(context, str) else "client-session"))
    with Services(request, folders, told.append) as services:
        outcome = Outcome(services.secrets.scrub)
        session = Session(through_engine(engine.api), *services.handlers(), shared_key=services.shared_key)
        open_session(session, engine)
        try:
            answer = Answer(engine, parameters, tar, session=session)
            answer.follow(lambda line: chain(outcome.warned(told), _read(line, outcome)), on_event)
        finally:
            session.close()
        for warning in outcome.warned(told):
            on_event(warning)
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
            outcome.fail(str((message.get("errorDetail") or {}).get("message") or message.get("error") or "unknown error"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
        raise BuildFailed(f"the engine's answer cannot be read ({type(error).__name__}: {error})") from None
