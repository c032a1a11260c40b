"""Who made the layers of an image: a builder's step, `docker commit`, or `docker import`."""

from __future__ import annotations

import re

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    Origin = Literal["buildkit", "classic", "commit", "import", "other"]

_CLASSIC = re.compile(r"(\|\d+ .*)?(/bin/sh -c|\S*sh (-\S+ (\w+ )?)*-\w*c|cmd /S /C|powershell) |.*#\(nop\)", re.DOTALL)
"""A step of the builder before BuildKit: build arguments behind a bar and their count, then SHELL and the script or `#(nop)`."""
_SHELL = re.compile(r"((/usr)?/bin/)?(ba|da|a|z|k|fi)?sh( -[il]+| --login)*")
"""A shell started to be typed in."""


class Step(Record):
    """One entry of an image's history. `empty` steps changed only the configuration and have no layer."""

    created_by: str = ""
    comment: str = ""
    empty: bool = False


def steps(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """The history in an image's configuration (the JSON file of a saved image), oldest first."""
    return tuple(
        Step(step.get("created_by") or "", step.get("comment") or "", bool(step.get("empty_layer")))
        for step in config.get("history") or ()
    )


def origin(step: Step, command: tuple[str, ...] = ()) -> Origin:
    """What made a step.

    `command` is the image's Cmd, where the step is its last: `docker commit` records the container's command as the step and
    keeps it as Cmd, and writes no comment of its own
    (https://github.com/moby/moby/blob/v28.0.0/daemon/commit.go). A step that only another builder's habit explains is `other`.
    """
    if step.comment.startswith("buildkit.") or step.created_by.endswith("# buildkit"):
        return "buildkit"
    if step.comment.startswith("Imported from"):
        return "import"
    if step.empty:
        return "classic" if _CLASSIC.match(step.created_by) else "other"
    if _SHELL.fullmatch(step.created_by):
        return "commit"
    if _CLASSIC.match(step.created_by):
        return "classic"
    return "commit" if command and step.created_by == " ".join(command) else "other"


def commits(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of an image that `docker commit` made, oldest first; none if a Dockerfile can build it again."""
    history = steps(config)
    command = tuple((config.get("config") or {}).get("Cmd") or ())
    return tuple(step for i, step in enumerate(history) if origin(step, command if i == len(history) - 1 else ()) == "commit")
