"""What happens during a build, as records, and what a build comes to.

A step is named by its digest in every event; the engine may send a step again (a new attempt, or a cache hit found late), so
of two `StepDone` with one digest the later counts.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.errors import BuildFailed

LOG_LINES = 200
"""How many of its last log lines a `Step` keeps."""


class StepQueued(Record):
    """The engine plans this step."""

    digest: str
    name: str


class StepStarted(Record):
    """The engine works on this step, or looks for it in its cache."""

    digest: str
    name: str


class StepLog(Record):
    """One line that a step printed, without its line end. `seconds` counts from the step's start."""

    digest: str
    line: str
    stderr: bool
    seconds: float


class StepProgress(Record):
    """How far a part of a step is, such as a layer being fetched: bytes, or 0 where the engine does not know."""

    digest: str
    part: str
    current: int
    total: int
    done: bool


class StepDone(Record):
    """The step ended well. `seconds` is the time it took in all its runs."""

    digest: str
    name: str
    cached: bool
    seconds: float


class StepFailed(Record):
    """`canceled`: it did not fail itself, it was stopped because another step failed or the user asked."""

    digest: str
    name: str
    error: str
    exit_code: int | None
    canceled: bool
    seconds: float


class BuildWarning(Record):
    """What the engine or this client warns of. `line` is the Dockerfile's, from 1, and None where the warning has no place."""

    message: str
    line: int | None = None
    url: str | None = None


class ImageBuilt(Record):
    """`image_id` is `sha256:` and 64 hexadecimal digits."""

    image_id: str


Event = StepQueued | StepStarted | StepLog | StepProgress | StepDone | StepFailed | BuildWarning | ImageBuilt


class Step(Record):
    """A step when the build is over. `error` is None unless it failed; `logs` are its last lines, at most `LOG_LINES`."""

    digest: str
    name: str
    cached: bool = False
    seconds: float = 0.0
    error: str | None = None
    exit_code: int | None = None
    canceled: bool = False
    logs: tuple[str, ...] = ()

    @property
    def instruction(self) -> str | None:
        """The Dockerfile instruction that the step runs; None for the engine's own work.

        BuildKit names these `[2/4] RUN make` or `[stage-0 2/4] RUN make`, and its own `[internal] …` or without brackets.
        """
        place, bracket, instruction = self.name.partition("] ")
        number, slash, total = place.rpartition(" ")[2].lstrip("[").partition("/")
        if place.startswith("[") and bracket and slash and number.isdecimal() and total.isdecimal():
            return instruction
        return None


class Exported(Record):
    """A result that is no image. `dest` is the file or folder that has it, `-` standard output.

    `size` counts the bytes of the tar, or of the blobs that the folder of an image did not have yet.
    """

    type: str
    dest: str
    size: int


class BuildResult(Record):
    """A build that went well; `image_id` is `sha256:` and 64 hexadecimal digits, or empty where `output` is not None."""

    image_id: str
    steps: tuple[Step, ...]
    warnings: tuple[BuildWarning, ...]
    seconds: float
    output: Exported | None = None

    @property
    def executed(self) -> tuple[Step, ...]:
        """The steps of instructions that were run rather than taken from the cache; a FROM is none."""
        return tuple(step for step in self.steps if not step.cached and not (step.instruction or "FROM").startswith("FROM"))


class SolveFailed(BuildFailed):
    """The engine ended the build with an error.

    `reason` is the engine's own words. `step` is the step that failed, None if none did: a Dockerfile that the engine cannot
    read, a base that it cannot find.
    """

    def __init__(self, message: str, *, reason: str, step: Step | None, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.step = step
        self.steps = steps

    @property
    def logs(self) -> tuple[str, ...]:
        """The last ten lines that the failed step printed."""
        return self.step.logs[-10:] if self.step else ()
