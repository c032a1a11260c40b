"""The joins of the rooms, and what the public API calls."""
