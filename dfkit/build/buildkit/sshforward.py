"""The session's ssh service: signatures of the user's ssh keys for `RUN --mount=type=ssh`, never the keys.

A step's programs talk to a socket that the engine makes, and what they send comes here. Only two of the agent protocol's requests
go on to the agent: to list the keys and to sign. All others, which would add, remove or lock keys or run an extension, are answered
with a failure, as BuildKit's own client does (session/sshforward/sshprovider/agentprovider.go).

Keys that are given as files are loaded into an agent of their own, OpenSSH's, that lives as long as the build.

Messages: https://github.com/moby/buildkit/blob/master/session/sshforward/ssh.proto
Agent protocol: https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
from contextlib import suppress

from dfkit.build.buildkit.grpc import INTERNAL, NOT_FOUND, RESOURCE_EXHAUSTED, StatusError, unary
from dfkit.build.buildkit.wire import Message, encode
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dfkit.build.buildkit.grpc import Call, Handler
    from dfkit.build.request import SshAgent

LARGEST_AGENT_MESSAGE = 256 * 1024
"""Bytes; what OpenSSH's agent takes and gives: AGENT_MAX_LEN in authfd.c."""

_FAILURE = b"\x05"
_REQUEST_IDENTITIES, _SIGN_REQUEST = 11, 13
_SECONDS = {_REQUEST_IDENTITIES: 10.0, _SIGN_REQUEST: 120.0}
"""The requests that are let through, and how long the agent may take: a person may have to confirm a signature."""
_CONNECT_SECONDS = 2.0
_TOOL_SECONDS = 10.0

_AGENT = ("ssh-agent", "sh", "-c", 'echo "$SSH_AUTH_SOCK"; cat; exec ssh-agent -k >/dev/null')
"""An agent that ends when its standard input does, thus also when this process is killed."""


class Agents:
    """The service for one build; a call of `close` ends it."""

    def __init__(self, agents: Iterable[SshAgent] = (), warn: Callable[[str], None] = lambda _: None) -> None:
        """Look for the agents and load the keys. `warn` is called, from another thread, with a sentence if an agent fails later.

        Raises `UsageError` for an agent that does not answer, for a key that cannot be loaded, and for an id that is there twice.
        """
        self._warn = warn
        self._sockets: dict[str, str] = {}
        self._own: list[_OwnAgent] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        try:
            for agent in agents:
                if agent.id in self._sockets:
                    raise UsageError(f"two ssh agents have the id {agent.id}: a step can ask for only one of them")
                self._sockets[agent.id] = self._socket(agent)
        except BaseException:
            self.close()
            raise

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path; none without an agent, which tells the engine that no id is there."""
        if not self._sockets:
            return {}
        return {"/moby.sshforward.v1.SSH/CheckAgent": unary(self._check), "/moby.sshforward.v1.SSH/ForwardAgent": self._forward}

    def close(self) -> None:
        """End the connections to agents, and the agents that were started."""
        with self._lock:
            self._closed = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        while self._own:
            self._own.pop().close()

    def _socket(self, agent: SshAgent) -> str:
        """The socket of an agent that answers, started if keys are given."""
        paths = agent.paths or (os.environ.get("SSH_AUTH_SOCK", ""),)
        if not paths[0]:
            raise UsageError(
                "no ssh agent is running (SSH_AUTH_SOCK is not set): start one with `eval $(ssh-agent)` and `ssh-add`,"
                f" or give a key with `--ssh {agent.id}=FILE`"
            )
        sockets = [path for path in paths if _is_socket(path)]
        if not sockets:
            own = _OwnAgent()
            self._own.append(own)
            for path in paths:
                own.add(path)
            return own.path
        if len(paths) > 1:
            raise UsageError(f"the ssh agent {agent.id} is a socket and more: it is one socket, or one or several key files")
        try:
            _connect(paths[0]).close()
        except OSError as error:
            raise UsageError(
                f"no ssh agent answers at {paths[0]} ({_reason(error)}): start one with `eval $(ssh-agent)`"
            ) from None
        return paths[0]

    def _check(self, request: bytes) -> bytes:
        self._path(Message(request).text(1))
        return b""

    def _path(self, name: str) -> str:
        path = self._sockets.get(name or "default")
        if path is None:
            raise StatusError(NOT_FOUND, f"no ssh agent {name or 'default'} was given")
        return path

    def _forward(self, call: Call) -> None:
        path = self._path(dict(call.metadata).get("buildkit.ssh.id", ""))
        agent: socket.socket | None = None
        received = bytearray()
        try:
            while (piece := call.receive(LARGEST_AGENT_MESSAGE + 64)) is not None:
                received += Message(piece).data(1)
                while (request := _take(received)) is not None:
                    answer = _FAILURE
                    if request[0] in _SECONDS:
                        try:
                            agent = agent or self._connected(path)
                            answer = _ask(agent, request)
                        except OSError as error:
                            if not self._closed:
                                self._warn(f"the ssh agent at {path} does not answer ({_reason(error)})")
                            self._disconnected(agent)
                            agent = None
                    call.send(encode((1, len(answer).to_bytes(4, "big") + answer)))
        finally:
            self._disconnected(agent)

    def _connected(self, path: str) -> socket.socket:
        agent = _connect(path)
        with self._lock:
            if self._closed:
                agent.close()
                raise ConnectionAbortedError
            self._open.add(agent)
        return agent

    def _disconnected(self, agent: socket.socket | None) -> None:
        if agent is not None:
            with self._lock:
                self._open.discard(agent)
            agent.close()


def _take(received: bytearray) -> bytes | None:
    """Take one whole request off the front of what was received; None if there is none yet."""
    if len(received) < 4:
        return None
    size = int.from_bytes(received[:4], "big")
    if size > LARGEST_AGENT_MESSAGE:
        raise StatusError(RESOURCE_EXHAUSTED, f"a request of {size} bytes, at most {LARGEST_AGENT_MESSAGE} are accepted")
    if not size:
        raise StatusError(INTERNAL, "an empty request")
    if len(received) < 4 + size:
        return None
    request = bytes(received[4 : 4 + size])
    del received[: 4 + size]
    return request


def _ask(agent: socket.socket, request: bytes) -> bytes:
    """The agent's answer. Raises `OSError` if it does not come in time, or is too large."""
    agent.settimeout(_SECONDS[request[0]])
    agent.sendall(len(request).to_bytes(4, "big") + request)
    size = int.from_bytes(_exactly(agent, 4), "big")
    if not 0 < size <= LARGEST_AGENT_MESSAGE:
        raise OSError(f"an answer of {size} bytes")
    return _exactly(agent, size)


