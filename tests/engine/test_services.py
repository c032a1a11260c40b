"""Secrets, ssh agents and outputs on the engines, and a search for where secrets could have been left."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import re
import secrets
import signal
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, Output, Secret, SolveFailed, SshAgent, StepLog, build
from dfkit.build.buildkit.filesend import OutputFailed
from dfkit.build.capabilities import Unsupported
from dfkit.context import plan
from dfkit.image import SavedImage, flatten

pytestmark = pytest.mark.engine

DFKIT = [sys.executable, "-c", "import sys; from dfkit.cli import main; sys.exit(main())"]


def fresh():
    """Makes a step that no cache knows."""
    return f"ARG FRESH={secrets.token_hex(8)}\n"


@pytest.fixture
def run(any_engine, tmp_path):
    """Build a text with the files of a folder; the result, and the lines that its steps print."""
    folder = tmp_path / "context"
    folder.mkdir()
    images = []

    def run(text, **fields):
        lines = []

        def note(event):
            if isinstance(event, StepLog):
                lines.append(event.line)

        result = build(any_engine, BuildRequest(**fields), Folders(plan(str(folder)), text.encode()), note)
        images.append(result.image_id)
        return result, lines

    run.folder = folder
    yield run
    for image in dict.fromkeys(filter(None, images)):
        any_engine.remove(image)


# --- secrets


def test_a_secret_is_there_byte_for_byte_and_only_in_the_step_that_asks(run):
    raw = bytes(range(256)) * 10
    text = (
        f"FROM busybox\n{fresh()}"
        "RUN --mount=type=secret,id=raw --mount=type=secret,id=named,target=/other,mode=0440,uid=7,gid=8"
        " sha256sum < /run/secrets/raw; stat -c '%a %u %g' /other\n"
        "RUN echo left: $(cat /run/secrets/* /other 2>/dev/null | wc -c)\n"
    )
    given = (Secret("raw", value=raw), Secret("named", value=b"x"))
    _, lines = run(text, secrets=given)
    assert f"{hashlib.sha256(raw).hexdigest()}  -" in lines
    assert "440 7 8" in lines
    assert "left: 0" in lines


def test_a_secret_that_is_not_given_is_left_out_or_fails_the_step(run):
    optional = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=nosuch ls /run/secrets 2>&1 | wc -l\n"
    assert run(optional)[0].image_id
    required = optional.replace("id=nosuch", "id=nosuch,required=true")
    for given in ((), (Secret("other", value=b"x"),)):
        with pytest.raises(SolveFailed, match="secret nosuch"):
            run(required, secrets=given)


def test_the_largest_secret_reaches_its_step(run):
    value = secrets.token_bytes(500 * 1024)
    _, lines = run(
        f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=large sha256sum < /run/secrets/large\n",
        secrets=(Secret("large", value=value),),
    )
    assert lines == [f"{hashlib.sha256(value).hexdigest()}  -"]


def test_a_secret_that_a_step_prints_is_not_shown(run):
    value = secrets.token_hex(16)
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a echo it is $(cat /run/secrets/a); "
    result, lines = run(text + "true\n", secrets=(Secret("a", value=f"{value}\n".encode()),))
    assert lines == ["it is ***"]
    assert value not in repr(result)
    with pytest.raises(SolveFailed) as failed:
        run(text + "exit 3\n", secrets=(Secret("a", value=value.encode()),))
    assert failed.value.logs == ("it is ***",)
    assert value not in repr(failed.value.steps) + repr(failed.value)


class Traces:
    """Where an engine keeps what it writes, and what it wrote since this was made. Its dockerd is the one that made the socket."""

    def __init__(self, engine):
        if not engine.host.startswith("unix://") or os.geteuid():
            pytest.skip("the engine's files cannot be read: it is not this machine's, or this user is not root")
        with socket.socket(socket.AF_UNIX) as near:
            near.connect(engine.host.removeprefix("unix://"))
            process, _, _ = struct.unpack("3i", near.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.root = f"/proc/{process}/root{engine.api.info()['DockerRootDir']}"
        self.logs = [f"/proc/{process}/fd/{number}" for number in (1, 2)]
        self.began = time.time() - 1

    def files(self):
        found = subprocess.run(
            ["find", f"{self.root}/.", "-newerct", f"@{self.began:.0f}", "-type", "f", "-print0"], capture_output=True
        ).stdout
        logs = [path for path in self.logs if stat.S_ISREG(os.stat(path).st_mode)]
        return [*map(os.fsdecode, found.split(b"\0")[:-1]), *logs]

    def having(self, value):
        """The files that have these bytes."""
        found = []
        for path in self.files():
            with (
                suppress(OSError, ValueError),  # it is gone, or empty
                open(path, "rb") as file,
                mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content,
            ):
                if content.find(value) >= 0:
                    found.append(path)
        return found


def processes():
    """The command lines of all processes, and the environments of all but this one and what it was started by."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append((str(path), path.read_bytes()))
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found.append((str(path), path.read_bytes()))
    return found


