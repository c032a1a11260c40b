"""How the scripts of several RUNs become one script that does the same.

Each RUN is a process of its own: it starts in WORKDIR, with fresh variables and options, and a build stops at the first that fails.
`A && B` keeps that only for some scripts. The templates, from the plainest on:

- M1: `A && B`, where both are `&&`-chains of simple commands and no command but the last script's sets anything for what follows.
- M2: `(A) && (B)`, for any scripts that do not turn `errexit` on (the last may): it is off on the left of `&&`. Parentheses stand
  only around those scripts that need them.
- M3: `set -e; (set +e; A); (set +e; B)` for the rest.
- M3e: `(A); (B)` where SHELL itself has `-e`.

`dfkit.verify.shelltrace` is the oracle that the tests hold these against.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.shell.commands import commands, effective, walk
from dfkit.shell.nodes import AndOr, Command, Compound, Pipeline
from dfkit.shell.properties import (
    assigns,
    is_plain_chain,
    leaks_state,
    leaves_background,
    sets_errexit,
    sets_option,
    uses_process_state,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from dfkit.shell.nodes import Element, Script

    Name = Literal["M1", "M2", "M3", "M3e"]

_ENDS_SHELL = frozenset(
    ("exit", "exec", "return", "trap", "eval", ".", "source", "alias", "shopt", "emulate", "break", "continue", "enable")
)
_CHANGES_COMMANDS = frozenset(("PATH", "IFS", "GLOBIGNORE", "BASH_ENV", "ENV", "LD_PRELOAD", "LD_LIBRARY_PATH"))


class Template(Record):
    """How to join scripts: what comes first, what stands around each, what stands between two."""

    name: Name
    head: str
    around: tuple[tuple[str, str], ...]
    joiner: str


def unfit(script: Script) -> str | None:
    """Why a script cannot be joined with others at all; None if it can."""
    if script.opaque:
        return "its script is in another language, or dfkit cannot read it"
    if script.dialect == "exec":
        return "it is in exec form"
    if leaves_background(script):
        return "it leaves a job running in the background, which ends with its RUN"
    if uses_process_state(script):
        return "it uses something that a new process starts anew, such as `$$` or `$SECONDS`"
    if any(redirect.document is not None for node in walk(script) for redirect in getattr(node, "redirects", ())):
        return "it has a here-document"
    return None


def choose(scripts: Sequence[Script], own: Sequence[bool] = ()) -> Template:
    """The plainest template for scripts that are not `unfit` and run under one SHELL.

    `own` marks the chains that dfkit puts in, such as `rm -rf /tmp/x`: they do the same in any folder, with any variables and options,
    so they may follow scripts that leak state, and what they set themselves is meant to last.
    """
    own = own or (False,) * len(scripts)
    errexit = any(sets_errexit(script) for script in scripts)
    others = [at for at, mine in enumerate(own) if not mine]
    wrapped = [False] * len(scripts)
    for at in others:
        script = scripts[at]
        alone = at == others[-1] and at + 1 < len(scripts) and is_open(script, compound=not errexit)
        fits = is_chain(script, compound=not errexit) or (at == 0 and (is_list(script) or alone))
        safe = not leaks_state(script) or at == len(scripts) - 1 or alone
        wrapped[at] = not (fits and safe)
    if not any(wrapped):
        return Template("M1", "", (("", ""),) * len(scripts), "&&")
    if any("errexit" in script.options for script in scripts):
        return Template("M3e", "", tuple([parentheses(script) for script in scripts]), ";")
    if any(sets_errexit(script) for script in scripts[:-1]):
        return Template("M3", "set -e", (("(set +e; ", ")"),) * len(scripts), ";")
    around = [parentheses(script) if wrap else ("", "") for script, wrap in zip(scripts, wrapped, strict=True)]
    return Template("M2", "", tuple(around), "&&")


def parentheses(script: Script) -> tuple[str, str]:
    """Parentheses for a script; `((` would be arithmetic."""
    return ("( " if script.text.text.startswith("(") else "(", ")")


def is_chain(script: Script, *, compound: bool) -> bool:
    """Whether `A &&` before it and `&& B` after it mean what they should: it is one chain of `&&`.

    A compound command in it is as good as a simple one, but for `errexit`, which is off in what stands before `&&`.
    """
    if not compound:
        return is_plain_chain(script)
    if not is_list(script, compound=True):
        return False
    element = script.statements[0].element
    return not (isinstance(element, AndOr) and "||" in element.operators)


def is_list(script: Script, *, compound: bool = False) -> bool:
    """Whether it is simple commands and pipelines joined by `&&` and `||`: `&& B` after it then means what it should."""
    return len(script.statements) == 1 and _ends_in_list(script, compound)


def is_open(script: Script, *, compound: bool = False) -> bool:
    """Whether `&& B` after it runs B exactly if it succeeds, for a B that does not depend on the shell's state.

    So its last statement is a list, nothing in it ends the shell or changes what `rm` or `*` mean, and nothing runs at its exit.
    """
    if not _ends_in_list(script, compound) or any(
        isinstance(node, Compound) and node.kind == "function" for node in walk(script)
    ):
        return False
    if assigns(script) & _CHANGES_COMMANDS or sets_option(script, "noglob") or sets_option(script, "noexec"):
        return False
    for command in commands(script):
        if (command.words and command.name is None) or {command.name, effective(command).name} & _ENDS_SHELL:
            return False
    return True


def _ends_in_list(script: Script, compound: bool = False) -> bool:
    if script.comments or not script.statements or script.statements[-1].separator not in ("", "\n"):
        return False
    element = script.statements[-1].element
    members = element.elements if isinstance(element, AndOr) else (element,)
    return all(_is_operand(each, compound) for each in members)


def _is_operand(element: Element, compound: bool) -> bool:
    if isinstance(element, Pipeline):
        return not element.negated and all(_is_operand(each, compound) for each in element.elements)
    return isinstance(element, Command) or (compound and isinstance(element, Compound) and element.kind != "function")
