"""The inside of the shell oracle's sandbox: a program of its own, started by `shelltrace` as the first process of new namespaces.

It builds a root directory with nothing but shells and stubs, enters it, gives up root, and then answers requests: one JSON object
a line, `Request` in, `Response` out. Nothing can be imported after `enter`: Python's library is out of reach then.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal, TypedDict

    Status = Literal["ok", "failed", "limit"]

    class Setup(TypedDict):
        """`copies` are files to bring, inside path to outside path; `bin` the outside directory of stubs, `uid` who to become."""

        root: str
        bin: str
        copies: dict[str, str]
        uid: int | None

    class Request(TypedDict):
        """`exits` is shell text that defines `oracle_id` and `oracle_code`; `shell` and `env` are as for exec."""

        scripts: list[str]
        shell: list[str]
        env: dict[str, str]
        folders: list[str]
        stubs: list[str]
        exits: str

    class Response(TypedDict):
        """`calls` are the stub's records, fields apart by NUL."""

        calls: list[str]
        output: str
        files: dict[str, str]
        status: Status


HOME = "/.oracle"
RUN = f"{HOME}/run"
WORKDIR = "/work"
MAX_CALLS = 200
_SECONDS = 3.0
_MAX_FILE = 1 << 20
_MAX_MEMORY = 1 << 30
_FIXED = ("/proc", "/dev", "/bin", HOME)
"""What is not part of the world that scripts change and each trace finds anew."""

