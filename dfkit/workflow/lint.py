"""Lint files: read, parse, understand, check."""

from __future__ import annotations

from dfkit._record import replace
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings
from dfkit.workflow.read import context_folder, find, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dfkit.catalog import Selection
    from dfkit.lint import Report
    from dfkit.text import Source

DEFAULT = Settings()


def selection(settings: Settings = DEFAULT, rule_folders: Sequence[str] = ()) -> Selection:
    """The rules that settings choose, from dfkit's own and those of more folders. Raises `UsageError`."""
    from dfkit.catalog import Catalog, select

    return select(Catalog.load(tuple(rule_folders)), settings)


def lint_source(
    source: Source, rules: Selection, settings: Settings = DEFAULT, *, build_args: Mapping[str, str] | None = None
) -> Report:
    """The findings in one text."""
    return lint_model(Model(parse(source), build_args=build_args), rules, settings)


def lint_model(model: Model, rules: Selection, settings: Settings = DEFAULT) -> Report:
    """The findings in a file that is parsed already."""
    from dfkit.lint import Linter

    context = context_folder(model, settings.context)
    return Linter(rules, replace(settings, context=context)).report(model)


def lint_paths(
    paths: Iterable[str], rules: Selection, settings: Settings = DEFAULT, *, build_args: Mapping[str, str] | None = None
) -> Iterator[Report]:
    """The findings of each file; folders stand for the Dockerfiles in them, `-` for standard input. Raises `UsageError`."""
    for path in find(paths):
        yield lint_source(read(path), rules, settings, build_args=build_args)
