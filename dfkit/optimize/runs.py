"""RUN instructions as material: which may be joined, and the edits that join them, add to them, or take commands out of them."""

from __future__ import annotations

import itertools
import re

from dfkit._record import Record, replace
from dfkit.optimize.templates import choose, unfit
from dfkit.shell import parse
from dfkit.shell.nodes import AndOr, Command
from dfkit.shell.properties import ends_with_comment
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Cmd, Entrypoint, Expose, Healthcheck, Label, Maintainer, Run, ShellForm, StopSignal
from dfkit.text import Edit, Mapped, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dfkit.model import Model, Stage
    from dfkit.optimize.templates import Template
    from dfkit.shell import Script
    from dfkit.syntax.nodes import Comment, Instruction

NEUTRAL = (Cmd, Entrypoint, Expose, Healthcheck, Label, Maintainer, StopSignal)
"""Instructions that no RUN sees: they make no layer and are not in its environment."""
ARGUMENT_LIMIT = 120_000
"""In bytes. Linux takes at most 128 KiB in one argument (MAX_ARG_STRLEN, include/uapi/linux/binfmts.h), and the script is one."""
INDENT = "    "
PRAGMA = re.compile(
    r"(?:hadolint|dfkit|tally)\b.*\bignore\b|check\s*=\s*skip|shellcheck\s+disable|checkov:skip|trivy:ignore|kics-scan|nosemgrep|nosec|noqa",
    re.IGNORECASE,
)
_LEADING = re.compile(r"\n([ \t]+)&&")
_TRAILING = re.compile(r"&&[ \t]*[\\`][ \t]*\r?\n([ \t]+)(?!#)\S")


class Body(Record):
    """What a RUN is to run, or a part of it: its script, its text as written, and the comments that go with it."""

    script: Script
    text: str
    comments: tuple[str, ...] = ()
    own: bool = False
    """It is put in by dfkit; see `templates.choose`."""


def groups(stage: Stage, model: Model) -> Iterator[tuple[Run, ...]]:
    """The RUNs of a stage that stand one after the other with nothing between that they could see, and that could be joined."""
    group: list[Run] = []
    for instruction in stage.instructions:
        if isinstance(instruction, NEUTRAL):
            continue
        if (
            isinstance(instruction, Run)
            and unjoinable(instruction, model) is None
            and (not group or differ(group[-1], instruction, model) is None)
        ):
            group.append(instruction)
            continue
        if group:
            yield tuple(group)
        group = [instruction] if isinstance(instruction, Run) and unjoinable(instruction, model) is None else []
    if group:
        yield tuple(group)


def unjoinable(run: Run, model: Model) -> str | None:
    """Why a RUN can be joined with no other; None if it can."""
    if not isinstance(run.form, ShellForm):
        return "it is in exec form"
    if run.heredocs:
        return "it has a here-document"
    if model.state(run).os == "windows":
        return "it runs on Windows"
    scripts = model.scripts(run)
    if len(scripts) != 1:
        return "it has no script"
    for mount in mounts(run):
        if mount.type == "tmpfs" or mount.get("readwrite") not in (None, "false"):
            return "what it writes to a mount is gone in the next RUN"
    body = body_of(run, model)
    if body is None:
        return "a comment in its script reaches over several lines"
    return unfit(body.script)


def differ(one: Run, other: Run, model: Model) -> str | None:
    """Why two RUNs with nothing between cannot be one: None if they can."""
    if sorted(_flags(one)) != sorted(_flags(other)):
        return "their flags differ"
    if model.state(one).shell != model.state(other).shell:
        return "they run under different shells"
    if any(PRAGMA.search(comment.text) for comment in other.comments):
        return "a comment that turns a check off stands between them, and would no longer be above its instruction"
    return None


def _flags(run: Run) -> list[tuple[str, str | None]]:
    return [(flag.name, flag.value) for flag in run.flags]


