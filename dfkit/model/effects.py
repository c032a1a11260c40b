"""What shell commands read, write and delete.

A command is looked up in facts/commands.yaml and its words are read as that table says; package managers are known to
`dfkit.model.packages`. Everything else may read and write anything: its effects are *opaque*.

Paths are patterns: absolute, normalised, `*`, `?` and `[…]` within a component. A path stands for itself and what is below it.
"""

from __future__ import annotations

import posixpath
import re

from dfkit._record import record, replace
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.shell import effective
from dfkit.shell.nodes import AndOr, Arithmetic, Command, Compound, Literal, Parameter, Pattern, Pipeline, Substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from dfkit.model.model import Model
    from dfkit.shell.nodes import Assignment, Element, Part, Redirect, Script, Statement, Word
    from dfkit.syntax.nodes import Instruction

_DEVICES = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/fd", "/proc/self/fd")
_GLOB = re.compile(r"[*?\[]")
_ARCHIVE = re.compile(r"\.(?:tar\.[A-Za-z0-9]+|tar|t[gbx]z2?|zip|gz|bz2|xz|zst)$")
MISSING = object()


@record
class Effects:
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


@record
class Where:
    """Where a script starts: its working directory, the user's home, and the variables whose values are known; None is unknown."""

    cwd: str | None
    home: str | None
    variables: Mapping[str, str]


@record
class Step:
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


def steps(script: Script, start: Where) -> Iterator[Step]:
    """The commands of a script, in order, each with its effects. A script that cannot be read is one opaque step."""
    walk = _Walk(start)
    if script.opaque:
        yield Step(Command(script.span, (), (), ()), OPAQUE, True, start.cwd)
    else:
        yield from walk.statements(script.statements, True)


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
    return all(_may_match(a, b) for a, b in zip(_parts(one), _parts(other), strict=False))


def covers(outer: str, inner: str) -> bool:
    """Whether everything that a path pattern means is at or below another; certain where it says yes.

    >>> covers("/usr/src/app", "/usr/src/app/x"), covers("/tmp/*", "/tmp/x"), covers("/tmp/x", "/tmp/*")
    (True, True, False)
    """
    outside, inside = _parts(outer), _parts(inner)
    if len(outside) > len(inside):
        return False
    return all(a == b or (not _GLOB.search(b) and _glob(a).fullmatch(b) is not None) for a, b in zip(outside, inside, strict=False))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _may_match(one: str, other: str) -> bool:
    if _GLOB.search(one) and _GLOB.search(other):
        first, second = _GLOB.split(one, maxsplit=1)[0], _GLOB.split(other, maxsplit=1)[0]
        return first.startswith(second) or second.startswith(first)
    return _glob(one).fullmatch(other) is not None or _glob(other).fullmatch(one) is not None


def _glob(pattern: str) -> re.Pattern[str]:
    """A component's pattern; a leading `*` or `?` does not match a dot, as in a shell."""
    if not _GLOB.search(pattern):
        return re.compile(re.escape(re.sub(r"\\(.)", r"\1", pattern)), re.S)
    out = [r"(?!\.)" if pattern[0] in "*?[" else ""]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif char == "*":
            out.append(".*")
        elif char in "?[":
            # A bracket may mean any character: what it excludes is not worth knowing here.
            close = pattern.find("]", at + 2) if char == "[" else at
            out.append("." if close >= 0 else re.escape(char))
            at = max(at, close)
        else:
            out.append(re.escape(char))
        at += 1
    return re.compile("".join(out), re.S)


# --- going through a script ------------------------------------------------------------------------------------------------


