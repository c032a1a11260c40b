"""ShellCheck on the scripts of Dockerfiles: which scripts it gets, what it is told of them, and where its findings are.

Each script gets a first line that names its dialect, and one that sets the names of ARG and ENV that occur in it, so that they are
known, and taken for one word. Scripts that are the same then are checked once. https://www.shellcheck.net
"""

from __future__ import annotations

import os

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.lint.process import Failed, Process, find, read
from dfkit.syntax.nodes import Cmd, Entrypoint, Healthcheck, Run, ShellForm
from dfkit.syntax.walk import instructions
from dfkit.text import SEVERITIES, WARNING, Diagnostic, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dfkit.lint.process import Comment, Comments
    from dfkit.model import Model, Stage
    from dfkit.shell import Script
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Mapped, Span
    from dfkit.text.diagnostic import Severity
    from dfkit.text.settings import Settings

BATCH = 60
"""How many scripts one process gets: more gains nothing, fewer cost its start too often."""

FIRST = 15
"""The same for the first process, so that it need not wait for many files to be read."""

PROCESSES = 2
"""How many processes are at work when there are more scripts than fit in one; more gain nothing on two cores."""

LONG = 1500
"""From how many characters on scripts are shared out among processes: to read them takes ShellCheck several times as long as to start."""

SECONDS = 120.0
"""How long a process may take."""

PROFILES = ("recommended", "hadolint", "all")
"""The profiles that ShellCheck belongs to; in others it runs if one of its codes is selected."""

EXCLUDED = frozenset((1008, 1071, 1084, 1090, 1091, 1104, 1113, 1114, 1115, 1128, 2096, 2148, 2187, 2239, 2246))
"""Findings that make no sense here: the first line of a script is ours, and the files that it reads are in the image."""

HADOLINT_EXCLUDED = frozenset((1090, 1091, 2187))
"""What hadolint keeps to itself."""

_SHEBANGS = {"sh": "/bin/sh", "dash": "/bin/dash", "bash": "/bin/bash", "ksh": "/bin/ksh", "busybox": "/bin/dash"}
_BUSYBOX = "# shellcheck shell=busybox"
"""ShellCheck knows the dialect since 0.10; an older one goes by the line above it."""
_SH_IS = {
    "bash": ("almalinux", "amazonlinux", "archlinux", "centos", "fedora", "opensuse/leap", "oraclelinux", "rockylinux"),
    "busybox": ("alpine", "busybox"),
}
"""What `/bin/sh` is in images, by their familiar names. Others are taken for POSIX: Debian's dash lacks what ShellCheck's dash has."""

_LEVELS: dict[str, Severity] = {level: level for level in SEVERITIES}
_NAME = regex(r"(?a)[A-Za-z_]\w*")
_INTERPRETER = regex(r"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-\S+[ \t]+)*(?:\S*/)?)?([^\s/]+)")


class Input(Record):
    """A script as ShellCheck gets it."""

    text: str
    """The whole text of the file."""
    script: Mapped
    line: int
    """The line of the file at which the script begins, counted from 1."""


