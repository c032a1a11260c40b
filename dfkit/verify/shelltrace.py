"""The shell-trace oracle: whether two groups of scripts do the same, whatever their commands return.

Two images that were built can be compared; they do not show what happens when a command fails, which is where merged scripts go
wrong. So every command that is no builtin of the shell is replaced by a stub, which notes how it was called and returns what the
oracle chose, and both groups are run for every choice. Builtins (`cd`, `echo`, `export`, `test`) run for real.

Nothing real can be reached. The scripts run in namespaces of their own (mounts, processes, network), in a root directory in
memory that holds only shells and stubs, as nobody (or as the caller, where that is not root), with limits on time, memory,
processes and file sizes. So absolute paths, redirections, `command -p` and `kill -1` are harmless. Where the kernel gives no
such namespaces nothing is run: `NoOracle`.

What it does not see: which branch of `[ -f … ]` a real file would take (only files that the scripts write exist), what commands
print (a stub prints its name), error output, and times. Scripts that use `$$`, `$RANDOM` or `$SECONDS`, or leave jobs running,
may seem to disagree.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from random import Random

from dfkit._record import Record
from dfkit.errors import DfkitError
from dfkit.verify import _sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from dfkit.verify._sandbox import Status

    Key = tuple[tuple[str, ...], int]

_ENV = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_SHELLS_OWN = ("_", "SHLVL")
"""Variables that shells export of themselves and change as they like; PWD is another, while it is the working directory."""
_NOBODY = 65534
_TRIES = 6
_FIELDS = 3
_WORD = re.compile(r"[\w.+@%\[-]+")
_PATH = re.compile(r"[\w.+@%-]*/[\w./+@%-]*")
_CD = re.compile(r"\b(?:cd|pushd)\s+[\"']?([\w./+@%-]+)")
_LOCAL_COMMAND = re.compile(r"(?<![\w/.>])(?<!> )\.{1,2}/[\w./+@%-]*[\w+@%-]")
_LIBRARY = re.compile(r"(/\S+) \(0x")
_ASH_BUILTINS = frozenset(("[", "[[", "ash", "echo", "false", "kill", "printf", "pwd", "sh", "test", "true"))


class NoOracle(DfkitError):
    """Scripts cannot be run safely here."""


class Call(Record):
    """How a command was called. `env` is what was exported beyond the start of the build, by name; None where a name was unset.

    `piped` commands read from or write to a pipe; those of one pipeline run at the same time, in no order.
    """

    argv: tuple[str, ...]
    cwd: str
    umask: str
    env: tuple[tuple[str, str | None], ...]
    piped: bool


class Trace(Record):
    """What scripts did: the commands in order (adjacent piped ones sorted), what builtins printed, the files written.

    `status` is `limit` if they were stopped after too many calls or too long; how far they came is then a matter of chance.
    """

    status: Status
    calls: tuple[Call, ...]
    output: str
    files: tuple[tuple[str, str], ...]

    def keys(self) -> list[Key]:
        """Each call as what chooses its exit code: its words, and how many calls with the same words came before."""
        seen: Counter[tuple[str, ...]] = Counter()
        keys: list[Key] = []
        for call in self.calls:
            keys.append((call.argv, seen[call.argv]))
            seen[call.argv] += 1
        return keys

    def outcome(self) -> tuple[Any, ...]:
        """What must be the same. A build that fails leaves no layer, so its output and files do not matter."""
        if self.status == "limit":
            return (self.status,)
        return (self.status, self.calls, *((self.output, self.files) if self.status == "ok" else ()))


class Disagreement(Record):
    """A choice of exit codes for which two groups of scripts differ under a shell; calls not in `exits` returned 0."""

    shell: tuple[str, ...]
    exits: Mapping[Key, int]
    original: Trace
    merged: Trace

    def __str__(self) -> str:
        failing = ", ".join(shlex.join(argv) + f" (call {n + 1})" * bool(n) for (argv, n), code in self.exits.items() if code)
        said = [
            f"{trace.status} after {[shlex.join(call.argv) for call in trace.calls]}" for trace in (self.original, self.merged)
        ]
        return f"under {shlex.join(self.shell)}, when {failing or 'nothing'} fails: {said[0]} in the original, {said[1]} merged"


def shells(*options: str) -> tuple[tuple[str, ...], ...]:
    """The shells of this machine that scripts can run under: dash, bash, busybox ash; `options` as in SHELL, `-c` if none."""
    return tuple((name, *(options or ("-c",))) for name in _installed())


def trace(scripts: Sequence[str], shell: Sequence[str], exits: Mapping[Key, int] | None = None) -> Trace:
    """Run scripts as RUN instructions run: one after the other, each as `SHELL… script` in a fresh process, until one fails.

    `shell` is one of `shells()`, or as in SHELL: of a path the last part counts. `exits` gives the exit codes, by words and
    occurrence of a call; other calls return 0.

    Raises `NoOracle` where there is no safe way to run scripts.
    """
    return _oracle().trace(scripts, tuple(shell), exits or {}, scripts)


def agree(
    original: Sequence[str],
    merged: Sequence[str],
    *,
    shells: Iterable[Sequence[str]] | None = None,
    limit: int = 4096,
    seed: int = 0,
) -> Disagreement | None:
    """Whether two groups of scripts call the same commands the same way, print and write the same, and succeed alike.

    Each command is let succeed and fail, for every combination that changes what is called: all of the 2^n, less those that
    differ in the exit code of a call that is not made. Where there are more than `limit` a random choice is made, by `seed`.
    A difference counts if it shows again, as commands of a pipeline race. Two runs that do not end count as alike. Under a
    busybox whose shell prefers its own applets to PATH, scripts that name one are not run.

    Raises `NoOracle` where there is no safe way to run scripts, or none of the shells.
    """
    oracle = _oracle()
    both = (*original, *merged)
    words = set(_WORD.findall(" ".join(both)))
    fit = [
        tuple(shell) for shell in (_all_shells() if shells is None else shells) if _name(shell) != "ash" or not _applets() & words
    ]
    if not fit:
        raise NoOracle("no shell is left to run the scripts under; install dash or bash")
    for shell in fit:
        random = Random(seed)  # noqa: S311 - a choice of cases, no secret
        frontier: list[dict[Key, int]] = [{}]
        for _ in range(limit):
            if not frontier:
                break
            exits = frontier.pop(random.randrange(len(frontier)))
            outcomes, others = set(), set()
            for _ in range(_TRIES):
                one, other = (oracle.trace(scripts, shell, exits, both) for scripts in (original, merged))
                outcomes.add(one.outcome())
                others.add(other.outcome())
                if outcomes & others:
                    break
            else:
                return Disagreement(shell, exits, one, other)
            if "limit" not in (one.status, other.status):
                new = [key for key in dict.fromkeys((*one.keys(), *other.keys())) if key not in exits]
                frontier += [exits | dict.fromkeys(new[:i], 0) | {key: 1} for i, key in enumerate(new)]
    return None


class _Oracle:
    """A sandbox that stays, so that a trace costs the processes of its scripts and no more."""

    def __init__(self) -> None:
        found = _installed()
        if not found or not (unshare := shutil.which("unshare")):
            raise NoOracle("no shell can be traced here: it takes Linux with util-linux and one of dash, bash, busybox")
        self._home = Path(tempfile.mkdtemp(prefix="dfkit-oracle-"))
        self._bin = self._home / "bin"
        self._bin.mkdir()
        stub = self._home / "stub"
        stub.write_text(_sandbox.STUB)
        (self._home / "root").mkdir()
        root = os.geteuid() == 0
        setup: _sandbox.Setup = {
            "root": str(self._home / "root"),
            "bin": str(self._bin),
            "copies": {**_copies(found), f"{_sandbox.HOME}/stub": str(stub)},
            "uid": _NOBODY if root else None,
        }
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", *([] if root else ["--user", "--map-root-user"])]
        self._process = subprocess.Popen(
            [unshare, *spaces, "--fork", "--kill-child", sys.executable, "-IS", _sandbox.__file__, json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        if self._out.readline() != "ready\n":
            self._lost("scripts cannot be traced here: it takes root, or a kernel that gives namespaces to users")

    def close(self) -> None:
        """End the sandbox and all that runs in it."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._home, ignore_errors=True)

    def trace(self, scripts: Sequence[str], shell: tuple[str, ...], exits: Mapping[Key, int], world: Sequence[str]) -> Trace:
        """Run scripts with stubs and folders for all that the scripts of `world` name."""
        for name in set(_WORD.findall(" ".join(world))) - {".", ".."}:
            if len(name) < 64 and not os.path.lexists(self._bin / name):
                (self._bin / name).symlink_to(f"{_sandbox.HOME}/stub")
        folders, stubs = _places(world)
        request: _sandbox.Request = {
            "scripts": list(scripts),
            "shell": [f"{_sandbox.HOME}/{_name(shell)}", *shell[1:]],
            "env": _ENV,
            "folders": folders,
            "stubs": stubs,
            "exits": _exit_functions(exits),
        }
        try:
            self._in.write(json.dumps(request) + "\n")
            self._in.flush()
            answer = self._out.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._lost("the sandbox of the shell oracle ended")
        response: _sandbox.Response = json.loads(answer)
        written = tuple((path, text) for path, text in response["files"].items() if path not in stubs)
        return Trace(
            response["status"],
            _in_order(_call(call) for call in response["calls"] if call.count("\0") > _FIELDS),
            response["output"],
            written,
        )

    def _lost(self, message: str) -> None:
        self._process.kill()
        said = self._process.communicate()[1].strip().rpartition("\n")[2]
        self.close()
        _oracle.cache_clear()
        raise NoOracle(f"{message} ({said})" if said else message)


