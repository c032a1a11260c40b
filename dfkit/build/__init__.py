"""Builds on a Docker engine with BuildKit. Importing this loads neither docker-py nor HTTP/2: `connect` and `build` do."""

from __future__ import annotations

from dfkit.build.capabilities import Unsupported
from dfkit.build.client import build
from dfkit.build.engine import Engine, EngineError, LocalImage, connect
from dfkit.build.events import (
    BuildResult,
    BuildWarning,
    Event,
    ImageBuilt,
    SolveFailed,
    Step,
    StepDone,
    StepFailed,
    StepLog,
    StepProgress,
    StepQueued,
    StepStarted,
)
from dfkit.build.request import BuildRequest, Cache, Folders, Output, Resources, Secret, SshAgent

__all__ = [
    "BuildRequest",
    "BuildResult",
    "BuildWarning",
    "Cache",
    "Engine",
    "EngineError",
    "Event",
    "Folders",
    "ImageBuilt",
    "LocalImage",
    "Output",
    "Resources",
    "Secret",
    "SolveFailed",
    "SshAgent",
    "Step",
    "StepDone",
    "StepFailed",
    "StepLog",
    "StepProgress",
    "StepQueued",
    "StepStarted",
    "Unsupported",
    "build",
    "connect",
]
