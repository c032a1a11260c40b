"""The record of a build: what was built, from which text, how each step went, and what went wrong on the way."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from dfkit.build.events import BuildResult, BuildWarning, Exported, Step

    Text = Literal["original", "optimized"]

ORIGINAL: Text = "original"
OPTIMIZED: Text = "optimized"

SCHEMA = 1
"""Of `BuildReport.to_dict`; a change that takes away or alters a key raises it."""


class BuildReport(Record):
    """`text` tells which text the image was built from. `faults` are dfkit's own failures that the build survived, as sentences:
    above all an optimized text that the engine could not build.
    """

    dockerfile: str
    engine: str
    text: Text
    tags: tuple[str, ...]
    result: BuildResult
    faults: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON takes it; times in seconds."""
        return {
            "schema": SCHEMA,
            "dockerfile": self.dockerfile,
            "engine": self.engine,
            "text": self.text,
            "tags": list(self.tags),
            "image": self.result.image_id or None,
            "output": _output(self.result.output),
            "seconds": round(self.result.seconds, 3),
            "executed": len(self.result.executed),
            "steps": [_step(step) for step in self.result.steps],
            "warnings": [_warning(warning) for warning in self.result.warnings],
            "faults": list(self.faults),
        }


def _output(output: Exported | None) -> dict[str, Any] | None:
    return None if output is None else {"type": output.type, "dest": output.dest, "bytes": output.size}


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "digest": step.digest,
        "instruction": step.instruction,
        "cached": step.cached,
        "seconds": round(step.seconds, 3),
        "error": step.error,
    }


def _warning(warning: BuildWarning) -> dict[str, Any]:
    return {"message": warning.message, "line": warning.line, "url": warning.url}
