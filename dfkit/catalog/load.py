"""From the YAML files of a folder to rules.

Slow, and only done to compile them. Whatever is wrong with a file is a `RuleError` that names the file and the line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from dfkit._record import replace
from dfkit.catalog.rule import BLOCKS, BUILTIN, NONE, OFF, ON, Documentation, Example, Rule
from dfkit.catalog.signature import BindingError, Signature, signature
from dfkit.errors import UsageError
from dfkit.text import DISPLAY, SAFE, SEVERITIES, UNSAFE
from dfkit.text.settings import PROFILES, Settings

BASE = "FROM debian:12\n"
"""What an example without a FROM stands under."""

FIXES = (SAFE, UNSAFE, DISPLAY, NONE)
REQUIRED = ("code", "summary", "severity", "fix", "since", "why", "examples")
KEYS = (
    "code", "also", "summary", "severity", "fix", "declares", "gain", "tags", "since", "why",
    "uses", "with", "profiles", "examples",
)  # fmt: skip
EXAMPLE_KEYS = ("bad", "good", "at", "fixed", "files", "options")

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_CODE = re.compile(r"[A-Z]{2,}[0-9]{3,5}")
_FROM = re.compile(r"^[ \t]*FROM\s", re.IGNORECASE | re.MULTILINE)


class RuleError(UsageError):
    """A rule file is wrong; the message starts with `path:line: `."""


def load(folder: str) -> list[tuple[Rule, Documentation]]:
    """The rules of a folder and of the folders in it, sorted by path.

    Raises `RuleError` if a file cannot be read as a rule, or two rules share a name or a code.
    """
    found: list[tuple[Rule, Documentation]] = []
    seen: dict[str, str] = {}
    for path in files(folder):
        rule, documentation = read(os.path.join(folder, path), path)
        for key in (rule.name, rule.code):
            if key in seen:
                raise RuleError(f"{os.path.join(folder, path)}:1: `{key}` is the name or code of {seen[key]} already")
            seen[key] = path
        found.append((rule, documentation))
    return found


def files(folder: str) -> list[str]:
    """The paths of a folder's rule files, relative to it, with `/`, sorted."""
    found = []
    for base, folders, names in os.walk(folder):
        folders.sort()
        found += [os.path.join(base, name) for name in names if name.endswith((".yaml", ".yml"))]
    return sorted(os.path.relpath(path, folder).replace(os.sep, "/") for path in found)


def is_name(name: str) -> bool:
    """Whether a rule can have this name: words in lower case joined by `-`."""
    return _NAME.fullmatch(name) is not None


def read(path: str, relative: str | None = None) -> tuple[Rule, Documentation]:
    """One rule file. `relative` is its path in the folder of the rules: the first part is the rule's subject.

    Raises `RuleError`.
    """
    relative = relative or os.path.basename(path)
    return _Reader(path, relative).rule()


