"""How each file is linted: what its configuration and the command line say, put together.

The command line goes before the file, and in the profile `hadolint` the file before hadolint's environment variables, and these
before its file. Lists of rules are joined; there `ignore` is replaced, as hadolint does.
"""

from __future__ import annotations

import os

from dfkit._record import replace
from dfkit.project.config import EMPTY, Config, ConfigError, nearest
from dfkit.text import INFO, WARNING
from dfkit.text.settings import Settings
from dfkit.workflow.read import STDIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from dfkit.catalog import Catalog, Selection

_JOINED = ("select", "ignore", "severity", "rule_folders", "build_args")
"""Settings of which the command line's come after the file's."""
_CAN_BE_WRONG = ("profile", "select", "ignore", "severity", "rule_folders")
"""Settings of which the rules tell whether they are right."""
_PATHS = ("rule_folders", "context")
"""Settings that name files and folders."""


class Plan:
    """How a file is linted."""

    def __init__(
        self,
        settings: Settings,
        threshold: str,
        build_args: Mapping[str, str],
        values: Mapping[str, Any],
        rules: Callable[[], Selection],
    ) -> None:
        """`rules` loads the rules, once they are needed."""
        self.settings = settings
        self.threshold = threshold
        """From which severity on a finding is a failure."""
        self.build_args = build_args
        self.values = values
        """All settings that something says."""
        self._load = rules
        self._rules: Selection | None = None

    def rules(self) -> Selection:
        """The rules that the settings choose. Raises `UsageError` for a name that is no rule's, or a rule file that is wrong."""
        if self._rules is None:
            self._rules = self._load()
        return self._rules


class Planner:
    """Finds and reads the configuration of files. Each file is read once, and each selection of rules is made once."""

    def __init__(self, given: Config = EMPTY, *, config: str | None = None, discover: bool = True) -> None:
        """`given` is what the command line says. `config` is the file for all; else with `discover` each file's nearest counts."""
        self._given = given
        self._config = config
        self._discover = discover
        self._nearest: dict[str, str | None] = {}
        self._read: dict[str, Config] = {}
        self._catalogs: dict[tuple[str, ...], Catalog] = {}
        self._plans: dict[tuple[str | None, tuple[str, ...]], Plan] = {}

    def plan(self, path: str) -> Plan:
        """How a file (`-`: standard input, configured as a file of the current folder) is linted. Raises `UsageError`."""
        found = self._config
        if found is None and self._discover:
            found = nearest("." if path == STDIN else os.path.dirname(path) or ".", self._nearest)
            found = _shown(found) if found is not None else None
        layers = self._layers(found)
        ignored = _ignored(layers, path)
        key = (found, ignored)
        if key not in self._plans:
            self._plans[key] = self._make(layers, ignored)
        return self._plans[key]

    def _layers(self, path: str | None) -> tuple[Config, ...]:
        """What configures a file, the most general first."""
        config = self._file(path) if path is not None else EMPTY
        layers = (config, self._given)
        if _last(layers, "profile", "recommended") != "hadolint":
            return layers
        from dfkit.project import hadolint

        environment = hadolint.from_environment(os.environ)
        if self._config is not None or not self._discover:
            return (config, environment, self._given)
        theirs = hadolint.find(os.environ)
        return (self._file(theirs, theirs=True) if theirs is not None else EMPTY, environment, config, self._given)

    def _file(self, path: str, *, theirs: bool = False) -> Config:
        if path not in self._read:
            if not theirs and path == self._config and self._given.values.get("profile") == "hadolint":
                from dfkit.project import hadolint

                theirs = hadolint.is_hadolints(path)
            if theirs:
                from dfkit.project import hadolint

                self._read[path] = hadolint.read(path)
            else:
                from dfkit.project.reader import read

                self._read[path] = _beside(read(path))
        return self._read[path]

    def _make(self, layers: tuple[Config, ...], ignored: tuple[str, ...]) -> Plan:
        values = _merged(layers)
        profile = values.get("profile", "recommended")
        overridden = values.get("severity", ())
        # hadolint runs a rule that is off as soon as it is given a severity.
        turned_on = tuple([name for name, _ in overridden]) if profile == "hadolint" else ()
        settings = Settings(
            profile=profile,
            select=(*values.get("select", ()), *turned_on),
            ignore=(*values.get("ignore", ()), *ignored),
            severities=overridden,
            ignore_comments=values.get("ignore_comments", True),
            allowed_registries=values.get("allowed_registries", ()),
            labels=values.get("labels", ()),
            strict_labels=values.get("strict_labels", False),
            shellcheck=values.get("shellcheck", True),
            context=values.get("context"),
            check=values.get("check", ""),
        )
        threshold = values.get("failure_threshold", INFO if profile == "hadolint" else WARNING)
        if values.get("no_fail"):
            threshold = "none"
        build_args = dict(values.get("build_args", ()))
        folders = values.get("rule_folders", ())
        plan = Plan(settings, threshold, build_args, values, lambda: self._select(layers, settings, folders))
        if any(values.get(key) for key in _CAN_BE_WRONG) or ignored:
            plan.rules()  # a mistake is said before a file is read, above all standard input
        return plan

    def _select(self, layers: tuple[Config, ...], settings: Settings, folders: tuple[str, ...]) -> Selection:
        from dfkit.catalog import select

        catalog = self._catalog(folders)
        _check_names(layers, catalog)
        return select(catalog, settings)

    def _catalog(self, folders: tuple[str, ...]) -> Catalog:
        if folders not in self._catalogs:
            from dfkit.catalog import Catalog

            self._catalogs[folders] = Catalog.load(folders)
        return self._catalogs[folders]