class _Walk:
    """Goes through a script with the working directory and the variables that hold at each command."""

    def __init__(self, start: Where) -> None:
        self.cwd = start.cwd
        self.home = start.home
        self.variables = dict(start.variables)
        self.functions: set[str] = set()

    def statements(self, statements: Iterable[Statement], sure: bool) -> Iterator[Step]:
        statements = tuple(statements)
        for at, statement in enumerate(statements):
            # Only the last command's status is the script's, so the ones before it need not succeed; they are run all the same.
            yield from self.element(statement.element, sure and statement.separator != "&")
            if at + 1 < len(statements) and isinstance(statement.element, Command) and statement.element.name in ("exit", "return", "exec"):
                sure = False

    def element(self, element: Element, sure: bool) -> Iterator[Step]:
        if isinstance(element, Command):
            yield from self.command(element, sure)
        elif isinstance(element, Pipeline):
            for each in element.elements:
                yield from self.apart(each, sure) if len(element.elements) > 1 else self.element(each, sure)
        elif isinstance(element, AndOr):
            yield from self.element(element.elements[0], sure)
            chained = sure
            for operator, each in zip(element.operators, element.elements[1:], strict=True):
                chained = chained and operator == "&&" and "||" not in element.operators
                if chained:
                    yield from self.element(each, True)
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
        self.cwd = cwd if cwd == self.cwd else None
        self.variables = {name: value for name, value in variables.items() if self.variables.get(name) == value}

    def compound(self, compound: Compound, sure: bool) -> Iterator[Step]:
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

    def inner(self) -> _Walk:
        walk = _Walk(Where(self.cwd, self.home, self.variables))
        walk.functions = set(self.functions)
        return walk

    def redirect(self, redirect: Redirect) -> Effects:
        operator = redirect.operator
        if operator.startswith("<<") or (operator in (">&", "<&") and re.fullmatch(r"[0-9]+-?|-", redirect.target.text)):
            return Effects()
        paths = self.paths(redirect.target)
        if paths is None:
            return OPAQUE
        paths = tuple([path for path in paths if not path.startswith(_DEVICES)])
        if operator == "<":
            return Effects(reads=paths)
        return Effects(reads=paths if operator != ">" else (), writes=paths)

    def command(self, command: Command, sure: bool) -> Iterator[Step]:
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
        if script.opaque:
            yield Step(Command(script.span, (), (), ()), OPAQUE, sure, self.cwd)
        else:
            yield from self.inner().statements(script.statements, sure)

    def assign(self, assignment: Assignment) -> None:
        value = None
        if assignment.value is not None and assignment.operator == "=" and not assignment.items and not assignment.subscript:
            value = self.literal(assignment.value)
        if value is None:
            self.variables.pop(assignment.name, None)
        else:
            self.variables[assignment.name] = value

    def exported(self, word: Word) -> None:
        name, equals, _ = word.text.partition("=")
        if equals:
            value = word.value
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value.partition("=")[2]

    def changed_folder(self, command: Command) -> str | None:
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
                choices = [re.sub(r"([*?\[\\])", r"\\\1", part.value)]
            elif isinstance(part, Parameter):
                value = self.variables.get(part.name) if not part.operator and not part.subscript else None
                if value is None or (not part.quoted and re.search(r"[\s*?\[]", value)):
                    return None
                choices = [re.sub(r"([*?\[\\])", r"\\\1", value)]
            elif isinstance(part, Pattern) and part.kind == "glob":
                choices = [part.text]
            elif isinstance(part, Pattern) and part.kind == "brace":
                inner = part.text[1:-1]
                if not part.text.startswith("{") or "," not in inner or re.search(r"[{}$\\'\"`]", inner):
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
        if path.startswith("/"):
            return posixpath.normpath("/" + path.lstrip("/"))
        return None if self.cwd is None else posixpath.normpath(posixpath.join(self.cwd, path))

    def places(self, texts: Iterable[str]) -> tuple[str, ...] | None:
        """The paths that a table gives: `@group`, `.`, `~` expanded."""
        out: list[str] = []
        for text in texts:
            if text.startswith("@"):
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
        name = command.name
        if name is None or name in self.functions:
            return OPAQUE
        manager = self.manager(command)
        if manager is not None:
            return manager
        spec = table("commands")["commands"].get(name)
        if spec is None or (command.words[0].value or "").startswith("./"):
            return OPAQUE
        call = _Call(self, command, spec)
        try:
            return _TOOLS[spec["tool"]](call) if "tool" in spec else call.by_table()
        except _Unknown:
            return OPAQUE

    def manager(self, command: Command) -> Effects | None:
        call = invocation(command)
        if call is None:
            return None
        own = table("commands")["managers"].get(call.manager)
        lists = tuple(call.facts.get("lists", ()))
        caches = self.places(call.facts.get("caches", ()))
        reads, writes = (self.places(own[side]) for side in ("reads", "writes")) if own else (None, None)
        if own is None or caches is None or reads is None or writes is None:
            return OPAQUE
        if call.has("--root", "--installroot", "--prefix", "--target", "-t") and call.manager in ("apk", "yum", "dnf", "zypper", "pip", "npm"):
            if not (call.manager == "apk" and call.has("-t")):
                return OPAQUE
        files = [self.paths(word) for word in call.packages if "/" in word.text]
        if any(paths is None for paths in files):
            return OPAQUE
        named = tuple([path for paths in files if paths for path in paths])
        if call.action == "update":
            return Effects(reads=("/etc", "/usr/share/keyrings", *lists), writes=(*lists, *caches, "/var/cache/apt"), bulk=lists, network=True)
        if call.action == "clean":
            return Effects(deletes=caches, reads=caches)
        return Effects((*reads, *lists, *caches, *named), (*writes, *caches), (), (), (*writes, *caches), False, True)


