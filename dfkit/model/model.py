"""The meaning of a Dockerfile: computed once, on demand; asked by checks, passes and the build."""

from __future__ import annotations

from dfkit.model.copies import ContextUse, context_use
from dfkit.model.facts import table
from dfkit.model.scope import PLATFORM, PREDEFINED, Binding, Scope, declare, inherited
from dfkit.model.stages import Reference, Stage, build_stages, named, reachable, references
from dfkit.model.state import LINUX_SHELL, WINDOWS_SHELL, State, after
from dfkit.syntax.nodes import Arg, From, OnBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dfkit.model.copies import Triggers
    from dfkit.shell import Script
    from dfkit.syntax.nodes import Dockerfile, Instruction, Word


class Model:
    """What a Dockerfile means. `build_args` are the values that the build is given."""

    def __init__(self, dockerfile: Dockerfile, *, build_args: Mapping[str, str] | None = None) -> None:
        self.dockerfile = dockerfile
        self.build_args = dict(build_args or {})
        self._scopes: dict[int, Scope] = {}
        self._states: dict[int, State] = {}
        self._last: dict[int, tuple[dict[str, Binding], dict[str, Binding], State]] = {}
        self._scripts: dict[int, tuple[Script, ...]] = {}
        self._globals = self._global_arguments()
        self.stages = build_stages(dockerfile, self._base_image)
        self._stage_of = {id(i): stage for stage in self.stages for i in (stage.from_, *stage.instructions)}
        for stage in self.stages:
            for instruction in stage.instructions:
                if isinstance(instruction, OnBuild):
                    self._stage_of[id(instruction.instruction)] = stage
        for stage in self.stages:
            self._run(stage)

    # --- stages

    @property
    def final(self) -> Stage | None:
        """The stage that a build without a target makes."""
        return self.stages[-1] if self.stages else None

    def stage(self, name: str) -> Stage | None:
        """A stage by its name or number, as `--target` takes it."""
        return named(self.stages, name, numbers=True)

    def stage_of(self, instruction: Instruction) -> Stage | None:
        """The stage an instruction stands in; None above the first FROM."""
        return self._stage_of.get(id(instruction))

    def reachable(self, target: Stage) -> frozenset[int]:
        """The indexes of the stages that a target needs."""
        return reachable(self.stages, target)

    def is_shipped(self, stage: Stage) -> bool:
        """Whether the layers of a stage end up in the final image: it is the last stage or one that the last is built on."""
        return self.final is not None and stage.index in {each.index for each in self.final.lineage}

    def references(self, instruction: Instruction) -> tuple[Reference, ...]:
        """The stages and images that an instruction copies or mounts from."""
        stage = self.stage_of(instruction)
        return references(instruction, self.stages[: stage.index] if stage else ())

    # --- values

    @property
    def global_arguments(self) -> Mapping[str, Binding]:
        """ARGs above the first FROM, and the platform ARGs."""
        return self._globals

    def scope(self, instruction: Instruction) -> Scope:
        """The names in force before an instruction."""
        return self._scopes[id(instruction)]

    def expand(self, word: Word, instruction: Instruction) -> str | None:
        """The value of a word of an instruction, None where it is not known."""
        return self.scope(instruction).expand(word.text)

    def state(self, instruction: Instruction) -> State:
        """What is in force before an instruction."""
        return self._states[id(instruction)]

    def end_state(self, stage: Stage) -> State:
        """What is in force at a stage's end: what its image is set to."""
        return self._last[stage.index][2]

    # --- scripts

    def scripts(self, instruction: Instruction) -> tuple[Script, ...]:
        """What an instruction's command runs."""
        known = self._scripts.get(id(instruction))
        if known is None:
            from dfkit.shell import scripts

            state = self._states.get(id(instruction))
            known = self._scripts[id(instruction)] = scripts(instruction, state.shell if state else LINUX_SHELL)
        return known

    # --- context

    def context_use(self, target: Stage | None = None, triggers: Triggers | None = None) -> ContextUse:
        """What a target (default: the final stage) reads from the build context."""
        stage = target or self.final
        if stage is None:
            return ContextUse((), ("the file has no stage",))
        return context_use(self, stage, triggers)

    # --- how it is computed

    def _global_arguments(self) -> dict[str, Binding]:
        names = {
            name: Binding(name, "global", self.build_args.get(name), None, _why_unknown(name))
            for name in PLATFORM
        }
        for instruction in self.dockerfile.instructions:
            if isinstance(instruction, From):
                break
            scope = Scope(names, {}, closed=True, escape=self.dockerfile.escape)
            self._scopes[id(instruction)] = scope
            if isinstance(instruction, Arg):
                names, _ = declare(instruction, scope, names, {}, globals_={}, build_args=self.build_args)
        return {name: Binding(name, "global", binding.value, binding.span, binding.why) for name, binding in names.items()}

    def _base_image(self, word: Word) -> str | None:
        return Scope(self._globals, {}, closed=True, escape=self.dockerfile.escape).expand(word.text)

    def _run(self, stage: Stage) -> None:
        closed = stage.root.image == "scratch"
        escape = self.dockerfile.escape
        global_scope = Scope(self._globals, {}, closed=True, escape=escape)
        names = {
            name: Binding(name, "predefined", self.build_args.get(name), None, "it is a predefined ARG") for name in PREDEFINED
        }
        if stage.base is not None:
            below, env, state = self._last[stage.base.index]
            names = inherited(names | below, env)
            state = state.at_stage_start
        else:
            env = {}
            state = _base_state(stage, global_scope)
        self._scopes[id(stage.from_)] = global_scope
        self._states[id(stage.from_)] = state
        for instruction, is_trigger in _executed(stage):
            scope = Scope(names, env, closed=closed, escape=escape)
            if not is_trigger:
                inner = instruction.instruction if isinstance(instruction, OnBuild) else instruction
                for each in (instruction, inner):
                    self._scopes[id(each)] = scope
                    self._states[id(each)] = state
            names, env = declare(instruction, scope, names, env, globals_=self._globals, build_args=self.build_args)
            state = after(state, instruction, lambda word, scope=scope: scope.expand(word.text))  # type: ignore[misc]
        self._last[stage.index] = (names, env, state)


def _executed(stage: Stage) -> Iterator[tuple[Instruction, bool]]:
    """What runs in a stage: the ONBUILD triggers of the stage it is built on (marked True), then its own instructions."""
    if stage.base is not None:
        yield from ((each.instruction, True) for each in stage.base.instructions if isinstance(each, OnBuild))
    yield from ((each, False) for each in stage.instructions)


def _why_unknown(name: str) -> str:
    return "it depends on the target that is built" if name == "TARGETSTAGE" else "it depends on the platform that is built for"


def _base_state(stage: Stage, scope: Scope) -> State:
    """What an external base image is known to set."""
    flag = stage.from_.flag("platform")
    platform = scope.expand(flag.value) if flag is not None and flag.value else None
    if _is_windows(stage, platform):
        return State(None, None, WINDOWS_SHELL, "windows", platform)
    name = stage.image_name
    facts = {"user": "root", "workdir": "/"} if stage.image == "scratch" else {}
    if name is not None:
        facts = table("images").get(name.familiar, {})
    return State(facts.get("user"), facts.get("workdir"), LINUX_SHELL, "linux", platform)


def _is_windows(stage: Stage, platform: str | None) -> bool:
    if platform:
        return platform.lower().startswith("windows")
    text = (stage.image or stage.from_.image.text).lower()
    return text.startswith("mcr.microsoft.com/windows") or any(part in text for part in ("nanoserver", "windowsservercore"))