def rewriting(
    context: str | None = None, build_args: Mapping[str, str] | None = None, *, config: str | None = None, discover: bool = True
) -> Planner:
    """How files are rewritten: the configuration chooses rules as for lint, but for its profile, which says what is reported."""
    values = {"profile": "recommended", "build_args": tuple((build_args or {}).items()), "context": context}
    return Planner(Config("", {key: value for key, value in values.items() if value}, {}), config=config, discover=discover)


def _shown(path: str) -> str:
    """A path as people write it: relative if it is below the current folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _beside(config: Config) -> Config:
    """A file's settings with paths that are relative to it made relative to the current folder."""
    folder = os.path.dirname(config.path)
    values = dict(config.values)
    for key in _PATHS:
        value = values.get(key)
        if isinstance(value, tuple):
            for each in value:
                if not os.path.isdir(os.path.join(folder, each)):
                    raise ConfigError(f"{config.place(each)}the rule folder {os.path.join(folder, each)} does not exist")
            values[key] = tuple([os.path.normpath(os.path.join(folder, each)) for each in value])
        elif value is not None:
            values[key] = os.path.normpath(os.path.join(folder, value))
    return replace(config, values=values)


def _merged(layers: Sequence[Config]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    replaced = _last(layers, "profile", "recommended") == "hadolint"
    for layer in layers:
        for key, value in layer.values.items():
            join = key in _JOINED and not (key == "ignore" and replaced)
            values[key] = (*values.get(key, ()), *value) if join else value
    return values


def _last(layers: Sequence[Config], key: str, default: str) -> str:
    return str(next((layer.values[key] for layer in reversed(layers) if key in layer.values), default))


def _ignored(layers: Sequence[Config], path: str) -> tuple[str, ...]:
    """The rules that patterns take from a path; they are written as in .dockerignore."""
    names: list[str] = []
    for layer in layers:
        patterns = layer.values.get("per_path_ignores", ())
        if patterns and path != STDIN:
            from dfkit.context.glob import BadPatternError
            from dfkit.context.pattern import Matcher

            below = os.path.relpath(os.path.abspath(path), os.path.dirname(os.path.abspath(layer.path))).replace(os.sep, "/")
            for pattern, rules in patterns:
                try:
                    if Matcher.parse([pattern]).matches(below):
                        names += rules
                except BadPatternError as error:
                    raise ConfigError(f"{layer.place(pattern)}`{pattern}` is no pattern: {error}") from None
    return tuple(dict.fromkeys(names))


def _check_names(layers: Sequence[Config], catalog: Catalog) -> None:
    """Say where a file names a rule that there is not. Raises `ConfigError`."""
    for layer in layers:
        values = layer.values
        named = [*values.get("select", ()), *values.get("ignore", ()), *[name for name, _ in values.get("severity", ())]]
        named += [name for _, rules in values.get("per_path_ignores", ()) for name in rules]
        for name in named if layer.path else ():
            if not catalog.names.find(name):
                raise ConfigError(f"{layer.place(name)}{catalog.unknown(name)}")