def body_of(run: Run, model: Model) -> Body | None:
    """A RUN's script and text; a comment at its end is taken off and kept apart. None if there is another comment in it."""
    source = model.dockerfile.source
    (script,) = model.scripts(run)
    start = script.text.offset(0)
    text = source.slice(Span(start, run.span.end)).rstrip()
    if not script.comments:
        return Body(script, text)
    comment = script.comments[-1]
    written = source.slice(comment.span)
    if len(script.comments) > 1 or not ends_with_comment(script) or "\n" in written:
        return None
    return Body(replace(script, comments=()), source.slice(Span(start, comment.span.start)).rstrip(), (written.rstrip(),))


def _between(run: Run, start: int, model: Model) -> list[Comment]:
    """Comments in a continuation before the first word of the script."""
    return [comment for comment in model.dockerfile.comments if run.span.start < comment.span.start < start]


def added(text: str, like: Run, model: Model, comments: Iterable[str] = ()) -> Body:
    """A chain of commands that is put in; it does not depend on the shell's state. A line end in it becomes a continuation."""
    (script,) = model.scripts(like)
    return Body(parse(Mapped(text.replace("\n", " "), ((0, 0),)), script.dialect, script.options), text, tuple(comments), True)


class Joined(Record):
    """One script made of several; `template` says how."""

    text: str
    template: Template


def write(bodies: Sequence[Body], model: Model) -> Joined | str:
    """The text of a RUN that runs one body after the other, in the layout that the bodies have; or why there can be none.

    The first body's comments are left out: they belong above the RUN.
    """
    template = choose([body.script for body in bodies], [body.own for body in bodies])
    source = model.dockerfile.source.text
    newline = "\r\n" if "\r\n" in source else "\n"
    together = "\n".join(body.text for body in bodies)
    indent, leads = _layout(together)
    escape = model.dockerfile.escape
    texts = [body.text.replace("\n", f" {escape}{newline}{indent}{INDENT}") if body.own else body.text for body in bodies]
    out = f"{template.head}; {escape}{newline}{indent}" if template.head else ""
    for at, (body, text, (opening, closing)) in enumerate(zip(bodies, texts, template.around, strict=True)):
        comments = "".join(f"{indent}{comment}{newline}" for comment in body.comments)
        if at == 0:
            out += f"{opening}{text}{closing}"
        elif template.joiner == ";":
            out += f"; {escape}{newline}{comments}{indent}{opening}{text}{closing}"
        elif leads:
            out += f" {escape}{newline}{comments}{indent}&& {opening}{text}{closing}"
        else:
            out += f" && {escape}{newline}{comments}{indent}{opening}{text}{closing}"
    if sum(len(body.text.encode("utf-8", "surrogateescape")) for body in bodies) + 16 * len(bodies) > ARGUMENT_LIMIT:
        return "the script would be too long for one argument"
    return Joined(out, template)


def _layout(text: str) -> tuple[str, bool]:
    """The indentation of continuation lines, and whether `&&` leads them."""
    leading, trailing = _LEADING.findall(text), _TRAILING.findall(text)
    if leading and len(leading) >= len(trailing):
        return leading[0], True
    return (trailing[0], False) if trailing else (INDENT, True)


def join(model: Model, runs: Sequence[Run], extra: Sequence[Body] = (), before: Sequence[Body] = ()) -> tuple[Edit, ...] | str:
    """The edits that make one RUN of several that `groups` put together, `before` and `extra` around them; or why not.

    Comments between them stay, inside the instruction; those of what comes first go above it.
    """
    slice_ = model.dockerfile.source.slice
    bodies = list(before)
    for at, run in enumerate(runs):
        body = body_of(run, model)
        if body is None:
            return "a comment in its script reaches over several lines"
        above: list[Comment] = []
        if at:
            above = [*run.comments, *_between(run, body.script.text.offset(0), model)]
        bodies.append(replace(body, comments=(*[slice_(comment.span).rstrip() for comment in above], *body.comments)))
    bodies += extra
    written = write(bodies, model)
    if isinstance(written, str):
        return written
    first = runs[0]
    (script,) = model.scripts(first)
    edits = [Edit(Span(script.text.offset(0), first.span.end), written.text)]
    if bodies[0].comments:
        newline = "\r\n" if "\r\n" in model.dockerfile.source.text else "\n"
        edits.insert(
            0, Edit(Span(first.span.start, first.span.start), "".join(f"{comment}{newline}" for comment in bodies[0].comments))
        )
    edits += _removals(model, runs)
    return tuple(edits)


