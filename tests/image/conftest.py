"""Saved images made by hand, in both layouts of `docker save`."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from dfkit.image.saved import SavedImage


def header(name, kind=tarfile.REGTYPE, data=b"", **fields):
    """A tar header and its content: `header("etc/passwd", data=b"root")`, `header("bin", SYMTYPE, linkname="usr/bin")`."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(data), 0o755 if kind == tarfile.DIRTYPE else 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tar(*members, layout=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=layout, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def configuration(layers, steps=None, **config):
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    history = steps if steps is not None else [{"created_by": f"step {n}"} for n in range(len(layers))]
    return {"architecture": "amd64", "os": "linux", "config": config, "rootfs": {"diff_ids": digests}, "history": history}


def docker_archive(layers, config=None):
    """What engines before 25 write: a folder a layer, manifest.json near the end, a symbolic link where a layer stands twice."""
    config = json.dumps(config or configuration(layers)).encode()
    members, paths = [], []
    first: dict[bytes, str] = {}
    for number, layer in enumerate(layers):
        path = f"{number:064x}/layer.tar"
        if layer in first:
            members.append(header(path, tarfile.SYMTYPE, linkname=f"../{first[layer]}"))
        else:
            members.append(header(path, data=layer))
            first[layer] = path
        paths.append(path)
    manifest = [{"Config": "config.json", "RepoTags": ["x:1"], "Layers": paths}]
    return tar(*members, header("config.json", data=config), header("manifest.json", data=json.dumps(manifest).encode()))


def oci_archive(layers, config=None, compress=gzip.compress):
    """An OCI layout: an index of an index, the image manifest beside an attestation, layers compressed."""
    blobs = {}

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    config = put(json.dumps(config or configuration(layers)).encode())
    manifest = put(json.dumps({"config": config, "layers": [put(compress(layer)) for layer in layers]}).encode())
    attestation = put(b"{}") | {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    elsewhere = {"digest": "sha256:" + "0" * 64}
    inner = put(json.dumps({"manifests": [manifest, attestation, elsewhere]}).encode())
    blobs["index.json"] = json.dumps({"manifests": [inner]}).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    return tar(*(header(name, data=data) for name, data in blobs.items()))


class Make:
    header = staticmethod(header)
    tar = staticmethod(tar)
    configuration = staticmethod(configuration)
    docker_archive = staticmethod(docker_archive)
    oci_archive = staticmethod(oci_archive)

    @staticmethod
    def image(*layers, config=None):
        """An image of layers that are given as lists of members."""
        made = [tar(*layer) for layer in layers]
        return SavedImage.read([docker_archive(made, config and configuration(made, **config))])


@pytest.fixture(scope="session")
def make():
    return Make
