"""A saved image: the archive of `docker save`, in the layout of old engines (a folder a layer) or of OCI (content by digest)."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from posixpath import join, normpath, split

from dfkit._record import Record
from dfkit.errors import UsageError
from dfkit.image.entry import changes
from dfkit.image.history import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import IO, Any

    from dfkit.image.entry import Change
    from dfkit.image.history import Step

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BUFFER = 1 << 18
_ATTESTATION = "vnd.docker.reference.type"


class Layer(Record):
    """One layer. `digest` is its diff id (`sha256:…` of the uncompressed tar), `size` its bytes in the archive, maybe gzipped."""

    digest: str
    size: int
    created_by: str
    open: Callable[[], IO[bytes]]

    def changes(self) -> Iterator[Change]:
        """What each entry of the layer does, in the order of its tar. Raises `UsageError` if the layer is damaged."""
        try:
            with self.open() as tar:
                yield from changes(tar)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
            raise UsageError(f"layer {self.digest} is damaged ({error}); save the image again") from error


class SavedImage:
    """One image of a `docker save` archive. The archive lies in a temporary file until `close`, or the end of the `with`.

    `config` is the image's JSON configuration, `layers` go from the base up, `history` has a step an instruction.
    """

    def __init__(self, archive: IO[bytes]) -> None:
        """Read the index of an archive in a seekable file, which the image then owns."""
        self._archive = archive
        try:
            with tarfile.TarFile(fileobj=archive, encoding="utf-8", errors="surrogateescape") as tar:
                self._members = {normpath(info.name): info for info in tar}
            config, layers = self._manifest()
            self.config: dict[str, Any] = json.loads(self._read(config))
            self.history: tuple[Step, ...] = steps(self.config)
            self.layers = tuple(self._layers(layers))
        except (tarfile.TarError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"this is no whole archive of `docker save` ({error or 'empty'}); save the image again") from error

    @classmethod
    def read(cls, chunks: Iterable[bytes]) -> SavedImage:
        """The image in the bytes of an archive, which may come in chunks of any size.

        Raises `UsageError` if they are no such archive, or hold more than one image.
        """
        archive = tempfile.TemporaryFile(prefix="dfkit-image-")  # noqa: SIM115 - the image closes it
        try:
            for chunk in chunks:
                archive.write(chunk)
            archive.seek(0)
            return cls(archive)
        except BaseException:
            archive.close()
            raise

    def close(self) -> None:
        """Give the temporary file back."""
        self._archive.close()

    def __enter__(self) -> SavedImage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def _manifest(self) -> tuple[str, list[str]]:
        """The archive's names of the configuration and of the layers."""
        if "manifest.json" in self._members:
            images = {(image["Config"], *image["Layers"]) for image in json.loads(self._read("manifest.json"))}
            if len(images) > 1:
                raise UsageError(f"the archive holds {len(images)} images; save one at a time")
            config, *layers = images.pop() if images else ("",)
            return config, layers
        manifests = list(self._oci_manifests(json.loads(self._read("index.json"))))
        if len(manifests) > 1:
            raise UsageError(f"the archive holds {len(manifests)} images; save one platform at a time")
        return _blob(manifests[0]["config"]), [_blob(layer) for layer in manifests[0]["layers"]]

    def _oci_manifests(self, index: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The image manifests whose content is in the archive (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)."""
        for descriptor in index["manifests"]:
            if _blob(descriptor) not in self._members or _ATTESTATION in descriptor.get("annotations", {}):
                continue
            content = json.loads(self._read(_blob(descriptor)))
            if "manifests" in content:
                yield from self._oci_manifests(content)
            elif _blob(content["config"]) in self._members:
                yield content

    def _layers(self, names: list[str]) -> Iterator[Layer]:
        digests = self.config["rootfs"]["diff_ids"]
        made = [step.created_by for step in self.history if not step.empty]
        made += [""] * (len(digests) - len(made))
        for name, digest, created_by in zip(names, digests, made, strict=True):
            yield Layer(digest, self._member(name).size, created_by, lambda name=name: self._open_layer(name))  # type: ignore[misc]

    def _open_layer(self, name: str) -> IO[bytes]:
        raw = self._open(name)
        magic = raw.peek(4)
        if magic.startswith(_ZSTD):
            raise UsageError("the image's layers are compressed with zstd; save it with an engine that writes plain layers")
        return gzip.GzipFile(fileobj=raw) if magic.startswith(_GZIP) else raw  # type: ignore[return-value]

    def _member(self, name: str) -> tarfile.TarInfo:
        """A member by name; where a layer stands twice, engines before 25 write the second as a symbolic link to the first."""
        info = self._members[normpath(name)]
        return self._member(join(split(info.name)[0], info.linkname)) if info.issym() else info

    def _open(self, name: str) -> io.BufferedReader:
        info = self._member(name)
        return io.BufferedReader(_Slice(self._archive, info.offset_data, info.size), _BUFFER)

    def _read(self, name: str) -> bytes:
        with self._open(name) as file:
            return file.read()


def base_layers(digests: Iterable[str], base_digests: Iterable[str]) -> int:
    """How many of an image's layers are its base's, from the diff ids of both; 0 if the image does not stand on that base."""
    digests, base_digests = tuple(digests), tuple(base_digests)
    return len(base_digests) if digests[: len(base_digests)] == base_digests else 0


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, _, digest = descriptor["digest"].partition(":")
    return f"blobs/{algorithm}/{digest}"


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own; several can be read in turns."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
