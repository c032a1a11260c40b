"""What the messages of a build come to: events while it runs, then its result or the error that says which step failed."""

from __future__ import annotations

import re

from dfkit.build.buildkit.trace import Trace
from dfkit.build.buildkit.wire import WireError
from dfkit.build.events import BuildResult, BuildWarning, ImageBuilt, SolveFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from dfkit.build.classic import Transcript
    from dfkit.build.events import Event, Step

_LONGEST_NAME = 120
"""Characters of a step's name in a message."""

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_PREFIX = re.compile(
    r"(?:failed to solve(?: with frontend [\w.]+)?|failed to create LLB definition|failed to build LLB"
    r"|rpc error: code = \w+ desc =):? "
)
"""The layers of BuildKit's own calls, which its errors name before what went wrong."""


class Outcome:
    """One build's."""

    def __init__(self, scrub: Callable[[str], str] = str, trace: Trace | Transcript | None = None) -> None:
        """`scrub` takes secrets out of each text of the engine; `trace` knows the steps, by default from what BuildKit says of them."""
        self._scrub = scrub
        self._trace = trace or Trace(scrub)
        self._image_id: str | None = None
        self._error: str | None = None
        self._warnings: list[BuildWarning] = []

    def warn(self, warning: BuildWarning) -> BuildWarning:
        """Keep a warning for the result."""
        self._warnings.append(warning)
        return warning

    def warned(self, told: deque[str]) -> Iterator[BuildWarning]:
        """What other threads have told since, which is taken out of `told`."""
        while told:
            yield self.warn(BuildWarning(told.popleft()))

    def trace(self, data: bytes) -> Iterator[Event]:
        """The events of one `StatusResponse`, or of a piece of the classic builder's transcript. Raises `wire.WireError`."""
        for event in self._trace.read(data):
            yield self.warn(event) if isinstance(event, BuildWarning) else event

    def image(self, image_id: str) -> ImageBuilt:
        """The image is there. Raises `wire.WireError` for what is no id of one."""
        if not isinstance(image_id, str) or not _IMAGE_ID.fullmatch(image_id):
            raise WireError("it names no image")
        self._image_id = image_id
        return ImageBuilt(image_id)

    def fail(self, reason: str) -> None:
        """The build ended with this error, in the engine's words."""
        self._error = self._scrub(reason)

    def result(self, seconds: float, *, image: bool = True) -> BuildResult:
        """What the build came to. Raises `SolveFailed`, also where it gave neither an `image`, if it was to, nor an error."""
        steps = self._trace.steps()
        if self._error is not None or (image and self._image_id is None):
            reason = _PREFIX.sub("", self._error or "the engine ended the build without an image and without an error")
            step = self._trace.failed() if self._error else None
            raise SolveFailed(_sentence(reason, step), reason=reason, step=step, steps=steps)
        return BuildResult(self._image_id or "", steps, tuple(self._warnings), seconds)


def _sentence(reason: str, step: Step | None) -> str:
    if step is None:
        return f"the build failed: {reason}"
    name = step.name if len(step.name) <= _LONGEST_NAME else f"{step.name[:_LONGEST_NAME]}…"
    if step.exit_code is not None:
        return f"the step {name} failed with exit code {step.exit_code}"
    return f"the step {name} failed: {step.error}"