def _substitutions(parts: Iterable[Part]) -> Iterator[Script]:
    for part in parts:
        if isinstance(part, Substitution):
            yield part.script
        elif isinstance(part, Parameter):
            yield from _substitutions(part.argument)
        elif isinstance(part, Arithmetic):
            yield from _substitutions(part.parts)


# --- the words of a command ------------------------------------------------------------------------------------------------


class _Unknown(Exception):  # noqa: N818
    """The words of a command do not say what it does."""


class _Call:
    """A command's words, read by its entry in the table."""

    def __init__(self, walk: _Walk, command: Command, spec: dict[str, Any]) -> None:
        self.walk = walk
        self.spec = spec
        self.command = command
        self.operands: list[Word] = []
        self.options: list[tuple[str, Word | None, str | None]] = []
        self._read()

    def _read(self) -> None:
        valued = self.spec.get("options", {})
        rest = iter(self.command.arguments)
        only_operands = False
        for word in rest:
            text = word.text
            if only_operands or not text.startswith("-") or text == "-":
                self.operands.append(word)
            elif text == "--":
                only_operands = True
            elif text.startswith("--"):
                name, equals, value = text.partition("=")
                if equals:
                    self.options.append((name, None, word.value.partition("=")[2] if word.value is not None else None))
                else:
                    self.options.append((name, next(rest, None) if name in valued else None, None))
            else:
                self._cluster(word, text, valued, rest)
        refused = self.spec.get("refuse", ())
        if any(name in refused for name, _, _ in self.options):
            raise _Unknown

    def _cluster(self, word: Word, text: str, valued: Mapping[str, str], rest: Iterator[Word]) -> None:
        """`-fsSLo file`, `-ofile`."""
        if text in valued:
            self.options.append((text, next(rest, None), None))
            return
        for at, char in enumerate(text[1:], 1):
            name = f"-{char}"
            if name not in valued:
                self.options.append((name, None, None))
                continue
            glued = text[at + 1 :]
            if not glued:
                self.options.append((name, next(rest, None), None))
            else:
                self.options.append((name, None, glued if word.value == text else None))
            return

    def has(self, *names: str) -> bool:
        return any(name in names for name, _, _ in self.options)

    def value(self, *names: str) -> Word | str | None:
        """The last value of an option, None if it is not given. Raises `_Unknown` if it is given with a value that is not known."""
        found: Word | str | None = None
        for name, word, text in self.options:
            if name in names:
                if word is None and text is None:
                    raise _Unknown
                found = word or text
        return found

    def paths(self, word: Word | str) -> tuple[str, ...]:
        if isinstance(word, str):
            path = self.walk.absolute(word)
            paths = None if path is None else (path,)
        else:
            paths = self.walk.paths(word)
        if paths is None:
            raise _Unknown
        return paths

    def literal(self, word: Word | str) -> str:
        value = word if isinstance(word, str) else self.walk.literal(word)
        if value is None:
            raise _Unknown
        return value

    def by_table(self) -> Effects:
        """The effects that the table gives the operands and options."""
        found = [self.fixed()]
        operands = list(self.operands)
        spec = self.spec
        if "first" in spec and operands and not self.has(*spec.get("first_by", ())):
            operands = operands[1:]
        last = operands.pop() if "last" in spec and len(operands) > 1 else None
        found += [self.role(spec.get("operands", "print"), word) for word in operands if word.text != "-"]
        if last is not None:
            found.append(self.role(spec["last"], last))
        for name, word, text in self.options:
            role = spec.get("options", {}).get(name)
            if role not in (None, "print"):
                if word is None and text is None:
                    raise _Unknown
                if (word.text if word is not None else text) != "-":
                    found.append(self.role(role, word or text or ""))
        return together(found)

    def fixed(self) -> Effects:
        """What it does whatever its words are."""
        reads, writes = (self.walk.places(self.spec.get(side, ())) for side in ("reads", "writes"))
        if reads is None or writes is None:
            raise _Unknown
        return Effects(reads=reads, writes=writes, network=bool(self.spec.get("network")))

    def role(self, role: str, word: Word | str) -> Effects:
        if role == "print":
            return Effects()
        paths = tuple([path for path in self.paths(word) if not path.startswith(_DEVICES)])
        match role:
            case "read":
                return Effects(reads=paths)
            case "write":
                return Effects(writes=paths, bulk=paths if self.spec.get("bulk") else ())
            case "delete":
                return Effects(deletes=paths)
            case "move":
                return Effects(reads=paths, deletes=paths)
            case _:
                return Effects(changes=paths)


