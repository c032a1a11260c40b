"""What the tests of the session's services share."""

from __future__ import annotations

import pytest

from tests.build.peer import Peer, serving


@pytest.fixture
def serve():
    """Serve handlers, and give the peer that calls them."""
    with serving() as start:
        yield lambda handlers: Peer(start(handlers)[1])
