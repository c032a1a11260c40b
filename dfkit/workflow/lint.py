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
    from dfkit.lint import Linter, Report
    from dfkit.text import Diagnostic, Source
    from dfkit.workflow.configure import Plan, Planner

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
    return lint_model(_model(source, settings, build_args), rules, settings, notify=notify)


def lint_model(
    model: Model, rules: Selection, settings: Settings = DEFAULT, *, notify: Callable[[str], None] = _ignore
) -> Report:
    """The findings in a file that is parsed already."""
    (report,) = lint_models((model,), lambda: rules, settings, notify=notify)
    return report


def lint_paths(
    paths: Iterable[str], planner: Planner, *, notify: Callable[[str], None] = _ignore
) -> Iterator[tuple[Report, Plan]]:
    """The findings of each file, and how it was linted; folders stand for the Dockerfiles in them, `-` for standard input.

    Raises `UsageError`.
    """
    said: set[str] = set()

    def once(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            notify(sentence)

    planned = [(path, planner.plan(path)) for path in find(paths)]
    while planned:
        plan = planned[0][1]
        count = next((index for index, (_, each) in enumerate(planned) if each is not plan), len(planned))
        models = (_model(read(path), plan.settings, plan.build_args) for path, _ in planned[:count])
        for report in lint_models(models, plan.rules, plan.settings, notify=once):
            yield report, plan
        del planned[:count]


def _model(source: Source, settings: Settings, build_args: Mapping[str, str] | None) -> Model:
    if settings.profile == "hadolint":
        from dfkit.checks.hadolint.scripts import scripts

        return Model(parse(source), build_args=build_args, fragment=True, read_scripts=scripts)
    return Model(parse(source), build_args=build_args)


def lint_models(
    models: Iterable[Model],
    rules: Callable[[], Selection],
    settings: Settings = DEFAULT,
    *,
    notify: Callable[[str], None] = _ignore,
) -> Iterator[Report]:
    """The findings in files that are parsed already. ShellCheck is at work on scripts while rules look at files.

    `rules` is called when the first scripts are with ShellCheck. `notify` is told, in a sentence, why ShellCheck could not be used.
    """
    from dfkit.lint.shellcheck import ShellCheck

    shellcheck = ShellCheck(settings, notify)
    linter: Linter | None = None
    waiting: list[Model] = []
    examined: list[list[Diagnostic]] = []
    """What the rules found in the first of those that wait."""

    def go_on() -> Report | None:
        """Let the rules look at the next file; if they have seen all, report on the first."""
        nonlocal linter
        if linter is None:
            from dfkit.lint import Linter

            linter = Linter(rules(), settings)
        if len(examined) < len(waiting):
            model = waiting[len(examined)]
            examined.append(linter.within(context_folder(model, settings.context)).examine(model))
            return None
        model = waiting.pop(0)
        return linter.report(model, [*examined.pop(0), *shellcheck.findings(model)])

    try:
        for model in models:
            shellcheck.submit(model)
            waiting.append(model)
            while shellcheck.is_busy or len(waiting) > AHEAD:
                if report := go_on():
                    yield report
        shellcheck.start()
        while waiting:
            if report := go_on():
                yield report
    finally:
        shellcheck.close()
