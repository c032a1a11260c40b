"""A tree as s-expressions, as BuildKit's parser dumps its own (frontend/dockerfile/parser/parser.go, Node.Dump).

(from "debian:12" "AS" "base")
(run ["--mount=type=cache,target=/x"] "make")
(env "A" "1" "=")

As there, ENV and LABEL have three strings for a pair, the third `=` or empty in the old form without it, heredoc bodies are not
shown, and an instruction that does not exist has one empty string.
"""

from __future__ import annotations

from dfkit.output.arguments import arguments
from dfkit.output.parts import flag_text, keyword, quoted
from dfkit.syntax.nodes import Env, Label, OnBuild, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.syntax.nodes import Dockerfile, Instruction


def render(dockerfile: Dockerfile) -> Iterator[str]:
    """The lines, one for an instruction."""
    for instruction in dockerfile.instructions:
        yield f"({_dump(instruction)})"


def _dump(instruction: Instruction) -> str:
    head = keyword(instruction).lower()
    if instruction.flags:
        head += " [" + " ".join([quoted(flag_text(flag)) for flag in instruction.flags]) + "]"
    if isinstance(instruction, OnBuild):
        return f"{head} ({_dump(instruction.instruction)})"
    return " ".join([head, *[quoted(value) for value in _values(instruction)]])


def _values(instruction: Instruction) -> list[str]:
    if isinstance(instruction, Unknown):
        return [""]
    if not isinstance(instruction, Env | Label):
        return arguments(instruction)
    separator = "" if instruction.legacy else "="
    return [text for pair in instruction.pairs for text in (pair.key.text, pair.value.text if pair.value else "", separator)]