def _written(base: Effects, paths: tuple[str, ...], reads: tuple[str, ...] = ()) -> Effects:
    return together((base, Effects(reads=reads, writes=paths, bulk=paths)))


def _url_name(url: str) -> str:
    """The file name that `curl -O` and `wget` take from a URL; raises `_Unknown` if it has none."""
    name = re.sub(r"[?#].*", "", re.sub(r"^[a-z+]+://", "", url)).rpartition("/")
    if not name[1] or not name[2]:
        raise _Unknown
    return name[2]


def _curl(call: _Call) -> Effects:
    found = call.by_table()
    if any(word.text.startswith("@") for _, word, _ in call.options if word is not None):
        raise _Unknown
    if call.has("-O", "--remote-name", "--remote-name-all"):
        for word in call.operands:
            found = _written(found, call.paths(_url_name(call.literal(word))))
    return found


def _wget(call: _Call) -> Effects:
    found = call.by_table()
    if not call.has("-O", "--output-document"):
        folder = call.value("-P", "--directory-prefix")
        prefix = call.literal(folder).rstrip("/") + "/" if folder is not None else ""
        for word in call.operands:
            url = call.literal(word)
            if re.search(r"[?#]", url):
                raise _Unknown
            found = _written(found, call.paths(prefix + _url_name(url)))
    return found