class ShellCheck:
    """Checks the scripts of many files by few processes, which run while other work is done.

    `submit` each model, call `start` after the last, and ask for the `findings` of each in the same order; between the two other
    work may be done. A missing or broken program is no error: `notify` is told once, in a sentence, and there are no findings.
    """

    def __init__(
        self, settings: Settings, notify: Callable[[str], None] = lambda _sentence: None, *, seconds: float = SECONDS
    ) -> None:
        self._settings = settings
        self._notify = notify
        self._seconds = seconds
        self._selected = _codes(settings.select)
        self._ignored = _codes(settings.ignore)
        self._severities = {code: severity for name, severity in settings.severities for code in _codes((name,))}
        self._enabled = settings.shellcheck and (settings.profile in PROFILES or bool(self._selected))
        self._inputs_of = inputs
        if settings.profile == "hadolint":
            from dfkit.lint.hadolint import inputs as hadolint_inputs

            self._inputs_of = hadolint_inputs
        self._program: str | None = None
        self._inputs: dict[int, list[Input]] = {}
        self._known: dict[str, tuple[Comment, ...]] = {}
        self._pending: dict[str, None] = {}
        self._running: list[tuple[Process, frozenset[str]]] = []

    @property
    def is_busy(self) -> bool:
        """Whether enough processes are at work that something else should be done before more is submitted."""
        processes = [process for process, _ in self._running]
        if len(processes) > PROCESSES:
            read(processes)
        return len([process for process in processes if process.is_open]) > PROCESSES

    def submit(self, model: Model) -> None:
        """Take up a file's scripts; once there are enough for a process it is started, the first one soon."""
        if not self._enabled:
            return
        found = self._inputs[id(model)] = list(self._inputs_of(model))
        for each in found:
            if each.text not in self._known:
                self._pending[each.text] = None
        if len(self._pending) >= (BATCH if self._running else FIRST):
            self.start()

    def start(self) -> None:
        """Start a process for the scripts that are not being checked yet."""
        texts = [text for text in self._pending if not any(text in running for _, running in self._running)]
        self._pending.clear()
        if not texts or not self._enabled:
            return
        self._program = self._program or find()
        if self._program is None:
            self._give_up(
                "ShellCheck was not found, so scripts were checked without it: install dfkit[shellcheck], or say --no-shellcheck"
            )
            return
        try:
            for share in _shared(texts):
                self._running.append((Process(self._program, share, self._seconds), frozenset(share)))
        except Failed as failure:
            self._fail(failure)

    def findings(self, model: Model) -> list[Diagnostic]:
        """What ShellCheck says about a submitted file; waits for it."""
        found: list[Diagnostic] = []
        for each in self._inputs.pop(id(model), ()):
            if each.text in self._pending:
                self.start()
            while each.text not in self._known and self._running:
                self._collect()
            found += self._diagnostics(each, self._known.get(each.text, ()))
        return found

    def close(self) -> None:
        """End what still runs."""
        for process, _ in self._running:
            process.kill()
        self._running.clear()

    def _collect(self) -> None:
        """Wait for the oldest process."""
        process, *others = [each for each, _ in self._running]
        try:
            comments: Comments = process.wait(others)
        except Failed as failure:
            del self._running[0]
            self._fail(failure)
        else:
            del self._running[0]
            self._known.update(comments)

    def _fail(self, failure: Failed) -> None:
        self._give_up(f"{self._program} {failure}: scripts were checked without it")

    def _give_up(self, sentence: str) -> None:
        self._enabled = False
        self._pending.clear()
        self.close()
        self._notify(sentence)

    def _diagnostics(self, input_: Input, comments: tuple[Comment, ...]) -> Iterator[Diagnostic]:
        lines = Source(input_.script.text).line_starts
        if self._settings.profile == "hadolint":
            # hadolint 2.15 tells just the last finding of each RUN, which may be about its first line, where SHELL stands.
            comments = tuple([each for each in comments if each.code not in HADOLINT_EXCLUDED])[-1:]
        else:
            comments = tuple(
                [each for each in comments if each.code not in EXCLUDED and 0 <= each.line - input_.line < len(lines)]
            )
        for each in comments:
            code = f"SC{each.code}"
            if code in self._ignored or not (self._settings.profile in PROFILES or code in self._selected):
                continue
            severity = self._severities.get(code) or _LEVELS.get(each.level, WARNING)
            span = _span(each, input_, lines)
            yield Diagnostic(f"shellcheck-{code}", code, severity, each.message, span)


def _shared(texts: list[str]) -> list[list[str]]:
    """Scripts for one process, or for each of some about as much of them."""
    if len(texts) >= BATCH or sum(map(len, texts)) < LONG:
        return [texts]
    shares: list[list[str]] = [[] for _ in range(min(PROCESSES, os.cpu_count() or 1))]
    for text in sorted(texts, key=len, reverse=True):
        min(shares, key=lambda share: sum(map(len, share))).append(text)
    return [share for share in shares if share]