def test_the_search_finds_what_is_left_in_an_image(any_engine, run):
    traces = Traces(any_engine)
    value = secrets.token_hex(16).encode()
    run(f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cp /run/secrets/a /left\n", secrets=(Secret("a", value=value),))
    assert traces.having(value)


def test_a_secret_is_left_nowhere(any_engine, run, tmp_path, capfd):
    traces = Traces(any_engine)
    value = secrets.token_hex(16)
    (tmp_path / "secret").write_text(value)
    seen = []
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cat /run/secrets/a | sha256sum; sleep 1\n"
    folders = Folders(plan(str(run.folder)), text.encode())
    events = []

    def note(event):
        events.append(repr(event))
        if isinstance(event, StepLog):
            seen.extend(processes())

    request = BuildRequest(secrets=(Secret("a", file=str(tmp_path / "secret")),))
    result = build(any_engine, request, folders, note)
    try:
        assert f"{hashlib.sha256(value.encode()).hexdigest()}  -" in "".join(events)
        assert [path for path, content in seen if value.encode() in content] == []
        assert len(seen) > 10
        assert value not in "".join(events) + repr(request) + repr(result)
        image = b"".join(any_engine.save(result.image_id))
        assert len(image) > 1 << 20
        assert value.encode() not in image
        assert value not in str(any_engine.api.history(result.image_id)) + str(any_engine.api.inspect_image(result.image_id))
        assert traces.files()
        assert traces.having(value.encode()) == []
        out, err = capfd.readouterr()
        assert value not in out + err
    finally:
        any_engine.remove(result.image_id)


CRASH = """
import faulthandler, os, sys, threading, traceback
from dfkit.build import BuildRequest, Folders, Secret, StepLog, build, connect
from dfkit.context import plan
faulthandler.enable()
def show(kind, error, trace):
    print("".join(traceback.TracebackException(kind, error, trace, capture_locals=True).format()), file=sys.stderr)
sys.excepthook = show
threading.excepthook = lambda given: show(given.exc_type, given.exc_value, given.exc_traceback)
def crash(event):
    if isinstance(event, StepLog):
        {how}
with connect({host!r}) as engine:
    build(engine, BuildRequest(secrets=(Secret("a", variable="DFKIT_TEST_SECRET"),)), Folders(plan({folder!r}), {text!r}), crash)
"""


@pytest.mark.parametrize("how", ["1 / 0", "os.abort()"])
def test_a_crash_does_not_show_a_secret(any_engine, run, how):
    value = secrets.token_hex(16)
    text = f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=a cat /run/secrets/a; sleep 1\n".encode()
    script = CRASH.format(how=how, host=any_engine.host, folder=str(run.folder), text=text)
    done = subprocess.run(
        ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh", sys.executable, "-X", "dev", "-c", script],
        env={**os.environ, "DFKIT_TEST_SECRET": value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode
    assert ("ZeroDivisionError" if how == "1 / 0" else "Fatal Python error: Aborted") in done.stderr
    assert value not in done.stdout + done.stderr


def test_the_command_shows_no_secret_and_says_what_a_step_needs(any_engine, run):
    value = secrets.token_hex(16)
    (run.folder / "Dockerfile").write_text(
        f"FROM busybox\n{fresh()}RUN --mount=type=secret,id=TOKEN,required=true cat /run/secrets/TOKEN; exit 4\n"
    )
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host, "--progress=plain"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=run.folder)
    assert done.returncode == 2
    assert "Dockerfile:3: the step needs the secret TOKEN, which is not given: add `--secret id=TOKEN,src=FILE`" in done.stderr
    assert "#1 " not in done.stderr

    report = run.folder.parent / "report.json"
    done = subprocess.run(
        [*command, "--secret", "id=TOKEN", "--report", report], env={**os.environ, "TOKEN": value}, capture_output=True, text=True
    )
    assert done.returncode == 4
    assert "***" in done.stderr
    assert value not in done.stdout + done.stderr


# --- ssh


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    return folder


@pytest.fixture
def agent(tmp_path, keys):
    """A real agent with the key `one`: its socket."""
    path = tmp_path / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        subprocess.run(["ssh-add", "-q", keys / "one"], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True)
        yield path
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def openssh(run):
    """This machine's ssh-add and ssh-keygen in the context, with what they load: how a step starts one."""
    tools = run.folder / "ssh"
    tools.mkdir()
    for tool in ("ssh-add", "ssh-keygen"):
        path = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        loaded = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout)
        for file in (path, *loaded):
            (tools / Path(file).name).write_bytes(Path(file).read_bytes())
            (tools / Path(file).name).chmod(0o755)
    (loader,) = tools.glob("ld-linux*")
    return f"/ssh/{loader.name} --library-path /ssh /ssh/"


def test_an_agent_lists_and_signs_and_nothing_else(run, openssh, agent, keys, tmp_path):
    (run.folder / "one.pub").write_text((keys / "one.pub").read_text())
    text = (
        f"FROM busybox AS base\nCOPY . /\nRUN mkdir -p /etc && echo root:x:0:0:root:/:/bin/sh > /etc/passwd\n{fresh()}"
        f"RUN --mount=type=ssh {openssh}ssh-add -L; {openssh}ssh-add -D && exit 9; {openssh}ssh-add -L | wc -l;"
        f" echo data > /data && {openssh}ssh-keygen -q -Y sign -f /one.pub -n file /data && cat /data.sig\n"
        "RUN echo socket: $SSH_AUTH_SOCK\n"
    )
    _, lines = run(text, ssh=(SshAgent("default", (str(agent),)),))
    assert lines[0] == (keys / "one.pub").read_text().strip()
    assert "1" in lines
    assert "socket:" in lines
    begin = lines.index("-----BEGIN SSH SIGNATURE-----")
    (tmp_path / "sig").write_text("\n".join(lines[begin : lines.index("-----END SSH SIGNATURE-----") + 1]) + "\n")
    (tmp_path / "allowed").write_text(f"me {(keys / 'one.pub').read_text()}")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "verify", "-f", tmp_path / "allowed", "-I", "me", "-n", "file", "-s", tmp_path / "sig"],
        input=b"data\n",
        check=True,
    )
    left = subprocess.run(["ssh-add", "-l"], env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, capture_output=True, text=True)
    assert left.stdout.count("\n") == 1


