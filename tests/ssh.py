"""OpenSSH's own agent, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time


@contextlib.contextmanager
def ssh_agent(folder, key):
    """A running agent with one key: its socket, in that folder."""
    path = folder / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True)
        yield path
    finally:
        process.terminate()
        process.wait()
