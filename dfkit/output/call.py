"""What BuildKit's frontend says of a file, as `docker build --call` prints it (buildx, commands/build.go, printResult).

Check complete, 1 warning has been found!

WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
'as' and 'FROM' keywords' casing do not match
app/Dockerfile:1
--------------------
   1 | >>> FROM scratch as x
   2 |     COPY f /
--------------------
"""

from __future__ import annotations

import base64
import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.build.frontend import Answer, Question

_AROUND = 2
"""Lines shown before and after those that are meant."""
_RULE = "-" * 20


def render(question: Question, answer: Answer, path: str) -> str:
    """The text of an answer. `path` is the Dockerfile's, which the frontend knows by its last part only."""
    if question != "lint":
        return answer.text
    found = json.loads(answer.json or "{}")
    count = len(found.get("warnings") or ())
    if not count:
        return "" if found.get("buildError") else "Check complete, no warnings found.\n"
    said = "1 warning has been found!" if count == 1 else f"{count} warnings have been found!"
    return f"Check complete, {said}\n" + re.sub(r"^[^\s:]+:(\d+)$", rf"{_literal(path)}:\1", answer.text, flags=re.MULTILINE)


def trouble(question: Question, answer: Answer, path: str) -> str:
    """What kept the frontend from looking at all of the file, with the place; empty if nothing did."""
    error = json.loads(answer.json or "{}").get("buildError") if question == "lint" else None
    if not error:
        return ""
    message = f"ERROR: {error.get('message', '')}"
    ranges = (error.get("location") or {}).get("ranges") or ()
    if not ranges:
        return message
    lines = _source(json.loads(answer.json), error["location"].get("sourceIndex", 0))
    first, last = ranges[0]["start"]["line"], ranges[-1]["end"]["line"]
    return "\n".join((message, f"{path}:{first}", _RULE, *_excerpt(lines, first, last), _RULE))


def _source(found: dict[str, Any], index: int) -> list[str]:
    sources = found.get("sources") or ()
    data = sources[index]["data"] if index < len(sources) else ""
    return base64.b64decode(data).decode("utf-8", "replace").split("\n")


def _excerpt(lines: list[str], first: int, last: int) -> list[str]:
    shown = range(max(1, first - _AROUND), min(len(lines), last + _AROUND) + 1)
    return [f"{number:4} | {'>>>' if first <= number <= last else '   '} {lines[number - 1]}" for number in shown]


def _literal(path: str) -> str:
    """For the replacement of a regular expression."""
    return path.replace("\\", r"\\")
