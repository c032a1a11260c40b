"""What the words of a command say that it reads, writes and deletes, by its entry in facts/commands.yaml."""

from __future__ import annotations

import posixpath

from dfkit._regex import regex
from dfkit.model.effects import DEVICES, OPAQUE, Effects, together
from dfkit.model.facts import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from dfkit.model.effects import Walk
    from dfkit.model.packages import Invocation
    from dfkit.shell import Command, Word

_ELSEWHERE = {
    "apk": ("--root", "-p"), "yum": ("--installroot",), "dnf": ("--installroot",), "zypper": ("--root", "-R"),
    "pip": ("--root", "--prefix", "--target", "-t"), "npm": ("--prefix",),
}  # fmt: skip
"""Options with which a package manager installs to another place."""


def call_effects(walk: Walk, command: Command, spec: dict[str, Any]) -> Effects:
    """The effects of a command with an entry; opaque where its words do not say them."""
    try:
        call = Call(walk, command, spec)
        if "tool" not in spec:
            return call.by_table()
        from dfkit.model.tools import TOOLS

        return TOOLS[spec["tool"]](call)
    except Unknown:
        return OPAQUE


def manager_effects(walk: Walk, call: Invocation) -> Effects:
    """The effects of a call of a package manager."""
    own = table("commands")["managers"].get(call.manager)
    if own is None or call.has(*_ELSEWHERE.get(call.manager, ())):
        return OPAQUE
    lists = tuple(call.facts.get("lists", ()))
    caches = walk.places(call.facts.get("caches", ()))
    reads, writes, bulk = (walk.places(own[side]) for side in ("reads", "writes", "bulk"))
    if caches is None or reads is None or writes is None or bulk is None:
        return OPAQUE
    if call.action == "update":
        return Effects(("/etc", "/usr/share/keyrings", *lists), (*lists, *caches, "/var/cache/apt"), bulk=lists, network=True)
    if call.action == "clean":
        return Effects(reads=caches, deletes=caches)
    if call.manager == "pip" and (call.has("-e", "--editable") or any(_is_project(word) for word in call.packages)):
        return OPAQUE
    if call.manager == "apt" and call.packages and call.packages[0].value == "source":
        return _sources(walk, call, Effects((*reads, *lists), writes, network=True))
    given = [word for word in call.packages if "/" in word.text and "://" not in word.text]
    for option in call.options:
        if (
            option.name in ("-r", "--requirement", "-c", "--constraint")
            and option.value is not None
            and not isinstance(option.value, str)
        ):
            given.append(option.value)
    named: list[str] = []
    for word in given:
        paths = walk.paths(word)
        if paths is None:
            return OPAQUE
        named += paths
    return Effects((*reads, *lists, *caches, *named), (*writes, *caches), (), (), (*bulk, *caches), False, True)


def _sources(walk: Walk, call: Invocation, base: Effects) -> Effects:
    """`apt-get source name=version`: the files of a source package in the working directory, `name_version.orig.tar.gz` and others."""
    found: list[str] = []
    for word in call.packages[1:]:
        name, equals, version = (word.value or "").partition("=")
        upstream = regex(r"-[^-]*$").sub("", version.rpartition(":")[2])
        path = walk.absolute(f"{name}_{upstream}*") if equals and regex(r"[\w.+~-]+").fullmatch(upstream) else None
        if path is None:
            return OPAQUE
        found.append(path)
        if not call.has("-d", "--download-only"):
            found.append(posixpath.join(posixpath.dirname(path), f"{name}-{upstream}"))
    return together((base, Effects(writes=tuple(found), bulk=tuple(found))))


def _is_project(word: Word) -> bool:
    """Whether pip would run the project's own code."""
    return word.text.startswith((".", "/", "$")) and not word.text.endswith((".whl", ".txt"))


class Unknown(Exception):
    """The words of a command do not say what it does."""


class Call:
    """A command's words, read by its entry in the table."""

    def __init__(self, walk: Walk, command: Command, spec: dict[str, Any]) -> None:
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
                name, equals, _ = text.partition("=")
                if equals:
                    self.options.append((name, None, word.value.partition("=")[2] if word.value is not None else None))
                else:
                    self.options.append((name, next(rest, None) if name in valued else None, None))
            else:
                self._cluster(word, text, valued, rest)
        refused = self.spec.get("refuse", ())
        if any(name in refused for name, _, _ in self.options):
            raise Unknown

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
        """Whether one of these options is given."""
        return any(name in names for name, _, _ in self.options)

    def value(self, *names: str) -> Word | str | None:
        """The last value of an option, None if it is not given. Raises `Unknown` if it is given with a value that is not known."""
        found: Word | str | None = None
        for name, word, text in self.options:
            if name in names:
                if word is None and text is None:
                    raise Unknown
                found = word or text
        return found

    def paths(self, word: Word | str) -> tuple[str, ...]:
        """The absolute paths that a word stands for. Raises `Unknown`."""
        if isinstance(word, str):
            path = self.walk.absolute(word)
            paths: tuple[str, ...] | None = None if path is None else (path,)
        else:
            paths = self.walk.paths(word)
        if paths is None:
            raise Unknown
        return paths

    def literal(self, word: Word | str) -> str:
        """A word's value. Raises `Unknown`."""
        value = word if isinstance(word, str) else self.walk.literal(word)
        if value is None:
            raise Unknown
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
                    raise Unknown
                if (word.text if word is not None else text) != "-":
                    found.append(self.role(role, word or text or ""))
        return together(found)

    def fixed(self) -> Effects:
        """What it does whatever its words are."""
        reads, writes = (self.walk.places(self.spec.get(side, ())) for side in ("reads", "writes"))
        if reads is None or writes is None:
            raise Unknown
        return Effects(reads=reads, writes=writes, network=bool(self.spec.get("network")))

    def role(self, role: str, word: Word | str) -> Effects:
        """The effects of a word that has a role in the table: `read`, `write`, `delete` and the like. Raises `Unknown`."""
        if role == "print":
            return Effects()
        if role == "delete" and not isinstance(word, str) and self.walk.paths(word) is None:
            # What else it deletes is still known.
            return OPAQUE
        paths = tuple([path for path in self.paths(word) if not path.startswith(DEVICES)])
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
