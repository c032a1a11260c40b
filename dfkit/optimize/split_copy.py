"""T34: copy the files that an install reads, install, and only then copy the rest.

`COPY . /app` before `RUN npm ci` makes each edit of any file install again. Afterwards it is

    COPY package.json package-lock.json /app/
    RUN npm ci
    COPY . /app

The image is the same if the RUNs between read and write nothing of the tree but what is copied first. Preconditions, all decided from the
files of the build context:

1. Each RUN that the COPY moves below is a list of installs whose files are known (`dfkit.optimize.manifests`) and of commands that touch
   nothing of the tree; there is at least one such install.
2. No dependency is a path in the tree, and no lifecycle script runs that could read it.
3. The tree brings nothing that the install makes (`node_modules`), and the install writes nothing that the tree brings (a lock file).
4. Nothing between changes where the COPY goes or what it means: no VOLUME, no COPY to the same files, no variable that it names.
5. The destination is a folder for the tree, not one where the system or the user's settings are.
6. The folders that the COPY makes are made by the first copy with the same owner and mode. A copied folder gives its mode to one that is
   there already, but not to the destination itself (fsutil, copy/copy.go, overwriteTargetMetadata).
"""

from __future__ import annotations

import posixpath
import re

from dfkit.model.copies import EVERYTHING, sources
from dfkit.model.effects import steps, where
from dfkit.optimize import manifests
from dfkit.optimize.copied import Unclear, copied, destination
from dfkit.optimize.passes import Pass
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.shell import commands, effective
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    Transfer,
    User,
    Workdir,
)
from dfkit.text import Edit, Fix, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dfkit.model import Model, Stage
    from dfkit.model.effects import Step
    from dfkit.optimize.copied import Copied
    from dfkit.optimize.passes import ContextFacts, Facts
    from dfkit.syntax.nodes import Instruction

NAME = "split-copy"
_GO_KEEPS_SUMS = 18
"""Since this Go 1.x `go mod download` adds nothing to a complete go.sum (https://go.dev/issue/45332)."""
_HOME_SETTINGS = (
    ".bundle",
    ".cache",
    ".config",
    ".gem",
    ".gemrc",
    ".gitconfig",
    ".local",
    ".netrc",
    ".pip",
    ".pydistutils.cfg",
    ".ssh",
)
"""What programs look for in the home of whoever runs them."""
_CROSSED = (Arg, Cmd, Entrypoint, Env, Expose, Healthcheck, Label, Maintainer, OnBuild, Shell, StopSignal, User, Workdir)
"""What a COPY may move below: it neither reads nor writes files, but for WORKDIR, which makes a folder that the COPY brings or leaves."""
_SYSTEM = re.compile(
    r"/(?:(?:bin|boot|dev|etc|lib\w*|proc|run|sbin|sys)(?:/.*)?|usr(?:/(?:bin|games|include|lib\w*|libexec|local|sbin|share|src))?"
    r"|usr/(?:bin|include|lib\w*|local|sbin|share)/.*|home(?:/[^/]+)?|root|tmp|opt|srv|var(?:/(?:cache|lib|local|log|opt|run|spool|tmp))?"
    r"|var/(?:cache|lib|log)/.*)?"
)
"""Folders that hold more than one tree, settings of users, or files of the system."""
_PLAIN = re.compile(r"[\w./${}@+-]+")


def rewrite(model: Model, facts: Facts) -> Iterator[Proposal | Refusal]:
    """Split each COPY or ADD of a tree before an install."""
    for stage in model.stages:
        for at, instruction in enumerate(stage.instructions):
            if (
                not isinstance(instruction, Transfer)
                or instruction.flag("from") is not None
                or model.state(instruction).os == "windows"
            ):
                continue
            later = stage.instructions[at + 1 :]
            if not _installs(later, model):
                continue
            try:
                proposal = _split(instruction, later, stage, model, facts.context)
            except Unclear as why:
                if _is_tree(instruction, model, facts.context):
                    line = model.dockerfile.source.position(instruction.span.start).line
                    yield Refusal(
                        NAME, instruction.span, f"The {instruction.name} in line {line} is not split before the install: {why}."
                    )
                continue
            if proposal is not None:
                yield proposal


