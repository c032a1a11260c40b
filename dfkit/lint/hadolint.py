"""Which scripts hadolint gives to ShellCheck, for the profile that imitates it."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.hadolint.scripts import script_text
from dfkit.lint.shellcheck import script_input
from dfkit.shell import DEFAULT_SHELL
from dfkit.syntax.nodes import Arg, Env, ExecForm, From, Run, Shell, ShellForm
from dfkit.syntax.walk import instructions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.lint.shellcheck import Input
    from dfkit.model import Model

_PRAGMA = regex(r"\s*hadolint\s+shell\s*=\s*([^\s#]+)")
_WINDOWS_SHELL = regex(r"(?:^|[/\\])(?:pwsh|powershell|cmd)(?:\.exe)?$")
_SHEBANGS_READ = tuple([f"#!{path}{name}" for path in ("/bin/", "/usr/bin/env ") for name in ("sh", "bash", "ksh")])
"""How the first line of a script may begin for hadolint to give it to ShellCheck; it goes by SHELL all the same."""


def inputs(model: Model) -> Iterator[Input]:
    """What hadolint 2.15 gives to ShellCheck: RUN in shell form, by a SHELL that it forgets at the next FROM, ARG or ENV.

    `# hadolint shell=…` is taken for a SHELL; above the first FROM it holds for the stage. In ONBUILD none does.
    """
    shell: tuple[str, ...] = DEFAULT_SHELL
    said = _shells_in_comments(model)
    for instruction in instructions(model.dockerfile):
        if not (isinstance(instruction, From) and model.stages and instruction is model.stages[0].from_):
            while said and said[0][0] < instruction.span.start:
                shell = said.pop(0)[1]
        match instruction:
            case From() | Arg() | Env():
                shell = DEFAULT_SHELL
            case Shell(form=ExecForm(items=[_, *_]) as form):
                shell = form.values
            case Run(form=ShellForm()) if model.stage_of(instruction) is not None:
                text = script_text(instruction)
                its_shell = DEFAULT_SHELL if model.is_trigger(instruction) else shell
                if text is None or not text.text or _WINDOWS_SHELL.search(its_shell[0]):
                    continue
                if not text.text.startswith("#!") or text.text.startswith(_SHEBANGS_READ):
                    yield script_input(text, [f"#!{its_shell[0]}"], model, instruction)


def _shells_in_comments(model: Model) -> list[tuple[int, tuple[str, ...]]]:
    """The shells that `# hadolint shell=…` names, each with its offset."""
    named = [
        (comment.span.start, _PRAGMA.match(comment.text)) for comment in model.dockerfile.comments if "shell" in comment.text
    ]
    return [(at, (match[1], "-c")) for at, match in named if match]
