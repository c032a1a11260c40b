"""Questions to BuildKit's Dockerfile frontend, which builds nothing for them: `lint`, `outline` and `targets`.

A build with a gateway stands open at the daemon while the frontend is asked through it; then it is told to return.

Messages: https://github.com/moby/buildkit/blob/master/frontend/gateway/pb/gateway.proto
Answers: https://github.com/moby/buildkit/tree/master/frontend/subrequests
"""

from __future__ import annotations

import secrets
import threading
from collections import deque

from dfkit._record import Record
from dfkit.build.engine import Engine
from dfkit.errors import BuildFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from dfkit.build.buildkit.channel import Channel
    from dfkit.build.buildkit.control import Solve
    from dfkit.build.events import Event
    from dfkit.build.request import BuildRequest, Folders
    from dfkit.build.solve import Peer

    Question = Literal["lint", "outline", "targets"]

_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_CAPS = "moby.buildkit.frontend.subrequests+forward"
_UNKNOWN = ("unsupported request", "unsupported frontend capability")

SINCE: Mapping[str, tuple[int, int]] = {"lint": (1, 46), "outline": (1, 42), "targets": (1, 42)}
"""The API version of the first Docker engine whose frontend answers: 27.0 and 23.0."""


class NoAnswer(BuildFailed):
    """The frontend does not know the question."""


class Answer(Record):
    """What the frontend said. `status` is what it has the command end with, 0 where it is content."""

    text: str
    json: str
    status: int


def answers(peer: Peer, question: Question) -> bool:
    """Whether a peer's own frontend may know a question; a `# syntax=` line may name another one."""
    return not isinstance(peer, Engine) or (peer.has_buildkit and peer.api_version >= SINCE[question])


def ask(
    peer: Peer,
    question: Question,
    request: BuildRequest,
    folders: Folders,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> Answer:
    """Ask about the Dockerfile as it would be built by this request.

    Raises `NoAnswer` if the frontend does not know the question, `SolveFailed` if it cannot answer, such as for a file that it cannot
    read; `NoEngine`, `UsageError`, `ContextError` as `solve.solve` does.
    """
    from dfkit.build.buildkit.control import Solve
    from dfkit.build.buildkit.session import Session
    from dfkit.build.services import Services
    from dfkit.build.solve import check_control, control, frontend_attributes, open_session, session_dial

    if isinstance(peer, Engine):
        check_control(request, folders, peer)
    told: deque[str] = deque()
    with Services(request, folders, told.append) as services, control(peer) as channel:
        attributes = frontend_attributes(peer, channel, services.layouts.request, folders)
        attributes["requestid"] = f"frontend.{question}"
        attributes["frontend.caps"] = ",".join(filter(None, (attributes.get("frontend.caps"), _CAPS)))
        session = Session(session_dial(peer, channel), *services.handlers(), shared_key=services.shared_key)
        open_session(session, peer)
        try:
            asked = Solve(secrets.token_hex(16), session.id, attributes, internal=True)
            return _ask(channel, asked, services.secrets.scrub, on_event)
        finally:
            session.close()


def _ask(channel: Channel, asked: Solve, scrub: Callable[[str], str], on_event: Callable[[Event], None]) -> Answer:
    from dfkit.build.buildkit.control import FRONTEND, Solving, mapping, pairs
    from dfkit.build.buildkit.grpc import UNIMPLEMENTED, GoneError, StatusError
    from dfkit.build.buildkit.wire import Message, encode
    from dfkit.build.outcome import Outcome

    outcome = Outcome(scrub)
    said: list[bytes | Exception] = []

    def through_the_gateway() -> None:
        metadata = [("buildkit-controlapi-buildid", asked.ref)]
        question = encode((2, FRONTEND), *pairs(3, asked.attributes), (5, 1), (6, 1))
        try:
            said.append(channel.ask(f"{_BRIDGE}Solve", question, metadata))
            channel.ask(f"{_BRIDGE}Return", encode((1, b"")), metadata)
        except Exception as error:
            said.append(error)
            solving.stop()

    solving = Solving(channel, asked)
    gateway = threading.Thread(target=through_the_gateway, name="dfkit-gateway", daemon=True)
    gateway.start()
    try:
        for message in solving.trace():
            for event in outcome.trace(message):
                on_event(event)
    except KeyboardInterrupt:
        solving.cancel()
        raise
    except StatusError as error:
        said.append(error)
    except GoneError:
        if not said:
            raise
    finally:
        solving.close()
    gateway.join(5)
    first = said[0] if said else StatusError(2, "the frontend ended without an answer")
    if isinstance(first, StatusError):
        if first.code == UNIMPLEMENTED or any(words in first.message for words in _UNKNOWN):
            raise NoAnswer(f"the frontend does not know {asked.attributes['requestid']}")
        outcome.fail(first.message)
        outcome.result(0.0)
    if not isinstance(first, bytes):
        raise first
    result = Message(first).message(3)
    found = mapping(result, 10) if result is not None else {}
    text, json, status = (found.get(f"result.{kind}", b"").decode("utf-8", "replace") for kind in ("txt", "json", "statuscode"))
    return Answer(text, json, int(status) if status.isdecimal() else 0)