PASS = Pass(NAME, "Copy what an install reads before it, and the rest after it", rewrite)


def _installs(instructions: Iterable[Instruction], model: Model) -> bool:
    return any(
        manifests.is_install(effective(command))
        for each in instructions
        if isinstance(each, Run)
        for script in model.scripts(each)
        for command in commands(script)
    )


def _is_tree(instruction: Transfer, model: Model, context: ContextFacts | None) -> bool:
    """Whether a folder is copied, as far as that is known: a refusal to split the COPY of a file needs no saying."""
    for source, _ in sources(instruction, model):
        entry = context.entries.get(source) if context is not None and source is not None else None
        if source == EVERYTHING or (entry is not None and entry.kind == "dir"):
            return True
    return False


def _split(
    instruction: Transfer, later: tuple[Instruction, ...], stage: Stage, model: Model, context: ContextFacts | None
) -> Proposal | None:
    """The split of one COPY, None where it brings nothing but what is read. Raises `Unclear`."""
    if context is None:
        raise Unclear("without the build context it is not known which files the install reads; name it with `--context`")
    if any(flag.name != "chown" for flag in instruction.flags):
        raise Unclear("it has flags other than `--chown`")
    tree = copied(instruction, model, context)
    _check_destination(instruction, tree, model, context)
    needed, installs, last, between = _crossing(instruction, tree, later, stage, model, context)
    if set(needed) >= {path for path, entry in tree.files.items() if entry.kind != "dir"}:
        return None
    for path in needed:
        entry = tree.files[path]
        if entry.kind != "file" or entry.inode is not None:
            raise Unclear(f"`{entry.path}` is no plain file of its own")
    if "$" in model.dockerfile.source.slice(instruction.span) and any(isinstance(each, Arg | Env) for each in between):
        raise Unclear("it names a variable, and variables change before the install")
    edits = _edits(instruction, tree, needed, last, between, model)
    lines = [str(model.dockerfile.source.position(run.span.start).line) for run in installs]
    line = model.dockerfile.source.position(instruction.span.start).line
    return Proposal(
        NAME,
        Fix(f"copy what the install reads first, and the rest of line {line} after it", edits),
        instruction.span,
        f"An edit of any file that this {instruction.name} brings runs the install in line {' and '.join(lines)} again.",
        f"after an edit of the sources {'one install is' if len(lines) == 1 else f'{len(lines)} installs are'} not run again",
    )


def _check_destination(instruction: Transfer, tree: Copied, model: Model, context: ContextFacts) -> None:
    if _SYSTEM.fullmatch(tree.folder):
        raise Unclear(f"`{tree.folder}` holds more than what is copied there")
    if tree.folder == model.state(instruction).workdir:
        return
    for source, _ in sources(instruction, model):
        entry = context.entries.get(source or "")
        if entry is not None and entry.kind == "dir" and entry.mode != 0o755:
            raise Unclear(f"the folder `{source}` has the mode {entry.mode:o}, which its copy may get or not")


def _crossing(
    instruction: Transfer, tree: Copied, later: tuple[Instruction, ...], stage: Stage, model: Model, context: ContextFacts
) -> tuple[list[str], list[Run], Run, tuple[Instruction, ...]]:
    """What the RUNs below read of the tree, which of them install, the last one that the COPY can move below, and what is between."""
    frozen = _frozen(stage, instruction, model)
    needed: set[str] = set()
    installs: list[Run] = []
    last, end = None, 0
    entered: set[str] = set()
    for at, each in enumerate(later):
        try:
            if isinstance(each, Transfer):
                _check_apart(each, tree, model, context)
            elif isinstance(each, Run):
                found, folders, frozen = _reads(each, tree, model, frozen)
                _check_entered(folders, needed | (found or set()), tree)
                if found is not None:
                    needed |= found
                    installs.append(each)
                entered |= folders
                last, end = each, at
            elif not isinstance(each, _CROSSED):
                raise Unclear(f"{each.name or each.keyword.text.upper()} stands between")
        except Unclear as why:
            if installs:
                break
            line = model.dockerfile.source.position(each.span.start).line
            raise Unclear(f"{why} (line {line})") from None
    if last is None or not needed:
        raise Unclear("no install reads what it copies")
    return sorted(needed), installs, last, later[:end]


