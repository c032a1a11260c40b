"""The environment of programs that are timed."""

from __future__ import annotations

import os


def users_environment() -> dict[str, str]:
    """This environment, but that Python may keep byte code in it, as it does for those who use dfkit."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")}
