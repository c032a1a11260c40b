"""What a RUN runs, as hadolint reads it: one script in a kind of sh, whatever SHELL is."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell import DEFAULT_SHELL, Command, Script, parse, script_of_heredoc
from dfkit.shell.commands import children
from dfkit.shell.mapping import Decoded, json_string
from dfkit.shell.parse import opaque
from dfkit.syntax.nodes import ExecForm, OnBuild, Run, ShellForm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.shell import Node
    from dfkit.syntax.nodes import Heredoc, Instruction
    from dfkit.text import Mapped

_GLUED = regex(r"(?:\A|[\s;&|(])\{\S")


def scripts(instruction: Instruction, _shell: tuple[str, ...] = DEFAULT_SHELL) -> tuple[Script, ...]:
    """The script of a RUN, also in ONBUILD; a list of words is the words with blanks between them. Others have none."""
    if isinstance(instruction, OnBuild):
        instruction = instruction.instruction
    text = script_text(instruction) if isinstance(instruction, Run) else None
    if text is None or not text.text:
        return ()
    script = parse(text, "bash")
    if _GLUED.search(text.text) and "`" not in text.text and _has_glued_brace(script):
        return (opaque(text, "bash"),)
    return (script,)


def _has_glued_brace(script: Script) -> bool:
    """Whether the name of a command begins with a brace, as in `{0} clean all`: ShellCheck takes it for a group without an end."""
    stack: list[Node] = [script]
    while stack:
        node = stack.pop()
        inside = children(node)
        if isinstance(node, Command):
            if node.words and node.words[0].text.startswith("{") and node.words[0].span.start == node.span.start:
                return True
            inside = inside[: len(inside) - (node.script is not None)]
        stack += inside
    return False


def script_text(run: Run) -> Mapped | None:
    """The text of a RUN's script.

    Of a RUN that begins with a heredoc it is the rest of the line and, below it, the heredoc; else it ends where one begins.
    """
    form = run.form
    if isinstance(form, ExecForm):
        return _joined(form) if form.items else None
    if form is None or not run.heredocs:
        return form.text if form is not None else None
    heredoc = run.heredocs[0]
    if form.span.start == heredoc.marker.start:
        return _with_body(form, heredoc)
    return form.text.slice(0, _index(form.text, heredoc.marker.start))


def _joined(form: ExecForm) -> Mapped:
    text, places = "", []
    for item in form.items:
        value = json_string(item.value, item.span)
        spans = [value.span(at, at + 1) for at in range(len(value))]
        places += [*[(span.start, span.end) for span in spans], (item.span.end, item.span.end)]
        text += f"{item.value} "
    return Decoded(text[:-1], tuple(places))


def _with_body(form: ShellForm, heredoc: Heredoc) -> Mapped:
    body = script_of_heredoc(heredoc)
    start = _index(form.text, heredoc.marker.end)
    line = form.text.text[start:]
    start += len(line) - len(line.lstrip())
    if not line.strip():
        return body
    head = form.text.slice(start, len(form.text))
    end = heredoc.span.start - 1
    places = [(span.start, span.end) for part in (head, body) for span in (part.span(at, at + 1) for at in range(len(part)))]
    places.insert(len(head), (end, end + 1))
    after = heredoc.span.end
    return Decoded(f"{head.text}\n{body.text}", (*places, (after, after)))


def _index(text: Mapped, offset: int) -> int:
    """Where a place of the file is in a text."""
    return next((at for at in range(len(text)) if text.offset(at) >= offset), len(text))
