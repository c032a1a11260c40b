"""What shell commands read, write and delete.

A command is looked up in facts/commands.yaml and its words are read as that table says; package managers are known to
`dfkit.model.packages`. Everything else may read and write anything: its effects are *opaque*.

Paths are patterns: absolute, normalised, `*`, `?` and `[…]` within a component. A path stands for itself and what is below it.
"""

from __future__ import annotations

import posixpath

from dfkit._memo import remembered
from dfkit._record import Record
from dfkit._regex import regex
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.shell import commands, effective
from dfkit.shell.invoke import set_options
from dfkit.shell.nodes import AndOr, Arithmetic, Command, Compound, Literal, Parameter, Pattern, Pipeline, Substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dfkit.model.model import Model
    from dfkit.shell.nodes import Assignment, Element, Part, Redirect, Script, Statement, Word
    from dfkit.syntax.nodes import Instruction

DEVICES = (
    "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/fd",
    "/proc/self/fd",
)  # fmt: skip
"""Paths that are no files of the image."""
_GLOB = regex(r"[*?\[]")
_ESCAPED = regex(r"\\(.)")


class Effects(Record):
    """What something reads, writes, deletes; `changes` are modes and owners. `bulk` are those writes that may be many bytes."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    bulk: tuple[str, ...] = ()
    opaque: bool = False
    """It may read, write and delete anything besides."""
    network: bool = False

    def may_read(self, path: str) -> bool:
        """Whether it may read something at or below a path, or the names in a folder above it."""
        return self.opaque or any(overlaps(path, each) for each in self.reads + self.changes)

    def may_write(self, path: str) -> bool:
        """Whether it may create or change something at or below a path, or replace a folder above it."""
        return self.opaque or any(overlaps(path, each) for each in self.writes + self.changes)

    def may_delete(self, path: str) -> bool:
        """Whether it may delete something at or below a path, or a folder above it."""
        return self.opaque or any(overlaps(path, each) for each in self.deletes)

    def may_touch(self, path: str) -> bool:
        """Whether it may read, write or delete there."""
        return self.may_read(path) or self.may_write(path) or self.may_delete(path)


OPAQUE = Effects(opaque=True)


class Where(Record):
    """Where a script starts: its working directory, the user's home, and the variables whose values are known; None is unknown."""

    cwd: str | None
    home: str | None
    variables: Mapping[str, str]


class Step(Record):
    """One command of a script. `sure` is whether the script cannot succeed without it; `cwd` is where it runs."""

    command: Command
    effects: Effects
    sure: bool
    cwd: str | None


def where(model: Model, instruction: Instruction) -> Where:
    """Where the scripts of an instruction start."""
    state = model.state(instruction)
    names = model.scope(instruction).names()
    variables = {name: binding.value for name, binding in names.items() if binding.value is not None}
    home = variables.get("HOME") if "HOME" in names else "/root" if state.is_root else None
    return Where(state.workdir, home, variables)


def effects(script: Script, start: Where) -> Effects:
    """The effects of a whole script."""
    return together(step.effects for step in steps(script, start))


@remembered
def steps(script: Script, start: Where) -> tuple[Step, ...]:
    """The commands of a script, in order, each with its effects. A script that cannot be read is one opaque step."""
    if script.opaque:
        return (Step(Command(script.span, (), (), ()), OPAQUE, True, start.cwd),)
    walk = Walk(start)
    walk.errexit = "errexit" in script.options
    return tuple(walk.statements(script.statements, True))


def together(parts: Iterable[Effects]) -> Effects:
    """The effects of several things."""
    parts = tuple(parts)

    def union(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for part in parts for path in getattr(part, name)))

    return Effects(
        union("reads"),
        union("writes"),
        union("deletes"),
        union("changes"),
        union("bulk"),
        any(part.opaque for part in parts),
        any(part.network for part in parts),
    )


def overlaps(one: str, other: str) -> bool:
    """Whether two path patterns may mean something in common: one may match the other or a folder above it.

    >>> overlaps("/var/lib/apt/lists/*", "/var/lib"), overlaps("/tmp/a*", "/tmp/b.tgz")
    (True, False)
    """
    return all(may_match(a, b) for a, b in zip(_parts(one), _parts(other), strict=False))


