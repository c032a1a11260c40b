"""Builds by BuildKit's control API: on a modern engine, and on what looks like a BuildKit daemon of its own.

No BuildKit daemon is packaged where the tests run, so a forwarder stands in for its listener: it takes plain and encrypted
connections and hands each to the control API that the modern engine has inside. All above the listener is BuildKit's own.
"""

from __future__ import annotations

import io
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, BuildWarning, Folders, ImageBuilt, SolveFailed, StepLog, build
from dfkit.build.capabilities import Unsupported
from dfkit.build.remote import Builder, Tls, connect_builder
from dfkit.build.request import Cache, Output, Secret
from dfkit.context import plan
from dfkit.errors import NoEngine, UsageError
from tests.engine.test_loss import nothing_left

pytestmark = pytest.mark.engine


class Forwarder:
    """A listener whose connections go on to an engine's `POST /grpc`; `drop` ends those that are open."""

    def __init__(self, engine, listener, tls=None):
        self._path = engine.host.removeprefix("unix://")
        self._listener = listener
        self._tls = tls
        self._pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self):
        name = self._listener.getsockname()
        return f"unix://{name}" if isinstance(name, str) else f"tcp://localhost:{name[1]}"

    def drop(self):
        for sock in (each for pair in self._pairs for each in pair):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
        self.drop()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        far = socket.socket(socket.AF_UNIX)
        try:
            if self._tls:
                near = self._tls.wrap_socket(near, server_side=True)
                assert near.selected_alpn_protocol() == "h2"
            far.connect(self._path)
            far.sendall(b"POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += far.recv(1)
            assert head.startswith(b"HTTP/1.1 101")
        except (OSError, AssertionError):
            near.close()
            far.close()
            return
        self._pairs.append((near, far))
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        near.close()
        far.close()

    @staticmethod
    def _pump(source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for sock in (source, sink):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def forwarder(modern_engine):
    made = Forwarder(modern_engine, socket.create_server(("127.0.0.1", 0)))
    yield made
    made.close()


@pytest.fixture
def builder(forwarder):
    return Builder(forwarder.host)


@pytest.fixture(params=["engine", "builder"])
def peer(request, modern_engine):
    """What builds by the control API: the engine, and a daemon."""
    return modern_engine if request.param == "engine" else request.getfixturevalue("builder")


@pytest.fixture
def name(modern_engine):
    made = f"dfkit-test/{secrets.token_hex(6)}:latest"
    yield made
    modern_engine.remove(made)


@pytest.fixture(autouse=True)
def no_threads():
    """No thread of a build outlives it."""
    yield
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("dfkit-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path):
    """A context of one file, and a function that makes others of `{path: text}`."""

    def make(name, files):
        root = tmp_path / name
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return plan(root)

    return make


def folders(context, dockerfile, /, **named):
    return Folders(context, dockerfile.encode(), named=named)


def names_in(tar):
    with tarfile.open(tar) as opened:
        return {member.name for member in opened if member.isfile()}


def files_of(engine, image):
    """The paths of the files of an image's layers."""
    raw = io.BytesIO(b"".join(engine.save(image)))
    found = set()
    with tarfile.open(fileobj=raw) as saved:
        for member in saved:
            data = saved.extractfile(member) if member.isfile() else None
            if data is not None:
                with suppress(tarfile.TarError), tarfile.open(fileobj=data) as layer:
                    found |= {each.name for each in layer if each.isfile()}
    return found


def tree(peer, tmp_path, request, context):
    """The files of a result."""
    out = tmp_path / secrets.token_hex(4)
    output = Output("tar", str(out))
    events = []
    result = build(peer, BuildRequest(**request, output=output), context, events.append)
    assert result.output.dest == str(out)
    return names_in(out), events


def test_a_named_context_of_each_kind_is_read(peer, tmp_path, folder, modern_engine, name):
    build(modern_engine, BuildRequest(tags=(name,)), folders(folder("base", {"b": "b"}), "FROM scratch\nCOPY b /from-image\n"))
    other = folder("other", {"kept": "k", "skipped": "s", ".dockerignore": "skipped\n"})
    text = "FROM base\nCOPY --from=other . /other/\nCOPY a /a\n"
    context = folders(folder("context", {"a": "a"}), text, other=other)
    files, _ = tree(peer, tmp_path, {"contexts": {"base": f"docker-image://{name}"}}, context)
    assert files == {"from-image", "other/kept", "other/.dockerignore", "a"}


def test_a_named_context_takes_the_place_of_a_stage_and_of_an_image(peer, tmp_path, folder):
    text = "FROM busybox AS made\nRUN exit 1\nFROM scratch\nCOPY --from=made . /made/\nCOPY --from=example/tool:1 . /tool/\n"
    context = Folders(
        folder("context", {"a": "a"}),
        text.encode(),
        named={"made": folder("made", {"m": "m"}), "example/tool:1": folder("tool", {"t": "t"})},
    )
    assert tree(peer, tmp_path, {}, context)[0] == {"made/m", "tool/t"}


def test_named_contexts_may_have_the_names_of_the_builds_own_folders(peer, tmp_path, folder):
    text = "FROM scratch\nCOPY --from=context . /c/\nCOPY --from=dockerfile . /d/\nCOPY a /a\n"
    named = {"context": folder("one", {"1": ""}), "dockerfile": folder("two", {"2": ""})}
    files, _ = tree(peer, tmp_path, {}, folders(folder("context", {"a": "a"}), text, **named))
    assert files == {"c/1", "d/2", "a"}


def test_a_file_that_changes_in_a_named_context_is_seen(peer, tmp_path, folder):
    text = "FROM scratch\nCOPY --from=other . /\n"
    context = folder("context", {"a": "a"})
    for said in ("one", "two "):
        out = tmp_path / f"{said}.tar"
        build(peer, BuildRequest(output=Output("tar", str(out))), folders(context, text, other=folder("other", {"f": said})))
        with tarfile.open(out) as tar:
            assert tar.extractfile("f").read().decode() == said


def test_the_engine_keeps_an_image_built_with_a_named_context(modern_engine, folder, name):
    events = []
    context = folders(folder("context", {"a": "a"}), "FROM scratch\nCOPY --from=o . /\nLABEL x=y\n", o=folder("o", {"f": ""}))
    result = build(modern_engine, BuildRequest(tags=(name,), labels={"l": "m"}), context, events.append)
    image = modern_engine.image(name)
    assert image.id == result.image_id
    assert image.config["Labels"] == {"x": "y", "l": "m"}
    assert ImageBuilt(result.image_id) in events
    assert files_of(modern_engine, name) == {"f"}


def test_the_request_means_the_same_on_both_ways(modern_engine, folder, name):
    """Arguments, target, network, hosts, shared memory and limits."""
    text = (
        "FROM busybox AS wanted\nARG given\nARG kept=default\n"
        "RUN echo given=$given kept=$kept; grep pinned /etc/hosts; grep gate /etc/hosts; df -k /dev/shm; ulimit -n; "
        "ls /sys/class/net\n"
        "FROM scratch AS last\nCOPY missing /\n"
    )
    ask = {
        "build_args": {"given": "1", "kept": None},
        "target": "wanted",
        "network": "none",
        "extra_hosts": ("pinned:10.1.2.3", "gate:host-gateway"),
        "shm_size": 128 << 20,
        "ulimits": {"nofile": (321, 321)},
        "no_cache": True,
        "platform": modern_engine.platform,
    }
    said = []
    for named in ({}, {"unused": folder("unused", {"f": ""})}):
        events = []
        build(
            modern_engine, BuildRequest(tags=(name,), **ask), folders(folder("context", {"a": "a"}), text, **named), events.append
        )
        said.append([event.line for event in events if isinstance(event, StepLog)])
    assert said[0] == said[1]
    assert said[0][0] == "given=1 kept=default"
    assert "321" in said[0]
    assert "10.1.2.3" in said[0][1]
    assert said[0][-1] == "lo"


def test_the_image_is_the_same_on_both_ways(modern_engine, folder, name):
    text = (
        'FROM scratch AS a\nCOPY a /f\nFROM scratch\nCOPY --from=a /f /g\nENV A=b\nLABEL x=y\nENTRYPOINT ["/g"]\nONBUILD RUN x\n'
    )
    context, unused = folder("context", {"a": secrets.token_hex(8)}), folder("unused", {"f": ""})
    first, second = (
        build(modern_engine, BuildRequest(tags=(name,), labels={"l": "m"}), folders(context, text, **named))
        for named in ({}, {"unused": unused})
    )
    assert first.image_id == second.image_id
    assert [step.name for step in first.steps] == [step.name for step in second.steps]


def test_a_secret_reaches_the_step_and_is_in_no_event(peer, folder):
    value = secrets.token_hex(16)
    text = "FROM busybox\nRUN --mount=type=secret,id=s,required=true cat /run/secrets/s | wc -c; cat /run/secrets/s; exit 3\n"
    events = []
    request = BuildRequest(no_cache=True, secrets=(Secret("s", value=value.encode()),))
    with pytest.raises(SolveFailed) as raised:
        build(peer, request, folders(folder("c", {"a": ""}), text, o=folder("o", {"f": ""})), events.append)
    assert raised.value.logs == ("32", "***")
    assert value not in f"{events}{raised.value}{raised.value.steps}"


def test_a_step_that_fails_is_told_with_its_logs(peer, folder):
    context = folders(folder("c", {"a": ""}), "FROM busybox\nRUN echo out; echo err >&2; exit 7\n", o=folder("o", {"f": ""}))
    with pytest.raises(SolveFailed) as raised:
        build(peer, BuildRequest(no_cache=True), context)
    assert raised.value.step.exit_code == 7
    assert set(raised.value.logs) == {"out", "err"}


def test_a_file_that_cannot_be_parsed_is_told(peer, folder):
    with pytest.raises(SolveFailed, match="parse error on line 2"):
        build(peer, BuildRequest(), folders(folder("c", {"a": ""}), "FROM scratch\nNONSENSE\n", o=folder("o", {"f": ""})))


def test_an_older_engine_refuses_named_contexts_by_name(engine, folder):
    if engine.api_version >= (1, 42):
        pytest.skip("the engine is not old")
    with pytest.raises(Unsupported, match=r"named contexts \(--build-context\): use Docker 23.0 or newer"):
        build(engine, BuildRequest(), folders(folder("c", {"a": ""}), "FROM scratch\nCOPY a /\n", o=folder("o", {"f": ""})))


def test_an_engine_that_cannot_export_a_cache_says_what_can(modern_engine, folder):
    if modern_engine.containerd_store:
        pytest.skip("the engine can")
    request = BuildRequest(cache_to=(Cache("registry", {"ref": "localhost/x"}),))
    with pytest.raises(Unsupported, match="--cache-to type=registry: use --cache-to type=inline"):
        build(modern_engine, request, folders(folder("c", {"a": ""}), "FROM scratch\nCOPY a /\n"))


def test_an_inline_cache_goes_into_the_image(modern_engine, folder, name):
    context = folders(folder("c", {"a": secrets.token_hex(8)}), "FROM busybox\nCOPY a /\nRUN cat a > b\n")
    build(modern_engine, BuildRequest(tags=(name,), cache_to=(Cache("inline"),)), context)
    raw = b"".join(modern_engine.save(name))
    assert b"moby.buildkit.cache.v0" in raw


def test_a_builder_says_what_it_is(builder):
    assert builder.name.startswith("BuildKit")
    assert builder.platform.startswith("linux/")
    assert builder.workers[0].id


def test_a_builder_keeps_the_result_in_its_cache_unless_told_otherwise(builder, folder, name):
    result = build(builder, BuildRequest(tags=(name,)), folders(folder("c", {"a": "a"}), "FROM scratch\nCOPY a /\n"))
    assert result.image_id == ""
    assert "--load, --push or --output" in result.warnings[0].message


def test_a_builder_fills_a_folder(builder, folder, tmp_path):
    out = tmp_path / "out"
    context = folders(folder("c", {"a": "a", "d/b": "b"}), "FROM scratch\nCOPY . /x/\n")
    build(builder, BuildRequest(output=Output("local", str(out))), context)
    assert (out / "x/a").read_text() == "a"
    assert (out / "x/d/b").read_text() == "b"


def test_a_large_file_crosses_a_builders_session_whole(builder, folder, tmp_path):
    data = os.urandom(20 << 20)
    context = folder("c", {"a": "a"})
    (Path(context.root) / "big").write_bytes(data)
    out = tmp_path / "out"
    build(builder, BuildRequest(output=Output("local", str(out))), folders(plan(context.root), "FROM scratch\nCOPY big /\n"))
    assert (out / "big").read_bytes() == data


def test_a_builder_without_an_engine_loads_nothing(builder, folder):
    with pytest.raises(UsageError, match="no Docker engine can take the image"):
        build(builder, BuildRequest(output=Output("docker")), folders(folder("c", {"a": "a"}), "FROM scratch\nCOPY a /\n"))


def test_an_exporter_that_the_daemon_lacks_is_told(builder, folder, tmp_path):
    out = tmp_path / "image.tar"
    with pytest.raises(SolveFailed, match="exporter"):
        build(
            builder, BuildRequest(output=Output("nosuch", str(out))), folders(folder("c", {"a": ""}), "FROM scratch\nCOPY a /\n")
        )
    assert list(tmp_path.glob("*.tar")) == []


def test_a_builder_at_a_unix_socket_is_reached(modern_engine, folder, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    forwarder = Forwarder(modern_engine, listener)
    try:
        files, _ = tree(Builder(forwarder.host), tmp_path, {}, folders(folder("c", {"a": "a"}), "FROM scratch\nCOPY a /\n"))
    finally:
        forwarder.close()
    assert files == {"a"}


def test_the_builder_of_the_environment_is_taken(forwarder, monkeypatch):
    monkeypatch.setenv("BUILDKIT_HOST", forwarder.host)
    assert connect_builder().host == forwarder.host


def test_a_builder_that_is_lost_ends_the_build_with_one_error(builder, forwarder, folder, tmp_path):
    def on_event(event):
        if isinstance(event, StepLog):
            forwarder.drop()

    context = folders(folder("c", {"a": ""}), "FROM busybox\nRUN echo on the way; sleep 60\n")
    out = tmp_path / "out.tar"
    with pytest.raises(NoEngine, match="lost the BuildKit daemon at tcp://localhost"):
        build(builder, BuildRequest(no_cache=True, output=Output("tar", str(out))), context, on_event)
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_an_interrupt_stops_the_step_and_leaves_nothing(peer, modern_engine, folder, name):
    mark = secrets.token_hex(8)

    def on_event(event):
        if isinstance(event, StepLog):
            raise KeyboardInterrupt

    context = folders(folder("c", {"a": ""}), f"FROM busybox\nRUN echo {mark}; sleep 3131\n", o=folder("o", {"f": ""}))
    with pytest.raises(KeyboardInterrupt):
        build(peer, BuildRequest(tags=(name,), no_cache=True), context, on_event)
    assert modern_engine.image(name) is None
    deadline = time.monotonic() + 10
    while b"sleep\x003131" in b"".join(_command_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA with a certificate for `localhost` and one for a client, and another CA."""
    root = tmp_path_factory.mktemp("tls")

    def run(*words):
        subprocess.run(("openssl", *words), cwd=root, check=True, capture_output=True)

    for ca in ("ca", "other"):
        run(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem", "-subj", f"/CN={ca}"
        )
    (root / "san").write_text("subjectAltName=DNS:localhost\n")
    for who in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{who}-key.pem", "-out", f"{who}.csr", "-subj", f"/CN={who}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "san")
        run("x509", "-req", "-in", f"{who}.csr", "-out", f"{who}.pem", *signed)
    (root / "dir").mkdir()
    for source, made in (("ca.pem", "ca.pem"), ("client.pem", "cert.pem"), ("client-key.pem", "key.pem")):
        (root / "dir" / made).write_bytes((root / source).read_bytes())
    return root


@pytest.fixture
def encrypted(modern_engine, certificates):
    """A daemon that asks its clients for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    made = Forwarder(modern_engine, socket.create_server(("127.0.0.1", 0)), context)
    yield made
    made.close()


def test_a_builder_is_reached_with_certificates_on_both_sides(encrypted, certificates, folder, tmp_path):
    builder = Builder(encrypted.host, Tls.of_folder(str(certificates / "dir")))
    text = "FROM scratch\nCOPY a /\n"
    context = folder("c", {"a": "a"})
    (Path(context.root) / "big").write_bytes(os.urandom(3 << 20))
    files, _ = tree(builder, tmp_path, {}, folders(plan(context.root), text + "COPY big /\n"))
    assert files == {"a", "big"}


def test_trouble_with_certificates_is_one_sentence_that_says_what_to_do(encrypted, forwarder, certificates):
    ca = str(certificates / "ca.pem")
    own = {"cert": str(certificates / "client.pem"), "key": str(certificates / "client-key.pem")}
    for host, tls, sentence in (
        (encrypted.host, Tls(str(certificates / "other.pem"), **own), "name its CA with --tlscacert"),
        (encrypted.host, Tls(ca), "name one with --tlscert and --tlskey"),
        (encrypted.host, Tls(ca, servername="elsewhere", **own), "not valid for 'elsewhere'"),
        (encrypted.host, None, "If it wants encryption, name its CA"),
        (forwarder.host, Tls(ca), "it does not encrypt.* leave the TLS settings out"),
    ):
        with pytest.raises(NoEngine, match=sentence):
            Builder(host, tls)


def test_a_build_on_a_builder_in_a_process_of_its_own_ends_on_an_interrupt(forwarder, folder):
    """With a signal, which comes at any place of the code."""
    context = folder("c", {"a": "", "Dockerfile": "FROM busybox\nRUN echo begun; sleep 3232\n"})
    script = (
        "import sys\nfrom dfkit.build import BuildRequest, Folders, build\nfrom dfkit.build.remote import Builder\n"
        "from dfkit.context import plan\n"
        "on = lambda event: print(type(event).__name__, flush=True)\n"
        "build(Builder(sys.argv[1]), BuildRequest(no_cache=True), Folders(plan(sys.argv[2]), open(sys.argv[2] + '/Dockerfile', 'rb').read()), on)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, forwarder.host, str(context.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            if line.startswith("StepLog"):
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    deadline = time.monotonic() + 10
    while b"sleep\x003232" in b"".join(_command_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_is_left_of_a_build_however_it_ends(peer, forwarder, folder, tmp_path):
    good = "FROM busybox\nRUN echo said\n"
    named = {"o": folder("o", {"f": ""})}
    context = folder("c", {"a": ""})

    def interrupt(event):
        if isinstance(event, StepLog):
            raise KeyboardInterrupt

    def stop(event):
        if isinstance(event, StepLog):
            raise RuntimeError("the caller's own")

    request = BuildRequest(no_cache=True, output=Output("tar", str(tmp_path / "out.tar")))
    for text, on_event, raised in (
        (good, lambda _: None, None),
        (good + "RUN exit 1\n", lambda _: None, SolveFailed),
        (good + "RUN sleep 60\n", interrupt, KeyboardInterrupt),
        (good + "RUN sleep 60\n", stop, RuntimeError),
    ):
        with nothing_left(), pytest.raises(raised) if raised else nullcontext():
            build(peer, request, folders(context, text, **named), on_event)
    assert {path.name for path in tmp_path.iterdir()} == {"c", "o", "out.tar"}


def test_nothing_is_left_of_a_builder_that_is_lost(builder, forwarder, folder):
    context = folders(folder("c", {"a": ""}), "FROM busybox\nRUN echo on the way; sleep 60\n")
    with nothing_left(), pytest.raises(NoEngine, match="lost the BuildKit daemon"):
        build(
            builder, BuildRequest(no_cache=True), context, lambda event: forwarder.drop() if isinstance(event, StepLog) else None
        )


def test_several_builds_at_once_do_not_mix(peer, folder, tmp_path):
    """Each with a session, a context and an output of its own."""
    results = {}

    def run(number):
        context = folder(f"c{number}", {"a": str(number), "big": str(number) * 300_000})
        out = tmp_path / f"out{number}"
        build(
            peer, BuildRequest(output=Output("local", str(out))), folders(context, "FROM scratch\nCOPY --from=o . /\n", o=context)
        )
        results[number] = (out / "a").read_text(), (out / "big").read_text()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: (str(number), str(number) * 300_000) for number in range(4)}


def test_a_builders_own_warnings_come_as_events(peer, folder):
    events = []
    context = folders(folder("c", {"a": ""}), "FROM scratch as x\nCOPY a /\n", o=folder("o", {"f": ""}))
    build(peer, BuildRequest(output=Output("cacheonly")), context, events.append)
    assert any(isinstance(event, BuildWarning) and "FromAsCasing" in event.message for event in events)
