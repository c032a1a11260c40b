"""All rules there are: dfkit's own and those of the user's folders."""

from __future__ import annotations

import marshal
import os

from dfkit import __version__, _data
from dfkit.catalog.rule import SHELLCHECK, Documentation, Example, Rule
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dfkit.catalog.names import Names

RULES, TEXTS = "rules.marshal", "rules-texts.marshal"
"""The compiled rules in a wheel: the two files that `dfkit.catalog.compile.compile_folder` makes."""


class Catalog:
    """Rules, and where to read about them."""

    def __init__(self, rules: Iterable[Rule], texts: Sequence[str | bytes] = ()) -> None:
        """`texts` are the compiled documentation: the paths of files, or their content."""
        self.rules = tuple(rules)
        self._sources = tuple(texts)
        self._names: Names | None = None
        self._texts: dict[str, bytes] | None = None

    @classmethod
    def load(cls, folders: Sequence[str] = ()) -> Catalog:
        """Dfkit's rules, and those of more folders. Rules are compiled if they changed since they were last.

        Raises `dfkit.errors.UsageError` if a folder is missing, a rule file is wrong, or a rule has the name or code of another.
        """
        rules: list[Rule] = []
        texts = []
        for folder in (None, *folders):
            hot, text = _compiled(folder)
            rules += [Rule(*fields) for fields in marshal.loads(_content(hot))]
            texts.append(text)
        if folders:
            _check_distinct(rules)
        return cls(rules, texts)

    @property
    def names(self) -> Names:
        """The rules by all their names."""
        if self._names is None:
            from dfkit.catalog.names import Names

            self._names = Names(self.rules)
        return self._names

    def find(self, name: str) -> tuple[Rule, ...]:
        """The rules that a name, code or alias stands for. Raises `dfkit.errors.UsageError` if there are none."""
        found = self.names.find(name)
        rules = tuple([rule for rule in self.rules if rule.name in found])
        if not rules:
            raise UsageError(self.unknown(name))
        return rules

    def unknown(self, name: str) -> str:
        """What to say about a name that is not known."""
        if any(code.startswith("SC") for code in self.names.find(name)):
            return f"{name} is a finding of ShellCheck's: see {_wiki(name)}"
        near = self.names.nearest(name)
        return f"there is no rule `{name}`" + (f"; did you mean `{near}`?" if near else "")

    def documentation(self, name: str) -> Documentation | None:
        """What is written about a rule of this name; None for a rule that was not loaded from a file."""
        if self._texts is None:
            self._texts = {}
            for source in self._sources:
                self._texts |= marshal.loads(_content(source))
        if name.startswith(SHELLCHECK):
            return Documentation(_wiki(name), "", "0.1.0", "", ())
        fields = self._texts.get(name)
        if fields is None:
            return None
        why, gain, since, path, examples = marshal.loads(fields)
        return Documentation(why, gain, since, path, tuple([Example(*example) for example in examples]))


def _wiki(name: str) -> str:
    """ShellCheck's own page on one of its findings."""
    return f"https://www.shellcheck.net/wiki/{name.lower().removeprefix(SHELLCHECK).upper()}"


def _check_distinct(rules: Sequence[Rule]) -> None:
    seen = set()
    for rule in rules:
        for key in (rule.name, rule.code):
            if key in seen:
                raise UsageError(f"two rules are called `{key}`: rename the one in your own folder")
            seen.add(key)


def _compiled(folder: str | None) -> tuple[str | bytes, str | bytes]:
    """A folder's compiled rules and texts (None: dfkit's own), made if they are missing: paths, or content not yet kept."""
    if folder is None:
        packaged = _data.compiled(RULES), _data.compiled(TEXTS)
        if packaged[0] and packaged[1]:
            return packaged[0], packaged[1]
        folder = _data.folder("rules")
    elif not os.path.isdir(folder):
        raise UsageError(f"the rule folder {folder} does not exist")
    digest = _digest(folder)
    paths = _data.cache(f"rules-{digest}"), _data.cache(f"rules-texts-{digest}")
    if os.path.isfile(paths[0]) and os.path.isfile(paths[1]):
        return paths
    from dfkit.catalog.compile import compile_folder

    made = compile_folder(folder)
    for path, data in zip(paths, made, strict=True):
        _data.write(path, data)
    return made


def _content(source: str | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    with open(source, "rb") as file:
        return file.read()


def _digest(folder: str) -> str:
    """Of everything that compiled rules depend on: the rule files, the checks they are bound to, and this room."""
    here = os.path.dirname(os.path.abspath(__file__))
    stamps = [
        _data.stamp(root, (".yaml", ".yml", ".py")) for root in (folder, here, os.path.join(os.path.dirname(here), "checks"))
    ]
    return _data.digest(__version__, *stamps)
