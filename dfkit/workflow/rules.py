"""Rules of one's own: a file to begin with, and whether the examples of rule files are found as they say."""

from __future__ import annotations

import os

from dfkit._record import Record
from dfkit.catalog import Catalog, Selection
from dfkit.catalog.load import RuleError, files, read
from dfkit.catalog.rule import NONE
from dfkit.errors import UsageError
from dfkit.fix import fix
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import DISPLAY, Source, apply
from dfkit.text.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.catalog import Example, Rule
    from dfkit.text import Diagnostic

TEMPLATE = """\
# A rule of your own. `dfkit rule test {file}` tries its examples, `dfkit lint --rules {folder}` uses it.
code: ACME001            # capitals and a number of your own; it may be ignored and selected by this and by the file's name
summary: "`telnet` has no place in an image"      # what is wrong and what to do, in a sentence without its full stop
severity: warning        # error, warning, info or style
fix: none                # safe, unsafe or none: how far the fix can be trusted; only some checks can fix
tags: [shell]
since: 0.1.0             # the version of your rules that has it first
why: |
  What happens if nobody cares. The first sentence is shown with a finding.
uses: commands.forbidden             # the check: `dfkit rules --checks` lists them
with: {{programs: [telnet]}}           # its parameters; a mistyped one is an error with its line
examples:                # what stands under no FROM is taken to stand under FROM debian:12
  - bad: RUN telnet example.com 25
    at: telnet           # the exact text that is marked
  - good: RUN apt-get install -y telnet
  - good: |
      RUN echo telnet \\
          # a comment in between
          && true
"""


class Failure(Record):
    """An example that is not found as its rule file says: where it stands in the file, what was expected, what came."""

    path: str
    line: int
    rule: str
    expected: str
    actual: str


def new(name: str, folder: str) -> str:
    """Write a rule file to begin with and give its path. Raises `UsageError` for a name that is none, or a file that is there."""
    from dfkit.catalog.load import is_name
    from dfkit.workflow.write import put

    if not is_name(name):
        raise UsageError(f"`{name}` cannot name a rule: use words in lower case joined by `-`, such as `telnet-in-image`")
    path = os.path.join(folder, f"{name}.yaml")
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already")
    if not os.path.isdir(folder or "."):
        raise UsageError(f"the folder {folder} does not exist: make it first")
    put(path, TEMPLATE.format(file=path, folder=folder or "."))
    return path


def load(path: str) -> list[tuple[str, Rule, tuple[Example, ...]]]:
    """The rules of a file or folder, each with its path and examples. Raises `UsageError`."""
    if os.path.isdir(path):
        paths = [os.path.join(path, each) for each in files(path)]
        if not paths:
            raise UsageError(f"{path}: there is no rule file in this folder")
    elif os.path.isfile(path):
        paths = [path]
    else:
        raise UsageError(f"{path}: there is no such file")
    found = []
    known: dict[str, str] = {}
    for each in paths:
        # The folder that a rule stands in is its subject.
        folder = os.path.basename(os.path.dirname(os.path.abspath(each)))
        rule, documentation = read(each, f"{folder}/{os.path.basename(each)}")
        for key in (rule.name, rule.code):
            if known.setdefault(key, each) != each:
                raise RuleError(f"{each}:1: `{key}` is the name or code of {known[key]} already")
        found.append((each, rule, documentation.examples))
    return found


def failures(path: str, rule: Rule, examples: tuple[Example, ...]) -> Iterator[Failure]:
    """The examples of a rule that are not found as they say: bad ones once at `at:`, good ones not, and fixed ones as in `fixed:`."""
    import tempfile

    others = [each for each in Catalog.load().rules if each.name != rule.name]
    alone = Selection(Catalog((*others, rule)), (rule,))
    for example in examples:
        with tempfile.TemporaryDirectory() as folder:
            for expected, actual in _differences(alone, example, _settings(example, folder)):
                yield Failure(path, example.line, rule.name, expected, actual)


def _settings(example: Example, folder: str) -> Settings:
    options = dict(example.options)
    for path, content in example.files:
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(content)
    return Settings(**{**options, "context": folder} if example.files else options)


def _differences(alone: Selection, example: Example, settings: Settings) -> Iterator[tuple[str, str]]:
    (rule,) = alone

    def find(text: str) -> list[Diagnostic]:
        return lint(Model(parse(text)), alone, settings)

    found = find(example.text)
    if not example.bad:
        if found:
            yield "nothing is found", _places(found, example.text)
        return
    if len(found) != 1:
        yield "one finding" + (f" at `{example.at}`" if example.at is not None else ""), _places(found, example.text)
        return
    marked = example.text[found[0].span.start : found[0].span.end]
    if example.at is not None and marked != example.at:
        yield f"a finding at `{example.at}`", _places(found, example.text)
    if example.fixed is not None:
        yield from _fixed(rule, example, found[0], find)


def _fixed(rule: Rule, example: Example, found: Diagnostic, find: object) -> Iterator[tuple[str, str]]:
    if found.fix is None or rule.fix == NONE:
        yield "a fix", "there is none"
        return
    if rule.fix == DISPLAY:
        text = apply(example.text, found.fix.edits)
    else:
        text = fix(example.text, find, allowed={rule.name}).text  # type: ignore[arg-type]
    if text != example.fixed:
        yield f"the fix gives\n{_indented(example.fixed or '')}", f"it gives\n{_indented(text)}"


def _places(found: list[Diagnostic], text: str) -> str:
    if not found:
        return "nothing is found"
    source = Source(text)
    places = []
    for each in found:
        at = source.position(each.span.start)
        places.append(f"`{source.slice(each.span)}` (line {at.line}, column {at.column}): {each.message}")
    return "; ".join(places)


def _indented(text: str) -> str:
    return "\n".join([f"    {line}" for line in text.rstrip("\n").split("\n")])
