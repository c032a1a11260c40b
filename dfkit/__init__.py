"""Read, check, rewrite, prove and build Dockerfiles."""

from __future__ import annotations

__version__ = "0.1.0"
