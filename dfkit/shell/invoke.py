"""Which interpreter a list of words runs, and with what script."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.shell.nodes import Word

DIALECTS = {"sh": "sh", "dash": "sh", "ash": "sh", "bash": "bash", "rbash": "bash", "zsh": "zsh", "ksh": "ksh", "mksh": "ksh"}
"""Shells that are read with the grammar, and the dialect they speak."""

READABLE = ("sh", "bash", "zsh", "ksh")

OTHERS = {
    "powershell": "powershell", "pwsh": "powershell", "cmd": "cmd", "python": "python", "python2": "python", "python3": "python",
    "perl": "perl", "ruby": "ruby", "node": "node", "php": "php", "fish": "fish", "csh": "csh", "tcsh": "csh", "Rscript": "r",
}  # fmt: skip
"""Interpreters whose scripts are recognised and left alone."""

PREFIXES: dict[str, tuple[tuple[str, ...], int]] = {
    "sudo": (
        ("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group", "--host", "--prompt", "--chdir",
         "--chroot", "--role", "--type", "--command-timeout", "--other-user", "--close-from"),
        0,
    ),
    "doas": (("-u", "-C"), 0),
    "env": (("-u", "--unset", "-C", "--chdir"), 0),
    "time": (("-f", "--format", "-o", "--output"), 0),
    "nice": (("-n", "--adjustment"), 0),
    "ionice": (("-c", "--class", "-n", "--classdata"), 0),
    "nohup": ((), 0),
    "setsid": ((), 0),
    "stdbuf": (("-i", "-o", "-e", "--input", "--output", "--error"), 0),
    "command": ((), 0),
    "builtin": ((), 0),
    "exec": (("-a",), 0),
    "busybox": ((), 0),
    "toybox": ((), 0),
    "eatmydata": ((), 0),
    "fakeroot": (("-l", "-s", "-i", "-b"), 0),
    "timeout": (("-k", "--kill-after", "-s", "--signal"), 1),
    "gosu": ((), 1),
    "su-exec": ((), 1),
    "setpriv": (("--reuid", "--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set", "--securebits"), 0),
    "chroot": ((), 1),
    "tini": (("-p", "-e"), 0),
    "dumb-init": (("-r", "--rewrite"), 0),
    "linux32": ((), 0),
    "linux64": ((), 0),
    "chronic": ((), 0),
    "unbuffer": ((), 0),
}  # fmt: skip
"""Programs that run the command in their arguments: their options that take a value, and how many operands stand before it."""

_SET_OPTIONS = {
    "e": "errexit", "u": "nounset", "x": "xtrace", "v": "verbose", "f": "noglob", "n": "noexec", "a": "allexport", "b": "notify",
    "C": "noclobber", "E": "errtrace", "T": "functrace", "h": "hashall", "B": "braceexpand", "m": "monitor", "p": "privileged",
}  # fmt: skip
_LONG_WITH_VALUE = ("--rcfile", "--init-file")


class Invocation(Record):
    """An interpreter's call. `script` is the index of the word that is the script; None where it is read from standard input."""

    dialect: str
    script: int | None
    options: tuple[str, ...]


def interpreter(path: str) -> str | None:
    """The dialect of a program, by its name with or without folder, version and `.exe`; None for other programs.

    >>> interpreter("/usr/bin/python3.11"), interpreter("/bin/dash")
    ('python', 'sh')
    """
    name = path.replace("\\", "/").rpartition("/")[2]
    if name.lower().endswith(".exe"):
        name = name[:-4].lower()
    found = DIALECTS.get(name) or OTHERS.get(name)
    if found is None:
        found = OTHERS.get(name.rstrip("0123456789.")) if name[-1:].isdigit() else OTHERS.get(name.lower())
    return found


def shebang(line: str) -> str:
    """The dialect that a script's first line `#!…` names; the program's own name where it is not known.

    >>> shebang("#!/usr/bin/env -S python3 -u")
    'python'
    """
    words = line[2:].split()
    if words and words[0].rpartition("/")[2] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words:
        return "sh"
    return interpreter(words[0]) or words[0].rpartition("/")[2]


def shebang_options(line: str) -> tuple[str, ...]:
    """The shell options of a script's first line: `#!/bin/sh -e`."""
    words = line[2:].split()
    return _options(words[1:])[1] if words else ()


def literals(words: Sequence[Word]) -> list[str | None]:
    """The words' values; of one that is not literal, the start `name=` if it has it, else None."""
    return [word.prefix if word.value is None and "=" in word.prefix else word.value for word in words]


def effective_index(words: Sequence[str | None]) -> int:
    """The index of the word that names the program that runs in the end: after `sudo -u x`, `env A=b`, `nice -n 5` and the like.

    A prefix that runs nothing (`env` alone, `command -v x`, `sudo -l`) is the program itself. None stands for a word that
    is not literal.
    """
    at = 0
    while at < len(words):
        name = words[at]
        prefix = PREFIXES.get(name.rpartition("/")[2]) if name is not None else None
        if prefix is None:
            return at
        after = _after_prefix(words, at, name.rpartition("/")[2], prefix)  # type: ignore[union-attr]
        if after is None or after >= len(words):
            return at
        at = after
    return at


