"""An instruction's arguments as BuildKit's parser gives them: a flat list of strings (frontend/dockerfile/parser/line_parsers.go)."""

from __future__ import annotations

from dfkit.syntax.nodes import (
    Arg,
    Command,
    ExecForm,
    From,
    Healthcheck,
    Instruction,
    Pairs,
    ShellForm,
    Transfer,
    Value,
    Words,
)


def arguments(instruction: Instruction) -> list[str]:
    """The values of the parser's nodes after the keyword and the flags; those of ONBUILD's inner instruction are its own.

    ENV and LABEL give key and value in turn. An instruction that cannot be read has none.
    """
    match instruction:
        case Command():
            return _form(instruction.form)
        case Healthcheck():
            return [instruction.kind.text, *_form(instruction.form)]
        case From():
            return [word.text for word in (instruction.image, instruction.as_keyword, instruction.alias) if word]
        case Transfer():
            return [word.text for word in (*instruction.sources, instruction.destination)]
        case Arg():
            return [pair.key.text + (f"={pair.value.text}" if pair.value else "") for pair in instruction.pairs]
        case Pairs():
            return [word.text for pair in instruction.pairs for word in (pair.key, pair.value) if word]
        case Words():
            return [word.text for word in instruction.words]
        case Value():
            return [instruction.value.text]
    return []


def is_json(instruction: Instruction) -> bool:
    """Whether the arguments are a JSON list."""
    match instruction:
        case Command() | Healthcheck():
            return isinstance(instruction.form, ExecForm)
        case Transfer() | Words():
            return instruction.json
    return False


def _form(form: ExecForm | ShellForm | None) -> list[str]:
    if isinstance(form, ExecForm):
        return list(form.values)
    return [form.text.text] if form is not None and form.text.text else []