@cache
def _oracle() -> _Oracle:
    return _Oracle()


@cache
def _installed() -> dict[str, str]:
    """The shells found, name to program."""
    programs = {"dash": shutil.which("dash"), "bash": shutil.which("bash"), "ash": shutil.which("busybox")}
    return {name: program for name, program in programs.items() if program}


def _name(shell: Sequence[str]) -> str:
    """Which of the installed shells a SHELL names; `sh` is the first of them."""
    name = basename(shell[0])
    name = next(iter(_installed())) if name == "sh" else name
    if name not in _installed():
        raise NoOracle(f"scripts cannot be traced under {shell[0]}; install it, or use one of {', '.join(_installed())}")
    return name


def _all_shells() -> tuple[tuple[str, ...], ...]:
    return shells()


@cache
def _applets() -> frozenset[str]:
    """The names that the installed busybox's shell runs by itself, whatever PATH says (FEATURE_SH_STANDALONE)."""
    busybox = _installed()["ash"]
    if subprocess.run([busybox, "ash", "-c", "PATH=/nowhere; command -v ls"], check=False, capture_output=True).returncode:
        return frozenset()
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return frozenset(listed.split()) - _ASH_BUILTINS


def _copies(found: Mapping[str, str]) -> dict[str, str]:
    """The files that the shells need, inside path to outside path. The first shell also runs the stubs."""
    copies = {f"{_sandbox.HOME}/{name}": program for name, program in found.items()}
    copies[f"{_sandbox.HOME}/sh"] = next(iter(found.values()))
    for program in found.values():
        listed = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
        copies |= {library: library for library in _LIBRARY.findall(listed)}
    return copies


