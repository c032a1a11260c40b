"""The command line: find the command, run it, turn what can go wrong into a sentence and an exit code."""

from __future__ import annotations

import sys

from dfkit import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "lint": "say what is wrong with Dockerfiles",
    "optimize": "print a Dockerfile rewritten for a smaller image and faster rebuilds",
    "build": "lint, optimize and build an image",
    "context": "say which files a build sends, which it does not, and why",
    "prove": "build the original and the optimized image and compare them",
    "explain": "say what a rule is about",
    "rules": "list the rules",
    "rule": "write and try rules of your own",
    "parse": "print what a Dockerfile consists of",
    "targets": "list the stages that can be built",
    "outline": "list the arguments, secrets, ssh keys and caches of a target",
}

INTERRUPTED = 130
"""What a shell gives for a process that Ctrl-C ended: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dfkit` with these arguments and give its exit code; without arguments run it with the process's, and end the process."""
    if arguments is not None:
        return _guarded(list(arguments))
    import gc

    from dfkit import _modules

    # Trees live until the end: looking for garbage among them takes a tenth of the time and finds none.
    gc.set_threshold(100_000)
    words = sys.argv[1:]
    finder = _modules.install(words[0]) if words and words[0] in COMMANDS else None
    code = _guarded(words, at_end=_ignore_interrupts)
    if finder is not None:
        finder.keep()
    if expressions := sys.modules.get("dfkit._regex"):
        expressions.keep()
    _leave(code)
    return code


def _guarded(words: list[str], at_end: Callable[[], None] = lambda: None) -> int:
    try:
        return _run(words)
    except KeyboardInterrupt:
        at_end()
        print("dfkit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        # Not imported above: modules come from the command's file once that is found.
        from dfkit.errors import DfkitError

        if not isinstance(error, DfkitError):
            raise
        print(f"dfkit: {_printable(str(error))}", file=sys.stderr)
        return error.exit_code


def _printable(text: str) -> str:
    """An engine or a file may have put into it what steers the terminal."""
    if text.isprintable():
        return text
    from dfkit.output.text import printable

    return "\n".join([printable(line) for line in text.split("\n")])


def _ignore_interrupts() -> None:
    """A second Ctrl-C would end the end of the process with a traceback."""
    # The C module: to import `signal` takes time, in which it may come.
    from _signal import SIG_IGN, SIGINT, signal  # type: ignore[import-not-found]

    signal(SIGINT, SIG_IGN)


def _run(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name in ("-V", "--version"):
        print(f"dfkit {__version__}")
        return 0
    if name in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else 2
    if name not in COMMANDS:
        from dfkit.errors import DfkitError

        raise DfkitError(_unknown(name))
    code: int = __import__(f"dfkit.cli.{name}", fromlist=("run",)).run(words[1:])
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: dfkit COMMAND [OPTION…]",
            "",
            *lines,
            "",
            "`dfkit COMMAND --help` says more. Exit codes: 0 clean, 1 findings, 2 wrong use or unreadable input, 3 no engine,",
            "4 the build failed, 5 not equivalent, 130 interrupted.",
        ]
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, 1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"there is no command `{name}`{hint} (`dfkit --help` lists them)"


def _closed_pipe() -> int:
    """Whoever read the output has gone, as `dfkit lint | head` does: nothing is wrong, and Python must not say so at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _leave(code: int) -> None:
    """End the process: what waits for its end is done as Python does it, and then the interpreter is left as it stands.

    To take it down piece by piece takes longer than to lint a file. Under a profiler, which goes on when a command is done, this returns.
    """
    import atexit
    import os

    if sys.getprofile() is not None:
        return
    if threading := sys.modules.get("threading"):
        threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = _closed_pipe()
    os._exit(code)
