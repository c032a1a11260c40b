"""ENV and ARG: names and values that do harm."""

from __future__ import annotations

import re

from dfkit.checks.binding import Finding, Words, check
from dfkit.model import Stage
from dfkit.syntax.nodes import Arg, Env
from dfkit.text import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import KeyValue

_HARMLESS = ("", "true", "false", "yes", "no", "0", "1", "none", "null")


@check(Env, Arg)
def secret(node: Env | Arg, at: Place, *, words: Words, harmless: Words) -> Iterator[Finding]:
    """A variable is named like a secret: the name has one of `words` (regular expressions) and none of `harmless`.

    The parts of a name are those between `_`, and between a small letter and a capital. Silent where the value is empty, yes or
    no, or the path of a file.
    """
    if at.stage is None and isinstance(node, Env):
        return
    for pair in node.pairs:
        name = pair.key.text
        if not _is_secret(name, words, harmless):
            continue
        value = at.model.expand(pair.value, node) if pair.value is not None else None
        if pair.value is not None and value is not None and (value.lower() in _HARMLESS or value.startswith(("/", "./"))):
            continue
        yield Finding(pair.key.span, _secret_message(node, name))


def _is_secret(name: str, words: Words, harmless: Words) -> bool:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper().replace("-", "_").split("_")
    joined = "_".join(parts)
    if any(part in harmless for part in parts):
        return False
    return any(re.search(rf"(?:^|_){word}(?:_|$)", joined) for word in words)


def _secret_message(node: Env | Arg, name: str) -> str:
    if isinstance(node, Env):
        return f"whoever has the image can read `{name}`: give it at run time, or mount it with `RUN --mount=type=secret`"
    return f"the image's history keeps the value of `{name}`: mount it with `RUN --mount=type=secret`"


@check(Stage)
def overridden_locale(node: Stage, at: Place) -> Iterator[Finding]:
    """LC_ALL is set to something else than LANG, which then has no effect (POSIX, Base Definitions, 8.2)."""
    last: dict[str, tuple[KeyValue, str | None]] = {}
    here: set[str] = set()
    for stage in reversed(list(node.lineage)):
        for instruction in stage.instructions:
            if isinstance(instruction, Env):
                for pair in instruction.pairs:
                    key = pair.key.text
                    if key in ("LANG", "LC_ALL") and pair.value is not None:
                        last[key] = (pair, at.model.expand(pair.value, instruction))
                        if stage is node:
                            here.add(key)
    if len(last) < 2 or not here:
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
