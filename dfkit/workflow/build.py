"""Lint, optimize, plan the context, build. If what dfkit made of the file does not build, the original is built and that is said."""

from __future__ import annotations

import os
from types import MappingProxyType

from dfkit._record import Record, replace
from dfkit.errors import UsageError
from dfkit.model import Model
from dfkit.model.stages import context_name
from dfkit.syntax import parse
from dfkit.text import Source
from dfkit.text.settings import Settings
from dfkit.workflow.lint import lint_model, selection
from dfkit.workflow.optimize import optimize_source
from dfkit.workflow.read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dfkit.build import BuildRequest, BuildResult, Engine, Event, SolveFailed
    from dfkit.build.frontend import Answer, Question
    from dfkit.build.remote import Builder
    from dfkit.build.report import BuildReport
    from dfkit.catalog import Selection
    from dfkit.context import ContextPlan
    from dfkit.lint import Report
    from dfkit.model.uses import ContextUse, Triggers
    from dfkit.optimize import BaseFacts, Optimized
    from dfkit.workflow.configure import Plan

    OnEvent = Callable[[Event], None]
    OnFault = Callable[[str, SolveFailed], None]


IMAGE_CONTEXT = "docker-image://"
LAYOUT = "oci-layout://"


class Prepared(Record):
    """All that a build needs, before an engine is asked to build."""

    source: Source
    rules: Selection | None
    findings: Report | None
    """What linting found by these rules, None where it was not asked for."""
    optimized: Optimized | None
    """None where the original is built on purpose."""
    text: str
    """The Dockerfile to build."""
    plan: ContextPlan
    contexts: Mapping[str, str] = MappingProxyType({})
    """Named contexts that BuildKit fetches itself, and what from."""
    named: Mapping[str, ContextPlan] = MappingProxyType({})
    """Named contexts that are folders."""

    @property
    def all_contexts(self) -> frozenset[str]:
        """The names of the named contexts."""
        return frozenset((*self.contexts, *self.named))

    @property
    def changed(self) -> bool:
        """Whether the text that is built is not the file's."""
        return self.text != self.source.text


def dockerfile_of(folder: str, file: str | None) -> str:
    """The Dockerfile of a build: `-f FILE`, else `Dockerfile` (or `Containerfile`) in the context. Raises `UsageError`."""
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a folder: name the build context, such as `dfkit build .`")
    if file is not None:
        return file
    for name in ("Dockerfile", "dockerfile", "Containerfile"):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(path):
            return path
    raise UsageError(f"there is no Dockerfile in {folder}: name it with -f FILE")


def prepare(
    folder: str,
    file: str,
    *,
    build_args: Mapping[str, str],
    target: str | None = None,
    lint: bool = True,
    optimize: bool = True,
    allow: Collection[str] = (),
    engine: Engine | None = None,
    ignore_file: str | None = None,
    contexts: Mapping[str, str] = MappingProxyType({}),
    planned: Plan | None = None,
    rewriting: Plan | None = None,
    notify: Callable[[str], None] = lambda _sentence: None,
) -> Prepared:
    """Read, lint, optimize with the SAFE rewrites and those of `allow`, plan the context.

    `ignore_file` takes the place of the Dockerfile's and the context's own. With an engine the triggers of the bases that it holds
    are known. `contexts` maps the names of named contexts to folders and to what BuildKit fetches itself.

    To `lint` takes time and asks the engine for each base: it is for callers that show the findings. `planned` says how the file is
    linted, `rewriting` which rules rewrite it (default: as without configuration); `notify` is told why ShellCheck could not be used.

    Raises `UsageError`, `ContextError`.
    """
    source = read(file)
    model = Model(parse(source), build_args=build_args, contexts=contexts)
    rules = findings = None
    if lint:
        rules = planned.rules() if planned is not None else selection()
        settings = planned.settings if planned is not None else Settings()
        known = replace(settings, context=folder, committed=_committed(model, engine), platforms=_platforms(model, engine))
        findings = lint_model(model, rules, known, notify=notify)
    optimized = None
    text = source.text
    # A file that the engine rejects is left to the engine: its own message is what users know.
    if optimize and not model.dockerfile.problems:
        optimized = optimize_source(
            source,
            build_args=build_args,
            contexts=contexts,
            allow=allow,
            context=folder,
            base=_base_facts(model, engine),
            ignore_file=ignore_file,
            rules=rewriting.rules() if rewriting is not None else None,
            settings=rewriting.settings if rewriting is not None else Settings(),
        )
        text = optimized.text
    plan = plan_context(
        folder, file, text, build_args=build_args, target=target, engine=engine, ignore_file=ignore_file, contexts=contexts
    )
    fetched, named = _named(contexts, Model(parse(Source(text, file)), build_args=build_args, contexts=contexts), target, engine)
    return Prepared(source, rules, findings, optimized, text, plan, fetched, named)


