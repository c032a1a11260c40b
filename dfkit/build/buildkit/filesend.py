"""The session's file send service: the engine hands over a result that is no image, as the bytes of a tar.

A file is written under another name beside its own and renamed when the build is over and well, so a build that fails leaves what
was there. A folder is filled while the tar comes. Neither takes memory for more than the messages under way.

Messages: https://github.com/moby/buildkit/blob/master/session/filesync/filesync.proto
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from dfkit.build.buildkit.grpc import ALREADY_EXISTS, UNKNOWN, StatusError
from dfkit.build.buildkit.wire import Message, WireError
from dfkit.build.events import Exported
from dfkit.build.tarstream import TarError, TarStream
from dfkit.build.unpack import SUPPORTED, Unpacker, write_all
from dfkit.errors import BuildFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dfkit.build.buildkit.grpc import Call, Handler
    from dfkit.build.request import Output

STDOUT = "-"


class OutputFailed(BuildFailed):
    """The result was built and could not be written where it is to go."""


class FileSend:
    """The service for one build. `error` is what kept it from writing the output, if something did."""

    def __init__(self, output: Output, warn: Callable[[str], None] = lambda _: None) -> None:
        """Look whether the output can be written. `warn` is called, from another thread, with what was left out of it.

        Raises `UsageError`.
        """
        self.error: Exception | None = None
        self._output = output
        self._warn = warn
        self._size = 0
        self._begun = False
        self._whole = False
        self._file: _File | None = None
        if not output.dest:
            raise UsageError("the output has no destination: give one with dest=PATH")
        if output.type == "local":
            _check_folder(output.dest)
        elif output.dest == STDOUT:
            if os.isatty(1):
                raise UsageError("the output is a tar, which a terminal cannot show: redirect it, or name a file with dest=FILE")
        else:
            self._file = _File(output.dest)

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path."""
        return {"/moby.filesync.v1.FileSend/DiffCopy": self._receive}

    def finish(self) -> Exported:
        """The build is over and well: put the file in its place. Raises `OutputFailed`."""
        if not self._whole:
            raise OutputFailed(f"the engine ended the build without the output {self._output.dest}")
        try:
            if self._file is not None:
                self._file.keep()
        except OSError as error:
            raise self._failed(error) from error
        return Exported(self._output.type, self._output.dest, self._size)

    def close(self) -> None:
        """Remove what was not put in its place."""
        if self._file is not None:
            self._file.close()

    @property
    def spoiled(self) -> bool:
        """Whether standard output has a part of a tar, after which nothing else can go there."""
        return self._begun and not self._whole and self._output.dest == STDOUT

    def _receive(self, call: Call) -> None:
        if self._begun:
            raise StatusError(ALREADY_EXISTS, "this build has one output, which was sent")
        self._begun = True
        try:
            self._write(self._pieces(call))
        except (OSError, TarError, WireError) as error:
            # Who reads a pipe may stop: that is the reader's way to say that it has enough.
            self.error = error if isinstance(error, BrokenPipeError) else self._failed(error)
            raise StatusError(UNKNOWN, str(self.error)) from error
        self._whole = True

    def _pieces(self, call: Call) -> Iterator[bytes]:
        for message in call.messages():
            piece = Message(message).data(1)
            self._size += len(piece)
            yield piece

    def _write(self, pieces: Iterator[bytes]) -> None:
        if self._output.type == "local":
            with Unpacker(self._output.dest) as unpacker:
                tar = TarStream(pieces)
                for member in tar:
                    try:
                        unpacker.put(member, tar.content())
                    except OSError as error:
                        error.filename = os.path.join(self._output.dest, member.path)
                        raise
            if unpacker.skipped:
                self._warn(f"devices and pipes are not made in a folder ({unpacker.skipped} left out): type=tar keeps them")
            if unpacker.bare:
                self._warn(
                    f"not all extended attributes could be kept in the folder ({unpacker.bare} files): type=tar keeps them"
                )
            return
        for piece in pieces:
            write_all(1 if self._file is None else self._file.descriptor, piece)

    def _failed(self, error: Exception) -> OutputFailed:
        if isinstance(error, OSError):
            return OutputFailed(f"{error.filename or self._output.dest} cannot be written: {_reason(error)}")
        return OutputFailed(
            f"the output for {self._output.dest} is refused, the engine sent what no tar of an image has: {error}"
        )


class _File:
    """A file in the making. `descriptor` is what to write to."""

    def __init__(self, path: str) -> None:
        """Raises `UsageError`."""
        self._path = os.path.realpath(path)
        self._temporary = ""
        try:
            status = os.stat(self._path)
        except OSError:
            status = None
        try:
            if status is not None and stat.S_ISDIR(status.st_mode):
                raise UsageError(f"the output {path} is a folder: name a file, or give a folder of files with type=local")
            if status is None or stat.S_ISREG(status.st_mode):
                self._temporary = os.path.join(os.path.dirname(self._path), f".dfkit-{secrets.token_hex(8)}")
                self.descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            else:  # a pipe or a device has no content to keep
                self.descriptor = os.open(self._path, os.O_WRONLY)
        except OSError as error:
            raise UsageError(f"the output {path} cannot be written: {_reason(error)}") from None

    def keep(self) -> None:
        """Give the file its name. Raises `OSError`."""
        if self._temporary:
            os.fsync(self.descriptor)
            os.replace(self._temporary, self._path)
            self._temporary = ""

    def close(self) -> None:
        """Remove the file if it did not get its name. A second time does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary)
            self._temporary = ""


def _check_folder(path: str) -> None:
    if not SUPPORTED:
        raise UsageError("a folder cannot be filled safely on this system: take a tar with type=tar,dest=FILE")
    if os.path.lexists(path) and not os.path.isdir(path):
        raise UsageError(f"the output {path} is no folder: name a folder, or take a tar with type=tar,dest={path}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
