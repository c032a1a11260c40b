"""Lint files: read, parse, understand, check."""

from __future__ import annotations

from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings
from dfkit.workflow.read import context_folder, find, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dfkit.catalog import Selection
    from dfkit.lint import Report
    from dfkit.text import Source

DEFAULT = Settings()

AHEAD = 200
"""How many files are read before the first is done."""


def _ignore(_sentence: str) -> None:
    pass


def selection(settings: Settings = DEFAULT, rule_folders: Sequence[str] = ()) -> Selection:
    """The rules that settings choose, from dfkit's own and those of more folders. Raises `UsageError`."""
    from dfkit.catalog import Catalog, select

    return select(Catalog.load(tuple(rule_folders)), settings)


def lint_source(
    source: Source,
    rules: Selection,
    settings: Settings = DEFAULT,
    *,
    build_args: Mapping[str, str] | None = None,
    notify: Callable[[str], None] = _ignore,
) -> Report:
    """The findings in one text."""
    return lint_model(Model(parse(source), build_args=build_args), rules, settings, notify=notify)


def lint_model(
    model: Model, rules: Selection, settings: Settings = DEFAULT, *, notify: Callable[[str], None] = _ignore
) -> Report:
    """The findings in a file that is parsed already."""
    (report,) = lint_models((model,), rules, settings, notify=notify)
    return report


def lint_paths(
    paths: Iterable[str],
    rules: Selection,
    settings: Settings = DEFAULT,
    *,
    build_args: Mapping[str, str] | None = None,
    notify: Callable[[str], None] = _ignore,
) -> Iterator[Report]:
    """The findings of each file; folders stand for the Dockerfiles in them, `-` for standard input. Raises `UsageError`."""
    fragment = settings.profile == "hadolint"
    models = (Model(parse(read(path)), build_args=build_args, fragment=fragment) for path in find(paths))
    return lint_models(models, rules, settings, notify=notify)


def lint_models(
    models: Iterable[Model], rules: Selection, settings: Settings = DEFAULT, *, notify: Callable[[str], None] = _ignore
) -> Iterator[Report]:
    """The findings in files that are parsed already. ShellCheck is at work on the next files' scripts while rules look at a file.

    `notify` is told, in a sentence, why ShellCheck could not be used.
    """
    from dfkit.lint import Linter
    from dfkit.lint.shellcheck import ShellCheck

    shellcheck = ShellCheck(settings, notify)
    linter = Linter(rules, settings)

    def report(model: Model) -> Report:
        return linter.within(context_folder(model, settings.context)).report(model, shellcheck.findings)

    waiting: list[Model] = []
    try:
        for model in models:
            shellcheck.submit(model)
            waiting.append(model)
            while shellcheck.is_busy or len(waiting) > AHEAD:
                yield report(waiting.pop(0))
        shellcheck.start()
        while waiting:
            yield report(waiting.pop(0))
    finally:
        shellcheck.close()
