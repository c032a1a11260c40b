"""A tree for programs: what BuildKit's parser says of each instruction, and the exact range of every part.

One object: `file`, `escape`, `directives`, `comments`, `instructions`, `error` and `problems`. `error` is null, or the `line`,
`column` and `message` of the first thing that BuildKit would reject the file for; `problems` has all of them.

An instruction has

- `keyword` in capitals, `flags`, `value` (the arguments as BuildKit's parser splits them, quotes and variables as written), `json`
  (whether they are a JSON list), `start_line` and `end_line` (heredoc bodies included), `heredocs`, `comments` (the texts of those
  directly above) and `sub`: the instruction that ONBUILD holds, else null; an ONBUILD's own `flags`, `value` and `heredocs` are empty
- `range`, and `parts`: the nodes that it is made of in the order of the text. A part has its `part` (`keyword`, `flag`, `image` …),
  its `range`, and either `text` (continuations and the comments between them taken out) or `parts`.

Ranges have a `start` and an `end` (after the last character) with `line`, `column` and `offset`; lines and columns count from 1,
offsets from 0, columns and offsets in code points.
"""

from __future__ import annotations

import json

from dfkit.output.arguments import arguments, is_json
from dfkit.output.parts import flag_text, keyword, last, parts, text
from dfkit.syntax.nodes import Flag, Heredoc, OnBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.syntax.nodes import Dockerfile, Instruction, Node
    from dfkit.text import Diagnostic, Source, Span


def render(dockerfile: Dockerfile) -> str:
    """A tree as one JSON text with a line end; each directive, comment, instruction and problem is a line."""
    return "{\n" + ",\n".join([f'  "{key}": {_lines(value)}' for key, value in as_object(dockerfile).items()]) + "\n}\n"


def as_object(dockerfile: Dockerfile) -> dict[str, Any]:
    """A tree as plain data."""
    source = dockerfile.source
    problems = [_problem(source, problem) for problem in dockerfile.problems]
    return {
        "file": source.name,
        "escape": dockerfile.escape,
        "directives": [
            {
                "name": directive.name,
                "value": directive.value,
                "range": _range(source, directive.span),
                "value_range": _range(source, directive.value_span),
            }
            for directive in dockerfile.directives
        ],
        "comments": [{"text": comment.text, "range": _range(source, comment.span)} for comment in dockerfile.comments],
        "instructions": [_instruction(source, instruction) for instruction in dockerfile.instructions],
        "error": problems[0] if problems else None,
        "problems": problems,
    }


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join([f"    {json.dumps(each)}" for each in value]) + "\n  ]"


def _problem(source: Source, problem: Diagnostic) -> dict[str, Any]:
    start = source.position(problem.span.start)
    return {"line": start.line, "column": start.column, "message": problem.message, "range": _range(source, problem.span)}


def _instruction(source: Source, instruction: Instruction) -> dict[str, Any]:
    holds = instruction.instruction if isinstance(instruction, OnBuild) else None
    return {
        "keyword": keyword(instruction),
        "flags": [flag_text(flag) for flag in instruction.flags],
        "value": arguments(instruction),
        "json": is_json(instruction),
        "start_line": source.position(instruction.span.start).line,
        "end_line": source.position(last(instruction.span)).line,
        "sub": _instruction(source, holds) if holds is not None else None,
        "heredocs": [] if holds is not None else [_heredoc(source, heredoc) for heredoc in instruction.heredocs],
        "comments": [comment.text for comment in instruction.comments],
        "range": _range(source, instruction.span),
        "parts": _parts(source, instruction),
    }


def _heredoc(source: Source, heredoc: Heredoc) -> dict[str, Any]:
    return {
        "name": heredoc.name,
        "content": heredoc.content,
        "expand": heredoc.expand,
        "chomp": heredoc.chomp,
        "file_descriptor": heredoc.file_descriptor,
        "range": _range(source, heredoc.span),
        "marker_range": _range(source, heredoc.marker),
        "end_marker_range": _range(source, heredoc.end_marker),
    }


def _parts(source: Source, node: Node) -> list[dict[str, Any]]:
    return [_part(source, role, part) for role, part in parts(node)]


def _part(source: Source, role: str, node: Node) -> dict[str, Any]:
    part: dict[str, Any] = {"part": role, "range": _range(source, node.span)}
    said = text(node)
    if said is not None:
        part["text"] = said
    else:
        part["parts"] = _parts(source, node)
    if isinstance(node, Flag):
        part |= {"name": node.name, "value": node.value}
        part["value_range"] = _range(source, node.value_span) if node.value_span else None
    return part


def _range(source: Source, span: Span) -> dict[str, dict[str, int]]:
    return {"start": _place(source, span.start), "end": _place(source, span.end)}


def _place(source: Source, offset: int) -> dict[str, int]:
    at = source.position(offset)
    return {"line": at.line, "column": at.column, "offset": offset}
