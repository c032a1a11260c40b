"""What can go wrong for a user: each is one sentence that says what to do, and the exit code of the command it ends."""

from __future__ import annotations


class DfkitError(Exception):
    """An error that a user can cause or meet. `str()` is the whole message; `exit_code` is what the command ends with."""

    exit_code = 2


class UsageError(DfkitError):
    """Wrong use, a wrong setting, or input that cannot be read."""


class NoEngine(DfkitError):
    """No Docker engine answers."""

    exit_code = 3


class BuildFailed(DfkitError):
    """The engine could not build the image."""

    exit_code = 4