def _tar(call: _Call) -> Effects:
    words = [word for word in call.command.arguments]
    if not words:
        raise _Unknown
    mode, file, folder = "", None, None
    members: list[Word] = []
    rest = iter(words)
    for at, word in enumerate(rest):
        text = word.text
        if text.startswith("--"):
            name, equals, value = text.partition("=")
            if name in ("--extract", "--get", "--create", "--list"):
                mode += {"--extract": "x", "--get": "x", "--create": "c", "--list": "t"}[name]
            elif name in ("--file", "--directory"):
                taken: Word | str | None = value if equals and word.value is not None else None if equals else next(rest, None)
                if taken is None:
                    raise _Unknown
                file, folder = (taken, folder) if name == "--file" else (file, taken)
            elif name not in ("--strip-components", "--strip", "--no-same-owner", "--gzip", "--xz", "--bzip2", "--verbose",
                              "--no-same-permissions", "--exclude", "--wildcards", "--overwrite", "--keep-old-files"):  # fmt: skip
                raise _Unknown
            elif name in ("--strip-components", "--exclude", "--strip") and not equals:
                next(rest, None)
        elif text.startswith("-") or at == 0:
            for place, char in enumerate(text.lstrip("-")):
                if char in "fC":
                    glued = text.lstrip("-")[place + 1 :] if text.startswith("-") else ""
                    taken = glued or next(rest, None)
                    if taken is None:
                        raise _Unknown
                    file, folder = (taken, folder) if char == "f" else (file, taken)
                    if glued:
                        break
                elif char in "xct":
                    mode += char
                elif char not in "vzjJapmokhBSWP":
                    raise _Unknown
        else:
            members.append(word)
    archive = () if file is None or (file if isinstance(file, str) else file.text) == "-" else call.paths(file)
    target = call.paths(folder) if folder is not None else call.paths(".")
    if mode == "x":
        found = Effects(reads=archive, writes=target, bulk=target)
        stem = _ARCHIVE.sub("", posixpath.basename(archive[0])) if len(archive) == 1 else ""
        return found if not stem else found
    if mode == "t":
        return Effects(reads=archive)
    if mode == "c":
        return Effects(reads=target, writes=archive, bulk=archive)
    raise _Unknown


def _unzip(call: _Call) -> Effects:
    words = list(call.command.arguments)
    folder: Word | None = None
    operands: list[Word] = []
    rest = iter(words)
    for word in rest:
        if word.text == "-d":
            folder = next(rest, None)
        elif word.text.startswith("-") and re.fullmatch(r"-[qonjaLl]+", word.text):
            continue
        elif word.text.startswith("-"):
            raise _Unknown
        else:
            operands.append(word)
    if not operands:
        raise _Unknown
    target = call.paths(folder) if folder is not None else call.paths(".")
    return Effects(reads=call.paths(operands[0]), writes=target, bulk=target)


def _unpack(call: _Call) -> Effects:
    if call.has("-c", "--stdout"):
        return Effects(reads=tuple([path for word in call.operands for path in call.paths(word)]))
    found = Effects()
    for word in call.operands:
        paths = call.paths(word)
        both = (*paths, *[re.sub(r"\.(?:gz|bz2|xz)$", "", path) for path in paths], *[f"{path}.gz" for path in paths])
        found = together((found, Effects(reads=paths, writes=both, deletes=paths, bulk=both)))
    return found


def _git(call: _Call) -> Effects:
    words = list(call.command.arguments)
    if not words or words[0].value != "clone":
        raise _Unknown
    operands: list[Word] = []
    rest = iter(words[1:])
    for word in rest:
        if word.text in ("-b", "--branch", "--depth", "-c", "--config", "-j", "--jobs", "-o", "--origin"):
            next(rest, None)
        elif re.match(r"--(?:branch|depth|recurs\w*|recurse-submodules|single-branch|quiet|shallow-\w+|no-\w+|jobs|progress|verbose)|-[qv]+$", word.text):
            continue
        elif word.text.startswith("-"):
            raise _Unknown
        else:
            operands.append(word)
    if len(operands) == 2:
        target = call.paths(operands[1])
    elif len(operands) == 1:
        name = call.literal(operands[0]).rstrip("/").rpartition("/")[2].rpartition(":")[2]
        target = call.paths(name.removesuffix(".git"))
    else:
        raise _Unknown
    home = call.walk.places(("~/.gitconfig", "/etc/gitconfig", "/etc/ssl", "~/.ssh")) or ()
    return Effects(reads=home, writes=target, bulk=target, network=True)


