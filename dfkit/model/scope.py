"""ARG and ENV: which names have which values at an instruction, and where they come from.

BuildKit keeps one environment for both (frontend/dockerfile/dockerfile2llb/convert.go, dispatchEnv and dispatchArg): whichever of ARG
and ENV came last gives a name its value, an ARG without a value leaves it as it is, and a stage built on another one inherits
both. Only what ENV set is in the image, so at a stage's start it goes before what the stage below made of the name with ARG.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.syntax.nodes import Arg, Env
from dfkit.syntax.words import BadWord, expand, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.syntax.nodes import Instruction, KeyValue, Word
    from dfkit.text import Span

PREDEFINED = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)
"""ARGs that RUN's environment has without their being declared, if the build is given them. Other instructions do not see them."""

PLATFORM = frozenset(
    f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
) | {"TARGETSTAGE"}
"""Global ARGs that BuildKit sets (convert.go, defaultArgs); a stage sees them after it declares them."""


class Binding(Record):
    """A name in force. `value` is None where it is not known; `why` then says why not."""

    name: str
    kind: str
    """`arg`, `env`, `global` (an ARG above the first FROM), `predefined`, or, of `Scope.lookup`, `unset` or `base`."""
    value: str | None
    span: Span | None
    why: str = ""


LONGEST = 131_071
"""The most characters that the variables of a word may give it: Linux starts no process with a longer one (MAX_ARG_STRLEN in
include/uapi/linux/binfmts.h), and `ENV A=$A$A` in every line doubles a value until no memory holds it."""

_TOO_LONG = f"it is too long: with it the word would have over {LONGEST:,} characters, and Linux starts no process with that"
_UNKNOWN_DEFAULT = "its default names a variable that is not known"
_UNKNOWN_VALUE = "its value names a variable whose value is not known"
_NOT_GIVEN = "it has no default and no --build-arg gives it"


class Bindings:
    """Bindings by name at one place in a file, sharing with those before it what has not changed.

    Dictionaries, the newest first; one is put together with the next when it has become as large. So the places of a file with n
    changes take n log n of memory, not n². None stands for a name that is gone.
    """

    __slots__ = ("_parts",)

    def __init__(self, *parts: Mapping[str, Binding | None]) -> None:
        self._parts = parts

    def get(self, name: str) -> Binding | None:
        """What a name is bound to."""
        for part in self._parts:
            if name in part:
                return part[name]
        return None

    def changed(self, changes: Mapping[str, Binding | None]) -> Bindings:
        """These with others, or without those whose change is None."""
        if not changes:
            return self
        parts = self._parts
        while parts and len(changes) >= len(parts[0]):
            changes = {**parts[0], **changes}
            parts = parts[1:]
        return Bindings(changes, *parts)

    def all(self) -> dict[str, Binding]:
        """All of them."""
        found: dict[str, Binding | None] = {}
        for part in reversed(self._parts):
            found.update(part)
        return {name: binding for name, binding in found.items() if binding is not None}


