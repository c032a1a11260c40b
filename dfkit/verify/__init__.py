"""Proof that a rewrite changed nothing else: two images compared, and in `shelltrace` two groups of scripts run side by side."""

from __future__ import annotations

from dfkit.verify.compare import KINDS, Comparison, Difference, compare

__all__ = ["KINDS", "Comparison", "Difference", "compare"]
