"""What the tests with a Docker engine share. `busybox` and `debian:12-slim` are on every engine that they get."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfkit.build import Engine, connect
from dfkit.errors import NoEngine

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "modern-engine"
BASES = ("busybox:latest", "debian:12-slim")


def without_engine(reason: str) -> None:
    """Skip, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine that docker's settings name."""
    try:
        found = connect()
    except NoEngine as error:
        without_engine(str(error))
    with found:
        yield found


@pytest.fixture(scope="session")
def modern_engine(engine: Engine) -> Iterator[Engine]:
    """An engine of Docker 28 or newer: see scripts/modern-engine."""
    asked = subprocess.run([sys.executable, SCRIPT, "address"], capture_output=True, text=True)
    if asked.returncode:
        without_engine(asked.stderr.strip())
    with connect(asked.stdout.strip()) as found:
        for base in BASES:
            if found.image(base) is None:
                held = engine.image(base)
                assert held, f"the image {base} is missing: run `scripts/base-images`"
                list(found.api.load_image(engine.save(base)))
                found.tag(held.id, base)
        yield found


@pytest.fixture(params=["default", "modern"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two engines in turn."""
    found: Engine = request.getfixturevalue("engine" if request.param == "default" else "modern_engine")
    return found