class Scope:
    """The names in force before an instruction runs.

    `names` are the ARGs that no later ENV took over, `env` the names that the image keeps. A scope is closed where no base image can
    have set further names.
    """

    __slots__ = ("_closed", "_env", "_escape", "_names")

    def __init__(self, names: Bindings, env: Bindings, *, closed: bool, escape: str) -> None:
        self._names = names
        self._env = env
        self._closed = closed
        self._escape = escape

    def at_stage_start(self) -> Scope:
        """The scope that a stage starts with if it is built on one that ends with this: ARGs whose names ENV set too are the ENVs."""
        taken = [name for name in self._names.all() if self._env.get(name) is not None]
        return self._with(self._names.changed(dict.fromkeys(taken)), self._env)

    def _with(self, names: Bindings, env: Bindings) -> Scope:
        return Scope(names, env, closed=self._closed, escape=self._escape)

    def binding(self, name: str) -> Binding | None:
        """What this file says of a name; None if it does not set it."""
        return self._names.get(name) or self._env.get(name)

    def lookup(self, name: str) -> Binding:
        """What is known of a name that an instruction expands: its value, or why it is not known.

        A name that nothing sets is `unset` and empty, or of kind `base` where the base image may set it.
        """
        known = self.binding(name)
        if known is not None and known.kind != "predefined":
            return known
        if self._closed:
            return Binding(name, "unset", "", None)
        return Binding(name, "base", None, None, "the base image may set it")

    def names(self) -> dict[str, Binding]:
        """All names that are in force."""
        return {**self._env.all(), **self._names.all()}

    def expand(self, text: str) -> str | None:
        """The value of a word, or None where it needs a value that is not known."""
        return self._expand(text)[0]

    def unknown(self, text: str) -> Binding | None:
        """The first name in a word whose value is not known; its `why` says why."""
        return self._expand(text)[1]

    def _expand(self, text: str) -> tuple[str | None, Binding | None]:
        unknown: Binding | None = None
        length = 0

        def value(name: str) -> str | None:
            nonlocal unknown, length
            binding = self.lookup(name)
            length += len(binding.value or "")
            if length > LONGEST and binding.value:
                binding = Binding(name, binding.kind, None, binding.span, _TOO_LONG)
            if binding.value is None:
                unknown = unknown or binding
            return None if binding.kind == "unset" else binding.value

        try:
            text = expand(text, value, self._escape)
        except BadWord:
            return None, unknown
        return (text, None) if unknown is None else (None, unknown)

    def unset(self, word: Word) -> tuple[str, ...]:
        """The variables of a word that nothing in this file sets and that have no `:-` or `-` default."""
        return tuple(
            [
                variable.name
                for variable in variables(word, self._escape)
                if variable.operator not in ("-", ":-") and self.binding(variable.name) is None
            ]
        )


def declare(instruction: Instruction, scope: Scope, globals_: Mapping[str, Binding], build_args: Mapping[str, str]) -> Scope:
    """The scope after an instruction: the same one unless it is an ARG or ENV."""
    names, env = scope._names, scope._env
    if isinstance(instruction, Arg):
        for pair in instruction.pairs:
            name = pair.key.text
            if sets_value(pair, globals_, build_args) or scope.lookup(name).kind in ("unset", "base"):
                names = names.changed({name: _argument(name, pair, scope, globals_, build_args.get(name))})
                scope = scope._with(names, env)
    elif isinstance(instruction, Env):
        set_: dict[str, Binding] = {}
        for pair in instruction.pairs:
            # All pairs of one ENV see the values from before it.
            key = scope.expand(pair.key.text) or pair.key.text
            value = scope.expand(pair.value.text) if pair.value else ""
            set_[key] = Binding(key, "env", value, pair.span, "" if value is not None else _UNKNOWN_VALUE)
        taken = [name for name in set_ if names.get(name) is not None]
        scope = scope._with(names.changed(dict.fromkeys(taken)), env.changed(set_))
    return scope


def sets_value(pair: KeyValue, globals_: Mapping[str, Binding], build_args: Mapping[str, str]) -> bool:
    """Whether a name in ARG gets a value there: its own default, the build's, or that of the global ARG."""
    return pair.key.text in build_args or pair.value is not None or inherits(pair, globals_, build_args)


def inherits(pair: KeyValue, globals_: Mapping[str, Binding], build_args: Mapping[str, str]) -> bool:
    """Whether a name in ARG gets the value of the global ARG of its name."""
    outer = globals_.get(pair.key.text)
    return outer is not None and outer.why != _NOT_GIVEN and pair.value is None and pair.key.text not in build_args


def _argument(name: str, pair: KeyValue, scope: Scope, globals_: Mapping[str, Binding], given: str | None) -> Binding:
    if given is not None:
        return Binding(name, "arg", given, pair.span)
    if pair.value is not None:
        value = scope.expand(pair.value.text)
        return Binding(name, "arg", value, pair.span, "" if value is not None else _UNKNOWN_DEFAULT)
    if name in globals_:
        return Binding(name, "arg", globals_[name].value, pair.span, globals_[name].why)
    return Binding(name, "arg", None, pair.span, _NOT_GIVEN)
