"""Reads command lines as argparse does.

A plain line (`--name value`, `--name=value`, `-n value`, operands) is read here, by what was declared for argparse: to import that
takes longer than to lint a file. All others, help and mistakes above all, are argparse's.
"""

from __future__ import annotations

from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any, NoReturn

    Declared = tuple[str, tuple[str, ...], dict[str, Any]]
    """The title of the group, the names, and the rest of what `add_argument` was given."""

KNOWN = frozenset(("action", "choices", "default", "dest", "help", "metavar", "nargs", "type"))
"""What is understood here of what `add_argument` takes; of actions `append` and `store_true`, of `nargs` those of one operand."""


class Parser:
    """An argument parser whose errors are one sentence, like all others."""

    def __init__(self, command: str, description: str) -> None:
        self.command = command
        self.description = description
        self.declared: list[Declared] = []

    def add_argument(self, *names: str, **options: Any) -> None:
        """As `argparse.ArgumentParser.add_argument`."""
        self.declared.append(("", names, options))

    def add_argument_group(self, title: str) -> Group:
        """As `argparse.ArgumentParser.add_argument_group`."""
        return Group(self, title)

    def parse_args(self, arguments: list[str]) -> Options:
        """The values as attributes. Raises `UsageError`; prints help and ends the process where it is asked for."""
        values = self._plain(arguments)
        return Values(values) if values is not None else self._whole().parse_intermixed_args(arguments)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with where to read more."""
        raise UsageError(f"{message} (`dfkit {self.command} --help` says more)")

    def _plain(self, arguments: list[str]) -> dict[str, Any] | None:
        """The values by name, None where argparse must look."""
        options: dict[str, tuple[str, dict[str, Any]]] = {}
        operands: list[tuple[str, dict[str, Any]]] = []
        values: dict[str, Any] = {}
        for _, names, declared in self.declared:
            if not KNOWN.issuperset(declared):
                return None
            name = declared.get("dest") or _destination(names)
            values[name] = declared.get("default", False if declared.get("action") == "store_true" else None)
            if names[0].startswith("-"):
                options.update(dict.fromkeys(names, (name, declared)))
            else:
                operands.append((name, declared))
        words = iter(arguments)
        given: list[str] = []
        for word in words:
            if not word.startswith("-") or word == "-":
                given.append(word)
                continue
            flag, equals, text = word.partition("=") if word.startswith("--") else (word, "", "")
            if flag not in options or text == "--":
                return None
            name, declared = options[flag]
            if declared.get("action") == "store_true":
                if equals:
                    return None
                values[name] = True
                continue
            if not equals:
                text = next(words, "-?")
                if text.startswith("-") and text != "-":
                    return None
            value = _value(text, declared)
            if value is None:
                return None
            values[name] = [*(values[name] or ()), value] if declared.get("action") == "append" else value
        return values if _take(given, operands, values) else None

    def _whole(self) -> ArgumentParser:
        """The same for argparse."""
        from argparse import ArgumentParser

        parser = ArgumentParser(prog=f"dfkit {self.command}", description=self.description, allow_abbrev=False)
        parser.error = self.error  # type: ignore[method-assign]
        groups: dict[str, Any] = {"": parser}
        for title, names, options in self.declared:
            if title not in groups:
                groups[title] = parser.add_argument_group(title)
            groups[title].add_argument(*names, **options)
        return parser


class Group:
    """Options that stand under a title in the help."""

    def __init__(self, parser: Parser, title: str) -> None:
        self.parser = parser
        self.title = title

    def add_argument(self, *names: str, **options: Any) -> None:
        """As `argparse.ArgumentParser.add_argument`."""
        self.parser.declared.append((self.title, names, options))


class Values:
    """The values of a command line as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


if TYPE_CHECKING:
    Options = Values | Namespace
    """What `Parser.parse_args` gives."""


def _destination(names: tuple[str, ...]) -> str:
    """The attribute's name: that of the first long option, else of the first."""
    name = next((name for name in names if name.startswith("--")), names[0])
    return name.lstrip("-").replace("-", "_") if name.startswith("-") else name


def _value(text: str, declared: dict[str, Any]) -> Any:
    """A text as its declaration wants it; None where it is wrong."""
    value = text
    if "type" in declared:
        try:
            value = declared["type"](text)
        except (TypeError, ValueError):
            return None
    return None if "choices" in declared and value not in declared["choices"] else value


def _take(given: list[str], operands: list[tuple[str, dict[str, Any]]], values: dict[str, Any]) -> bool:
    """Give operands their words; False where these are too few, too many or wrong."""
    if not operands:
        return not given
    for name, declared in operands[:-1]:
        value = _value(given.pop(0), declared) if given and "nargs" not in declared else None
        if value is None:
            return False
        values[name] = value
    name, declared = operands[-1]
    count = declared.get("nargs")
    if not given:
        return count in ("?", "*")
    found = [_value(text, declared) for text in given]
    if None in found or (count not in ("*", "+") and len(found) > 1):
        return False
    values[name] = found if count in ("*", "+") else found[0]
    return True
