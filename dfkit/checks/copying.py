"""COPY and ADD: what they bring, and what happens to it afterwards."""

from __future__ import annotations

import os
import posixpath

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.model import Stage
from dfkit.model.copies import EVERYTHING, is_remote, sources
from dfkit.shell import Command, commands, effective
from dfkit.syntax.nodes import Add, Copy, Dockerfile, Run, Transfer
from dfkit.syntax.walk import instructions
from dfkit.text import SAFE, STYLE, Edit, Note, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place
    from dfkit.model import Model

_ARCHIVE = regex(r"\.(?:tar(?:\..*)?|t[abglx]?z2?|tb2|gz|bz2|xz|lzma|zst|Z)$|\.tar")
_NO_ARCHIVE = regex(
    r"\.(?:c|cfg|conf|cpp|crt|css|csv|env|go|h|html|ini|jar|java|js|json|list|lock|md|mjs|pem|php|pl|properties|pub|py|rb|repo|rs|sh|sql"
    r"|toml|ts|txt|war|xml|ya?ml|zip)$"
)
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_MAGIC_SIZE = 262
"""What moby's archive detection looks at; a tar has `ustar` at 257.
https://github.com/moby/go-archive/blob/main/compression/compression.go"""


@check(Add)
def add_of_files(node: Add, at: Place) -> Iterator[Finding]:
    """ADD brings plain files or folders, which COPY does without unpacking or fetching anything.

    Silent where some source is or may be an archive or a URL, and with the options that only ADD has. The fix is safe where the
    build context or the name shows that no source is an archive.
    """
    if at.stage is None or any(flag.name in ("checksum", "keep-git-dir", "unpack") for flag in node.flags):
        return
    markers = {heredoc.marker for heredoc in node.heredocs}
    sure = True
    for word in node.sources:
        if word.span in markers:
            continue
        text = at.model.expand(word, node)
        if is_remote(text or word.text) or _ARCHIVE.search(text or word.text):
            return
        if text is None:
            if word.text.strip("\"'").startswith("$"):
                return
            sure = False
        elif not _is_plain(text, at.settings.context):
            sure = False
    keyword = "copy" if node.keyword.text.islower() else "COPY"
    yield Finding(node.keyword.span, edits=(Edit(node.keyword.span, keyword),), applicability=SAFE if sure else None)


def _is_plain(path: str, context: str | None) -> bool:
    """Whether ADD surely unpacks nothing: a folder, a file of the context without an archive's first bytes, or a telling name."""
    if path.endswith("/") or posixpath.normpath(path) in (".", "/"):
        return True
    if any(char in path for char in "*?["):
        return _NO_ARCHIVE.search(path) is not None
    if context is not None:
        full = os.path.join(context, path.lstrip("/"))
        if os.path.isdir(full):
            return True
        if os.path.isfile(full):
            with open(full, "rb") as file:
                head = file.read(_MAGIC_SIZE)
            return not head.startswith(_MAGIC) and head[257:262] != b"ustar"
    return _NO_ARCHIVE.search(path) is not None


@check(Add)
def unchecked_download(node: Add, at: Place) -> Iterator[Finding]:
    """ADD fetches a file over the network and does not say its checksum; what git fetches by a commit has one."""
    if node.flag("checksum") is not None or at.stage is None:
        return
    for word in node.sources:
        text = at.model.expand(word, node) or word.text
        if text.startswith(("http://", "https://")) and not regex(r".*\.git(?:#.*)?").fullmatch(text):
            yield Finding(word.span)