def inputs(model: Model) -> Iterator[Input]:
    """The scripts of a file: those of RUN, CMD, ENTRYPOINT and HEALTHCHECK, and those that they give to a shell (`sh -c '…'`)."""
    for instruction in instructions(model.dockerfile):
        if not isinstance(instruction, Run | Cmd | Entrypoint | Healthcheck) or model.stage_of(instruction) is None:
            continue
        shell = model.state(instruction).shell if isinstance(instruction.form, ShellForm) else ()
        for script in _scripts(model, instruction):
            for each, its_shell in ((script, shell), *[(nested, ()) for nested in _nested(script)]):
                dialect = _dialect(each, its_shell, model.stage_of(instruction))
                if dialect in _SHEBANGS:
                    head = [f"#!{_SHEBANGS[dialect]}", *([_BUSYBOX] if dialect == "busybox" else [])]
                    yield script_input(each.text, head, model, instruction)


def _scripts(model: Model, instruction: Instruction) -> tuple[Script, ...]:
    try:
        return model.scripts(instruction)
    except Exception:
        return ()  # the linter asks for them too, and reports it


def _nested(script: Script) -> Iterator[Script]:
    from dfkit.shell import commands

    for command in commands(script):
        if command.script is not None and not command.script.opaque:
            yield command.script


def _dialect(script: Script, shell: tuple[str, ...], stage: Stage | None) -> str:
    """ShellCheck's name for a script's language; what `sh` is depends on the base image."""
    if script.dialect != "sh":
        return script.dialect
    name = _program(script, shell)
    image = stage.root.image_name if stage is not None else None
    if name == "sh" and image is not None:
        if "alpine" in (image.tag or ""):
            return "busybox"
        return next((dialect for dialect, images in _SH_IS.items() if image.familiar in images), "sh")
    return "busybox" if name == "ash" else name


def _program(script: Script, shell: tuple[str, ...]) -> str:
    """Which kind of sh runs a script: `sh`, `dash`, `ash` or `busybox`."""
    match = _INTERPRETER.match(script.text.text)
    names = [match[1]] if match else [word.rpartition("/")[2] for word in shell]
    return next((name for name in names if name in ("dash", "ash", "busybox")), "sh")


def script_input(script: Mapped, head: list[str], model: Model, instruction: Instruction) -> Input:
    """A script as ShellCheck gets it: below the lines of `head`, and one that sets the names of ARG and ENV that it uses."""
    text = script.text
    scope = model.scope(instruction)
    used = sorted({name for name in _NAME.findall(text) if scope.binding(name) is not None})
    export = "export " + " ".join([f"{name}=1" for name in used]) if used else ""
    if not export:
        return Input("\n".join([*head, text]), script, len(head) + 1)
    if "# shellcheck " in text:
        # A directive counts for the whole script only above its first command.
        return Input("\n".join([*head, text, export]), script, len(head) + 1)
    return Input("\n".join([*head, export, text]), script, len(head) + 2)


def _span(comment: Comment, input_: Input, lines: list[int]) -> Span:
    """The place in the Dockerfile."""
    size = len(input_.script)
    if not 0 <= comment.line - input_.line < len(lines):
        return input_.script.span(0, 1)
    start = _offset(comment.line - input_.line, comment.column, lines, size)
    end = _offset(comment.end_line - input_.line, comment.end_column, lines, size)
    return input_.script.span(start, max(start, end))


def _offset(line: int, column: int, lines: list[int], size: int) -> int:
    """The offset of a line (from 0) and column (from 1) in a script, at most its end."""
    return min(lines[line] + column - 1, size) if line < len(lines) else size


def _codes(names: tuple[str, ...]) -> frozenset[str]:
    """ShellCheck's codes among names of rules."""
    codes = {name.upper().removeprefix("SHELLCHECK-") for name in names}
    return frozenset(code for code in codes if code.startswith("SC"))
