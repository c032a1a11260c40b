"""T50 and T51: give copied files their owner or mode where they are copied, not in a later RUN.

A RUN that changes the owner of files writes them to the image once more. `COPY . /app` and `RUN chown -R app:app /app` become

    COPY --chown=app:app . /app

with `RUN chown app:app /app` left where the folder itself may be older than the COPY, whose owner COPY does not change. The same for
`chmod` with an octal mode, whose folder is always left to the RUN.

Preconditions:

1. What changes is a file that is the only one of its COPY, or a tree, recursively, of which all files come from COPYs: nothing before
   may have written there, neither the base image nor a RUN.
2. Nothing between reads or writes there, or could make another user of the name.
3. The COPY makes no folders above: it would give them the owner too.
4. Owner and group are numbers or names. `chown app` leaves the group, which is 0 after a COPY, where `COPY --chown=app` sets it:
   so it becomes `--chown=app:0`.
5. The files are plain: for symbolic links `chown`s differ in whose owner they change, and `chown` takes set-user-id bits away.
6. The mode is octal, without such bits; a frontend that knows `--chmod`.
"""

from __future__ import annotations

import posixpath
import re

from dfkit._record import Record
from dfkit.model.effects import overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.optimize.copied import Unclear, copied, destination
from dfkit.optimize.passes import Pass
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import without
from dfkit.shell import effective
from dfkit.syntax.nodes import OnBuild, Run, Transfer, Volume, Workdir
from dfkit.text import Edit, Fix, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model import Model, Stage
    from dfkit.model.effects import Step
    from dfkit.model.packages import Invocation
    from dfkit.optimize.copied import Copied
    from dfkit.optimize.passes import Facts
    from dfkit.shell import Word
    from dfkit.syntax.nodes import Instruction

