"""ssh agents on the engines."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dfkit.build import BuildRequest, Folders, SolveFailed, SshAgent, StepLog, build
from dfkit.context import plan
from tests.ssh import ssh_agent

pytestmark = pytest.mark.engine

DFKIT = [sys.executable, "-c", "import sys; from dfkit.cli import main; sys.exit(main())"]


def fresh():
    """Makes a step that no cache knows."""
    return f"ARG FRESH={secrets.token_hex(8)}\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    return folder


@pytest.fixture
def agent(tmp_path, keys):
    """A real agent with the key `one`: its socket."""
    with ssh_agent(tmp_path, keys / "one") as path:
        yield path


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