def _sed(call: _Call) -> Effects:
    words = list(call.command.arguments)
    in_place, script_given, scripts, files = False, False, [], []
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in ("-e", "--expression"):
            script_given = True
            scripts.append(next(rest, None))
        elif text.startswith(("-f", "--file")):
            raise _Unknown
        elif text.startswith(("--in-place", "-i")):
            in_place = True
        elif text.startswith("-"):
            in_place = in_place or ("i" in text and not text.startswith("--"))
            if re.fullmatch(r"-[nErsuzi]*e", text):
                script_given = True
                scripts.append(next(rest, None))
        else:
            files.append(word)
    if not script_given and files:
        scripts.append(files.pop(0))
    for script in scripts:
        # `w file` and the flags `w` and `e` of `s` write and run things.
        if script is None or re.search(r"(?:^|[;}\n]|[0-9$/])\s*[we]\b", script.text.strip("'\"")) or re.search(r"/[gpI0-9]*[we]", script.text):
            raise _Unknown
    paths = tuple([path for word in files if word.text != "-" for path in call.paths(word)])
    return Effects(reads=paths, writes=paths if in_place else ())


def _ln(call: _Call) -> Effects:
    if len(call.operands) == 1:
        return Effects(writes=call.paths(posixpath.basename(call.literal(call.operands[0]).rstrip("/"))))
    if not call.operands:
        raise _Unknown
    read = () if call.has("-s", "--symbolic") else tuple([path for word in call.operands[:-1] for path in call.paths(word)])
    return Effects(reads=read, writes=call.paths(call.operands[-1]))


def _install(call: _Call) -> Effects:
    if call.has("-d", "--directory"):
        return Effects(writes=tuple([path for word in call.operands for path in call.paths(word)]))
    return call.by_table()


def _accounts(call: _Call) -> Effects:
    found = call.by_table()
    words = list(call.command.arguments)
    for at, word in enumerate(words):
        name, equals, _ = word.text.partition("=")
        if name in ("-d", "--home", "--home-dir", "-h", "-b", "--base-dir"):
            if equals:
                value = word.value.partition("=")[2] if word.value is not None else None
                if value is None:
                    raise _Unknown
                found = together((found, Effects(writes=call.paths(value))))
            elif at + 1 < len(words):
                found = together((found, Effects(writes=call.paths(words[at + 1]))))
    return found


def _gpg(call: _Call) -> Effects:
    found = call.fixed()
    words = list(call.command.arguments)
    for at, word in enumerate(words):
        if word.text in ("-o", "--output") and at + 1 < len(words):
            found = together((found, Effects(writes=call.paths(words[at + 1]))))
        elif word.text.startswith("-") or "/" not in word.text and "." not in word.text:
            continue
        elif "://" not in word.text and not (at and words[at - 1].text in ("--keyserver", "--recv-keys", "--recv")):
            found = together((found, Effects(reads=call.paths(word))))
    if "GNUPGHOME" in call.walk.variables or any(each.name == "GNUPGHOME" for each in call.command.assignments):
        raise _Unknown
    return found


_TOOLS: dict[str, Callable[[_Call], Effects]] = {
    "accounts": _accounts,
    "curl": _curl,
    "git": _git,
    "gpg": _gpg,
    "install": _install,
    "ln": _ln,
    "sed": _sed,
    "tar": _tar,
    "unpack": _unpack,
    "unzip": _unzip,
    "wget": _wget,
}
