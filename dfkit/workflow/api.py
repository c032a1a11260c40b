"""The public functions of the package."""

from __future__ import annotations

from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Source
from dfkit.text.settings import Settings
from dfkit.workflow.lint import lint_source, selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dfkit.build import BuildRequest, Engine, Event
    from dfkit.build.remote import Builder
    from dfkit.build.report import BuildReport
    from dfkit.fix import Fixed
    from dfkit.lint import Report
    from dfkit.optimize import Optimized
    from dfkit.text import Diagnostic

__all__ = ["build", "fix", "lint", "optimize", "parse"]


def lint(
    text: str | bytes | Source,
    name: str = "-",
    *,
    settings: Settings = Settings(),  # noqa: B008 - immutable
    build_args: Mapping[str, str] | None = None,
) -> Report:
    """What is wrong with a Dockerfile.

    `name` is shown as the file's; with a real path the files beside it are taken for the build context where instructions copy
    some of them. `.diagnostics` of the result are in the order of the text. Raises `dfkit.errors.UsageError` for settings that
    name a profile or rule that does not exist.
    """
    return lint_source(_source(text, name), selection(settings), settings, build_args=build_args)


def fix(
    text: str | bytes | Source,
    name: str = "-",
    *,
    settings: Settings = Settings(),  # noqa: B008 - immutable
    allow: Collection[str] = (),
    build_args: Mapping[str, str] | None = None,
) -> Fixed:
    """A Dockerfile with the fixes of rules made: the safe ones, and the unsafe ones of the rules named in `allow`.

    `.text` of the result is the new text, `.applied` what was done. Raises `UsageError`.
    """
    from dfkit.fix import fix as apply_fixes
    from dfkit.lint import Linter

    source = _source(text, name)
    linter = Linter(selection(settings), settings)

    def lint_again(text: str) -> list[Diagnostic]:
        return linter.lint(Model(parse(Source(text, source.name)), build_args=build_args))

    return apply_fixes(source.text, lint_again, allowed=allow)


def optimize(
    text: str | bytes | Source,
    name: str = "-",
    *,
    allow: Collection[str] = (),
    context: str | None = None,
    build_args: Mapping[str, str] | None = None,
) -> Optimized:
    """A Dockerfile rewritten for a smaller image and faster rebuilds, which stays equivalent but for what `allow` names.

    `context` is the folder of the build context; without it the passes that need one refuse. Raises `UsageError`.
    """
    from dfkit.workflow.optimize import optimize_source

    return optimize_source(_source(text, name), build_args=build_args, allow=allow, context=context)


def build(
    context: str,
    *,
    file: str | None = None,
    tags: Collection[str] = (),
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    network: str | None = None,
    no_cache: bool = False,
    optimize: bool = True,
    contexts: Mapping[str, str] | None = None,
    request: BuildRequest | None = None,
    engine: Engine | Builder | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> BuildReport:
    """Optimize (SAFE rewrites only) and build the Dockerfile of a folder on a Docker engine with BuildKit.

    `file` is the Dockerfile (default: the context's). `contexts` are named contexts: folders, URLs or `docker-image://` references by
    name. `request` is all else that a build can be asked for; the arguments here go before its fields. `engine` is one from
    `dfkit.build.connect`, by default the one that the environment names, or a BuildKit daemon from
    `dfkit.build.remote.connect_builder`. `on_event` is called with the typed events of `dfkit.build.events`. `.result.image_id` of the
    report is the image. Raises `BuildFailed` (`SolveFailed` has the step and its last lines), `NoEngine`, `UsageError`.
    """
    from dfkit._record import replace
    from dfkit.build import BuildRequest, Engine, connect
    from dfkit.build.caches import named_context
    from dfkit.workflow import build as joins

    path = joins.dockerfile_of(context, file)
    values = dict(build_args or {})
    asked = request or BuildRequest()
    values = {name: value for name, value in {**asked.build_args, **values}.items() if value is not None}
    asked = replace(
        asked,
        tags=tuple(tags) or asked.tags,
        build_args=values,
        target=target or asked.target,
        network=network or asked.network,
        no_cache=no_cache or asked.no_cache,
    )
    named = dict(named_context(f"{name}={value}") for name, value in (contexts or {}).items())
    used = engine or connect()
    try:
        holds = used if isinstance(used, Engine) else None
        prepared = joins.prepare(
            context, path, build_args=values, target=asked.target, lint=False, optimize=optimize, engine=holds, contexts=named
        )
        return joins.build(prepared, asked, used, on_event=on_event)
    finally:
        if engine is None:
            used.close()


def _source(text: str | bytes | Source, name: str) -> Source:
    if isinstance(text, Source):
        return text
    return Source.decode(text, name) if isinstance(text, bytes) else Source(text, name)
