"""ENV and ARG: names and values that do harm."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.model import Stage
from dfkit.syntax.nodes import Arg, Env, Maintainer, Pairs, Transfer, Value
from dfkit.syntax.nodes import Words as WordList
from dfkit.syntax.words import BadWord, expand, variables
from dfkit.text import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import Instruction, KeyValue, Word


@check(Env, Arg)
def secret(
    node: Env | Arg,
    at: Place,
    *,
    words: Words,
    harmless: Words,
    harmless_values: Words = (r"|true|false|yes|no|0|1|none|null|\.?/.*",),
) -> Iterator[Finding]:
    """A variable is named like a secret: the name has one of `words` (regular expressions) and none of `harmless`.

    The parts of a name are those between `_`, and between a small letter and a capital. Silent where the value fulfils one of
    `harmless_values` (regular expressions, in any case): it is empty, yes or no, or the path of a file.
    """
    if at.stage is None and isinstance(node, Env):
        return
    # hadolint knows one variable of an ARG.
    for pair in node.pairs[:1] if isinstance(node, Arg) and at.imitates("hadolint") else node.pairs:
        name = pair.key.text
        if not _is_secret(name, words, harmless):
            continue
        value = at.model.expand(pair.value, node) if pair.value is not None else None
        if value is not None and any(regex(f"(?is){pattern}").fullmatch(value) for pattern in harmless_values):
            continue
        yield Finding(pair.key.span, secret_message(node, name))


def _is_secret(name: str, words: Words, harmless: Words) -> bool:
    parts = regex(r"(?<=[a-z0-9])(?=[A-Z])").sub("_", name).upper().replace("-", "_").split("_")
    joined = "_".join(parts)
    if any(part in harmless for part in parts):
        return False
    return bool(words) and regex(rf"(?:^|_)(?:{'|'.join(words)})(?:_|$)").search(joined) is not None


def secret_message(node: Env | Arg, name: str) -> str:
    """What is wrong with a secret in a variable."""
    if isinstance(node, Env):
        return f"whoever has the image can read `{name}`: give it at run time, or mount it with `RUN --mount=type=secret`"
    return f"the image's history keeps the value of `{name}`: mount it with `RUN --mount=type=secret`"


@check(Stage)
def overridden_locale(node: Stage, at: Place) -> Iterator[Finding]:
    """LC_ALL is set to something else than LANG, which then has no effect (POSIX, Base Definitions, 8.2)."""
    last: dict[str, tuple[KeyValue, str | None]] = {}
    for stage in node.lineage:
        for instruction in reversed(stage.instructions):
            for pair in reversed(instruction.pairs) if isinstance(instruction, Env) else ():
                key = pair.key.text
                if key in ("LANG", "LC_ALL") and pair.value is not None and key not in last:
                    last[key] = (pair, at.model.expand(pair.value, instruction))
        if not last or len(last) == 2:
            break
    if len(last) < 2:
        return
    (over, strong), (lang, weak) = last["LC_ALL"], last["LANG"]
    if strong and weak and _charset(strong) != _charset(weak):
        yield Finding(
            over.span,
            f"LC_ALL overrides every other locale variable, so LANG={weak} has no effect: remove LC_ALL",
            notes=(Note(lang.span, "this has no effect"),),
        )


def _charset(locale: str) -> str:
    """A locale's name, written in one way: `en_US.utf8` and `en_US.UTF-8` are the same."""
    return locale.lower().replace("-", "")


@check(Env)
def used_where_set(node: Env, at: Place) -> Iterator[Finding]:
    """A value in ENV uses a variable that only the same ENV sets: it sees what was before, which is nothing."""
    if at.stage is None:
        return
    scope, keys = at.model.scope(node), {pair.key.text: pair for pair in node.pairs}
    for pair in node.pairs:
        for variable in variables(pair.value, at.model.dockerfile.escape) if pair.value is not None else ():
            setter = keys.get(variable.name)
            if setter is None or setter is pair or variable.operator in _DEFAULTS or scope.binding(variable.name) is not None:
                continue
            inherited = variable.name == "PATH" or any(
                each.name == variable.name for each in variables(setter.value or setter.key)
            )
            if not inherited:
                yield Finding(variable.span, notes=(Note(setter.span, "set here, for the instructions below only"),))


_DEFAULTS = ("-", ":-")
_ALWAYS = ("PATH",)
"""What the builder sets if the base image does not (dockerfile2llb/convert.go, `system.DefaultPathEnv`)."""


@check(Transfer, Pairs, Value, WordList)
def undefined(node: Instruction, at: Place) -> Iterator[Finding]:
    """A variable that no ENV and no ARG of the stage sets.

    Certain where the stage starts from scratch, where an ARG above the first FROM has the name, or where another name is nearly
    the same; elsewhere the base image may set it, and nothing is said.
    """
    if at.stage is None or at.model.is_trigger(node):
        return
    scope = at.model.scope(node)
    declared = {*_ALWAYS, *([pair.key.text for pair in node.pairs] if isinstance(node, Arg) else ())}
    for word in _expanded(node):
        for variable in variables(word, at.model.dockerfile.escape):
            if variable.name in declared or scope.binding(variable.name) is not None:
                continue
            if variable.operator in _DEFAULTS:
                continue
            declared.add(variable.name)
            if variable.name in at.model.global_arguments:
                message = f"`{variable.name}` is declared above the first FROM only: repeat `ARG {variable.name}` in this stage"
                yield Finding(variable.span, message)
                continue
            near = _nearest(variable.name, scope.names())
            hint = f"; did you mean `{near}`?" if near else ""
            if near or scope.lookup(variable.name).kind == "unset":
                yield Finding(variable.span, f"nothing sets `{variable.name}`, so it is empty here{hint}")


def _expanded(node: Instruction) -> list[Word]:
    """The words of an instruction in which the builder expands variables."""
    if isinstance(node, Transfer):
        markers = {heredoc.marker for heredoc in node.heredocs}
        return [word for word in (*node.sources, node.destination) if word.span not in markers]
    if isinstance(node, Pairs):
        return [word for pair in node.pairs for word in (pair.key, pair.value) if word is not None]
    if isinstance(node, WordList):
        return list(node.words)
    return [node.value] if isinstance(node, Value) and not isinstance(node, Maintainer) else []


_NEAR = 0.85
"""How alike a name must be: twice the characters that match, in order, by those of both."""


def _nearest(name: str, names: Iterable[str]) -> str | None:
    # As many must match in any order; without that difflib, which imports `re`, need not be asked.
    near = [each for each in names if 2 * _shared(name, each) >= _NEAR * (len(name) + len(each))]
    if not near:
        return None
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, near, 1, _NEAR)), None)


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common."""
    return sum([min(one.count(char), other.count(char)) for char in set(one)])


@check(Transfer, Pairs, Value, WordList)
def unreadable(node: Instruction, at: Place) -> Iterator[Finding]:
    """A word that the builder refuses to expand: an operator that it does not know, a brace or quote that is left open."""
    if isinstance(node, Maintainer):
        return
    for word in _expanded(node):
        if "$" not in word.text:
            continue
        try:
            expand(word.text, lambda _name: "x", at.model.dockerfile.escape)
        except BadWord as error:
            yield Finding(word.span, str(error))
