"""Writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile

from dfkit.errors import UsageError


def write(path: str, text: str) -> None:
    """Replace a file's content whole or not at all; its mode stays, and a link's target is what is written.

    Raises `UsageError`.
    """
    target = os.path.realpath(path)
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode)
    except OSError as error:
        raise _cannot_write(path, error) from None
    put(target, text, mode)


def put(path: str, text: str, mode: int = 0o644) -> None:
    """Make or replace a file whole or not at all. Raises `UsageError`."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".dfkit-", dir=os.path.dirname(path) or ".")
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        if temporary is not None:
            os.unlink(temporary)


def _cannot_write(path: str, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}")