@check(Command, program="program")
def changed_after_copy(node: Command, at: Place, *, program: Words, option: str) -> Iterator[Finding]:
    """A RUN changes owner or mode of files that an earlier COPY of the stage brought, with `program`; COPY has `option` for that.

    Softer where only single files change, which are small more often than not, and in stages that are not shipped.
    """
    instruction = at.instruction
    if not isinstance(instruction, Run) or at.stage is None:
        return
    command = effective(node)
    words = [word for word in command.arguments if not word.text.startswith("-")][1:]
    recursive = any(regex(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive").fullmatch(word.text) for word in command.arguments)
    workdir = at.model.state(instruction).workdir
    for word in words:
        path = _absolute(word.value, workdir)
        if path is None:
            continue
        for copy in at.stage.instructions:
            if copy is instruction or copy.span.start > instruction.span.start:
                break
            if isinstance(copy, Transfer) and copy.flag(option) is None and _brings(copy, path, recursive, at.model):
                soft = not recursive or not at.model.is_shipped(at.stage)
                yield Finding(
                    Span(command.words[0].span.start, word.span.end),
                    notes=(Note(copy.span, f"brought by this {copy.name}"),),
                    severity=STYLE if soft else None,
                )
                return


def _absolute(path: str | None, workdir: str | None) -> str | None:
    if path is None or any(char in path for char in "*?[~"):
        return None
    if path.startswith("/"):
        return posixpath.normpath(path)
    return None if workdir is None else posixpath.normpath(posixpath.join(workdir, path))


def _brings(copy: Transfer, path: str, recursive: bool, model: Model) -> bool:
    """Whether a COPY brings the file at a path or, where a command goes into folders, something below it."""
    text = model.expand(copy.destination, copy)
    destination = _absolute(text, model.state(copy).workdir)
    if destination is None or text is None:
        return False
    places = {destination}
    for word in copy.sources:
        name = posixpath.basename((model.expand(word, copy) or "").rstrip("/"))
        if name and not any(char in name for char in "*?["):
            places.add(posixpath.join(destination, name))
    return path in places or (recursive and any(place.startswith(path.rstrip("/") + "/") for place in places))


@check(Stage)
def everything_before_install(node: Stage, at: Place, *, installs: Words) -> Iterator[Finding]:
    """A COPY of the whole context stands before a RUN that installs what a few files of it name, so each edit installs again.

    `installs` are commands that read such files, as the words they start with; options between the words do not matter. One that
    needs an option (`pip install -r`) says so. Silent where an earlier RUN of the stage had the same program install.
    """
    transfers = [each for each in node.instructions if isinstance(each, Copy | Add)]
    if not any(source == EVERYTHING for each in transfers for source, _ in sources(each, at.model)):
        return
    whole: Span | None = None
    seen: set[str] = set()
    phrases = [tuple(each.split()) for each in installs]
    for instruction in node.instructions:
        if isinstance(instruction, Copy | Add):
            for source, span in sources(instruction, at.model):
                if source == EVERYTHING and whole is None:
                    whole = span
        elif isinstance(instruction, Run):
            for script in at.model.scripts(instruction):
                for each in commands(script):
                    command = effective(each)
                    if not any(_starts_with(command, phrase) for phrase in phrases):
                        continue
                    if whole is not None and command.name not in seen:
                        yield Finding(
                            whole,
                            "each edit of any file runs the install again: copy the files it reads, install, then copy the rest",
                            notes=(Note(command.span, "this runs again"),),
                        )
                        return
                    seen.add(command.name or "")


def _starts_with(command: Command, phrase: tuple[str, ...]) -> bool:
    """Whether a command has the words of a phrase and no more but options; a phrase with an option needs just that option."""
    words = [word.value or word.text for word in command.words]
    if command.name != phrase[0]:
        return False
    options = [word for word in phrase if word.startswith("-")]
    plain = [word for word in words[1:] if not word.startswith("-")]
    wanted = [word for word in phrase[1:] if not word.startswith("-")]
    if options:
        return plain[: len(wanted)] == wanted and all(any(word.startswith(option) for word in words) for option in options)
    return plain == wanted


@check(Stage)
def unpacked_later(node: Stage, at: Place) -> Iterator[Finding]:
    """COPY brings a tar archive that a later RUN of the stage unpacks, where ADD would have unpacked it.

    Silent where the RUN leaves out folders of the archive (`--strip-components`), which ADD cannot.
    """
    brought: dict[str, Span] = {}
    for instruction in node.instructions:
        if isinstance(instruction, Copy) and instruction.flag("from") is None:
            for word in instruction.sources:
                name = posixpath.basename(at.model.expand(word, instruction) or "")
                if _TAR.search(name) and not any(char in name for char in "*?["):
                    brought[name] = word.span
        elif isinstance(instruction, Run) and brought:
            for script in at.model.scripts(instruction):
                for command in commands(script):
                    words = [word.value or word.text for word in effective(command).arguments]
                    if effective(command).name != "tar" or not _unpacks(words):
                        continue
                    for name in [posixpath.basename(word) for word in words]:
                        if name in brought:
                            yield Finding(brought.pop(name), notes=(Note(command.span, "unpacked here"),))


_TAR = regex(r"\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|tzst)$")


def _unpacks(words: list[str]) -> bool:
    if any(word.startswith("--strip") for word in words):
        return False
    modes = [word for word in (words[0], *words) if regex(r"-?[a-zA-Z]*x[a-zA-Z]*").fullmatch(word)] if words else []
    return "--extract" in words or "--get" in words or any(mode is words[0] or mode.startswith("-") for mode in modes)


@check(Copy)
def many_to_a_file(node: Copy, at: Place) -> Iterator[Finding]:
    """COPY brings several files to a path that does not end in `/`. Softer for `.` and `..`, which are folders all the same."""
    if at.stage is None or len(node.sources) < 2:
        return
    path = at.model.expand(node.destination, node) or node.destination.text.strip("\"'")
    if not path.endswith(("/", "\\")):
        yield Finding(node.destination.span, severity=STYLE if posixpath.basename(path) in (".", "..") else None)


@check(Transfer)
def relative_destination(node: Transfer, at: Place) -> Iterator[Finding]:
    """A relative destination where no WORKDIR of the file stands above, so the base image's counts."""
    if at.stage is None or at.model.is_trigger(node) or (isinstance(node, Add) and at.imitates("hadolint")):
        return
    state = at.model.state(node)
    if state.workdir_from is not None or (at.stage.root.image == "scratch" and not at.imitates("hadolint")):
        return
    path = at.model.expand(node.destination, node) or node.destination.text.strip("\"'")
    if path[:1] not in ("/", "\\", "$") and not regex(r"[A-Za-z]:").match(path):
        yield Finding(node.destination.span)


@check(Copy)
def whole_filesystem(node: Copy, at: Place) -> Iterator[Finding]:
    """`COPY --from=… / /`. Softer into a stage from scratch, where it makes one layer of an image."""
    if at.stage is None or node.flag("from") is None or at.model.expand(node.destination, node) != "/":
        return
    for word in node.sources:
        if at.model.expand(word, node) == "/":
            yield Finding(word.span, severity=STYLE if at.stage.root.image == "scratch" else None)


@check(Dockerfile)
def ignored(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """A source of COPY or ADD is a file of the build context that the ignore file takes away."""
    root = at.settings.context
    if root is None:
        return
    from dfkit.context.place import ignore_file

    path = ignore_file(root, node.source.name)
    if path is None:
        return
    from dfkit.context.ignore import load

    ignore = load(path)
    name = posixpath.basename(path)
    for instruction in instructions(node):
        if isinstance(instruction, Transfer) and at.model.stage_of(instruction) is not None:
            for source, span in sources(instruction, at.model):
                if source is not None and source != EVERYTHING and ignore.ignores(source):
                    line = ignore.decided_by(source)
                    where = f"line {line.line} of {name}" if line is not None else name
                    yield Finding(span, f"{where} keeps this out of the build context, so {instruction.name} does not find it")
