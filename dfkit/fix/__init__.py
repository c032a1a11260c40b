"""Changes applied: those that fit together, then again, until the text is stable."""

from __future__ import annotations

from dfkit.fix.applier import Fixed, OscillationError, Proposal, Refusal, fix, rewrite

__all__ = ["Fixed", "OscillationError", "Proposal", "Refusal", "fix", "rewrite"]
