"""Facts about a script that decide what may be done with it, such as joining it with the next one.

What cannot be known counts as the riskier answer: a command whose name is in a variable may be `cd`, an opaque part may use any
variable.
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell.commands import children, commands, effective, walk
from dfkit.shell.invoke import READABLE, set_options
from dfkit.shell.nodes import (
    AndOr,
    Arithmetic,
    Assignment,
    Command,
    Compound,
    Node,
    Parameter,
    Pipeline,
    Redirect,
    Script,
    Statement,
    Substitution,
    Word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STATE_BUILTINS = frozenset({
    ".", "alias", "autoload", "bind", "break", "builtin", "cd", "chdir", "complete", "compopt", "continue", "coproc", "declare",
    "dirs", "disown", "emulate", "enable", "eval", "exec", "exit", "export", "fc", "float", "getopts", "hash", "history",
    "integer", "let", "local", "logout", "mapfile", "popd", "pushd", "read", "readarray", "readonly", "return", "set", "setopt",
    "shift", "shopt", "source", "suspend", "trap", "typeset", "ulimit", "umask", "unalias", "unset", "unsetopt", "wait",
})  # fmt: skip
"""Builtins that change the shell that runs them, or end it: what comes after would see it."""

PROCESS_PARAMETERS = frozenset({
    "$", "!", "-", "_", "PPID", "BASHPID", "SECONDS", "RANDOM", "SRANDOM", "LINENO", "EPOCHSECONDS", "EPOCHREALTIME", "SHLVL",
    "BASH_SUBSHELL", "BASH_COMMAND",
})  # fmt: skip
"""Parameters that tell one shell process from another."""

_ASSIGNING = ("export", "declare", "typeset", "local", "readonly", "integer", "float")
_IDENTIFIER = regex(r"(?a)[A-Za-z_]\w*")
_ARITHMETIC_ASSIGNMENT = regex(
    r"([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)?(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)|(?:\+\+|--)\s*([A-Za-z_]\w*)"
)
_OWN_FILES = ("/dev/fd/", "/dev/pipes/", "/proc/self", "/proc/$$", "/dev/stdin")


def is_plain_chain(script: Script) -> bool:
    """Whether it is a chain of simple commands and pipelines joined by `&&`.

    Then `A && B` runs B as a shell of its own would after A, as far as the shell's state is not concerned (`changes_state`). Not
    plain: `;`, several lines, `||`, `&`, `!`, control flow, groups, here-documents, and a comment at the end.
    """
    if script.opaque or script.dialect not in READABLE or len(script.statements) != 1 or ends_with_comment(script):
        return False
    statement = script.statements[0]
    if statement.separator not in ("", "\n"):
        return False
    element = statement.element
    if isinstance(element, AndOr) and "||" in element.operators:
        return False
    members = element.elements if isinstance(element, AndOr) else (element,)
    for member in members:
        if isinstance(member, Pipeline) and member.negated:
            return False
        for command in member.elements if isinstance(member, Pipeline) else (member,):
            if not isinstance(command, Command) or any(redirect.document for redirect in command.redirects):
                return False
    return not leaves_background(script)


def changes_state(command: Command) -> bool:
    """Whether a command changes the shell that runs it: folder, variables, options, descriptors, functions; or ends it.

    True as well where the name is not literal, and for `${x:=…}` and assignments in arithmetic among its words.
    """
    if not command.words:
        return bool(command.assignments) or _assigns_by_expansion(command)
    if command.words[0].value in ("command", "builtin", "time"):
        inner = effective(command)
        if inner is not command:
            return changes_state(inner)
    name = command.words[0].value
    if name is None or name in STATE_BUILTINS:
        return True
    if name == "printf" and command.arguments and (command.arguments[0].value or "").startswith("-v"):
        return True
    return _assigns_by_expansion(command)


def leaks_state(script: Script) -> bool:
    """Whether commands after the script, in the same shell, could see that it ran: see `changes_state`; functions count too.

    What happens in subshells, substitutions and nested scripts does not count.
    """
    if script.opaque:
        return True
    for node in _same_shell(script):
        if isinstance(node, Command) and changes_state(node):
            return True
        if isinstance(node, Compound) and (node.kind in ("function", "for", "select", "arithmetic", "arithmetic-for")):
            return True
    return False


def leaves_background(script: Script) -> bool:
    """Whether it starts something with `&` or coproc, waited for or not.

    `&>` counts in `sh`: dash reads it as `&` and `>`. An opaque part counts where its text has an `&` that is not part of `&&`.
    """
    for node in walk(script):
        if isinstance(node, Statement) and node.separator == "&":
            return True
        if isinstance(node, Redirect) and node.operator in ("&>", "&>>") and script.dialect in ("sh", "exec"):
            return True
        if isinstance(node, Command) and node.name == "coproc":
            return True
        if isinstance(node, Script) and node.opaque and "&" in node.text.text.replace("&&", ""):
            return True
    return False


def sets_option(script: Script, name: str) -> bool:
    """Whether a shell option such as `errexit` or `pipefail` is on from the start or is turned on somewhere in it.

    `set` and `shopt -o` count wherever they stand, nested scripts apart, also where an option is not literal. What `eval` and
    `.` do is not looked into.
    """
    if name in script.options or script.opaque:
        return True
    for command in _own_commands(script):
        found = effective(command)
        if found.name == "set":
            if any(word.value is None and not word.prefix for word in found.arguments[:1]):
                return True
            if name in set_options([word.value for word in found.arguments]):
                return True
        elif found.name in ("shopt", "setopt") and any(word.value in (name, None) for word in found.arguments):
            return True
    return False


def sets_errexit(script: Script) -> bool:
    """Whether `set -e` is on from the start or is turned on somewhere in it; see `sets_option`."""
    return sets_option(script, "errexit")


def reads(script: Script) -> frozenset[str]:
    """The variables whose value its text asks for, special parameters too; also in nested scripts, as far as they can be read.

    For what programs read from their environment, the text says nothing. In opaque parts every identifier counts.
    """
    found: set[str] = set()
    for node in walk(script):
        if isinstance(node, Parameter):
            found.add(node.name)
            found.update(_IDENTIFIER.findall(node.subscript))
        elif isinstance(node, Arithmetic):
            found.update(_IDENTIFIER.findall(node.text))
        elif isinstance(node, Compound) and node.kind in ("arithmetic", "arithmetic-for"):
            for word in node.words:
                found.update(_IDENTIFIER.findall(word.text))
        elif isinstance(node, Assignment) and node.operator == "+=":
            found.add(node.name)
        elif isinstance(node, Command) and node.name in ("let", "[[", "test", "["):
            for word in node.arguments:
                found.update(_IDENTIFIER.findall(word.value or ""))
        elif isinstance(node, Script) and node.opaque:
            found.update(_IDENTIFIER.findall(node.text.text))
    return frozenset(found)


def uses(script: Script, name: str) -> bool:
    """Whether its text asks for the value of a variable; see `reads`."""
    return name in reads(script)


def assigns(script: Script) -> frozenset[str]:
    """The variables it may set: `A=1`, `export A`, `read A`, `for A`, `${A:=1}`, `((A++))`; in subshells and for one command too.

    In opaque parts every identifier counts.
    """
    found: set[str] = set()
    for node in walk(script):
        if (
            isinstance(node, Assignment)
            or (isinstance(node, Parameter) and node.operator in ("=", ":="))
            or (isinstance(node, Compound) and node.kind in ("for", "select"))
        ):
            found.add(node.name)
        elif isinstance(node, Arithmetic):
            found.update(_arithmetic_targets(node.text))
        elif isinstance(node, Compound) and node.kind in ("arithmetic", "arithmetic-for"):
            for word in node.words:
                found.update(_arithmetic_targets(word.text))
        elif isinstance(node, Command):
            found.update(_assigned_by(node))
        elif isinstance(node, Script) and node.opaque:
            found.update(_IDENTIFIER.findall(node.text.text))
    return frozenset(found)


def ends_with_comment(script: Script) -> bool:
    """Whether its last line is or ends in a comment: what is put behind it without a line end would be part of that."""
    if not script.comments:
        return False
    end = len(script.text.text.rstrip(" \t"))
    return script.comments[-1].span.end >= script.text.span(0, end).end


def uses_process_state(script: Script) -> bool:
    """Whether it asks which process it is: `$$`, `$!`, `$PPID`, `$SECONDS`, `$RANDOM`, `/proc/self`, `/dev/fd` and the like.

    An opaque part does.
    """
    for node in walk(script):
        if isinstance(node, Parameter) and node.name in PROCESS_PARAMETERS:
            return True
        if isinstance(node, Word) and any(file in node.text for file in _OWN_FILES):
            return True
        if isinstance(node, Script) and node.opaque:
            return True
    return False


def has_opaque_part(script: Script) -> bool:
    """Whether it, or a script nested in it, could not be read or is in another language."""
    return any(isinstance(node, Script) and node.opaque for node in walk(script))


def _same_shell(node: Node) -> Iterator[Node]:
    """The nodes that one shell process runs: without subshells, substitutions and nested scripts."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        for child in reversed(children(node)):
            if not isinstance(child, Substitution | Script) and getattr(child, "kind", "") != "subshell":
                stack.append(child)