def _exactly(agent: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = agent.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("it hung up")
        data += piece
    return bytes(data)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError as error:
        raise UsageError(f"the ssh agent or key {path} cannot be used: {_reason(error)}") from None


def _connect(path: str) -> socket.socket:
    agent = socket.socket(socket.AF_UNIX)
    try:
        agent.settimeout(_CONNECT_SECONDS)
        agent.connect(path)
    except BaseException:
        agent.close()
        raise
    return agent


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return (error.strerror or str(error)).lower()


class _OwnAgent:
    """An `ssh-agent` process of this build. `path` is its socket, in a folder that only this user can enter."""

    def __init__(self) -> None:
        # In a session of its own, a Ctrl-C at the terminal does not end it before the build is cancelled.
        try:
            self._process = subprocess.Popen(
                _AGENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise _no_tool("ssh-agent") from None
        assert self._process.stdout
        with self._process.stdout as told:
            self.path = os.fsdecode(told.readline().rstrip(b"\n"))
        if not self.path:
            self.close()
            raise UsageError("ssh-agent does not start, so no key can be used from a file: see what `ssh-agent` says")

    def add(self, path: str) -> None:
        """Load a private key. Raises `UsageError`."""
        try:
            # From standard input: of a file, ssh-add would refuse one that others may read, as a mounted key often is.
            with open(path, "rb") as key:
                done = subprocess.run(
                    ("ssh-add", "-q", "-"),
                    check=False,
                    stdin=key,
                    capture_output=True,
                    timeout=_TOOL_SECONDS,
                    env=_environment() | {"SSH_AUTH_SOCK": self.path, "SSH_ASKPASS_REQUIRE": "never"},
                    start_new_session=True,  # without a terminal it cannot ask for a passphrase, and fails
                )
        except FileNotFoundError as error:
            if error.filename == path:
                raise _unusable(path, _reason(error)) from None
            raise _no_tool("ssh-add") from None
        except OSError as error:
            raise _unusable(path, _reason(error)) from None
        except subprocess.TimeoutExpired:
            raise _unusable(path, "`ssh-add` does not come to an end") from None
        if b"passphrase" in done.stderr:
            raise UsageError(f"the ssh key {path} has a passphrase: load it into your agent with `ssh-add`, and give no file")
        if done.returncode:
            raise _unusable(path, "it is no private key that `ssh-add` can read")

    def close(self) -> None:
        """End the process; when this returns, its socket is gone."""
        assert self._process.stdin
        with suppress(OSError), _connect(self.path) as agent:
            self._process.stdin.close()
            agent.settimeout(_TOOL_SECONDS)
            agent.recv(1)  # until it hangs up, which is the last that it does
        self._process.stdin.close()
        try:
            self._process.wait(_TOOL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    """What OpenSSH's programs need of the environment, which may hold secrets."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


def _unusable(path: str, reason: str) -> UsageError:
    return UsageError(f"the ssh key {path} cannot be used: {reason}")


def _no_tool(name: str) -> UsageError:
    return UsageError(f"`{name}` is not installed, which keys from files need: install OpenSSH's client, or use a running agent")
