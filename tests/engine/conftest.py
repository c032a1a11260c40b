"""What the tests with a Docker engine share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dfkit.build import Engine, connect
from dfkit.errors import NoEngine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine. Without one the tests are skipped, but never in CI."""
    try:
        found = connect()
    except NoEngine as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with found:
        yield found
