"""Proof that a rewrite changed nothing else: two images compared, and two groups of scripts run side by side."""