def agents():
    """The processes of all ssh agents that run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if re.match(r"[0-9]+ \(ssh-agent\) [^Z]", path.read_text()):
                found.add(path.parent.name)
    return found


def test_keys_from_files_have_an_id_each_and_their_agents_end_with_the_build(any_engine, run, openssh, keys):
    before = agents()
    seen = []
    text = (
        f"FROM busybox\nCOPY ssh /ssh\n{fresh()}"
        f"RUN --mount=type=ssh,id=first {openssh}ssh-add -L\nRUN --mount=type=ssh,id=second {openssh}ssh-add -L\n"
    )
    folders = Folders(plan(str(run.folder)), text.encode())
    lines = []

    def note(event):
        if isinstance(event, StepLog):
            lines.append(event.line)
            seen.append(agents() - before)

    given = (SshAgent("first", (str(keys / "one"),)), SshAgent("second", (str(keys / "two"),)))
    result = build(any_engine, BuildRequest(ssh=given), folders, note)
    any_engine.remove(result.image_id)
    assert lines == [(keys / name).with_suffix(".pub").read_text().strip() for name in ("one", "two")]
    assert all(len(each) >= 2 for each in seen)
    assert not set.intersection(*seen) & agents()


def test_an_agent_that_is_not_given_is_left_out_or_fails_the_step(run, agent):
    optional = f"FROM busybox\n{fresh()}RUN --mount=type=ssh,id=nosuch echo socket: $SSH_AUTH_SOCK\n"
    for given in ((), (SshAgent("other", (str(agent),)),)):
        run(optional, ssh=given)
        with pytest.raises(SolveFailed, match="nosuch"):
            run(optional.replace("id=nosuch", "id=nosuch,required=true"), ssh=given)


# --- outputs

TREE = (
    "FROM busybox\n"
    "RUN mkdir -p /d/e /ro && echo 1 > /d/file && ln /d/file /d/same && ln -s ../etc/passwd /d/sym && ln -s /d /link"
    " && chmod 4711 /d/file && chmod 1777 /d/e && chmod 555 /ro && touch -d '2020-01-02 03:04:05' /d/e '/ü name'"
    " && mkfifo /pipe && rm -rf /tmp\n"
    "RUN rm /bin/vi; i=0; while [ $i -lt 300 ]; do echo $i > /many$i; i=$((i + 1)); done\n"
)


def described(folder):
    """What is in a folder, as `flatten` describes an image: but not who owns it."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        kind = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFREG: "file"}[stat.S_IFMT(status.st_mode)]
        found["/" + str(path.relative_to(folder))] = (
            kind,
            0o777 if kind == "symlink" else stat.S_IMODE(status.st_mode),
            hashlib.sha256(path.read_bytes()).hexdigest() if kind == "file" else "",
            os.readlink(path) if kind == "symlink" else "",
        )
    return found


