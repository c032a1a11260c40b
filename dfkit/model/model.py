"""The meaning of a Dockerfile: computed once, on demand; asked by checks, passes and the build."""

from __future__ import annotations

from dfkit.model.facts import table
from dfkit.model.scope import PLATFORM, PREDEFINED, Binding, Bindings, Scope, declare
from dfkit.model.stages import (
    Reference,
    Stage,
    build_stages,
    context_name,
    cycles,
    fragment_stage,
    named,
    reachable,
    references,
    triggers,
)
from dfkit.model.state import LINUX_SHELL, WINDOWS_SHELL, State, after
from dfkit.syntax.nodes import Arg, From, OnBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dfkit.model.uses import ContextUse, Triggers
    from dfkit.shell import Script
    from dfkit.syntax.nodes import Dockerfile, Instruction, Word

    ReadScripts = Callable[[Instruction, tuple[str, ...]], tuple[Script, ...]]


class Model:
    """What a Dockerfile means. `build_args` are the values that the build is given, `contexts` the names of its named contexts.

    A file without FROM may be taken for a `fragment`: its instructions are those of one stage, of whose base nothing is known.
    `read_scripts` gives the scripts of an instruction for the value of SHELL there, if not `dfkit.shell.scripts` is to.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        *,
        build_args: Mapping[str, str] | None = None,
        contexts: Collection[str] = (),
        fragment: bool = False,
        read_scripts: ReadScripts | None = None,
    ) -> None:
        self.dockerfile = dockerfile
        self.build_args = dict(build_args or {})
        self.contexts = frozenset(contexts)
        self._scopes: dict[int, Scope] = {}
        self._states: dict[int, State] = {}
        self._last: dict[int, tuple[Scope, State]] = {}
        self._executed: dict[int, tuple[tuple[Instruction, Scope], ...]] = {}
        self._scripts: dict[int, tuple[Script, ...]] = {}
        self._read_scripts = read_scripts
        self._globals = self._global_arguments()
        self.stages = build_stages(dockerfile, self._base_image, self.contexts)
        if fragment and not self.stages and dockerfile.instructions:
            self.stages = (fragment_stage(dockerfile),)
        self._stage_of = {id(i): stage for stage in self.stages for i in (stage.from_, *stage.instructions)}
        self._triggers: set[int] = set()
        for stage in self.stages:
            for instruction in stage.instructions:
                if isinstance(instruction, OnBuild):
                    self._stage_of[id(instruction.instruction)] = stage
                    self._triggers |= {id(instruction), id(instruction.instruction)}
        for stage in self.stages:
            self._run(stage)

    # --- stages

    @property
    def final(self) -> Stage | None:
        """The stage that a build without a target makes."""
        return self.stages[-1] if self.stages else None

    def stage(self, name: str) -> Stage | None:
        """A stage by its name or number."""
        return named(self.stages, name, numbers=True)

    def target(self, name: str | None) -> Stage | None:
        """The stage that a build's `--target` means, by its name and never by a number, as BuildKit takes it; without one the last."""
        return named(self.stages, name) if name else self.final

    def stage_of(self, instruction: Instruction) -> Stage | None:
        """The stage an instruction stands in; None above the first FROM."""
        return self._stage_of.get(id(instruction))

    def reachable(self, target: Stage) -> frozenset[int]:
        """The indexes of the stages that a target needs."""
        return reachable(self.stages, target)

    def is_shipped(self, stage: Stage) -> bool:
        """Whether the layers of a stage end up in the final image: it is the last stage or one that the last is built on."""
        return self.final is not None and stage.index in {each.index for each in self.final.lineage}

    def executed(self, stage: Stage) -> tuple[tuple[Instruction, Scope], ...]:
        """All that a stage runs, each with the names in force before it.

        First come the triggers, which are the instructions in ONBUILD of the stage that it is built on; its own ONBUILDs are not run.
        """
        return self._executed[stage.index]

    def is_trigger(self, instruction: Instruction) -> bool:
        """Whether an instruction is an ONBUILD or stands in one."""
        return id(instruction) in self._triggers

    def references(self, instruction: Instruction) -> tuple[Reference, ...]:
        """The stages and images that an instruction copies or mounts from; a trigger is taken as run in a later stage."""
        stage = self.stage_of(instruction)
        here = stage.index if stage is not None else 0
        return references(instruction, self.stages, len(self.stages) if self.is_trigger(instruction) else here)

    @property
    def cycles(self) -> tuple[tuple[Stage, ...], ...]:
        """Groups of stages that wait for each other."""
        return cycles(self.stages)

    def is_context(self, image: str) -> bool:
        """Whether a named context takes the place of an image or of what `--from` names."""
        return bool(self.contexts) and (image in self.contexts or context_name(image) in self.contexts)

    # --- values

    @property
    def global_arguments(self) -> Mapping[str, Binding]:
        """ARGs above the first FROM, and the platform ARGs."""
        return self._globals

    def scope(self, instruction: Instruction) -> Scope:
        """The names in force before an instruction."""
        return self._scopes[id(instruction)]

    def scope_after(self, instruction: Instruction, scope: Scope) -> Scope:
        """The names in force after an instruction that finds these."""
        return declare(instruction, scope, self._globals, self.build_args)

    def expand(self, word: Word, instruction: Instruction) -> str | None:
        """The value of a word of an instruction, None where it is not known."""
        return self.scope(instruction).expand(word.text)

    def state(self, instruction: Instruction) -> State:
        """What is in force before an instruction."""
        return self._states[id(instruction)]

    def end_state(self, stage: Stage) -> State:
        """What is in force at a stage's end: what its image is set to."""
        return self._last[stage.index][1]

    # --- scripts

    def scripts(self, instruction: Instruction) -> tuple[Script, ...]:
        """What an instruction's command runs."""
        known = self._scripts.get(id(instruction))
        if known is None:
            from dfkit.shell import scripts

            read = self._read_scripts or scripts
            state = self._states.get(id(instruction))
            known = self._scripts[id(instruction)] = read(instruction, state.shell if state else LINUX_SHELL)
        return known

    # --- context

    def context_use(self, target: Stage | None = None, triggers: Triggers | None = None) -> ContextUse:
        """What a target (default: the final stage) reads from the build context."""
        from dfkit.model.uses import ContextUse, context_use

        stage = target or self.final
        if stage is None:
            return ContextUse((), ("the file has no stage",))
        return context_use(self, stage, triggers)

    # --- how it is computed

    def _global_arguments(self) -> dict[str, Binding]:
        names = {name: Binding(name, "global", self.build_args.get(name), None, _why_unknown(name)) for name in PLATFORM}
        scope = Scope(Bindings(names), Bindings(), closed=True, escape=self.dockerfile.escape)
        for instruction in self.dockerfile.instructions:
            if isinstance(instruction, From):
                break
            self._scopes[id(instruction)] = scope
            if isinstance(instruction, Arg):
                scope = declare(instruction, scope, {}, self.build_args)
        return {name: Binding(name, "global", each.value, each.span, each.why) for name, each in scope.names().items()}

    def _base_image(self, word: Word) -> str | None:
        return self._global_scope().expand(word.text)

    def _global_scope(self) -> Scope:
        return Scope(Bindings(self._globals), Bindings(), closed=True, escape=self.dockerfile.escape)

    def _run(self, stage: Stage) -> None:
        if stage.base is not None:
            scope, state = self._last[stage.base.index]
            scope, state = scope.at_stage_start(), state.at_stage_start
        else:
            is_context = stage.image is not None and self.is_context(stage.image)
            scope = self._first_scope(closed=stage.image == "scratch")
            state = _base_state(stage, self._global_scope(), is_context=is_context)
        self._scopes[id(stage.from_)] = self._global_scope()
        self._states[id(stage.from_)] = state
        executed = []
        for instruction in (*triggers(stage), *stage.instructions):
            if id(instruction) not in self._triggers:
                self._scopes[id(instruction)] = scope
                self._states[id(instruction)] = state
            elif isinstance(instruction, OnBuild):
                for each in (instruction, instruction.instruction):
                    self._scopes[id(each)] = scope
                    self._states[id(each)] = state
                continue
            executed.append((instruction, scope))
            state = after(state, instruction, lambda word, scope=scope: scope.expand(word.text))  # type: ignore[misc]
            scope = self.scope_after(instruction, scope)
        if stage.replaced:
            scope, state = self._first_scope(closed=False), State(None, None, LINUX_SHELL, "linux")
            executed = []
        self._executed[stage.index] = tuple(executed)
        self._last[stage.index] = (scope, state)

    def _first_scope(self, *, closed: bool) -> Scope:
        names = {
            name: Binding(name, "predefined", self.build_args.get(name), None, "it is a predefined ARG") for name in PREDEFINED
        }
        return Scope(Bindings(names), Bindings(), closed=closed, escape=self.dockerfile.escape)


def _why_unknown(name: str) -> str:
    return "it depends on the target that is built" if name == "TARGETSTAGE" else "it depends on the platform that is built for"


def _base_state(stage: Stage, scope: Scope, *, is_context: bool) -> State:
    """What an external base image is known to set; nothing is known of a named context in its place."""
    flag = stage.from_.flag("platform")
    platform = scope.expand(flag.value) if flag is not None and flag.value else None
    if _is_windows(stage, platform):
        return State(None, None, WINDOWS_SHELL, "windows", platform)
    name = stage.image_name
    facts = {"user": "root", "workdir": "/"} if stage.image == "scratch" else {}
    if name is not None and not is_context:
        facts = table("images").get(name.familiar, {})
    return State(facts.get("user"), facts.get("workdir"), LINUX_SHELL, "linux", platform)


def _is_windows(stage: Stage, platform: str | None) -> bool:
    if platform:
        return platform.lower().startswith("windows")
    text = (stage.image or stage.from_.image.text).lower()
    return text.startswith("mcr.microsoft.com/windows") or any(part in text for part in ("nanoserver", "windowsservercore"))