def _own_commands(script: Script) -> Iterator[Command]:
    """The commands of a script, without those of scripts that it hands to other interpreters."""
    nested = {id(command.script) for command in commands(script) if command.script is not None}
    stack: list[Node] = [script]
    while stack:
        node = stack.pop()
        if isinstance(node, Command):
            yield node
        stack += [child for child in reversed(children(node)) if id(child) not in nested]


def _assigns_by_expansion(command: Command) -> bool:
    for node in _same_shell(command):
        if isinstance(node, Parameter) and node.operator in ("=", ":="):
            return True
        if isinstance(node, Arithmetic) and _arithmetic_targets(node.text):
            return True
    return False


def _arithmetic_targets(text: str) -> set[str]:
    return {before or after for before, after in _ARITHMETIC_ASSIGNMENT.findall(text)}


def _assigned_by(command: Command) -> set[str]:
    """The names that a builtin sets by its arguments."""
    command = effective(command)
    name, found = command.name, set()
    if name in _ASSIGNING or name in ("read", "mapfile", "readarray", "unset"):
        for word in command.arguments:
            match = _IDENTIFIER.match(word.prefix)
            if match is not None and word.prefix[match.end() : match.end() + 1] in ("", "=", "+", "["):
                found.add(match[0])
    elif name == "getopts":
        found |= {word.value for word in command.arguments[1:2] if word.value} | {"OPTARG", "OPTIND"}
    elif name == "printf" and len(command.arguments) > 1 and command.arguments[0].value == "-v":
        found.add(command.arguments[1].value or "")
    elif name == "let":
        for word in command.arguments:
            found |= _arithmetic_targets(word.value or word.text)
    return found
