"""BuildKit's side protocols: messages, the session that the engine calls back on, and the build's trace."""

from __future__ import annotations