def _yaml(path: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        with open(path, encoding="utf-8") as file:
            return YAML(typ="rt").load(file)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {error.problem or error.context}") from None
    except UnicodeDecodeError:
        raise RuleError(f"{path}:1: a rule file is UTF-8 text") from None


class _Reader:
    """Reads one file; every step knows the line it reads."""

    def __init__(self, path: str, relative: str) -> None:
        self.path = path
        self.relative = relative
        self.root = _yaml(path)

    def rule(self) -> tuple[Rule, Documentation]:
        root = self.mapping(self.root, 1, "a rule file")
        self.keys(root, KEYS, "a rule")
        for key in REQUIRED:
            if key not in root:
                self.wrong(1, f"a rule needs `{key}`")
        name = os.path.splitext(os.path.basename(self.path))[0]
        if not is_name(name):
            self.wrong(1, f"`{name}` cannot name a rule: use words in lower case joined by `-`")
        fix = self.one_of(root, "fix", FIXES)
        called = self.check(root, name)
        rule = Rule(
            name,
            self.code(root),
            self.string(root, "summary"),
            self.one_of(root, "severity", SEVERITIES),  # type: ignore[arg-type]
            fix,
            self.string(root, "uses") if "uses" in root else "",
            self.parameters(root, called),
            called.nodes if called else (),
            (),
            self.also(root),
            self.strings(root, "tags"),
            self.profiles(root),
            self.declares(root, fix),
        )
        if called is not None:
            rule = replace(rule, programs=called.programs(dict(rule.parameters)))
        rule = replace(rule, variations=self.variations(rule, root, called))
        why = self.string(root, "why").strip()
        gain = self.string(root, "gain").strip() if "gain" in root else ""
        return rule, Documentation(why, gain, self.string(root, "since"), self.relative, self.examples(root))

    # --- the parts of a rule

    def code(self, root: Any) -> str:
        code = self.string(root, "code")
        if not _CODE.fullmatch(code):
            self.wrong(self.line(root, "code"), f"`{code}` is no code: use capitals and a number, such as `ACME001`")
        if code.startswith("DF"):
            folder = self.relative.split("/")[0]
            first = BLOCKS.get(folder)
            if first is None:
                self.wrong(self.line(root, "code"), "codes with `DF` are dfkit's own: give the rule another prefix")
            if not first <= int(code[2:]) < first + 100:
                self.wrong(self.line(root, "code"), f"the codes of {folder}/ are DF{first} to DF{first + 99}")
        return code

    def check(self, root: Any, name: str) -> Signature | None:
        if "uses" not in root:
            if name not in BUILTIN:
                self.wrong(1, "a rule needs `uses`: the check that finds it, as `module.function`")
            return None
        try:
            return signature(self.string(root, "uses"))
        except BindingError as error:
            self.wrong(self.line(root, "uses"), str(error))

    def parameters(self, root: Any, called: Signature | None) -> tuple[tuple[str, Any], ...]:
        bound = self.bound(root, called)
        if called is not None and (missing := called.missing(dict(bound))):
            self.wrong(self.line(root, "with" if "with" in root else "uses"), f"`{called.uses}` needs `{missing}` in `with`")
        return bound

    def variations(self, rule: Rule, root: Any, called: Signature | None) -> tuple[tuple[str, Any], ...]:
        """What a profile checks instead: with another check its own parameters only, else those that it changes."""
        found = []
        profiles = root.get("profiles", {})
        for name in profiles:
            profile = profiles[name]
            if not isinstance(profile, Mapping) or not ("uses" in profile or "with" in profile):
                continue
            if "uses" in profile:
                used = self.check(profile, rule.name)
                bound = dict(self.parameters(profile, used))
            else:
                used = called
                bound = {**dict(rule.parameters), **dict(self.bound(profile, called))}
            if used is not None:
                found.append((str(name), (used.uses, tuple(bound.items()), used.nodes, used.programs(bound))))
        return tuple(found)

    def bound(self, root: Any, called: Signature | None) -> tuple[tuple[str, Any], ...]:
        given = self.mapping(root.get("with", {}), self.line(root, "with"), "`with`")
        if called is None:
            if given:
                self.wrong(self.line(root, "with"), "a rule without `uses` has no `with`")
            return ()
        bound = []
        for key in given:
            try:
                bound.append((str(key), called.value(str(key), _plain(given[key]))))
            except BindingError as error:
                self.wrong(self.line(given, key), str(error))
        return tuple(bound)

    def also(self, root: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        also = self.mapping(root.get("also", {}), self.line(root, "also"), "`also`")
        return tuple([(str(tool), self.strings(also, tool)) for tool in also])

    def declares(self, root: Any, fix: str) -> tuple[str, ...]:
        for key in ("declares", "gain"):
            if key in root and fix == NONE:
                self.wrong(self.line(root, key), f"a rule without a fix has no `{key}`")
        return self.strings(root, "declares")

    def profiles(self, root: Any) -> tuple[tuple[str, str], ...]:
        profiles = self.mapping(root.get("profiles", {}), self.line(root, "profiles"), "`profiles`")
        found = []
        for profile in profiles:
            line = self.line(profiles, profile)
            if profile not in PROFILES:
                self.wrong(line, f"`{profile}` is no profile: they are {_listed(PROFILES)}")
            value = _plain(profiles[profile])
            if isinstance(value, dict):
                self.keys(profiles[profile], ("severity", "uses", "with", "selected_only"), "a profile")
                stated = self.one_of(profiles[profile], "severity", SEVERITIES) if "severity" in value else ON
                value = OFF if value.get("selected_only") else stated
            elif value not in (ON, OFF):
                self.wrong(line, f"a profile is `on`, `off` or `severity: …`, not `{value}`")
            found.append((str(profile), value))
        return tuple(found)

    def examples(self, root: Any) -> tuple[Example, ...]:
        examples = root["examples"]
        if not isinstance(examples, list):
            self.wrong(self.line(root, "examples"), "`examples` is a list")
        return tuple([self.example(each, examples.lc.item(i)[0] + 1) for i, each in enumerate(examples)])  # type: ignore[attr-defined]

    def example(self, item: Any, line: int) -> Example:
        example = self.mapping(item, line, "an example")
        self.keys(example, EXAMPLE_KEYS, "an example")
        if ("bad" in example) == ("good" in example):
            self.wrong(line, "an example has a `bad` or a `good` Dockerfile")
        bad = "bad" in example
        for key in ("at", "fixed"):
            if key in example and not bad:
                self.wrong(self.line(example, key), f"a `good` example has no `{key}`")
        options = self.mapping(example.get("options", {}), line, "`options`")
        self.keys(options, Settings._fields, "`options`")
        context = self.mapping(example.get("files", {}), line, "`files`")
        text = self.string(example, "bad" if bad else "good")
        under = "" if _FROM.search(text) else BASE
        return Example(
            _whole(under, text),
            bad,
            self.string(example, "at").removesuffix("\n") if "at" in example else None,
            _whole(under, self.string(example, "fixed")) if "fixed" in example else None,
            tuple([(str(path), self.string(context, path)) for path in context]),
            tuple([(str(key), _tuples(_plain(options[key]))) for key in options]),
            line,
        )

    # --- values, each with its line

    def wrong(self, line: int, message: str) -> NoReturn:
        raise RuleError(f"{self.path}:{line}: {message}")

    @staticmethod
    def line(mapping: Any, key: Any) -> int:
        return int(mapping.lc.key(key)[0]) + 1 if key in mapping else 1

    def keys(self, mapping: Any, allowed: Sequence[str], what: str) -> None:
        for key in mapping:
            if key not in allowed:
                self.wrong(self.line(mapping, key), f"{what} has no `{key}`: there are {_listed(allowed)}")

    def mapping(self, value: Any, line: int, what: str) -> Any:
        if not isinstance(value, Mapping):
            self.wrong(line, f"{what} is a mapping of keys to values")
        return value

    def string(self, mapping: Any, key: Any) -> str:
        value = mapping[key]
        if not isinstance(value, str):
            self.wrong(self.line(mapping, key), f"`{key}` is a text; put it in quotes")
        return str(value)

    def strings(self, mapping: Any, key: Any) -> tuple[str, ...]:
        """A list of texts, or one text alone; none if the key is missing."""
        value = _plain(mapping.get(key, []))
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(self.line(mapping, key), f"`{key}` is a list of texts")
        return tuple(value)

    def one_of(self, mapping: Any, key: str, allowed: Sequence[str]) -> str:
        value = self.string(mapping, key)
        if value not in allowed:
            self.wrong(self.line(mapping, key), f"`{key}` is {_listed(allowed)}, not `{value}`")
        return value


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _whole(under: str, text: str) -> str:
    return under + text.rstrip("\n") + "\n"


def _plain(value: Any) -> Any:
    """A value that YAML gave, as plain dicts, lists, strings, numbers and booleans."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _tuples(value: Any) -> Any:
    """Lists as tuples, and mappings as tuples of pairs: the shapes of `Settings`."""
    if isinstance(value, dict):
        return tuple((key, _tuples(item)) for key, item in value.items())
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