def _named(
    contexts: Mapping[str, str], model: Model, target: str | None, engine: Engine | None
) -> tuple[Mapping[str, str], Mapping[str, ContextPlan]]:
    """Named contexts: those that BuildKit fetches, and what is sent of those that are folders. Raises `ContextError`, `IgnoreError`."""
    if not contexts:
        return {}, {}
    from dfkit.build.caches import is_fetched
    from dfkit.context import plan
    from dfkit.model.named import named_use

    fetched = {name: value for name, value in contexts.items() if is_fetched(value)}
    stage = model.target(target)
    triggers = triggers_of(engine, contexts)
    named = {}
    for name, value in contexts.items():
        if name in fetched:
            continue
        if stage is None:
            named[name] = plan(value)
            continue
        use = named_use(model, name, stage, triggers)
        named[name] = plan(value, reads=use.reads, reasons=use.reasons)
    return fetched, named


def plan_context(
    folder: str,
    file: str,
    text: str,
    *,
    build_args: Mapping[str, str],
    target: str | None,
    engine: Engine | None,
    ignore_file: str | None = None,
    contexts: Mapping[str, str] = MappingProxyType({}),
) -> ContextPlan:
    """What a build of this text reads from a folder. Raises `UsageError` for a target that is no stage, `ContextError`."""
    from dfkit.context import plan

    use = context_use(file, text, build_args=build_args, target=target, triggers=triggers_of(engine, contexts), contexts=contexts)
    path = file if os.path.isfile(file) else None
    return plan(folder, dockerfile_path=path, ignore_file=ignore_file, reads=use.reads, reasons=use.reasons)


def context_use(
    file: str,
    text: str,
    *,
    build_args: Mapping[str, str],
    target: str | None,
    triggers: Triggers,
    contexts: Collection[str] = (),
) -> ContextUse:
    """What a build of this text reads from its context. Raises `UsageError` for a target that is no stage."""
    model = Model(parse(Source(text, file)), build_args=build_args, contexts=contexts)
    stage = model.target(target)
    if target and stage is None and model.stages:
        names = ", ".join(dict.fromkeys(stage.name for stage in model.stages if stage.name))
        raise UsageError(
            f"{file} has no stage `{target}`; " + (f"its stages are {names}" if names else "no stage of it has a name")
        )
    return model.context_use(stage, triggers)


def build(
    prepared: Prepared,
    request: BuildRequest,
    engine: Engine | Builder,
    *,
    on_event: OnEvent,
    on_fault: OnFault = lambda _sentence, _error: None,
) -> BuildReport:
    """Build what was prepared.

    If an optimized text does not build and the original does, that is a fault of dfkit: `on_fault` is told before the original is
    built, and the report records it. Raises `Unsupported` for what this engine cannot build and `UsageError` for a secret or ssh agent
    that a step needs, before anything is sent; `BuildFailed` if the original does not build either, `NoEngine`.
    """
    from dfkit.build import BuildWarning, SolveFailed
    from dfkit.build.report import OPTIMIZED, ORIGINAL, BuildReport

    prepared = for_engine(prepared, request, engine)
    request = replace(request, contexts={**request.contexts, **prepared.contexts})
    unused = tuple(BuildWarning(sentence) for sentence in _unused(prepared, request, engine))
    for warning in unused:
        on_event(warning)
    request = with_secrets(request)
    faults: tuple[str, ...] = ()
    kind = OPTIMIZED if prepared.changed else ORIGINAL
    try:
        result = build_text(prepared.plan, prepared.text, request, engine, on_event, prepared.named)
    except SolveFailed as error:
        if not prepared.changed:
            raise
        sentence = f"the optimized Dockerfile did not build, so the original is built: {error}"
        on_fault(sentence, error)
        # If this fails too the file itself is broken, and the error that its author can understand is this one.
        result = build_text(prepared.plan, prepared.source.text, request, engine, on_event, prepared.named)
        kind, faults = ORIGINAL, (sentence,)
    result = replace(result, warnings=unused + result.warnings)
    return BuildReport(prepared.source.name, engine.name, kind, request.tags, result, faults)


def with_secrets(request: BuildRequest) -> BuildRequest:
    """A request whose secrets are read, for builds of more than one text. Raises `UsageError`."""
    if not request.secrets:
        return request
    from dfkit.build.buildkit.secrets import read as read_secret

    return replace(request, secrets=tuple(map(read_secret, request.secrets)))


