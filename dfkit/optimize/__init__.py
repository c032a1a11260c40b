"""Rewrites across instructions that make an image smaller or a rebuild faster, and nothing else different."""

from __future__ import annotations

from dfkit.optimize.passes import BaseFacts, ContextFacts, Facts, Pass
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.run import Optimized, optimize, passes

__all__ = ["BaseFacts", "ContextFacts", "Facts", "Optimized", "Pass", "Proposal", "Refusal", "optimize", "passes"]
