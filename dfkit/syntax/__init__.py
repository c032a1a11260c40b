"""The lossless tree of a Dockerfile."""

from __future__ import annotations

from dfkit.syntax.parser import parse

__all__ = ["parse"]