def covers(outer: str, inner: str) -> bool:
    """Whether everything that a path pattern means is at or below another; certain where it says yes.

    >>> covers("/usr/src/app", "/usr/src/app/x"), covers("/tmp/*", "/tmp/x"), covers("/tmp/x", "/tmp/*")
    (True, True, False)
    """
    outside, inside = _parts(outer), _parts(inner)
    if len(outside) > len(inside):
        return False
    return all(a == b or (not _GLOB.search(b) and _matches(a, b)) for a, b in zip(outside, inside, strict=False))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def may_mean_more(part: str) -> bool:
    """Whether a component of a path is a pattern, or has a backslash."""
    return "\\" in part or _GLOB.search(part) is not None


def may_match(one: str, other: str) -> bool:
    """Whether two components of paths may mean the same name."""
    if _GLOB.search(one) and _GLOB.search(other):
        first, second = _GLOB.split(one, maxsplit=1)[0], _GLOB.split(other, maxsplit=1)[0]
        return first.startswith(second) or second.startswith(first)
    return _matches(one, other) or _matches(other, one)


def _matches(pattern: str, name: str) -> bool:
    """Whether a component's pattern matches a name; a leading `*` or `?` does not match a dot, as in a shell."""
    if not _GLOB.search(pattern):
        return _ESCAPED.sub(lambda pair: pair[1], pattern) == name
    if name.startswith(".") and pattern[0] in "*?[":
        return False
    # A regular expression would do; to import `re` takes longer than to go through all scripts of a file.
    parts = list(_read(pattern))
    at = part = 0
    star, after = -1, 0
    while at < len(name):
        if part < len(parts) and parts[part] == _MANY:
            star, after = part, at
            part += 1
        elif part < len(parts) and parts[part] in (name[at], _ONE):
            part += 1
            at += 1
        elif star >= 0:
            after += 1
            part, at = star + 1, after
        else:
            return False
    return all(each == _MANY for each in parts[part:])


_ONE, _MANY = "one", "many"


def _read(pattern: str) -> Iterator[str]:
    """The characters of a pattern; `_ONE` for one that may be any, `_MANY` for a `*`."""
    at = 0
    while at < len(pattern):
        char = pattern[at]
        # A bracket may mean any character: what it excludes is not worth knowing here.
        close = pattern.find("]", at + 2) if char == "[" else -1
        if char == "*":
            yield _MANY
        elif char == "?" or close >= 0:
            yield _ONE
            at = max(at, close)
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            yield pattern[at]
        else:
            yield char
        at += 1


def _escaped(text: str) -> str:
    """The pattern that matches just this text."""
    return regex(r"[*?\[\\]").sub(lambda match: "\\" + match[0], text)


# --- going through a script ------------------------------------------------------------------------------------------------


