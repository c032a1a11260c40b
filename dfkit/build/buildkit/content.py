"""The session's content service: blobs in folders of this machine, which a local cache is kept in.

A folder has the layout of an OCI image: `blobs/sha256/<hexadecimal>`. A blob is written under another name and gets its own when
it is whole and has the digest that was announced, so no broken one is ever found.

Messages: https://github.com/containerd/containerd/blob/main/api/services/content/v1/content.proto
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from contextlib import suppress

from dfkit.build.buildkit.grpc import ALREADY_EXISTS, INTERNAL, NOT_FOUND, StatusError
from dfkit.build.buildkit.wire import Message, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.build.buildkit.grpc import Call, Handler

INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE = 3, 9, 11

_STAT, _WRITE, _COMMIT = range(3)
_PIECE = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Content:
    """The service. `folders` maps the names by which the daemon knows them to paths; those of `written` it may add blobs to."""

    def __init__(self, folders: Mapping[str, str], written: frozenset[str] = frozenset()) -> None:
        self._folders = dict(folders)
        self._written = written
        self.error: OSError | None = None
        """What kept a blob from being read or written, if something did."""
        self.added: Counter[str] = Counter()
        """Bytes of the blobs that were added to each folder, by its name."""

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path."""
        methods = {"Info": self._info, "Read": self._read, "Write": self._write, "Status": _no_status, "Abort": _nothing}
        return {f"/containerd.services.content.v1.Content/{name}": self._guarded(method) for name, method in methods.items()}

    def _guarded(self, method: Handler) -> Handler:
        def handler(call: Call) -> None:
            try:
                method(call)
            except OSError as error:
                self.error = error
                raise StatusError(INTERNAL, f"{error.filename}: {error.strerror}") from error

        return handler

    def _store(self, call: Call) -> str:
        """The name of the folder that a call is about."""
        name = dict(call.metadata).get("buildkit-attachable-store-id", "")
        if name not in self._folders:
            raise StatusError(NOT_FOUND, f"this build shares no content store {name!r}")
        return name

    def _info(self, call: Call) -> None:
        digest, path = self._blob(call, _one(call))
        call.send(encode((1, encode((1, digest), (2, os.path.getsize(path))))))

    def _read(self, call: Call) -> None:
        request = _one(call)
        _, path = self._blob(call, request)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            at = max(0, request.signed(2))
            if at > size:
                raise StatusError(OUT_OF_RANGE, f"the blob has {size} bytes")
            end = size if request.signed(3) <= 0 else min(size, at + request.signed(3))
            file.seek(at)
            sent = 0
            while piece := file.read(min(_PIECE, end - at - sent)):
                call.send(encode((1, sent), (2, piece)))
                sent += len(piece)

    def _blob(self, call: Call, request: Message) -> tuple[str, str]:
        """The digest that is asked for and the file that has it."""
        digest = request.text(1)
        path = _path(self._folders[self._store(call)], digest)
        if not os.path.isfile(path):
            raise StatusError(NOT_FOUND, f"there is no blob {digest}")
        return digest, path

    def _write(self, call: Call) -> None:
        name = self._store(call)
        if name not in self._written:
            raise StatusError(FAILED_PRECONDITION, f"the content store {name!r} is read only")
        blob = _NewBlob(self._folders[name])
        try:
            for message in call.messages():
                request = Message(message)
                blob.expect(request.text(4), request.signed(3))
                action = request.integer(1)
                if action != _STAT:
                    blob.add(request.signed(5), request.data(6))
                if action == _COMMIT:
                    blob.commit()
                    self.added[name] += blob.size
                call.send(encode((1, action), (4, blob.size), (5, blob.total), (6, blob.digest)))
                if action == _COMMIT:
                    return
        finally:
            blob.close()


class _NewBlob:
    """A blob in the making. `total` is how many bytes it is said to have, 0 if that is not known."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._expected = ""
        self._hash = hashlib.sha256()
        self._temporary = os.path.join(folder, "ingest", secrets.token_hex(8))
        os.makedirs(os.path.dirname(self._temporary), exist_ok=True)
        self._file = open(self._temporary, "xb")  # noqa: SIM115 - `close` closes it
        self.size = 0
        self.total = 0

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def expect(self, digest: str, total: int) -> None:
        """Take what the daemon says of the blob. Raises `StatusError` if it is there already."""
        self.total = total if total > 0 else self.total
        if digest:
            self._expected = digest
            if os.path.isfile(_path(self._folder, digest)):
                raise StatusError(ALREADY_EXISTS, f"the blob {digest} exists")

    def add(self, offset: int, data: bytes) -> None:
        """Write at an offset, which must be the end, or 0 to begin anew."""
        if not offset and self.size:
            self._file.seek(0)
            self._file.truncate()
            self._hash, self.size = hashlib.sha256(), 0
        if offset != self.size:
            raise StatusError(OUT_OF_RANGE, f"a write at {offset} after {self.size} bytes")
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def commit(self) -> None:
        """Give the blob its name. Raises `StatusError` if it is not what was announced."""
        if self.total and self.size != self.total:
            raise StatusError(FAILED_PRECONDITION, f"the blob has {self.size} bytes, {self.total} were announced")
        if self._expected and self.digest != self._expected:
            raise StatusError(FAILED_PRECONDITION, f"the blob is {self.digest}, {self._expected} was announced")
        path = _path(self._folder, self.digest)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._file.close()
        os.replace(self._temporary, path)

    def close(self) -> None:
        """Remove what did not get its name."""
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._temporary)


def _path(folder: str, digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise StatusError(INVALID_ARGUMENT, f"{digest!r} is no digest")
    return os.path.join(folder, "blobs", "sha256", digest.removeprefix("sha256:"))


def _one(call: Call) -> Message:
    message = call.receive()
    if message is None:
        raise StatusError(INVALID_ARGUMENT, "the call has no message")
    return Message(message)


def _no_status(_call: Call) -> None:
    raise StatusError(NOT_FOUND, "a write that broke off is not kept")


def _nothing(call: Call) -> None:
    _one(call)
    call.send(b"")