def test_a_folder_and_a_tar_have_what_the_image_has(any_engine, run, tmp_path):
    image, _ = run(TREE)
    with SavedImage.read(any_engine.save(image.image_id)) as opened:
        wanted = {
            f"/{path.strip('/')}": (entry.type, entry.mode, entry.sha256, entry.linkname)
            for path, entry in flatten(opened).files.items()
            if path.strip("/")
        }
    result, _ = run(TREE, output=Output("local", str(tmp_path / "out")))
    assert (result.image_id, result.output.dest) == ("", str(tmp_path / "out"))
    special = sum(about[0] not in ("directory", "symlink", "file") for about in wanted.values())
    assert special
    assert f"devices and pipes are not made in a folder ({special} left out): type=tar keeps them" in {
        each.message for each in result.warnings
    }
    assert described(tmp_path / "out") == {
        path: about for path, about in wanted.items() if about[0] in ("directory", "symlink", "file")
    }
    assert (tmp_path / "out/d/file").samefile(tmp_path / "out/d/same")
    assert int((tmp_path / "out/d/e").stat().st_mtime) == int((tmp_path / "out/ü name").stat().st_mtime) == 1577934245

    result, _ = run(TREE, output=Output("tar", str(tmp_path / "out.tar")))
    with tarfile.open(tmp_path / "out.tar") as tar:
        members = {"/" + member.name.strip("/"): member for member in tar}
    assert set(members) == set(wanted)
    assert members["/pipe"].isfifo()
    assert result.output.size == (tmp_path / "out.tar").stat().st_size


def test_an_output_over_an_older_one_replaces_its_files_and_leaves_others(run, tmp_path):
    (run.folder / "a").write_text("new")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    (out / "mine").write_text("mine")
    run("FROM scratch\nCOPY a /\n", output=Output("local", str(out)))
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a": "new", "mine": "mine"}


