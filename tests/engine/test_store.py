"""What an engine with the containerd image store, and daemons, can do besides: caches anywhere, image archives, images by --load and --push.

The engine is started here, of the same Debian folder as the modern engine, and a forwarder makes its BuildKit a daemon.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, ImageBuilt, SolveFailed, build, connect
from dfkit.build.capabilities import Unsupported
from dfkit.build.remote import Builder
from dfkit.build.request import Cache, Output
from dfkit.context import plan
from dfkit.errors import UsageError
from tests.engine.near import prefix, script, without_engine
from tests.engine.test_control import Forwarder
from tests.engine.test_registry import RealRegistry

pytestmark = pytest.mark.engine

START_SECONDS = 60


@pytest.fixture(scope="module")
def store_engine(tmp_path_factory, engine):
    """A modern engine with the containerd image store, and `busybox` in it."""
    modern = script("modern-engine")
    debian = Path(os.environ.get("DFKIT_MODERN_ROOT") or modern.DEBIAN)
    if os.geteuid():
        without_engine("only root can start an engine")
    if not (debian / "usr/sbin/dockerd").exists():
        if not os.environ.get("CI"):
            pytest.skip(f"there is no dockerd in {debian}: run `scripts/modern-engine start`, or set DFKIT_MODERN_ROOT")
        modern.make_debian()
    folder = tmp_path_factory.mktemp("store")
    (folder / "run").mkdir()
    (folder / "data").mkdir()
    start = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", modern.START, "sh"]
    where = [debian, folder / "run", folder / "data"]
    with (folder / "log").open("wb") as log:
        command = [*start, *where, "--feature", "containerd-snapshotter=true"]
        process = subprocess.Popen(
            command, cwd="/", stdout=log, stderr=log, env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        )
    try:
        with _connected(process, f"{folder}/run/docker.sock") as made:
            assert made.containerd_store
            (folder / "busybox.tar").write_bytes(b"".join(engine.save("busybox")))
            made.tag(made.load(str(folder / "busybox.tar")), "busybox")
            yield made
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _connected(process, path):
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(path)
            return connect(f"unix://{path}")
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.fixture(scope="module")
def registry(store_engine, tmp_path_factory):
    made = RealRegistry(store_engine, tmp_path_factory.mktemp("registry"), private=False)
    yield made
    made.close()


@pytest.fixture
def builder(store_engine):
    forwarder = Forwarder(store_engine, socket.create_server(("127.0.0.1", 0)))
    yield Builder(forwarder.host)
    forwarder.close()


@pytest.fixture(params=["engine", "builder"])
def peer(request, store_engine, builder):
    return store_engine if request.param == "engine" else builder


@pytest.fixture
def folders(tmp_path):
    """A build of two stages with a file that no other build has."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "f").write_text(secrets.token_hex(8))
    return Folders(
        plan(tmp_path / "context"), b"FROM busybox AS made\nCOPY f /f\nRUN cat f > g\nFROM scratch\nCOPY --from=made /g /g\n"
    )


def run_again(engine, peer, folders, request):
    """The steps that are run when nothing is in the engine's own cache, and how they went."""
    engine.api.prune_builds()
    result = build(peer, request, folders)
    return {step.instruction for step in result.executed}


STEPS = {"COPY f /f", "RUN cat f > g", "COPY --from=made /g /g"}


def test_a_cache_in_a_registry_saves_the_steps(peer, store_engine, registry, folders):
    ref = f"{registry.address}/cache/{secrets.token_hex(4)}"
    first = BuildRequest(output=Output("cacheonly"), cache_to=(Cache("registry", {"ref": ref, "mode": "max"}),))
    assert run_again(store_engine, peer, folders, first) == STEPS
    nothing = BuildRequest(output=Output("cacheonly"))
    assert run_again(store_engine, peer, folders, nothing) == STEPS
    for request in (
        BuildRequest(output=Output("cacheonly"), cache_from=(ref,)),
        BuildRequest(output=Output("cacheonly"), cache_imports=(Cache("registry", {"ref": ref, "ref-type": "x"}),)),
    ):
        assert run_again(store_engine, peer, folders, request) == set()