def _check_apart(transfer: Transfer, tree: Copied, model: Model, context: ContextFacts) -> None:
    """Raise `Unclear` if another COPY may write what this one does."""
    target, _ = destination(transfer, model)
    if not tree.reaches(target) and not tree.folder.startswith(target.rstrip("/") + "/"):
        return
    other = copied(transfer, model, context)
    if any(path in tree.files for path in other.files) or other.folder in tree.files:
        raise Unclear(f"another {transfer.name} writes to the same folder")


def _check_entered(folders: set[str], needed: Iterable[str], tree: Copied) -> None:
    """Raise `Unclear` if a command changes to a folder of the tree that the files copied first do not make."""
    for folder in folders:
        if tree.has(folder) and not any(path.startswith(folder + "/") for path in needed):
            raise Unclear(f"a command runs in `{folder}`, of which the install reads nothing")


def _frozen(stage: Stage, instruction: Instruction, model: Model) -> frozenset[str]:
    """The programs that are known not to write their lock files at an instruction."""
    found = set()
    for each in stage.instructions:
        if each is instruction:
            break
        if isinstance(each, Run):
            found |= {manifests.freezes(effective(command)) for script in model.scripts(each) for command in commands(script)}
    name = stage.root.image_name
    if name is not None and name.familiar == "golang":
        version = re.match(r"1\.(\d+)", name.tag or "")
        if int(version[1]) >= _GO_KEEPS_SUMS if version else name.digest is None:
            found.add("go")
    return frozenset(each for each in found if each)


def _reads(run: Run, tree: Copied, model: Model, frozen: frozenset[str]) -> tuple[set[str] | None, set[str], frozenset[str]]:
    """What of the tree the installs of a RUN read (None: it has none), the folders it changes to, and what is frozen after it.

    Raises `Unclear` if it may do more to the tree.
    """
    if run.heredocs:
        raise Unclear("a RUN with a here-document stands between")
    for mount in mounts(run):
        target = mount.target
        if mount.type not in ("cache", "secret", "ssh") or (
            target is not None and (not target.startswith("/") or tree.reaches(posixpath.normpath(target)))
        ):
            raise Unclear("a RUN with a mount stands between")
    found: set[str] | None = None
    folders: set[str] = set()
    values = _environment(run, model)
    start = where(model, run)
    at_home = [name for name in _HOME_SETTINGS if tree.has(posixpath.join(tree.folder, name))]
    if tree.reaches(start.home) if start.home is not None else at_home:
        raise Unclear(f"the home of the user may be `{start.home or tree.folder}`, whose settings are copied")
    for name in ("BUNDLE_FROZEN", "BUNDLE_DEPLOYMENT"):
        if values.get(name) in ("1", "true"):
            frozen |= {"bundler"}
    scripts = model.scripts(run)
    if not scripts:
        raise Unclear("a RUN cannot be read")
    for script in scripts:
        for step in steps(script, start):
            command = effective(step.command)
            if command.name in ("usermod", "groupmod") and tree.instruction.flag("chown") is not None:
                raise Unclear(f"`{command.name}` may change what `--chown` means")
            if command.name == "cd" and step.cwd is not None:
                folders.add(step.cwd)
                continue
            frozen |= {name for name in (manifests.freezes(command),) if name}
            read = manifests.reads(command, step.cwd, tree, frozen)
            if read is None:
                if step.effects.may_touch(tree.folder):
                    raise Unclear(f"`{_name(step)}` may read or write what is copied")
                continue
            _check_call(step, tree)
            if read:
                given = {each.name: each.value.value if each.value is not None else None for each in step.command.assignments}
                manifests.check_environment({**values, **given}, step.cwd, tree)
                found = (found or set()) | read
    return found, folders, frozen


