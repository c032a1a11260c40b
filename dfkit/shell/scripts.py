"""The scripts of an instruction."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell.invoke import READABLE, Invocation, effective_index, interpreter, invocation, shebang, shebang_options
from dfkit.shell.mapping import compose, json_string
from dfkit.shell.nodes import Command, Literal, Script, Statement, Word
from dfkit.shell.parse import opaque, parse
from dfkit.syntax.nodes import Cmd, Entrypoint, ExecForm, Healthcheck, Heredoc, Instruction, OnBuild, Run, ShellForm
from dfkit.text import Mapped, Span

DEFAULT_SHELL = ("/bin/sh", "-c")
_POWERSHELL = regex(r"(?i)(?:powershell|pwsh)(?:\.exe)?\s")
"""The start of a command line that cannot be meant for sh if sh cannot read it: SHELL was left out in a Windows image."""
WINDOWS_SHELL = ("cmd", "/S", "/C")


def scripts(instruction: Instruction, shell: tuple[str, ...] = DEFAULT_SHELL) -> tuple[Script, ...]:
    """What a RUN, CMD, ENTRYPOINT or HEALTHCHECK hands to an interpreter; empty for other instructions, and where nothing is run.

    `shell` is the value of SHELL at this place. An exec form such as `["bash", "-ec", "…"]` gives the script in it; one without
    a shell gives a script of one command in the dialect `exec`. ONBUILD gives what its instruction does.

    A heredoc that is all of a RUN is the script itself, run by SHELL or by its `#!` line; else the shell gets line and heredoc
    bodies, and reads them as here-documents (BuildKit, frontend/dockerfile/dockerfile2llb/convert.go, dispatchRun).
    """
    if isinstance(instruction, OnBuild):
        return scripts(instruction.instruction, shell)
    if not isinstance(instruction, Run | Cmd | Entrypoint | Healthcheck) or instruction.form is None:
        return ()
    form = instruction.form
    if isinstance(form, ExecForm):
        return _exec(form)
    heredocs = instruction.heredocs if isinstance(instruction, Run) else ()
    if len(heredocs) == 1 and form.span == heredocs[0].marker:
        return (_body(heredocs[0], shell),)
    text = _with_bodies(form, heredocs) if heredocs else form.text
    return (shell_script(text, shell),) if text.text else ()


def shell_script(text: Mapped, shell: tuple[str, ...] = DEFAULT_SHELL) -> Script:
    """A script as SHELL runs it: `shell` with the script as one more argument.

    The shell is looked for behind other programs too (`["conda", "run", "-n", "x", "/bin/bash", "-c"]`).
    """
    words = (*shell, text.text)
    for start in range(len(shell)):
        call = invocation(words[start:])
        if call is not None and call.script is not None and start + call.script == len(shell):
            script = parse(text, call.dialect, call.options)
            return opaque(text, "powershell") if script.opaque and _POWERSHELL.match(text.text) else script
    return opaque(text, (interpreter(shell[0]) or shell[0].rpartition("/")[2]) if shell else "exec")


def _exec(form: ExecForm) -> tuple[Script, ...]:
    values = form.values
    if not values:
        return ()
    call = invocation(values)
    if call is not None and call.script is not None:
        item = form.items[call.script]
        return (parse(json_string(item.value, item.span), call.dialect, call.options),)
    words = []
    for item in form.items:
        inner = Span(item.span.start + 1, item.span.end - 1)
        words.append(Word(item.span, item.value, (Literal(inner, item.value, True),), item.value))
    command = Command(form.span, (), tuple(words), (), _nested(form, values))
    text = Mapped(" ".join(values), ((0, form.span.start),))
    return (Script(form.span, text, (Statement(form.span, command, "", None),), (), "exec", False),)


def _nested(form: ExecForm, values: tuple[str, ...]) -> Script | None:
    """The script behind a prefix: `["tini", "--", "sh", "-c", "…"]`."""
    index = effective_index(values)
    call: Invocation | None = invocation(values[index:])
    if call is None or call.script is None:
        return None
    item = form.items[index + call.script]
    return parse(json_string(item.value, item.span), call.dialect, call.options)


def _body(heredoc: Heredoc, shell: tuple[str, ...]) -> Script:
    """The script of `RUN <<EOF`."""
    text = script_of_heredoc(heredoc)
    if text.text.startswith("#!"):
        line = text.text.partition("\n")[0]
        dialect = shebang(line)
        return parse(text, dialect, shebang_options(line) if dialect in READABLE else ())
    return shell_script(text, shell)


def script_of_heredoc(heredoc: Heredoc) -> Mapped:
    """The body, with `<<-` without leading tabs."""
    body = Mapped(heredoc.content, ((0, heredoc.span.start),))
    if not heredoc.chomp or "\t" not in heredoc.content:
        return body
    runs = []
    at = 0
    for line in heredoc.content.splitlines(keepends=True):
        kept = line.lstrip("\t")
        runs.append((kept, at + len(line) - len(kept), at + len(line)))
        at += len(line)
    return compose(body, runs, at)


def _with_bodies(form: ShellForm, heredocs: tuple[Heredoc, ...]) -> Mapped:
    """The line and, below it, each heredoc with its end marker, as BuildKit hands them to the shell."""
    parts = [form.text.text]
    pieces = list(form.text.pieces)
    length = len(form.text)
    for heredoc in heredocs:
        for text, place in (
            ("\n", heredoc.span.start - 1),
            (heredoc.content, heredoc.span.start),
            (heredoc.name, heredoc.end_marker.start),
        ):
            pieces.append((length, place))
            parts.append(text)
            length += len(text)
    # Pieces start at different offsets, also where a body is empty.
    kept = dict(pieces)
    return Mapped("".join(parts), tuple(kept.items()))