NAME = "copy-owner"
_RECURSIVE = re.compile(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive")
_OPTIONS = re.compile(r"-[Rvcf]+|--(?:recursive|verbose|changes|silent|quiet)")
_OWNER = re.compile(r"([A-Za-z_][\w-]*|\d+)?(?::([A-Za-z_][\w-]*|\d+))?")
_MODE = re.compile(r"0?[0-7]{3}")
_BEFORE_CHMOD = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?:1\.[01]\b")
_LANGUAGES = ("pip", "npm", "yarn", "gem")
_ELSEWHERE = ("-t", "--target", "--prefix", "--root", "--src", "-e", "--editable", "--install-dir", "--modules-folder", "--cwd")
"""Options of these by which they write to a folder that is named, or beside what they run in."""
_FREE = re.compile(
    r"/(?:app|application|code|project|service|site|web|workspace)(?:/.*)?|/srv/.+|/(?:usr/src|usr|opt)/app(?:/.*)?|/home/[^/]+/[^/.].*"
)
"""Where no image of facts/images.yaml has anything; their `onbuild` tags have."""
_STANDARD = (
    "/", "/bin", "/etc", "/home", "/lib", "/opt", "/root", "/sbin", "/srv", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local",
    "/usr/local/bin", "/usr/local/lib", "/usr/local/share", "/usr/sbin", "/usr/share", "/var", "/var/lib", "/var/log",
)  # fmt: skip
"""Folders that all images of facts/images.yaml have, but for busybox."""


class Change(Record):
    """A `chown` or `chmod` of a RUN: what it gives, to what, and where."""

    run: Run
    step: Step
    value: str
    """As a COPY's flag takes it."""
    flag: str
    path: str
    recursive: bool


def rewrite(model: Model, facts: Facts) -> Iterator[Proposal | Refusal]:
    """Move each change of owner or mode into the COPYs that bring the files."""
    for stage in model.stages:
        if not model.is_shipped(stage) or model.end_state(stage).os == "windows":
            continue
        for run in stage.instructions:
            if not isinstance(run, Run) or model.state(run).is_root is False:
                continue
            for script in model.scripts(run):
                for step in steps(script, where(model, run)):
                    if effective(step.command).name in ("chown", "chmod") and step.sure:
                        yield from _change(run, step, stage, model, facts)


PASS = Pass(NAME, "Set owner and mode of copied files in their COPY", rewrite)


def _change(run: Run, step: Step, stage: Stage, model: Model, facts: Facts) -> Iterator[Proposal | Refusal]:
    path = _target(step)
    if path is None:
        return
    own = {id(each) for each in stage.instructions}
    brings = [
        each for each in _before(run, stage) if id(each) in own and isinstance(each, Transfer) and _is_within(each, path, model)
    ]
    recursive = any(_RECURSIVE.fullmatch(word.text) for word in effective(step.command).arguments)
    if not brings or not (recursive or len(brings) == 1):
        return
    try:
        proposal = _moved(run, step, path, recursive, brings, stage, model, facts)
    except Unclear as why:
        line = model.dockerfile.source.position(step.command.span.start).line
        yield Refusal(
            NAME, step.command.span, f"The {effective(step.command).name} of `{path}` in line {line} is not made by COPY: {why}."
        )
        return
    if proposal is not None:
        yield proposal


def _target(step: Step) -> str | None:
    """The one literal path whose owner or mode changes; None if there is none or there are more."""
    changes = step.effects.changes
    return changes[0] if len(changes) == 1 and not re.search(r"[*?\[\\]", changes[0]) and changes[0] != "/" else None


def _before(run: Run, stage: Stage) -> Sequence[Instruction]:
    """The instructions above a RUN in its stage and the stages that it is built on, in their order."""
    own = stage.instructions[: next(at for at, each in enumerate(stage.instructions) if each is run)]
    inherited = [each for below in [*stage.lineage][:0:-1] for each in below.instructions]
    return (*inherited, *own)


def _is_within(transfer: Transfer, path: str, model: Model) -> bool:
    """Whether a COPY writes to a path, or to what is below it, and not to a folder above it."""
    try:
        target, is_folder = destination(transfer, model)
    except Unclear:
        return False
    names = {posixpath.basename((model.expand(word, transfer) or "").rstrip("/")) for word in transfer.sources}
    places = {target, *(posixpath.join(target, name) for name in names if name)} if is_folder else {target}
    return any(place == path or place.startswith(path + "/") for place in places)


def _moved(
    run: Run, step: Step, path: str, recursive: bool, brings: list[Transfer], stage: Stage, model: Model, facts: Facts
) -> Proposal | None:
    """The rewrite of one change; None where it is of a folder alone, or of a part of what is copied. Raises `Unclear`."""
    change = _read(run, step, path, recursive, model)
    if facts.context is None:
        raise Unclear("without the build context it is not known what is copied; name it with `--context`")
    trees = [copied(each, model, facts.context) for each in brings]
    if not recursive and not trees[0].has(path):
        return None
    if (
        any(set(tree.files) != {path} for tree in trees)
        if not recursive
        else any(not _is_below(file, path) for tree in trees for file in tree.files)
    ):
        return None
    for tree in trees:
        _check_files(tree, change)
    before = _before(run, stage)
    is_tree = not all(set(tree.files) == {path} for tree in trees)
    fresh = _check_writers(change, brings, before, is_tree, model, stage, facts)
    if not is_tree and not _is_file(path, trees[0], stage, model, facts):
        raise Unclear("it may be a folder, into which COPY puts the file")
    if change.flag == "chown":
        above = posixpath.dirname(path)
        if not _exists(above, before[: _index(before, brings[0])], stage, model, facts):
            raise Unclear(f"COPY may have to make `{above}`, which would get the owner too")
    keeps = is_tree and (change.flag == "chmod" or not fresh)
    edits = _edits(change, brings, keeps, model)
    size = sum(entry.size for tree in trees for entry in tree.files.values())
    return Proposal(
        NAME,
        Fix(f"set the {_WHAT[change.flag]} of `{path}` where it is copied", edits),
        step.command.span,
        f"This {change.flag} writes all files of `{path}` to the image again."
        if is_tree
        else f"This {change.flag} writes `{path}` to the image again.",
        f"{size} bytes",
    )


_WHAT = {"chown": "owner", "chmod": "mode"}


def _is_below(file: str, path: str) -> bool:
    return file == path or file.startswith(path + "/")


def _index(instructions: Sequence[Instruction], instruction: Instruction) -> int:
    return next(at for at, each in enumerate(instructions) if each is instruction)


def _read(run: Run, step: Step, path: str, recursive: bool, model: Model) -> Change:
    """The words of a chown or chmod. Raises `Unclear`."""
    command = effective(step.command)
    options = [word for word in command.arguments if word.text.startswith("-")]
    values = [word.value for word in command.arguments if not word.text.startswith("-")]
    if len(values) != 2 or not all(_OPTIONS.fullmatch(word.text) for word in options) or step.command.redirects:
        raise Unclear("its options mean more than COPY can")
    value = values[0]
    if value is None:
        raise Unclear("what it gives is not known before the build")
    if command.name == "chmod":
        if not _MODE.fullmatch(value):
            raise Unclear(
                f"`{value}` depends on the mode that the files have, or has special bits; an octal mode such as 755 does not"
            )
        syntax = model.dockerfile.directive("syntax")
        if syntax is not None and _BEFORE_CHMOD.match(syntax.value):
            raise Unclear(f"`{syntax.value}` does not know `COPY --chmod`")
        return Change(run, step, value, "chmod", path, recursive)
    owner = _OWNER.fullmatch(value)
    if owner is None or not (owner[1] or owner[2]):
        raise Unclear(f"`{value}` is not written as user:group")
    return Change(run, step, f"{owner[1] or 0}:{owner[2] or 0}", "chown", path, recursive)


def _check_files(tree: Copied, change: Change) -> None:
    for flag in tree.instruction.flags:
        other = flag.name in ("chown", "chmod") and flag.name != change.flag
        if not other or (flag.name == "chmod" and not _MODE.fullmatch(flag.value or "")):
            raise Unclear(f"the {tree.instruction.name} has `--{flag.name}` already")
    for path, entry in tree.files.items():
        if entry.kind not in ("file", "dir"):
            raise Unclear(f"`{path}` is a {'symbolic link' if entry.kind == 'symlink' else entry.kind}")
        if entry.mode & 0o6000:
            raise Unclear(f"`{path}` has a set-user-id or set-group-id bit")


def _check_writers(
    change: Change, brings: list[Transfer], before: Sequence[Instruction], is_tree: bool, model: Model, stage: Stage, facts: Facts
) -> bool:
    """Raise `Unclear` if something but the COPYs writes there, or touches what they bring; whether the path is new to the first COPY."""
    path = change.path
    if any(isinstance(each, OnBuild) for below in [*stage.lineage][1:] for each in below.instructions):
        raise Unclear("an ONBUILD of the stage below may touch it")
    copies = {id(each) for each in brings}
    first = _index(before, brings[0])
    fresh = not is_tree or _is_empty(path, stage, facts)
    for at, each in enumerate(before):
        line = model.dockerfile.source.position(each.span.start).line
        if isinstance(each, Volume):
            if any(word.text == path or path.startswith(word.text.rstrip("/") + "/") or "$" in word.text for word in each.words):
                raise Unclear(f"it is in the VOLUME of line {line}")
        elif isinstance(each, Transfer):
            if id(each) not in copies and not _is_apart(each, path, model):
                raise Unclear(f"the {each.name} in line {line} may write there too")
        elif isinstance(each, Workdir):
            folder = _workdir(each, model)
            if folder is None or folder.startswith(path + "/"):
                raise Unclear(f"the WORKDIR in line {line} may make a folder there")
            fresh = fresh and (folder != path or at > first)
        elif isinstance(each, Run):
            for step in _steps(each, model):
                fresh = fresh and path not in _folders(step)
                if (is_tree or at > first) and _touches(step, path):
                    raise Unclear(f"the RUN in line {line} may touch it")
                if at > first and _renames(step, change):
                    raise Unclear(f"the RUN in line {line} may make the user")
    if is_tree and not _is_empty(path, stage, facts):
        raise Unclear(f"the base image may have files in `{path}`")
    for step in _steps(change.run, model):
        if step.command is change.step.command:
            break
        if _touches(step, path):
            raise Unclear("a command before it in its RUN may touch it")
        if _renames(step, change):
            raise Unclear("a command before it in its RUN may make the user")
    return fresh


def _steps(run: Run, model: Model) -> Iterator[Step]:
    for script in model.scripts(run):
        yield from steps(script, where(model, run))


def _workdir(instruction: Workdir, model: Model) -> str | None:
    text = model.expand(instruction.value, instruction)
    above = model.state(instruction).workdir
    if text is None or (above is None and not text.startswith("/")):
        return None
    return posixpath.normpath(posixpath.join(above or "/", text))


def _is_apart(transfer: Transfer, path: str, model: Model) -> bool:
    """Whether a COPY surely writes nothing at or below a path: it goes elsewhere, or only puts files into a folder above."""
    target, _ = destination(transfer, model)
    if _is_below(target, path):
        return False
    if not _is_below(path, target):
        return True
    names = {posixpath.basename(word.text.rstrip("/")) for word in transfer.sources}
    return transfer.flag("from") is None and not any(
        re.search(r"[*?\[$]|^\.{0,2}$", name) or _is_below(path, posixpath.join(target, name)) for name in names
    )


def _touches(step: Step, path: str) -> bool:
    """Whether a command may read or write at a path; making it as an empty folder does not count.

    Package managers are taken for what they do where they are used as meant: they install to folders of their own.
    """
    folders = _folders(step)
    if folders:
        return any(each.startswith(path + "/") for each in folders)
    call = invocation(effective(step.command))
    if call is None or not call.action or any(word.value is None or word.value.startswith((".", "/")) for word in call.packages):
        return step.effects.may_touch(path)
    if call.manager in _LANGUAGES:
        return _is_near(call, step.cwd, path)
    # https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch03s17.html: the folders below /srv are left to those who run the system.
    return not path.startswith("/srv/") and step.effects.may_touch(path)


def _is_near(call: Invocation, cwd: str | None, path: str) -> bool:
    """Whether an install of a language's packages may read or write at a path: it runs there, or an option names it."""
    if cwd is None or call.has(*_ELSEWHERE):
        return True
    if call.manager in ("npm", "yarn") and (_is_below(cwd, path) or (_is_below(path, cwd) and cwd != "/")):
        return True
    for option in call.options:
        value = option.value if isinstance(option.value, str) or option.value is None else option.value.value
        if option.value is not None and (value is None or overlaps(posixpath.normpath(posixpath.join(cwd, value)), path)):
            return True
    return False


def _folders(step: Step) -> tuple[str, ...]:
    """The folders that a `mkdir` makes."""
    return step.effects.writes if effective(step.command).name == "mkdir" else ()


def _renames(step: Step, change: Change) -> bool:
    """Whether a command may change what the names of users and groups mean."""
    if change.flag == "chmod" or re.fullmatch(r"[\d:]+", change.value):
        return False
    call = invocation(effective(step.command))
    if call is not None and call.manager in _LANGUAGES:
        return False
    return step.effects.may_write("/etc/passwd") or step.effects.may_write("/etc/group")


def _is_empty(path: str, stage: Stage, facts: Facts) -> bool:
    """Whether the base image surely has nothing at or below a path."""
    image = stage.root.image
    if image == "scratch":
        return True
    base = facts.base(image) if image is not None else None
    if base is not None and (base.config or {}).get("OnBuild"):
        return False
    if base is not None and base.paths is not None:
        return not any(_is_below(each, path) for each in base.paths)
    name = stage.root.image_name
    return (
        name is not None
        and name.familiar in table("images")
        and "onbuild" not in (name.tag or "")
        and _FREE.fullmatch(path) is not None
    )


def _is_file(path: str, tree: Copied, stage: Stage, model: Model, facts: Facts) -> bool:
    """Whether a copied file is what is at a path: the destination is written as a folder, or none can have the name."""
    same_name = posixpath.basename(tree.files[path].path) == posixpath.basename(path)
    return destination(tree.instruction, model)[1] or same_name or _is_empty(path, stage, facts)


def _exists(folder: str, before: Sequence[Instruction], stage: Stage, model: Model, facts: Facts) -> bool:
    """Whether a folder surely is there after some instructions."""
    image = stage.root.image
    base = facts.base(image) if image is not None else None
    name = stage.root.image_name
    if folder == "/" or (base is not None and base.paths is not None and folder in base.paths):
        return True
    if name is not None and name.familiar in table("images") and name.familiar != "busybox" and folder in _STANDARD:
        return True
    for each in before:
        if isinstance(each, Workdir):
            made = _workdir(each, model)
            if made is not None and _is_below(made, folder):
                return True
        elif isinstance(each, Run):
            for step in _steps(each, model):
                if step.sure and any(_is_below(path, folder) for path in _folders(step)):
                    return True
    return False


def _edits(change: Change, brings: list[Transfer], keeps: bool, model: Model) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    for transfer in brings:
        at = transfer.flags[-1].span.end if transfer.flags else transfer.keyword.span.end
        edits.append(Edit(Span(at, at), f" --{change.flag}={change.value}"))
    if keeps:
        command = effective(change.step.command)
        for last, word in zip(command.words, command.arguments, strict=False):
            if _RECURSIVE.fullmatch(word.text):
                edits.append(_not_recursive(last, word))
        return tuple(edits)
    removed = without(model, change.run, [change.step.command])
    if isinstance(removed, str):
        raise Unclear(removed)
    taken, comments = removed
    if comments:
        source = model.dockerfile.source
        start = min([comment.span.start for comment in brings[0].comments] + [brings[0].span.start])
        newline = "\r\n" if "\r\n" in source.text else "\n"
        edits.append(Edit(Span(start, start), "".join(f"{comment}{newline}" for comment in comments)))
    return (*edits, *taken)


def _not_recursive(last: Word, word: Word) -> Edit:
    """The edit that takes `-R` out of a command's words."""
    rest = "" if word.text.startswith("--") else word.text.replace("R", "")
    return Edit(word.span, rest) if len(rest) > 1 else Edit(Span(last.span.end, word.span.end), "")