def _check_call(step: Step, tree: Copied) -> None:
    """Raise `Unclear` if something around a call reads or writes the tree."""
    words = step.command.words
    inner = effective(step.command).words
    prefix = [word.value for word in words[: len(words) - len(inner)]]
    if any(word not in ("sudo", "command", "exec", "time") for word in prefix):
        raise Unclear(f"`{_name(step)}` runs through `{prefix[0]}`")
    for redirect in step.command.redirects:
        target = redirect.target.value
        if redirect.operator not in (">&", "<&") and (
            target is None or not target.startswith("/") or tree.reaches(posixpath.normpath(target))
        ):
            raise Unclear(f"the redirection of `{_name(step)}` may read or write what is copied")


def _name(step: Step) -> str:
    return " ".join(word.text for word in effective(step.command).words[:3]) or "a command"


def _environment(run: Run, model: Model) -> dict[str, str | None]:
    """The variables that a RUN sees, but for the base image's; what a value adds to one of these counts alone (`PATH=/x:$PATH`)."""
    found: dict[str, str | None] = {}
    for name, binding in model.scope(run).names().items():
        value = binding.value
        if value is None and binding.kind == "env" and binding.span is not None:
            text = model.dockerfile.source.slice(binding.span)
            rest = re.sub(rf"\$(?:{name}\b|\{{{name}[^}}]*\}})", "", text.partition("=")[2] or text.partition(" ")[2])
            value = model.scope(run).expand(rest)
        if binding.kind != "predefined":
            found[name] = value
    return found


def _edits(
    instruction: Transfer, tree: Copied, needed: list[str], last: Run, between: Iterable[Instruction], model: Model
) -> tuple[Edit, ...]:
    source = model.dockerfile.source
    newline = "\r\n" if "\r\n" in source.text else "\n"
    written = source.slice(instruction.destination.span)
    moved = source.slice(instruction.span)
    relative = not (model.expand(instruction.destination, instruction) or "").startswith("/")
    if relative and any(isinstance(each, Workdir) for each in between):
        if instruction.json or not _PLAIN.fullmatch(tree.folder):
            raise Unclear("its destination cannot be written as an absolute path")
        where_ = instruction.destination.span
        moved = (
            source.slice(Span(instruction.span.start, where_.start))
            + tree.folder
            + source.slice(Span(where_.end, instruction.span.end))
        )
    base = written if not instruction.json and _PLAIN.fullmatch(written) else tree.folder
    keyword = "copy" if instruction.keyword.text.islower() else "COPY"
    flags = "".join(f"{source.slice(flag.span)} " for flag in instruction.flags)
    folders: dict[str, list[str]] = {}
    for path in needed:
        folders.setdefault(posixpath.dirname(path), []).append(tree.files[path].path)
    lines = []
    for folder, names in folders.items():
        below = folder[len(tree.folder.rstrip("/")) :].strip("/")
        target = base.rstrip("/") + "/" + (f"{below}/" if below else "")
        if not all(_PLAIN.fullmatch(each) and "$" not in each for each in (*names, target.replace("$", ""))):
            raise Unclear("a path has characters that need quotes")
        lines.append(f"{keyword} {flags}{' '.join(names)} {target}")
    start = min([comment.span.start for comment in instruction.comments] + [instruction.span.start])
    above = source.slice(Span(start, instruction.span.start))
    return (
        Edit(Span(start, instruction.span.end), newline.join(lines)),
        Edit(Span(last.span.end, last.span.end), f"{newline}{above}{moved}"),
    )