class Walk:
    """Goes through a script with the working directory and the variables that hold at each command."""

    def __init__(self, start: Where) -> None:
        self.cwd = start.cwd
        self.home = start.home
        self.variables = dict(start.variables)
        self.functions: set[str] = set()
        self.errexit = False

    def statements(self, statements: Iterable[Statement], sure: bool) -> Iterator[Step]:
        """The commands of a list."""
        statements = tuple(statements)
        for at, statement in enumerate(statements):
            # The script's status is its last command's; others may fail unless `set -e` is on.
            counts = at == len(statements) - 1 or self.errexit
            yield from self.element(statement.element, sure and counts and statement.separator != "&")
            for command in commands(statement):
                if command.name in ("exit", "return", "exec"):
                    sure = False
                elif command.name == "set" and isinstance(statement.element, Command):
                    self.errexit = self.errexit or "errexit" in set_options([word.value for word in command.arguments])

    def element(self, element: Element, sure: bool) -> Iterator[Step]:
        """The commands of one element of a list."""
        if isinstance(element, Command):
            yield from self.command(element, sure)
        elif isinstance(element, Pipeline):
            for stage in element.elements:
                yield from self.apart(stage, sure and not element.negated and stage is element.elements[-1])
        elif isinstance(element, AndOr):
            chained = sure and "||" not in element.operators
            yield from self.element(element.elements[0], chained)
            for operator, each in zip(element.operators, element.elements[1:], strict=True):
                if operator == "&&" and "||" not in element.operators:
                    yield from self.element(each, chained)
                else:
                    yield from self.maybe(each)
        else:
            yield from self.compound(element, sure)

    def apart(self, element: Element, sure: bool) -> Iterator[Step]:
        """Something that runs in a process of its own: what it sets is gone afterwards."""
        cwd, variables = self.cwd, dict(self.variables)
        yield from self.element(element, sure)
        self.cwd, self.variables = cwd, variables

    def maybe(self, element: Element) -> Iterator[Step]:
        """Something that may not run: afterwards what it sets is not known."""
        cwd, variables = self.cwd, dict(self.variables)
        yield from self.element(element, False)
        self.forget(cwd, variables)

    def forget(self, cwd: str | None, variables: Mapping[str, str]) -> None:
        """Keep only what is the same as before."""
        self.cwd = cwd if cwd == self.cwd else None
        self.variables = {name: value for name, value in variables.items() if self.variables.get(name) == value}

    def compound(self, compound: Compound, sure: bool) -> Iterator[Step]:
        """The commands of a compound command."""
        if compound.kind == "function":
            self.functions.add(compound.name)
            return
        yield from self.side(compound.words, compound.redirects, compound)
        cwd, variables = self.cwd, dict(self.variables)
        if compound.kind in ("group", "subshell"):
            for body in compound.bodies:
                yield from self.statements(body.statements, sure)
            if compound.kind == "subshell":
                self.cwd, self.variables = cwd, variables
            return
        # A loop's body may run after itself, so a value that it changes is not known in it either.
        self.variables.pop(compound.name, None)
        for _ in range(2):
            found = []
            for body in compound.bodies:
                found += list(self.statements(body.statements, False))
                self.forget(cwd, variables)
                self.variables.pop(compound.name, None)
                cwd, variables = self.cwd, dict(self.variables)
        yield from found

    def side(self, words: Iterable[Word], redirects: Iterable[Redirect], node: Command | Compound) -> Iterator[Step]:
        """What happens before a command runs: substitutions, redirects."""
        parts = [part for word in words for part in word.parts]
        for redirect in redirects:
            parts += redirect.target.parts
            if redirect.document is not None:
                parts += redirect.document.parts
        for script in _substitutions(parts):
            if script.opaque:
                yield Step(Command(script.span, (), (), ()), OPAQUE, False, self.cwd)
            else:
                inner = self.inner()
                yield from inner.statements(script.statements, False)
        found = [self.redirect(each) for each in redirects]
        if any(each != Effects() for each in found):
            held = node if isinstance(node, Command) else Command(node.span, (), (), node.redirects)
            yield Step(held, together(found), False, self.cwd)

    def inner(self) -> Walk:
        """A walk in a process of its own, from here."""
        walk = Walk(Where(self.cwd, self.home, self.variables))
        walk.functions = set(self.functions)
        return walk

    def redirect(self, redirect: Redirect) -> Effects:
        """What a redirect reads or writes."""
        operator = redirect.operator
        if operator.startswith("<<") or (operator in (">&", "<&") and regex(r"[0-9]+-?|-").fullmatch(redirect.target.text)):
            return Effects()
        paths = self.paths(redirect.target)
        if paths is None:
            return OPAQUE
        paths = tuple([path for path in paths if not path.startswith(DEVICES)])
        if operator == "<":
            return Effects(reads=paths)
        return Effects(reads=paths if operator != ">" else (), writes=paths)

    def command(self, command: Command, sure: bool) -> Iterator[Step]:
        """A simple command, after what its words and redirects do."""
        values = [word for each in command.assignments for word in ((each.value,) if each.value else each.items)]
        yield from self.side((*command.words, *values), command.redirects, command)
        if not command.words:
            for each in command.assignments:
                self.assign(each)
            return
        if command.script is not None:
            yield from self.nested(command.script, sure)
            return
        running = effective(command)
        name = running.name
        if running.script is not None:
            yield from self.nested(running.script, sure)
            return
        if name in ("cd", "pushd", "popd"):
            self.cwd = self.changed_folder(running) if name == "cd" else None
            yield Step(command, Effects(), sure, self.cwd)
            return
        if name in ("export", "readonly", "local", "declare", "typeset"):
            for each in command.assignments:
                self.assign(each)
            for word in running.arguments:
                self.exported(word)
        elif name in ("unset", "read", "mapfile", "readarray", "getopts"):
            for word in running.arguments:
                self.variables.pop(word.value or "", None)
        elif name in ("eval", ".", "source"):
            self.variables.clear()
            yield Step(command, OPAQUE, sure, self.cwd)
            self.cwd = None
            return
        yield Step(command, self.simple(running), sure, self.cwd)

    def nested(self, script: Script, sure: bool) -> Iterator[Step]:
        """The commands of a script in a script."""
        if script.opaque:
            yield Step(Command(script.span, (), (), ()), OPAQUE, sure, self.cwd)
        else:
            yield from self.inner().statements(script.statements, sure)

    def assign(self, assignment: Assignment) -> None:
        """Note a variable's value, or that it is not known."""
        value = None
        if assignment.value is not None and assignment.operator == "=" and not assignment.items and not assignment.subscript:
            value = self.literal(assignment.value)
        if value is None:
            self.variables.pop(assignment.name, None)
        else:
            self.variables[assignment.name] = value

    def exported(self, word: Word) -> None:
        """Note what `export name=value` sets."""
        name, equals, _ = word.text.partition("=")
        if equals:
            value = word.value
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value.partition("=")[2]

    def changed_folder(self, command: Command) -> str | None:
        """Where `cd` goes; None if that is not known."""
        operands = [word for word in command.arguments if not word.text.startswith("-")]
        if len(operands) != len(command.arguments) or len(operands) > 1:
            return None
        if not operands:
            return self.home
        paths = self.paths(operands[0])
        return paths[0] if paths and len(paths) == 1 and not _GLOB.search(paths[0]) else None

    # --- words

    def literal(self, word: Word) -> str | None:
        """A word's value, where it is one for sure and no glob."""
        if word.value is not None:
            return word.value
        out = []
        for part in word.parts:
            if isinstance(part, Literal):
                out.append(part.value)
            elif isinstance(part, Parameter) and not part.operator and not part.subscript and part.name in self.variables:
                out.append(self.variables[part.name])
            else:
                return None
        return "".join(out)

    def paths(self, word: Word) -> tuple[str, ...] | None:
        """The path patterns that a word may mean; None where they are not known."""
        texts = [""]
        for part in word.parts:
            choices: list[str]
            if isinstance(part, Literal):
                choices = [_escaped(part.value)]
            elif isinstance(part, Parameter):
                value = self.variables.get(part.name) if not part.operator and not part.subscript else None
                if value is None or (not part.quoted and regex(r"[\s*?\[]").search(value)):
                    return None
                choices = [_escaped(value)]
            elif isinstance(part, Pattern) and part.kind == "glob":
                choices = [part.text]
            elif isinstance(part, Pattern) and part.kind == "brace":
                inner = part.text[1:-1]
                if not part.text.startswith("{") or "," not in inner or regex(r"[{}$\\'\"`]").search(inner):
                    return None
                choices = inner.split(",")
            elif isinstance(part, Pattern) and part.kind == "tilde" and part.text == "~" and self.home is not None:
                choices = [self.home]
            else:
                return None
            texts = [text + choice for text in texts for choice in choices]
        found = [self.absolute(text) for text in texts]
        return None if None in found else tuple([path for path in found if path is not None])

    def absolute(self, path: str) -> str | None:
        """A path from the root; None if the working directory is not known."""
        if path.startswith("/"):
            return posixpath.normpath("/" + path.lstrip("/"))
        return None if self.cwd is None else posixpath.normpath(posixpath.join(self.cwd, path))

    def places(self, texts: Iterable[str]) -> tuple[str, ...] | None:
        """The paths that a table gives: `@group`, `.`, `~` expanded."""
        out: list[str] = []
        for text in texts:
            if text.startswith("/"):
                out.append(text)
            elif text.startswith("@"):
                inner = self.places(table("commands")["groups"][text[1:]])
                if inner is None:
                    return None
                out += inner
            elif text.startswith("~"):
                if self.home is None:
                    return None
                out.append(posixpath.normpath(self.home + text[1:]))
            else:
                path = self.absolute(text)
                if path is None:
                    return None
                out.append(path)
        return tuple(out)

    # --- commands

    def simple(self, command: Command) -> Effects:
        """The effects of one command without prefixes."""
        name = command.name
        if name is None or name in self.functions:
            return OPAQUE
        from dfkit.model.calls import call_effects, manager_effects

        call = invocation(command)
        if call is not None:
            return manager_effects(self, call)
        spec = table("commands")["commands"].get(name)
        if spec is None or (command.words[0].value or "").startswith("./"):
            return OPAQUE
        return call_effects(self, command, spec)


def _substitutions(parts: Iterable[Part]) -> Iterator[Script]:
    for part in parts:
        if isinstance(part, Substitution):
            yield part.script
        elif isinstance(part, Parameter):
            yield from _substitutions(part.argument)
        elif isinstance(part, Arithmetic):
            yield from _substitutions(part.parts)