def _removals(model: Model, runs: Sequence[Run]) -> Iterator[Edit]:
    """The edits that take out all RUNs but the first."""
    lines_until = 0
    for last, run in itertools.pairwise(runs):
        edit = removal(model, run, after=None if lines_until else last)
        if edit.span.start != last.span.end:
            edit = Edit(Span(max(edit.span.start, lines_until), edit.span.end), "")
            lines_until = edit.span.end
        yield edit


def _line_start(model: Model, offset: int) -> int:
    return model.dockerfile.source.text.rfind("\n", 0, offset) + 1


def removal(model: Model, instruction: Instruction, after: Instruction | None = None) -> Edit:
    """The edit that takes out an instruction with the comments above it; all lines since `after`, if that stands directly before."""
    text = model.dockerfile.source.text
    start = min([comment.span.start for comment in instruction.comments] + [instruction.span.start])
    if after is not None and not any(after.span.end <= each.span.start < start for each in model.dockerfile.instructions):
        return Edit(Span(after.span.end, instruction.span.end), "")
    start = _line_start(model, start)
    newline = text.find("\n", instruction.span.end)
    end = len(text) if newline < 0 else newline + 1
    # Of blank lines above and below, one group stays.
    while start >= 2 and text[:start].endswith(("\n\n", "\n\r\n")) and text[end : end + 1] in ("\n", "\r", ""):
        start = _line_start(model, start - 1)
    return Edit(Span(start, end), "")


def chain(script: Script) -> tuple[Command, ...] | None:
    """The commands of a script that is a plain `&&`-chain of simple commands; None for any other."""
    if script.opaque or len(script.statements) != 1 or script.statements[0].separator not in ("", "\n"):
        return None
    element = script.statements[0].element
    members = element.elements if isinstance(element, AndOr) else (element,)
    if isinstance(element, AndOr) and any(operator != "&&" for operator in element.operators):
        return None
    found = tuple([member for member in members if isinstance(member, Command)])
    return found if len(found) == len(members) else None


def without(model: Model, run: Run, gone: Sequence[Command]) -> tuple[tuple[Edit, ...], tuple[str, ...]] | str:
    """The edits that take commands out of a RUN that is a `&&`-chain, and the comments that went with them; or why not."""
    (script,) = model.scripts(run)
    members = chain(script)
    if members is None:
        return "its script is not a chain of commands joined by `&&`"
    source = model.dockerfile.source
    taken = {id(command) for command in gone}
    if all(id(member) in taken for member in members):
        inside = [comment for comment in model.dockerfile.comments if run.span.covers(comment.span)]
        comments = tuple([source.slice(comment.span).rstrip() for comment in (*run.comments, *inside)])
        return (removal(model, run),), comments
    edits = []
    at = 0
    while at < len(members):
        if id(members[at]) not in taken:
            at += 1
            continue
        end = at
        while end + 1 < len(members) and id(members[end + 1]) in taken:
            end += 1
        if at == 0:
            span = Span(members[0].span.start, members[end + 1].span.start)
        else:
            span = Span(members[at - 1].span.end, members[end].span.end)
        edits.append(Edit(span, ""))
        at = end + 1
    lost = [comment for comment in model.dockerfile.comments if any(edit.span.covers(comment.span) for edit in edits)]
    return tuple(edits), tuple([source.slice(comment.span).rstrip() for comment in lost])


def layers(fewer: int) -> str:
    """How many layers a rewrite saves, in words."""
    return "a layer" if fewer == 1 else f"{fewer} layers"