def test_a_build_that_fails_leaves_the_old_output(run, tmp_path):
    path = tmp_path / "out.tar"
    path.write_text("old")
    for kind, dest in (("tar", path), ("local", tmp_path / "out")):
        with pytest.raises(SolveFailed):
            run(f"FROM busybox\n{fresh()}RUN exit 3\n", output=Output(kind, str(dest)))
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["context", "out.tar"]


def test_an_output_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "out" / "a" / "b").mkdir(parents=True)
    (run.folder / "a").write_text("x")
    with pytest.raises(OutputFailed, match="cannot be written: directory not empty"):
        run("FROM scratch\nCOPY a /a\n", output=Output("local", str(tmp_path / "out")))
    with pytest.raises(OutputFailed, match="no space left on device"):
        run("FROM scratch\nCOPY a /a\n", output=Output("tar", "/dev/full"))


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_archive_that_the_engine_does_not_write_is_refused_by_name(any_engine, run, tmp_path, kind):
    with pytest.raises(Unsupported, match=f"^{re.escape(any_engine.name)} .*type={kind}"):
        run("FROM scratch\nCOPY . /\n", output=Output(kind, str(tmp_path / "out.tar")))
    assert os.listdir(tmp_path) == ["context"]


def test_the_command_gives_a_tar_on_standard_output_and_a_folder(any_engine, run, tmp_path):
    (run.folder / "Dockerfile").write_text("FROM scratch\nCOPY a /a\n")
    (run.folder / "a").write_text("x" * 100_000)
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host]
    done = subprocess.run([*command, "-o", "-"], capture_output=True)
    assert done.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert tar.extractfile("a").read() == b"x" * 100_000
    done = subprocess.run([*command, "-q", "-o", str(tmp_path / "out"), "-t", "unused"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}\n")
    assert (tmp_path / "out" / "a").stat().st_size == 100_000
    done = subprocess.run(["sh", "-c", '"$@" -o - | true', "sh", *command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Fatal" not in done.stderr


def test_an_interrupt_leaves_no_agent_and_no_half_of_an_output(any_engine, run, tmp_path, keys):
    (run.folder / "Dockerfile").write_text(f"FROM busybox\n{fresh()}RUN --mount=type=ssh echo started; sleep 60\n")
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host, "--progress=plain", "--no-optimize"]
    command += ["--ssh", f"default={keys / 'one'}", "-o", f"type=tar,dest={tmp_path / 'out.tar'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert any(line.endswith("started\n") for line in process.stderr)
            ours = {each for each in agents() if parents(each) & {str(process.pid)}}
            assert len(ours) == 1
            assert len(list(tmp_path.glob(".dfkit-*"))) == 1
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert not ours & agents()
    assert os.listdir(tmp_path) == ["context"]


def parents(process):
    """The processes that started one, and that started those."""
    found = set()
    while process not in ("0", "1"):
        process = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[1]
        found.add(process)
    return found


def test_an_interrupt_ends_a_build_whose_output_nobody_reads(any_engine, run):
    (run.folder / "Dockerfile").write_text("FROM scratch\nCOPY large /\n")
    (run.folder / "large").write_bytes(secrets.token_bytes(4 << 20))
    ours, theirs = os.pipe()
    command = [*DFKIT, "build", str(run.folder), "-H", any_engine.host, "-q", "-o", "-"]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        try:
            assert os.read(ours, 1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(ours)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Fatal" not in errors
    assert b"Traceback" not in errors


def test_a_secret_that_can_be_read_once_serves_all_builds_of_a_proof(engine, tmp_path):
    value = secrets.token_hex(8)
    (tmp_path / "Dockerfile").write_text(
        f'FROM busybox\nRUN --mount=type=secret,id=a,required=true test "$(cat /run/secrets/a)" = {value}\n'
    )
    ours, theirs = os.pipe()
    os.write(theirs, value.encode())
    os.close(theirs)
    command = [*DFKIT, "prove", str(tmp_path), "-H", engine.host, "--secret", f"id=a,src=/dev/fd/{ours}"]
    done = subprocess.run(command, pass_fds=[ours], capture_output=True, text=True)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert "verdict: equivalent" in done.stdout
