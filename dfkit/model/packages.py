"""Calls of package managers: which manager, what it is asked to do, which words are packages."""

from __future__ import annotations

from dfkit._memo import remembered
from dfkit._record import Record
from dfkit._regex import regex
from dfkit.model.facts import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.shell import Command, Word

ACTIONS = ("install", "locked", "update", "upgrade", "remove", "clean")
_PYTHON = regex(r"python[0-9.]*")
_PIP = regex(r"pip[0-9.]*")
_NONE: tuple[str, ...] = ()


class Option(Record):
    """An option as written: `word` is the whole word, `name` its part before `=`, `value` what follows or the next word."""

    word: Word
    name: str
    value: Word | str | None


class Invocation(Record):
    """One call of a package manager."""

    command: Command
    manager: str
    action: str
    """One of `ACTIONS`, or "" for anything else."""
    options: tuple[Option, ...]
    packages: tuple[Word, ...]
    """The words after the action that are no options."""
    verb: Word | None
    """The word that asks for the action; an edit that adds an option goes after it."""

    @property
    def facts(self) -> dict[str, Any]:
        """The manager's entry in facts/packages.yaml."""
        return table("packages")[self.manager]  # type: ignore[no-any-return]

    def has(self, *names: str) -> bool:
        """Whether one of these options is given; `-qy` has both `-q` and `-y`."""
        for option in self.options:
            for name in names:
                if option.name == name or (
                    len(name) == 2
                    and name[1] != "-"
                    and regex(r"-[A-Za-z]+").fullmatch(option.name)
                    and name[1] in option.name[1:]
                ):
                    return True
        return False

    def option(self, *names: str) -> Option | None:
        """The last of these options."""
        for option in reversed(self.options):
            if option.name in names:
                return option
        return None


@remembered
def invocation(command: Command) -> Invocation | None:
    """The call that a command is, or None if it calls no package manager. Prefixes such as `sudo` must be off already."""
    name = command.name
    if name is None:
        return None
    arguments = command.arguments
    manager = _managers().get(name)
    if manager is None:
        if _PIP.fullmatch(name):
            manager = "pip"
        elif _PYTHON.fullmatch(name) and len(arguments) > 1 and arguments[0].value == "-m" and arguments[1].value == "pip":
            manager, arguments = "pip", arguments[2:]
        else:
            return None
    return _read(command, manager, arguments)


def _managers() -> dict[str, str]:
    if not _programs:
        for manager, facts in table("packages").items():
            _programs.update(dict.fromkeys(facts["programs"], manager))
    return _programs


_programs: dict[str, str] = {}


def _read(command: Command, manager: str, arguments: tuple[Word, ...]) -> Invocation:
    facts = table("packages")[manager]
    valued = facts["valued"]
    options: list[Option] = []
    words: list[Word] = []
    rest = iter(arguments)
    only_words = False
    for word in rest:
        text = word.value if word.value is not None else word.text
        if only_words or not text.startswith("-") or text == "-":
            words.append(word)
        elif text == "--":
            if facts.get("ends_options"):
                break
            only_words = True
        elif text in valued:
            options.append(Option(word, text, next(rest, None)))
        else:
            name, equals, value = text.partition("=")
            options.append(Option(word, name, value if equals else None))
    action, used = _action(facts, [word.value or "" for word in words])
    if manager == "yarn" and not words:
        action = "install"
    verb = words[used - 1] if used else None
    return Invocation(command, manager, action, tuple(options), tuple(words[used:]), verb)


def _action(facts: dict[str, Any], words: list[str]) -> tuple[str, int]:
    for action in ACTIONS:
        for phrase in facts.get(action, _NONE):
            parts = phrase.split()
            if words[: len(parts)] == parts:
                return action, len(parts)
    return "", 0