def _unused(prepared: Prepared, request: BuildRequest, engine: Engine | Builder) -> tuple[str, ...]:
    """See `needs.check_needs`."""
    from dfkit.build.engine import Engine
    from dfkit.workflow.needs import check_needs

    args = {name: value for name, value in request.build_args.items() if value is not None}
    model = Model(parse(prepared.source), build_args=args, contexts=prepared.all_contexts)
    target = model.target(request.target)
    if target is None:
        return ()
    known = triggers_of(engine if isinstance(engine, Engine) else None)
    return check_needs(model, target, request, lambda image: None if model.is_context(image) else known(image))


def call(
    folder: str,
    file: str,
    question: Question,
    request: BuildRequest,
    peer: Engine | Builder,
    contexts: Mapping[str, str] = MappingProxyType({}),
    *,
    ignore_file: str | None = None,
    on_event: OnEvent = lambda _event: None,
) -> Answer:
    """What BuildKit's frontend says of a file as it is; nothing is built. Raises as `frontend.ask`, `UsageError`, `ContextError`."""
    from dfkit.build.frontend import ask
    from dfkit.build.request import Folders
    from dfkit.context import plan

    path = file if os.path.isfile(file) else None
    fetched, named = _named(contexts, Model(parse(Source("", file))), None, None)
    folders = Folders(
        plan(folder, dockerfile_path=path, ignore_file=ignore_file),
        read(file).text.encode("utf-8", "surrogateescape"),
        named=named,
    )
    return ask(peer, question, replace(request, contexts={**request.contexts, **fetched}), folders, on_event)


def for_engine(prepared: Prepared, request: BuildRequest, engine: Engine | Builder) -> Prepared:
    """What was prepared, without the rewrites where their result is nothing that this engine's frontend can read.

    Raises `Unsupported` if it cannot read the original either. A BuildKit daemon does not say what its frontend can read.
    """
    from dfkit.build.engine import Engine

    if not isinstance(engine, Engine):
        return prepared
    from dfkit.build.capabilities import Unsupported, check_features

    def check(text: str) -> None:
        args = {name: value for name, value in request.build_args.items() if value is not None}
        model = Model(parse(Source(text, prepared.source.name)), build_args=args, contexts=prepared.all_contexts)
        target = model.target(request.target)
        check_features(model, target, engine, args.get("BUILDKIT_SYNTAX"))

    try:
        check(prepared.text)
    except Unsupported:
        check(prepared.source.text)
        return replace(prepared, text=prepared.source.text, optimized=None)
    return prepared


def build_text(
    plan: ContextPlan,
    text: str,
    request: BuildRequest,
    engine: Engine | Builder,
    on_event: OnEvent,
    named: Mapping[str, ContextPlan] = MappingProxyType({}),
) -> BuildResult:
    """Build one text with the files of a plan and of named contexts. Raises `BuildFailed`, `NoEngine`, `ContextError`."""
    from dfkit.build import Folders
    from dfkit.build import build as build_on

    return build_on(engine, request, Folders(plan, text.encode("utf-8", "surrogateescape"), named=named), on_event)


def triggers_of(engine: Engine | None, contexts: Mapping[str, str] = MappingProxyType({})) -> Triggers:
    """The ONBUILD triggers of images that the engine holds; of others nothing is known.

    `contexts` are the named contexts in the place of images; files have no triggers.
    """

    def triggers(image: str) -> tuple[str, ...] | None:
        instead = contexts.get(image) or contexts.get(context_name(image))
        if instead is not None:
            if instead.startswith(LAYOUT):
                return None
            if not instead.startswith(IMAGE_CONTEXT):
                return ()
            image = instead.removeprefix(IMAGE_CONTEXT)
        local = engine.image(image) if engine is not None else None
        return None if local is None else local.triggers

    return triggers


def _committed(model: Model, engine: Engine | None) -> tuple[str, ...]:
    """The base images that the engine knows to be made by `docker commit`."""
    return tuple([image for image in _images(model) if engine.committed(image)]) if engine is not None else ()


def _platforms(model: Model, engine: Engine | None) -> tuple[tuple[str, str], ...]:
    """The base images that the engine holds, each with its platform."""
    held = [(image, engine.image(image)) for image in _images(model)] if engine is not None else []
    return tuple([(image, local.platform) for image, local in held if local is not None])


def _images(model: Model) -> list[str]:
    """What FROM names that is neither a stage nor a named context."""
    images = {stage.image for stage in model.stages if stage.image and stage.image != "scratch"}
    return sorted(image for image in images if not model.is_context(image))


def _base_facts(model: Model, engine: Engine | None) -> Callable[[str], BaseFacts | None] | None:
    """What the engine knows of the base images that it holds, and that no named context takes the place of."""
    if engine is None:
        return None
    from dfkit.optimize import BaseFacts

    def facts(image: str) -> BaseFacts | None:
        local = None if model.is_context(image) else engine.image(image)
        return None if local is None else BaseFacts(layers=len(local.layers), config=local.config)

    return facts
