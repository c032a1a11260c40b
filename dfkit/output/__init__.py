"""Findings and changes shown to people and programs; one formatter a file."""
