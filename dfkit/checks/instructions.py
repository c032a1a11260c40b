"""Single instructions: deprecated ones, old forms, forms that mean something else than they seem to."""

from __future__ import annotations

from dfkit.checks.binding import Finding, Words, check
from dfkit.shell import Command, Script, effective
from dfkit.syntax.nodes import Cmd, Dockerfile, Entrypoint, Env, Label, Maintainer, OnBuild, ShellForm, Workdir
from dfkit.syntax.walk import instructions
from dfkit.text import INFO, STYLE, Edit, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place

_AUTHORS = "org.opencontainers.image.authors"
_BUILTINS = frozenset(
    (
        "cd", "exec", "export", "set", "source", ".", "eval", "ulimit", "umask", "trap", "wait", "test", "[", "[[", ":", "exit",
        "read", "alias", "unset", "shift", "type", "command", "return", "shopt", "declare", "local", "time",
    )
)  # fmt: skip


@check(Maintainer)
def maintainer(node: Maintainer, at: Place) -> Iterator[Finding]:
    """MAINTAINER, which LABEL replaces. A label of that name that stands already is left alone."""
    labelled = any(
        pair.key.text.strip("\"'") == _AUTHORS
        for each in instructions(at.model.dockerfile)
        if isinstance(each, Label)
        for pair in each.pairs
    )
    value = node.value.text
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    escape = at.model.dockerfile.escape
    edits: tuple[Edit, ...] = ()
    if not labelled and not node.value.pieces and escape not in value:
        # In a label `"` and `$` have a meaning that they have not in MAINTAINER.
        quoted = value.replace('"', f'{escape}"').replace("$", f"{escape}$")
        edits = (Edit(node.keyword.span, "LABEL"), Edit(node.value.span, f'{_AUTHORS}="{quoted}"'))
    yield Finding(node.keyword.span, edits=edits)


@check(Env, Label)
def without_equals(node: Env | Label, at: Place) -> Iterator[Finding]:
    """`ENV key value`. The fix is made where the value is one word, or can be put in double quotes as it stands."""
    if not node.legacy or not node.pairs or node.pairs[0].value is None:
        return
    pair = node.pairs[0]
    key, value = pair.key, pair.value
    assert value is not None
    source = at.model.dockerfile.source
    gap = Span(key.span.end, value.span.start)
    edits: tuple[Edit, ...] = ()
    if not source.slice(gap).strip() and "\n" not in source.slice(gap):
        if not _has_open_space(value.text, at.model.dockerfile.escape):
            edits = (Edit(gap, "="),)
        elif not any(char in value.text for char in ("'", '"', at.model.dockerfile.escape)):
            edits = (Edit(gap, '="'), Edit(Span(value.span.end, value.span.end), '"'))
    yield Finding(Span(key.span.start, value.span.end), edits=edits)


def _has_open_space(text: str, escape: str) -> bool:
    """Whether white space stands outside quotes, as the form with `=` would see it. Also true if a quote is left open."""
    quote, skip = "", False
    for char in text:
        if skip:
            skip = False
        elif char == escape and quote != "'":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char.isspace():
            return True
    return bool(quote) or skip or not text


@check(Dockerfile)
def empty_continuation(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """Blank lines between the lines of one instruction; lines of comments there are fine. One finding an instruction."""
    source = node.source
    for instruction in node.instructions:
        blank: list[Span] = []
        end = min((heredoc.span.start for heredoc in instruction.heredocs), default=instruction.span.end)
        for number in range(source.position(instruction.span.start).line + 1, source.position(end).line + 1):
            line = source.line(number)
            if line.start < end and not source.slice(line).strip():
                start_of_next = source.line(number + 1).start if number < len(source.line_starts) else line.end
                blank.append(Span(line.start, start_of_next))
        if blank:
            above = source.line(source.position(blank[0].start).line - 1)
            continues = source.slice(above).endswith(node.escape)
            mark = Span(above.end - 1, above.end) if continues else Span(blank[0].start, blank[0].start)
            yield Finding(mark, edits=tuple([Edit(span, "") for span in blank]))


@check(Workdir)
def relative_workdir(node: Workdir, at: Place) -> Iterator[Finding]:
    """WORKDIR is a relative path. Softer after an absolute one in the same file, which it then starts from."""
    if at.stage is None:
        return
    state = at.model.state(node)
    path = at.model.expand(node.value, node)
    if path is None:
        path = node.value.text.strip("\"'")
    drive = len(path) > 1 and path[0].isalpha() and path[1] == ":"
    if path and path[0] not in "/\\$" and not drive:
        yield Finding(node.value.span, severity=None if state.workdir_from is None else STYLE)


@check(Cmd, Entrypoint)
def shell_form(node: Cmd | Entrypoint, at: Place) -> Iterator[Finding]:
    """CMD or ENTRYPOINT is not a JSON list, so a shell is run.

    Softer where the shell is wanted: SHELL was set, its `exec` replaces it, or the command needs it. A HEALTHCHECK may use a
    shell: it gets no signals.
    """
    form = node.form
    if at.stage is None or not isinstance(form, ShellForm) or not form.text.text:
        return
    if form.text.text.startswith("["):
        message = f"this looks like a JSON list and is not one, so {node.name} runs it in a shell: check quotes and commas"
        yield Finding(form.span, message)
        return
    state = at.model.state(node)
    scripts = at.model.scripts(node)
    words = _plain_words(scripts[0]) if scripts else None
    if state.shell_from is not None or state.os == "windows" or (scripts and _starts_with_exec(scripts[0])):
        yield Finding(form.span, severity=STYLE)
    elif words is None:
        message = f"{node.name} needs a shell here, which then gets the signals: start the program with `exec`, or use a script"
        yield Finding(form.span, message, severity=INFO)
    else:
        text = "[" + ", ".join(f'"{word}"' for word in words) + "]"
        yield Finding(form.span, edits=(Edit(form.span, text),) if not node.heredocs else ())


def _plain_words(script: Script) -> list[str] | None:
    """The words of a script that is one command which needs no shell; None for any other, and where JSON would need escapes."""
    if len(script.statements) != 1 or script.comments or script.dialect not in ("sh", "bash"):
        return None
    statement = script.statements[0]
    command = statement.element
    if not isinstance(command, Command) or statement.separator or command.assignments or command.redirects:
        return None
    words = [word.value for word in command.words]
    if any(word is None or any(char in '"\\' or char < " " for char in word) for word in words) or words[0] in _BUILTINS:
        return None
    return [word for word in words if word is not None]


def _starts_with_exec(script: Script) -> bool:
    first = script.statements[0].element if script.statements else None
    return isinstance(first, Command) and first.name == "exec" and effective(first) is not first


@check(OnBuild)
def forbidden_trigger(node: OnBuild, at: Place, *, instructions: Words) -> Iterator[Finding]:
    """ONBUILD holds one of these instructions."""
    if node.instruction.keyword.text.upper() in instructions:
        yield Finding(node.instruction.keyword.span)