def test_a_cache_in_a_folder_saves_the_steps(peer, store_engine, folders, tmp_path):
    cache = tmp_path / "größe"
    source = Cache("local", {"src": str(cache)})
    request = BuildRequest(
        output=Output("cacheonly"), cache_imports=(source,), cache_to=(Cache("local", {"dest": str(cache), "mode": "max"}),)
    )
    assert run_again(store_engine, peer, folders, request) == STEPS
    assert list((cache / "ingest").iterdir()) == []
    assert json.loads((cache / "index.json").read_text())["manifests"][0]["annotations"] == {
        "org.opencontainers.image.ref.name": "latest"
    }
    assert run_again(store_engine, peer, folders, BuildRequest(output=Output("cacheonly"), cache_imports=(source,))) == set()


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_image_archive_has_the_image_and_its_name(peer, folders, tmp_path, kind):
    out = tmp_path / "image.tar"
    result = build(peer, BuildRequest(tags=("a/b:c",), output=Output(kind, str(out))), folders)
    assert result.output.dest == str(out)
    assert result.warnings == ()
    with tarfile.open(out) as tar:
        [manifest] = json.load(tar.extractfile("index.json"))["manifests"]
        assert manifest["annotations"]["io.containerd.image.name"] == "docker.io/a/b:c"
        assert f"blobs/{manifest['digest'].replace(':', '/')}" in tar.getnames()


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_image_in_a_folder_is_there_by_all_its_names(peer, folders, tmp_path, kind):
    out = tmp_path / "größe" / "image"
    output = Output(kind, str(out), {"tar": "false"})
    result = build(peer, BuildRequest(tags=("a/b:c", "x/y"), output=output), folders)
    blobs = list((out / "blobs" / "sha256").iterdir())
    assert (result.output.dest, result.output.size) == (str(out), sum(blob.stat().st_size for blob in blobs))
    assert all(hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name for blob in blobs)
    assert list((out / "ingest").iterdir()) == []
    for _ in range(2):
        assert build(peer, BuildRequest(output=output), folders).output.size == 0
    manifests = json.loads((out / "index.json").read_text())["manifests"]
    assert len({each["digest"] for each in manifests}) == 1
    image, tag = "io.containerd.image.name", "org.opencontainers.image.ref.name"
    names = [(each["annotations"].get(image), each["annotations"][tag]) for each in manifests]
    assert names == [("docker.io/a/b:c", "c"), ("docker.io/x/y:latest", "latest"), (None, "latest")]
    request = BuildRequest(contexts={"base": f"oci-layout://{out}:c"}, output=Output("local", str(tmp_path / "again")))
    build(peer, request, Folders(folders.context, b"FROM base\n"))
    assert (tmp_path / "again" / "g").read_text()


@pytest.mark.parametrize("dest", ["", "-", "context/f"])
def test_an_image_in_a_folder_needs_a_folder(peer, folders, tmp_path, dest):
    output = Output("oci", str(tmp_path / dest) if "/" in dest else dest, {"tar": "false"})
    with pytest.raises(UsageError, match=r"dest=FOLDER|a file has its name"):
        build(peer, BuildRequest(output=output), folders)


@pytest.mark.parametrize("tags", [(), ("dfkit-test/loaded:1", "dfkit-test/loaded:2")])
def test_a_daemons_image_is_loaded_into_an_engine(builder, modern_engine, folders, tags):
    events = []
    with_engine = Builder(builder.host, engine=modern_engine)
    result = build(with_engine, BuildRequest(tags=tags, output=Output("docker"), labels={"a": "b"}), folders, events.append)
    try:
        image = modern_engine.image(result.image_id)
        assert set(image.tags) == set(tags)
        assert image.config["Labels"] == {"a": "b"}
        assert [event for event in events if isinstance(event, ImageBuilt)] == [ImageBuilt(image.id)]
    finally:
        modern_engine.remove(result.image_id)


def test_a_daemon_pushes_each_name(builder, store_engine, registry, folders):
    name = f"{registry.address}/pushed/{secrets.token_hex(4)}"
    for output in (Output("image", attributes={"push": "true"}), Output("registry")):
        result = build(builder, BuildRequest(tags=(f"{name}:1", f"{name}:2"), output=output), folders)
        assert result.image_id.startswith("sha256:")
    url = f"http://{name.replace('/', '/v2/', 1)}/tags/list"
    said = subprocess.run([*prefix(store_engine), "python3", "-c", _GET, url], capture_output=True, text=True, check=True)
    assert set(json.loads(said.stdout)["tags"]) == {"1", "2"}


_GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"


def test_a_registry_that_is_not_there_is_one_error(builder, folders):
    with pytest.raises(SolveFailed, match=r"failed to push localhost:1/x/y:1: .*connection refused"):
        build(builder, BuildRequest(tags=("localhost:1/x/y:1",), output=Output("registry")), folders)


def test_an_image_in_a_folder_is_a_named_context(peer, modern_engine, folders, tmp_path):
    archive, layout = tmp_path / "image.tar", tmp_path / "layout"
    build(peer, BuildRequest(tags=("a/b:c",), output=Output("oci", str(archive))), folders)
    with tarfile.open(archive) as tar:
        tar.extractall(layout, filter="data")
    text = b"FROM base\nCOPY --from=base /g /again\n"
    request = BuildRequest(contexts={"base": f"oci-layout://{layout}:c"}, output=Output("local", str(tmp_path / "out")))
    build(peer, request, Folders(folders.context, text))
    assert (tmp_path / "out" / "g").read_text() == (tmp_path / "out" / "again").read_text() != ""
    if not modern_engine.containerd_store:
        with pytest.raises(Unsupported, match="reads no OCI layouts"):
            build(modern_engine, request, Folders(folders.context, text))


def test_an_engine_keeps_an_image_of_the_control_api(store_engine, folders, tmp_path):
    name = f"dfkit-test/{secrets.token_hex(4)}:1"
    named = Folders(folders.context, b"FROM busybox\nCOPY --from=o . /\n", named={"o": folders.context})
    result = build(store_engine, BuildRequest(tags=(name,)), named)
    assert store_engine.image(name).id == result.image_id