def _places(scripts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Folders that scripts enter or write to, and paths of the commands that they call as `./NAME`."""
    folders = dict.fromkeys([_sandbox.WORKDIR])
    entered = dict.fromkeys([_sandbox.WORKDIR])
    commands: list[str] = []
    for script in scripts:
        here = _sandbox.WORKDIR
        for target in _CD.findall(script):
            entered[normpath(join(_sandbox.WORKDIR, target))] = None
            here = normpath(join(here, target))
            entered[here] = None
        folders |= dict.fromkeys(dirname(normpath(join(_sandbox.WORKDIR, path))) for path in _PATH.findall(script))
        commands += _LOCAL_COMMAND.findall(script)
    stubs = dict.fromkeys(normpath(join(folder, command)) for folder in entered for command in commands)
    return [*folders, *entered], [stub for stub in stubs if stub not in entered]


def _exit_functions(exits: Mapping[Key, int]) -> str:
    """The exit codes as functions of the stub: `oracle_id` numbers the words of a call, `oracle_code` leaves with the code."""
    numbers = {argv: number for number, argv in enumerate(dict.fromkeys(argv for argv, _ in exits))}
    words = "".join(
        f"{shlex.quote(argv[0] + chr(31) + chr(31).join(argv[1:]))}) oracle_id={n};;\n" for argv, n in numbers.items()
    )
    codes = "".join(f"{numbers[argv]}.{occurrence}) exit {code};;\n" for (argv, occurrence), code in exits.items())
    return f"oracle_id() {{ case $1 in\n{words}*) exit 0;; esac; }}\noracle_code() {{ case $1 in\n{codes}*) exit 0;; esac; }}\n"


def _call(text: str) -> Call:
    umask, cwd, exports, piped, *argv = text.split("\0")
    umask, cwd = umask[:-1], cwd[:-1]
    exported = dict(word.partition("=")[::2] for word in shlex.split(exports) if "=" in word)
    for name in (*_SHELLS_OWN, *(["PWD"] if exported.get("PWD") == cwd else [])):
        exported.pop(name, None)
    names = sorted(exported.keys() | _ENV.keys())
    env = tuple((name, exported.get(name)) for name in names if exported.get(name) != _ENV.get(name))
    return Call(tuple(argv), cwd, umask, env, bool(piped))


def _in_order(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The calls with each run of piped ones sorted."""
    runs = (tuple(run) for _, run in groupby(calls, key=lambda call: call.piped))
    return tuple(call for run in runs for call in (sorted(run, key=repr) if run[0].piped else run))
