"""Instructions and stages, judged as hadolint judges them: by their text as it is written, and not in ONBUILD."""

from __future__ import annotations

import posixpath

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.checks.hadolint.commands import calls
from dfkit.checks.hadolint.stages import repository
from dfkit.model import Stage
from dfkit.syntax.nodes import (
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Maintainer,
    Run,
    ShellForm,
    User,
    Workdir,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import Word

_ARCHIVES = (
    ".tar", ".Z", ".bz2", ".gz", ".lz", ".lzma", ".tZ", ".tb2", ".tbz", ".tbz2", ".tgz", ".tlz", ".tpz", ".txz", ".xz",
)  # fmt: skip
_NAMED = regex("[A-Za-z0-9_]")
_UNPACK = ("bunzip2", "gunzip", "gzcat", "uncompress", "unlzma", "unxz", "unzip", "zcat", "zgz")


def _written(word: Word) -> str:
    return word.text.strip("\"'")


def _is_trigger(at: Place) -> bool:
    return at.instruction is not None and at.model.is_trigger(at.instruction)


# --- single instructions


@check(Workdir)
def relative_workdir(node: Workdir, at: Place) -> Iterator[Finding]:
    """WORKDIR with neither `/`, nor a drive, nor a variable at its beginning."""
    path = _written(node.value)
    if path and not regex(r"[/$]|[A-Za-z]:").match(path) and not _is_trigger(at):
        yield Finding(node.value.span)


@check(Maintainer)
def maintainer(node: Maintainer, at: Place) -> Iterator[Finding]:
    """MAINTAINER."""
    if not _is_trigger(at):
        yield Finding(node.keyword.span)


@check(Expose)
def out_of_range(node: Expose, at: Place) -> Iterator[Finding]:
    """A port that TCP and UDP do not have."""
    for word in node.words if not _is_trigger(at) else ():
        if any(int(number) > 65535 for number in regex("[0-9]+").findall(word.text.partition("/")[0])):
            yield Finding(word.span)


@check(Cmd, Entrypoint, Healthcheck)
def shell_form(node: Cmd | Entrypoint | Healthcheck, at: Place) -> Iterator[Finding]:
    """CMD, ENTRYPOINT or HEALTHCHECK is no JSON list."""
    if isinstance(node.form, ShellForm) and node.form.text.text and not _is_trigger(at):
        yield Finding(node.form.span)


@check(Env)
def used_where_set(node: Env, at: Place) -> Iterator[Finding]:
    """A value has a variable that only another pair of the same ENV sets; quotes and backslashes do not matter."""
    if _is_trigger(at):
        return
    known = _declared_above(node, at)
    for pair in node.pairs:
        for other in node.pairs:
            name = other.key.text
            if other is not pair and pair.value is not None and name not in known and _is_used(name, pair.value.text):
                yield Finding(pair.value.span)
                return


def _is_used(name: str, value: str) -> bool:
    """Whether a value has `${name}`, or `$name` with nothing behind it that belongs to a name."""
    if f"${{{name}}}" in value:
        return True
    at = value.find(f"${name}")
    while at >= 0 and _NAMED.match(value, at + 1 + len(name)):
        at = value.find(f"${name}", at + 1)
    return at >= 0


def _declared_above(node: Env, at: Place) -> set[str]:
    """The names of all ENVs and ARGs above, whatever stage they stand in."""
    found: set[str] = set()
    for each in at.model.dockerfile.instructions:
        if each is node:
            break
        if isinstance(each, Env | Arg):
            found.update(pair.key.text for pair in each.pairs)
    return found


# --- files


@check(Add)
def add_of_files(node: Add, at: Place) -> Iterator[Finding]:
    """A source of ADD has neither `http://` or `https://` before it nor an archive's ending."""
    markers = {heredoc.marker for heredoc in node.heredocs}
    if not _is_trigger(at) and any(
        not _written(word).startswith(("http://", "https://")) and not _written(word).endswith(_ARCHIVES)
        for word in node.sources
        if word.span not in markers
    ):
        yield Finding(node.keyword.span)


@check(Copy)
def many_to_a_file(node: Copy, at: Place) -> Iterator[Finding]:
    """COPY of several files to what does not end in `/`."""
    if len(node.sources) > 1 and not _written(node.destination).endswith("/") and not _is_trigger(at):
        yield Finding(node.destination.span)


@check(Copy)
def whole_filesystem(node: Copy, at: Place) -> Iterator[Finding]:
    """`COPY --from=… / /`."""
    if node.flag("from") is not None and _written(node.destination) == "/" and not _is_trigger(at):
        for word in node.sources:
            if _written(word) == "/":
                yield Finding(word.span)


@check(Stage)
def unpacked_later(node: Stage, at: Place) -> Iterator[Finding]:
    """COPY brings an archive that a later RUN of the stage unpacks, by a word that ends with the name of its source or destination."""
    brought: list[tuple[Copy, set[str]]] = []
    for instruction in node.instructions:
        if isinstance(instruction, Copy) and instruction.flag("from") is None:
            names = {posixpath.basename(_written(word)) for word in (*instruction.sources, instruction.destination)}
            archives = {name for name in names if name.endswith(_ARCHIVES) and "$" not in name}
            if archives:
                brought.append((instruction, archives))
        elif isinstance(instruction, Run) and brought:
            unpacked = {
                posixpath.basename(word)
                for script in at.model.scripts(instruction)
                for call in calls(script)
                if call.name in _UNPACK or (call.name == "tar" and call.has(("-x", "--extract", "--get")))
                for word in call.words
            }
            for copy, archives in brought:
                if archives & unpacked:
                    yield Finding(copy.keyword.span)
            brought = [(copy, archives) for copy, archives in brought if not archives & unpacked]


# --- users


@check(Stage)
def root_last(node: Stage, at: Place) -> Iterator[Finding]:
    """The last USER of a stage is root, as it is written; not without a FROM."""
    last = next((each for each in reversed(node.instructions) if isinstance(each, User)), None)
    if last is not None and not node.is_fragment and last.value.text.split(":")[0] in ("root", "0"):
        yield Finding(last.value.span)


# --- stages


@check(Stage)
def untagged(node: Stage, at: Place) -> Iterator[Finding]:
    """FROM names an image without tag and digest, and no stage above as it is written. A port is taken for a tag."""
    from dfkit.checks.base import untagged as check_as_right

    if regex("[^/.]*:.*").fullmatch(node.from_.image.text):
        return
    earlier = {each.from_.alias.text for each in at.model.stages[: node.index] if each.from_.alias is not None}
    if node.base is not None and repository(node.from_.image.text) not in earlier and "$" not in node.from_.image.text:
        yield Finding(node.from_.image.span)
    elif repository(node.from_.image.text) not in earlier:
        yield from check_as_right(node, at)


@check(Stage)
def duplicate_name(node: Stage, at: Place) -> Iterator[Finding]:
    """A stage above has the same name, written the same."""
    alias = node.from_.alias
    above = [each.from_.alias.text for each in at.model.stages[: node.index] if each.from_.alias is not None]
    if alias is not None and alias.text in above:
        yield Finding(alias.span)


@check(Stage)
def reserved_name(node: Stage, at: Place, *, names: Words) -> Iterator[Finding]:
    """A stage has one of these names, written the same."""
    if node.from_.alias is not None and node.from_.alias.text in names:
        yield Finding(node.from_.alias.span)


@check(Copy)
def unknown_source(node: Copy, at: Place) -> Iterator[Finding]:
    """`--from` has neither a tag, nor the name of a stage up to here, nor the number of one."""
    text = _source(node, at)
    if text is None or ":" in text:
        return
    stages = _stages(node, at)
    if not any(text in (alias, str(index)) for index, alias in enumerate(stages)) and not (
        text.isdecimal() and int(text) < len(stages)
    ):
        yield Finding(node.keyword.span)


@check(Copy)
def own_stage(node: Copy, at: Place) -> Iterator[Finding]:
    """`--from` has the name of the stage that it stands in, written the same."""
    stages = _stages(node, at)
    if stages and _source(node, at) == stages[-1]:
        yield Finding(node.keyword.span)


def _source(node: Copy, at: Place) -> str | None:
    flag = node.flag("from")
    return flag.value if flag is not None and not _is_trigger(at) else None


def _stages(node: Copy, at: Place) -> list[str]:
    """The names of the stages up to the one that an instruction stands in; empty ones for stages without."""
    last = at.stage.index if at.stage is not None and not at.stage.is_fragment else -1
    return [each.from_.alias.text if each.from_.alias is not None else "" for each in at.model.stages[: last + 1]]
