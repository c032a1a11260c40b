"""ARG and ENV: which names have which values at an instruction, and where they come from."""

from __future__ import annotations

from dfkit._record import record
from dfkit.syntax.nodes import Arg, Env
from dfkit.syntax.words import BadWord, expand, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.syntax.nodes import Instruction, Word
    from dfkit.text import Span

PREDEFINED = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)
"""ARGs that every stage has without declaring them (BuildKit, dockerfile2llb/convert.go, defaultArgs)."""

PLATFORM = frozenset(
    f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
) | {"TARGETSTAGE"}
"""Global ARGs that BuildKit sets; a stage sees them after it declares them."""


@record
class Binding:
    """A name in force. `value` is None where it is not known; `why` then says why not."""

    name: str
    kind: str
    """`arg`, `env`, `global` (an ARG above the first FROM) or `predefined`."""
    value: str | None
    span: Span | None
    why: str = ""


class Scope:
    """The names in force before an instruction runs."""

    __slots__ = ("_closed", "_env", "_escape", "_names")

    def __init__(self, names: Mapping[str, Binding], env: Mapping[str, Binding], *, closed: bool, escape: str) -> None:
        self._names = names
        self._env = env
        self._closed = closed
        self._escape = escape

    def binding(self, name: str) -> Binding | None:
        """The binding of a name: ENV goes before ARG."""
        return self._env.get(name) or self._names.get(name)

    def names(self) -> dict[str, Binding]:
        """All names that are in force."""
        return {**self._names, **self._env}

    def environment(self) -> Mapping[str, Binding]:
        """The names set by ENV, which the image keeps."""
        return self._env

    def expand(self, text: str) -> str | None:
        """The value of a word, or None where it needs a value that is not known."""
        unknown = False

        def lookup(name: str) -> str | None:
            nonlocal unknown
            binding = self.binding(name)
            if binding is None:
                unknown = unknown or not self._closed
                return None
            unknown = unknown or binding.value is None
            return binding.value

        try:
            value = expand(text, lookup, self._escape)
        except BadWord:
            return None
        return None if unknown else value

    def unset(self, word: Word) -> tuple[str, ...]:
        """The variables of a word that nothing in this file sets and that have no `:-` or `-` default."""
        return tuple(
            [
                variable.name
                for variable in variables(word, self._escape)
                if variable.operator not in ("-", ":-") and self.binding(variable.name) is None
            ]
        )


def declare(
    instruction: Instruction,
    scope: Scope,
    names: dict[str, Binding],
    env: dict[str, Binding],
    *,
    globals_: Mapping[str, Binding],
    build_args: Mapping[str, str],
) -> tuple[dict[str, Binding], dict[str, Binding]]:
    """The names after an ARG or ENV: new dicts where something changed, the same ones else."""
    if isinstance(instruction, Arg):
        names = dict(names)
        for pair in instruction.pairs:
            name = pair.key.text
            names[name] = _argument(name, pair.value, pair.span, scope, globals_, build_args)
            scope = Scope(names, env, closed=scope._closed, escape=scope._escape)
    elif isinstance(instruction, Env):
        env = dict(env)
        for pair in instruction.pairs:
            # All pairs of one ENV see the values from before it.
            key = scope.expand(pair.key.text) or pair.key.text
            value = scope.expand(pair.value.text) if pair.value else ""
            why = "" if value is not None else "its value names a variable whose value is not known"
            env[key] = Binding(key, "env", value, pair.span, why)
    return names, env


def _argument(
    name: str,
    default: Word | None,
    span: Span,
    scope: Scope,
    globals_: Mapping[str, Binding],
    build_args: Mapping[str, str],
) -> Binding:
    if name in build_args:
        return Binding(name, "arg", build_args[name], span)
    if default is not None:
        value = scope.expand(default.text)
        return Binding(name, "arg", value, span, "" if value is not None else "its default names a variable that is not known")
    if name in globals_:
        outer = globals_[name]
        return Binding(name, "arg", outer.value, span, outer.why)
    return Binding(name, "arg", None, span, "it has no default and no --build-arg gives it")