def _after_prefix(words: Sequence[str | None], at: int, name: str, prefix: tuple[tuple[str, ...], int]) -> int | None:
    with_value, operands = prefix
    at += 1
    while at < len(words):
        word = words[at]
        if word is None:
            break
        if word == "--":
            at += 1
            break
        if name in ("env", "sudo", "doas") and "=" in word and not word.startswith("-"):
            at += 1
            continue
        if not word.startswith("-") or word == "-":
            break
        if (name == "command" and word[1:2] in ("v", "V")) or (name == "sudo" and word in ("-l", "-v", "-k", "-K", "-V", "-e")):
            return None
        if name == "env" and word in ("-S", "--split-string"):
            return None
        at += 2 if word in with_value else 1
    if name == "env":
        while at < len(words) and "=" in (words[at] or ""):
            at += 1
    return at + operands


def invocation(words: Sequence[str | None]) -> Invocation | None:
    """How an interpreter is called by the words of a command, the program first; None where it runs no script that stands here.

    Knows `sh -exc 'script'`, `bash -o pipefail -c`, `su user -c`, `python3 -c`, `powershell -Command`, `cmd /S /C`, and an
    interpreter without operands, which reads standard input.
    """
    name = words[0].replace("\\", "/").rpartition("/")[2] if words and words[0] is not None else ""
    if name in ("su", "runuser"):
        return _switch_user(words)
    dialect = interpreter(name) if name else None
    if dialect is None:
        return None
    if dialect == "powershell":
        return _powershell(words)
    if dialect == "cmd":
        for at in range(1, len(words)):
            if (words[at] or "").lower() in ("/c", "/k"):
                return Invocation(dialect, at + 1, ()) if at + 1 < len(words) else None
        return None
    if dialect in READABLE:
        at, options, command = _shell_options(words)
        if command:
            return Invocation(dialect, at, options) if at < len(words) else None
    else:
        at, options = 1, ()
        while at < len(words) and (words[at] or "").startswith("-") and words[at] != "-":
            if words[at] in ("-c", "-e", "-r"):
                return Invocation(dialect, at + 1, ()) if at + 1 < len(words) else None
            at += 1
    if at >= len(words) or words[at] in ("-", "/dev/stdin", "-s"):
        return Invocation(dialect, None, options)
    return None


def _shell_options(words: Sequence[str | None]) -> tuple[int, tuple[str, ...], bool]:
    at, options = _options(words[1:])
    flags = words[1 : 1 + at]
    command = any(flag is not None and flag[:1] == "-" and flag[:2] != "--" and "c" in flag[1:] for flag in flags)
    stdin = any(flag is not None and flag[:1] == "-" and flag[:2] != "--" and "s" in flag[1:] for flag in flags)
    return (len(words) if stdin and not command else at + 1), options, command


def _options(words: Sequence[str | None]) -> tuple[int, tuple[str, ...]]:
    """How many words are options of a shell, and the names of those that are on."""
    on: set[str] = set()
    at = 0
    while at < len(words):
        word = words[at]
        if word is None or len(word) < 2 or word[0] not in "-+":
            break
        at += 1
        if word == "--":
            break
        if word.startswith("--"):
            at += word in _LONG_WITH_VALUE
            continue
        for letter in word[1:]:
            name: str | None = _SET_OPTIONS.get(letter)
            if letter in "oO":
                name = words[at] if at < len(words) and letter == "o" else None
                at += 1
            if name is not None:
                (on.add if word[0] == "-" else on.discard)(name)
    return at, tuple(sorted(on))


def set_options(arguments: Sequence[str | None]) -> tuple[str, ...]:
    """The names of the shell options that `set` turns on with these arguments.

    >>> set_options(["-eu", "-o", "pipefail"])
    ('errexit', 'nounset', 'pipefail')
    """
    return _options(arguments)[1]


def _switch_user(words: Sequence[str | None]) -> Invocation | None:
    dialect, script, at = "sh", None, 1
    while at < len(words):
        word = words[at] or ""
        if word in ("-c", "--command"):
            script = at + 1
            at += 1
        elif word in ("-s", "--shell") and at + 1 < len(words):
            dialect = interpreter(words[at + 1] or "") or dialect
            at += 1
        elif word[:1] == "-" and word[:2] != "--" and word[-1:] == "c" and len(word) > 2:
            script = at + 1
            at += 1
        at += 1
    return Invocation(dialect, script, ()) if script is not None and script < len(words) else None


def _powershell(words: Sequence[str | None]) -> Invocation | None:
    at = 1
    with_value = ("-executionpolicy", "-ep", "-inputformat", "-outputformat", "-version", "-windowstyle", "-configurationname")
    while at < len(words):
        word = (words[at] or "").lower()
        if word[:1] not in ("-", "/") or len(word) < 2:
            return Invocation("powershell", at, ())
        if "-command".startswith("-" + word[1:]) and word[1:2] == "c":
            return Invocation("powershell", at + 1, ()) if at + 1 < len(words) else None
        if word[1:] in ("file", "f", "encodedcommand", "enc", "ec"):
            return None
        at += 2 if word in with_value else 1
    return None
