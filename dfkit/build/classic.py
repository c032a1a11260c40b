"""Builds on engines without BuildKit: Podman's service, and Docker before 18.09.

Their interface takes one tar with all files and answers with a transcript for people to read, in which the steps are found by their
headings. An interrupt hangs up: Docker stops the step at once, Podman when it is done.

https://docs.podman.io/en/latest/_static/api.html#tag/images-(compat)/operation/ImageBuild
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import deque
from itertools import chain

from dfkit._record import Record, replace
from dfkit.build.answer import Answer
from dfkit.build.capabilities import check_request
from dfkit.build.events import LOG_LINES, Step, StepDone, StepFailed, StepLog, StepStarted
from dfkit.build.outcome import Outcome
from dfkit.build.request import Folders, query
from dfkit.errors import BuildFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dfkit.build.engine import Engine
    from dfkit.build.events import BuildResult, Event
    from dfkit.build.request import BuildRequest

_HEADING = re.compile(r"(?:\[(\d+)/\d+\] )?(?:STEP|Step) (\d+)/(\d+) ?: (.+)")
"""Podman's, with the number of the stage if there are several, and Docker's."""
_END = re.compile(r"--> [0-9a-f]{12,64}|Successfully built [0-9a-f]{12}")
_CACHED = re.compile(r"--> Using cache .*| ---> Using cache")
_NOISE = re.compile(
    r" ---> (?:[0-9a-f]{12}|Running in [0-9a-f]{12})|(?: ---> )?Removed intermediate container [0-9a-f]{12}"
    r"|Removing intermediate container [0-9a-f]{12}|(?:\[\d+/\d+\] )?COMMIT.*|Successfully tagged .*"
)
_OWN = re.compile(r"(?:\[\d+/\d+\] )?(?:STEP |Step |COMMIT)|-->| --->|Remov(?:ed|ing) intermediate container ")
"""How a message of the builder itself begins; before it a line that a command left without an end is over."""
_EXIT_CODE = re.compile(r"(?:exit status|exit code:?|non-zero code:) (\d+)")
_HUB, _HUB_KEY = "docker.io", "https://index.docker.io/v1/"
_IMAGE_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def build_classic(
    engine: Engine, request: BuildRequest, context: Folders | Iterable[bytes] | str, on_event: Callable[[Event], None]
) -> BuildResult:
    """As `client.build`, which calls this."""
    began = time.monotonic()
    told = deque([f"{engine.name} has no BuildKit: stages are built one after the other, and all files are sent each time"])
    told += check_request(request, engine)
    request = replace(request, build_args={**engine.proxy_args(), **request.build_args})
    headers: dict[str, str] = {}
    remote = [("remote", context)] if isinstance(context, str) else []
    tar: Iterable[bytes] | None = None
    if isinstance(context, Folders):
        headers["X-Registry-Config"] = _logins(context.dockerfile, told.append)
        placement = context.context.placement(context.dockerfile)
        request = replace(request, dockerfile=placement.name)
        tar = context.context.archive(context.dockerfile, placement.name)
    elif not isinstance(context, str):
        tar = context
    transcript = Transcript()
    outcome = Outcome(trace=transcript)
    parameters = [(name, value) for name, value in query(request) if name != "version"]
    if engine.podman:
        parameters = _for_podman(parameters, request)
    answer = Answer(engine, [*parameters, *remote, ("rm", "1"), ("forcerm", "1")], tar, headers=headers)
    answer.follow(lambda line: chain(outcome.warned(told), _read(line, outcome, transcript)), on_event)
    for event in outcome.trace(b""):
        on_event(event)
    return outcome.result(time.monotonic() - began)


def _read(line: bytes, outcome: Outcome, transcript: Transcript) -> Iterator[Event]:
    """The events of one line of the answer. Raises `BuildFailed` for what is no answer of a build."""
    try:
        message = json.loads(line)
        if isinstance(message.get("stream"), str):
            yield from outcome.trace(message["stream"].encode("utf-8", "surrogateescape"))
        if found := _IMAGE_ID.fullmatch((message.get("aux") or {}).get("ID") or ""):
            yield outcome.image(f"sha256:{found[1]}")
        if "errorDetail" in message or "error" in message:
            said = (message.get("errorDetail") or {}).get("message") or message.get("error") or "unknown error"
            reason = " ".join(str(said).split())
            outcome.fail(reason)
            yield from transcript.fail(reason)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BuildFailed(f"the engine's answer cannot be read ({type(error).__name__}: {error})") from None


def _for_podman(parameters: list[tuple[str, str]], request: BuildRequest) -> list[tuple[str, str]]:
    """Podman takes some lists as JSON lists of texts only.

    https://github.com/containers/podman/blob/main/pkg/api/handlers/compat/images_build.go
    """
    limits = [f"{name}={soft}:{hard}" for name, (soft, hard) in request.ulimits.items()]
    lists = {"ulimits": limits, "extrahosts": list(request.extra_hosts)}
    others = [(name, value) for name, value in parameters if name not in lists]
    return others + [(name, json.dumps(texts)) for name, texts in lists.items() if texts]


def _logins(dockerfile: bytes, warn: Callable[[str], None]) -> str:
    """The header with the logins for the registries that a Dockerfile names: this builder cannot ask for one."""
    from dfkit.build.dockerconfig import ANONYMOUS, credentials
    from dfkit.model import Model
    from dfkit.syntax import parse
    from dfkit.text import Source

    found = {}
    model = Model(parse(Source.decode(dockerfile, "Dockerfile")))
    references = [each.image_name for stage in model.stages for i in stage.instructions for each in model.references(i)]
    images = (*[stage.image_name for stage in model.stages], *references)
    for host in sorted({image.registry or _HUB for image in images if image is not None}):
        try:
            login = credentials(host)
        except UsageError as error:
            warn(f"no credentials for {host}: {error}")
            continue
        if login != ANONYMOUS:
            key = "identitytoken" if not login.username else "password"
            found[_HUB_KEY if host == _HUB else host] = {"username": login.username, key: login.secret}
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode()


class _Running(Record):
    digest: str
    name: str
    began: float
    cached: bool = False


class Transcript:
    """The steps in the transcript of a classic builder, fed in pieces as they come."""

    def __init__(self) -> None:
        self._rest = ""
        self._count = 0
        self._now: _Running | None = None
        self._logs: deque[str] = deque(maxlen=LOG_LINES)
        self._steps: list[Step] = []

    def read(self, data: bytes) -> Iterator[Event]:
        """The events of the next message; an empty one is the end."""
        text = data.decode("utf-8", "replace").replace("\r", "\n")
        ended = "\n" if self._rest and _OWN.match(text) else ""
        *lines, self._rest = (self._rest + ended + text).split("\n")
        for line in lines:
            yield from self._line(line)
        if not data:
            if self._rest:
                yield from self._line(self._rest)
            yield from self._end()

    def fail(self, reason: str) -> Iterator[Event]:
        """The step that runs failed."""
        if self._now is None:
            return
        now, self._now = self._now, None
        code = _EXIT_CODE.search(reason)
        exit_code = int(code[1]) if code is not None else None
        seconds = time.monotonic() - now.began
        self._steps.append(Step(now.digest, now.name, False, seconds, error=reason, exit_code=exit_code, logs=tuple(self._logs)))
        yield StepFailed(now.digest, now.name, reason, exit_code, False, seconds)

    def steps(self) -> tuple[Step, ...]:
        """All that ended."""
        return tuple(self._steps)

    def failed(self) -> Step | None:
        """The step that failed, if one did."""
        return next((step for step in self._steps if step.error is not None), None)

    def _line(self, line: str) -> Iterator[Event]:
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            yield from self._end()
            self._count += 1
            stage, number, total, instruction = heading.groups()
            place = f"[stage-{int(stage) - 1} {number}/{total}]" if stage else f"[{number}/{total}]"
            self._now = _Running(f"step-{self._count}", f"{place} {instruction}", time.monotonic())
            self._logs.clear()
            yield StepStarted(self._now.digest, self._now.name)
        elif self._now is None or not line or _NOISE.fullmatch(line):
            return
        elif _CACHED.fullmatch(line):
            self._now = replace(self._now, cached=True)
        elif _END.fullmatch(line):
            yield from self._end()
        else:
            self._logs.append(line)
            yield StepLog(self._now.digest, line, False, time.monotonic() - self._now.began)

    def _end(self) -> Iterator[Event]:
        if self._now is None:
            return
        now, self._now = self._now, None
        seconds = time.monotonic() - now.began
        self._steps.append(Step(now.digest, now.name, now.cached, seconds, logs=tuple(self._logs)))
        yield StepDone(now.digest, now.name, now.cached, seconds)
