"""Rules applied to a file: one walk over its tree, and the comments that silence it."""

from __future__ import annotations

from dfkit.lint.engine import Linter, Report, lint

__all__ = ["Linter", "Report", "lint"]
