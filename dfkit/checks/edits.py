"""Edits inside scripts that are right wherever the script stands: in a RUN, a JSON string, quotes, or a heredoc."""

from __future__ import annotations

from dfkit.shell import AndOr, Command, HereDocument, Pipeline, commands, walk
from dfkit.syntax.nodes import ShellForm
from dfkit.text import Edit, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.checks.binding import Place
    from dfkit.shell import Script, Statement, Word
    from dfkit.text import Source


def insert_word(after: Word, text: str, at: Place) -> Edit:
    """Puts one more word after a word of a command; in `["a", "b"]` it becomes one more string.

    `text` must need no quotes.
    """
    source = at.model.dockerfile.source.text
    in_json = at.script is not None and at.script.dialect == "exec" and source[after.span.start] == '"'
    return Edit(Span(after.span.end, after.span.end), f', "{text}"' if in_json else f" {text}")


def run_after(command: Command, text: str, at: Place) -> tuple[Edit, ...]:
    """Runs one more command after the list that a command stands in; no edit where that may change what fails, or when.

    `text` must need no quotes, no `$` and no backslash. It is joined by `&&`, so the list fails as it did before. Where `set -e`
    is on and more follows, that would take the list's last command out of its sight, so the text becomes a statement of its own
    (POSIX, Shell Command Language, `set`).
    """
    found = _statement(command, at.script) if at.script is not None and at.script.dialect != "exec" else None
    if found is None:
        return ()
    script, statement = found
    if statement.separator == "&" or any(isinstance(node, HereDocument) for node in walk(statement)):
        return ()
    index = [each is statement for each in script.statements].index(True)
    following = script.statements[index + 1] if index + 1 < len(script.statements) else None
    source = at.model.dockerfile.source
    if following is not None and _errexit(script):
        between = source.text[statement.span.end : following.span.start]
        joint = between if _is_layout(between, ";") else "; "
    else:
        joint = _and(statement, script, at)
    return (Edit(Span(statement.span.end, statement.span.end), joint + text),)


def _statement(command: Command, script: Script) -> tuple[Script, Statement] | None:
    """The statement that a command is a direct part of, in a script or a nested one; none inside `if`, `( … )` and the like."""
    for statement in script.statements:
        elements = statement.element.elements if isinstance(statement.element, AndOr) else (statement.element,)
        for element in elements:
            parts = element.elements if isinstance(element, Pipeline) else (element,)
            if any(part is command for part in parts):
                return script, statement
    for each in commands(script):
        if each.script is not None:
            found = _statement(command, each.script)
            if found is not None:
                return found
    return None


def _errexit(script: Script) -> bool:
    return "errexit" in script.options or any(
        command.name == "set"
        and any(word.text == "errexit" or (word.text[:1] == "-" and "e" in word.text) for word in command.arguments)
        for command in commands(script)
    )


def _and(statement: Statement, script: Script, at: Place) -> str:
    """` && ` in the layout of the list's own."""
    element, source = statement.element, at.model.dockerfile.source
    if isinstance(element, AndOr):
        for left, right, operator in reversed(list(zip(element.elements, element.elements[1:], element.operators, strict=False))):
            between = source.text[left.span.end : right.span.start]
            if operator == "&&" and _is_layout(between, "&&"):
                return between
    is_line = script is at.script and isinstance(getattr(at.instruction, "form", None), ShellForm)
    if is_line and at.instruction is not None and not at.instruction.heredocs and "\n" in source.slice(element.span):
        return f" {at.model.dockerfile.escape}{line_end(source)}    && "
    return " && "


def _is_layout(text: str, operator: str) -> bool:
    """Whether a text is an operator (or a line end in its place) and white space with continuations."""
    rest = text.replace("\\\r\n", "").replace("\\\n", "").replace("`\r\n", "").replace("`\n", "")
    return rest.strip() == operator or (operator == ";" and rest.strip(" \t\r") == "\n")


def line_end(source: Source) -> str:
    """How lines of the file end."""
    return "\r\n" if "\r\n" in source.text else "\n"