STUB = f"""#!{HOME}/sh
trap '' PIPE
exec 2>/dev/null
set -C
oracle_piped=false
if [ -p /proc/self/fd/0 ] || [ -p /proc/self/fd/1 ]; then oracle_piped=true; fi
oracle_n=0
until true >{RUN}/claimed/$oracle_n; do oracle_n=$((oracle_n + 1)); done
[ $oracle_n -lt {MAX_CALLS} ] || kill -9 -1
{{
umask; printf '\\0'
pwd -P; printf '\\0'
export -p; printf '\\0'
$oracle_piped && printf 1
printf '\\0%s' "${{0##*/}}" "$@"
}} >{RUN}/log/$oracle_n
printf '%s\\n' "${{0##*/}}"
. {RUN}/exits
IFS='\37'
oracle_id "${{0##*/}}$IFS$*"
oracle_k=0
until true >{RUN}/claimed/$oracle_id.$oracle_k; do oracle_k=$((oracle_k + 1)); done
oracle_code $oracle_id.$oracle_k
"""
"""Runs in place of every command. Noclobber makes creating a file an atomic claim: of the next number in the log, and of which
occurrence of its words this call is. It writes its name, so that `$(command)` is not empty, and ignores SIGPIPE, so that the next
command of a pipeline cannot change its exit code."""
_WRITABLE = ("/", RUN, WORKDIR, "/root", "/tmp", "/etc", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/sbin", "/var")


def build(setup: Setup) -> None:
    """Make the root directory, in memory."""
    root = Path(setup["root"])
    _mount("-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs", str(root))
    for folder in (*_FIXED, *_WRITABLE):
        (root / folder[1:]).mkdir(parents=True, exist_ok=True)
    for folder in ("sbin", "usr/bin", "usr/sbin"):
        (root / folder).symlink_to("/bin")
    _read_only(Path(setup["bin"]), root / "bin")
    for inside, outside in setup["copies"].items():
        target = root / inside[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(outside, target)
        target.chmod(0o755)
        _read_only(target, target)
    (root / "dev/null").touch()
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        (root / "dev" / name).symlink_to(f"/proc/self/fd/{descriptor}")
    _mount("--bind", "/dev/null", str(root / "dev/null"))
    _mount("-t", "proc", "proc", str(root / "proc"))
    if (uid := setup["uid"]) is not None:
        for path in _WRITABLE:
            os.chown(root / path[1:], uid, uid)


def enter(setup: Setup) -> None:
    """Make that directory the root, become nobody, and take no more than a script may need. There is no way back."""
    os.chroot(setup["root"])
    os.chdir(WORKDIR)
    if (uid := setup["uid"]) is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    for limit, most in (
        (resource.RLIMIT_NPROC, 1024),
        (resource.RLIMIT_FSIZE, _MAX_FILE),
        (resource.RLIMIT_AS, _MAX_MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    os.umask(0o022)


def trace(request: Request, pristine: frozenset[str]) -> Response:
    """Run scripts one after the other, each in a fresh shell, until one fails."""
    _reset(request, pristine)
    status: Status = "ok"
    for script in request["scripts"]:
        if code := _run([*request["shell"], script], request["env"]):
            status = "limit" if code == -signal.SIGKILL else "failed"
            break
    calls = [_content(f"{RUN}/log/{number}") for number in sorted(os.listdir(f"{RUN}/log"), key=int)]
    output = Path(RUN, "out")
    return {
        "calls": calls,
        "output": _text(output.read_bytes()) if output.exists() else "",
        "files": {path: _content(path) for path in sorted(_world()) if path not in pristine and not os.path.isdir(path)},
        "status": status,
    }


def _run(argv: list[str], env: dict[str, str]) -> int:
    """The exit code of a process, or less than 0 if a signal ended it; what it left running is gone."""
    files: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{RUN}/out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    words = [word.encode("utf-8", "surrogateescape") for word in argv]
    process = _spawn(words, env, files)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    signal.setitimer(signal.ITIMER_REAL, 0)
    _kill_all()
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return code


def _spawn(words: list[bytes], env: dict[str, str], files: list[tuple[Any, ...]]) -> int:
    for _ in range(200):
        with suppress(BlockingIOError):
            return os.posix_spawn(words[0], words, env, file_actions=files, setsigdef=[signal.SIGPIPE])
        # The limit counts a user's processes, and those of a sandbox that was ended take their time to go.
        time.sleep(0.05)
    return os.posix_spawn(words[0], words, env, file_actions=files, setsigdef=[signal.SIGPIPE])


def _kill_all(*_signal: object) -> None:
    """End every process of the sandbox; the first process of a namespace, which this is, does not end itself."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reset(request: Request, pristine: frozenset[str]) -> None:
    for path in sorted(_world(), reverse=True):
        if path not in pristine:
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    for folder in request["folders"]:
        _make(folder)
    for stub in request["stubs"]:
        if _make(os.path.dirname(stub)) and not os.path.lexists(stub):
            os.symlink(f"{HOME}/stub", stub)
    for folder in ("log", "claimed"):
        shutil.rmtree(f"{RUN}/{folder}", ignore_errors=True)
        os.mkdir(f"{RUN}/{folder}")
    Path(RUN, "out").unlink(missing_ok=True)
    Path(RUN, "exits").write_bytes(request["exits"].encode("utf-8", "surrogateescape"))


def _make(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return True


def _world() -> Iterator[str]:
    """Every path that a script may have made."""
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if "/" + name not in _FIXED]
        for name in (*folders, *files):
            yield os.path.join(folder, name)


def _content(path: str) -> str:
    if os.path.islink(path):
        return os.readlink(path)
    os.chmod(path, 0o600)
    return _text(Path(path).read_bytes())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _read_only(source: Path, target: Path) -> None:
    """Show a file or directory at a place. Where the caller is not root, permissions would not keep a script from writing it."""
    _mount("--bind", str(source), str(target))
    _mount("-o", "remount,bind,ro,nosuid,nodev", str(target))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def main() -> None:
    """Serve until the end of standard input."""
    if os.getpid() != 1:
        raise SystemExit("this runs as the first process of its own namespace only: it kills every process that it sees")
    setup: Setup = json.loads(sys.argv[1])
    build(setup)
    enter(setup)
    signal.signal(signal.SIGALRM, _kill_all)
    pristine = frozenset(_world())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(trace(json.loads(line), pristine)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
