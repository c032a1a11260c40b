"""T25: delete what a RUN made only for itself, in the layer that made it: archives once they are unpacked, packages once they are
installed, source trees once `make install` is done.

Preconditions: a literal path that surely was made here, used up by a step that surely ran, and not named, read, or possibly read by
anything later, in this stage or one built on it. RUNs that stand one after the other and share such files are joined for it.
A source tree that is still needed is left: installed as a link (`ln -s`, `pip install -e`, `setup.py develop`), or with its path in
what is built (`rpath`).
"""

from __future__ import annotations

import posixpath
import re

from dfkit._record import Record, replace
from dfkit.model.effects import covers, overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.optimize.passes import Pass
from dfkit.optimize.profit import veto
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import added, groups, join, layers
from dfkit.shell import effective
from dfkit.syntax.nodes import Copy, Run
from dfkit.text import Fix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model import Model, Stage
    from dfkit.model.effects import Step
    from dfkit.optimize.passes import Facts
    from dfkit.syntax.nodes import Instruction

NAME = "temporary-files"
TREE = "The source tree"
_ARCHIVE = re.compile(r"\.(?:tar|tar\.\w+|tgz|tbz2?|txz|zip|deb|rpm|whl)$")
_SIGNATURE = re.compile(r"\.(?:asc|sig|sha256|sha512|sha256sum|md5)$")
_BUILDERS = frozenset(
    (
        "make",
        "gmake",
        "configure",
        "autoreconf",
        "autoconf",
        "automake",
        "libtoolize",
        "aclocal",
        "patch",
        "sed",
        "cmake",
        "ninja",
    )
)
_MAKES = ("make", "gmake", "ninja")
_SHARED = ("/opt", "/srv", "/usr/src", "/usr/local/src", "/home", "/root", "/tmp", "/var/tmp", "/app", "/mnt")
"""Folders of which a part may be a source tree, but not the whole."""
_KEEPS_TREE = re.compile(r"\bdevelop\b|(?:^|\s)-e\b|--editable|--symlink|rpath|RPATH")


class Placed(Record):
    """A step of a group of RUNs: which RUN, and what it does."""

    run: int
    step: Step

    @property
    def name(self) -> str | None:
        """The program."""
        return effective(self.step.command).name

    @property
    def folder(self) -> str | None:
        """Where it works: `make -C` names another folder than the working directory."""
        words = effective(self.step.command).arguments
        for at, word in enumerate(words[:-1]):
            if self.name in _MAKES and word.value in ("-C", "--directory"):
                other = words[at + 1].value
                return posixpath.normpath(posixpath.join(self.step.cwd, other)) if other is not None and self.step.cwd else None
        return self.step.cwd


class Artifact(Record):
    """Something made for the RUNs' own use: its path, what it is, the RUN that made it and the one that uses it up."""

    path: str
    what: str
    made: int
    used: int


def rewrite(model: Model, _facts: Facts) -> Iterator[Proposal | Refusal]:
    """For each group of RUNs: delete the files that only they use."""
    for stage in model.stages:
        if not model.is_shipped(stage):
            continue
        for group in groups(stage, model):
            yield from _rewrite(stage, group, model)


PASS = Pass(NAME, "Delete archives and source trees in the RUN that is done with them", rewrite)


def placed(group: Sequence[Run], model: Model) -> list[Placed]:
    """The steps of RUNs that stand one after the other. Only literal paths are known: a value may be another in the next build."""
    return [
        Placed(number, step)
        for number, run in enumerate(group)
        for step in steps(model.scripts(run)[0], replace(where(model, run), variables={}))
    ]


def _rewrite(stage: Stage, group: tuple[Run, ...], model: Model) -> Iterator[Proposal | Refusal]:
    found = placed(group, model)
    made = list(artifacts(found))
    trees = [each.path for each in made if isinstance(each, Artifact) and each.what == TREE]
    wanted: list[Artifact] = []
    for artifact in made:
        if isinstance(artifact, Refusal):
            yield artifact
            continue
        why = _still_needed(artifact, [each for each in found if not _builds(each, trees)], stage, group, model)
        if why is not None:
            yield Refusal(NAME, group[artifact.made].span, f"{artifact.what} `{artifact.path}` stays: {why}.")
        else:
            wanted.append(artifact)
    for first, last, several in _intervals(wanted):
        runs = group[first : last + 1]
        against = veto(runs, model) if len(runs) > 1 and not any(each.what == TREE for each in several) else None
        paths = _outermost([each.path for each in several])
        shown = ", ".join(f"`{path}`" for path in paths)
        edits = join(model, runs, (added("rm -rf " + " ".join(_quoted(path) for path in paths), runs[-1], model),))
        if against is not None or isinstance(edits, str):
            yield Refusal(NAME, runs[0].span, f"{shown} stays: {against or edits}.")
            continue
        line = model.dockerfile.source.position(runs[0].span.start).line
        yield Proposal(
            NAME,
            Fix(f"delete {shown} in the RUN of line {line}", edits),
            runs[0].span,
            f"Left in the image, although nothing uses it any more: {shown}.",
            f"the bytes of {shown}" + (f", and {layers(len(runs) - 1)}" if len(runs) > 1 else ""),
            tuple([path for each in several for path in ((each.path, f"{each.path}/**") if each.what == TREE else (each.path,))]),
        )


def artifacts(found: Sequence[Placed]) -> Iterator[Artifact | Refusal]:
    """What is made and surely used up: archives that are unpacked or installed, source trees that are installed from."""
    for at, made in enumerate(found):
        if not made.step.sure:
            continue
        for path in made.step.effects.bulk:
            if made.name in ("curl", "wget") or (made.name in ("apt-get", "apt") and path.endswith("*")):
                used = _archive_used(path, found[at + 1 :])
                if used is not None:
                    yield Artifact(path, "The signature" if _SIGNATURE.search(path) else "The archive", made.run, used.run)
            elif made.name in ("tar", "unzip", "git"):
                yield from _tree(path, found[:at], made, found[at + 1 :])


def _archive_used(path: str, later: Sequence[Placed]) -> Placed | None:
    """The last of the steps that surely take a file for an archive, a package or a signature; None if it is none, or is deleted."""
    used: Placed | None = None
    for each in later:
        if any(covers(deleted, path) for deleted in each.step.effects.deletes):
            return None
        if each.step.effects.opaque:
            continue
        if not each.step.sure or not any(covers(path, read) for read in each.step.effects.reads):
            continue
        call = invocation(effective(each.step.command))
        installs = each.name in ("dpkg", "rpm") or (call is not None and call.action == "install")
        if (
            each.name in ("tar", "unzip")
            or (installs and _ARCHIVE.search(path))
            or (each.name == "gpg" and _SIGNATURE.search(path))
        ):
            used = each
    return used


def _tree(root: str, before: Sequence[Placed], made: Placed, later: Sequence[Placed]) -> Iterator[Artifact | Refusal]:
    """The source tree at `root`, if it is installed from."""
    if not _is_own(root, before, made):
        return
    inside = [each for each in later if each.folder is not None and covers(root, each.folder)]
    installed = next((each for each in reversed(inside) if each.step.sure and _installs(each)), None)
    if installed is None or any(covers(deleted, root) for each in later for deleted in each.step.effects.deletes):
        return
    for each in later:
        text = _words(each.step)
        if (each.name == "ln" and (root in text or each in inside)) or (each in inside and _KEEPS_TREE.search(text)):
            yield Refusal(NAME, each.step.command.span, f"{TREE} `{root}` stays: what `{text}` makes refers to it.")
            return
        if each in inside and each.step.effects.opaque and each.name not in _BUILDERS:
            yield Refusal(NAME, each.step.command.span, f"{TREE} `{root}` stays: what `{text}` does with it is not known.")
            return
    yield Artifact(root, TREE, made.run, installed.run)


def _is_own(root: str, before: Sequence[Placed], made: Placed) -> bool:
    """Whether nothing but what was unpacked is in a folder: git refuses others, else it has the archive's name, or was made for it."""
    if made.name == "git":
        return True
    system = table("commands")["groups"]["system"]
    if any(covers(root, folder) for folder in (*system, *_SHARED)) or any(
        covers(folder, root) for folder in system if folder not in _SHARED
    ):
        return False
    if root not in made.step.effects.writes:
        return True
    for each in before:
        if each.name == "mkdir" and each.step.sure and root in each.step.effects.writes:
            return root.count("/") > 1 or not any(word.text in ("-p", "--parents") for word in each.step.command.words)
    return False


def _installs(each: Placed) -> bool:
    words = [word.value or "" for word in effective(each.step.command).arguments]
    return each.name in _MAKES and any(word.startswith("install") for word in words)


def _builds(each: Placed, trees: Sequence[str]) -> bool:
    """Whether a step is a build tool at work in a source tree, and so uses no file outside it that is ours."""
    folder = each.folder
    return each.name in _BUILDERS and folder is not None and any(covers(tree, folder) for tree in trees)


def _still_needed(artifact: Artifact, found: Sequence[Placed], stage: Stage, group: Sequence[Run], model: Model) -> str | None:
    """Why something may not go after its last use; None if it may."""
    for each in found:
        if each.run > artifact.used and _may_use(each.step, artifact.path):
            return f"`{_words(each.step)}` comes later and may use it"
    for later in _after(stage, group[-1], model):
        line = model.dockerfile.source.position(later.span.start).line
        if _names(later, artifact.path, model):
            return f"line {line} names it"
        if isinstance(later, Run):
            scripts = model.scripts(later)
            if len(scripts) != 1:
                return f"the RUN in line {line} may use it"
            for step in steps(scripts[0], where(model, later)):
                if _may_use(step, artifact.path):
                    return f"`{_words(step)}` in line {line} may use it"
    for instruction in stage.instructions:
        if not isinstance(instruction, Run) and _names(instruction, artifact.path, model):
            return f"line {model.dockerfile.source.position(instruction.span.start).line} names it"
    return None


def _may_use(step: Step, path: str) -> bool:
    effects = step.effects
    call = invocation(effective(step.command))
    if call is not None and call.action and not effects.opaque:
        # A package manager reads what it is told to, its own files, and the project it stands in.
        named = any(posixpath.basename(path) in word.text for word in call.packages)
        return named or (call.manager in ("pip", "npm", "yarn", "gem") and step.cwd is not None and covers(path, step.cwd))
    touched = (*effects.reads, *effects.changes, *effects.deletes)
    return effects.opaque or any(overlaps(path, each) for each in touched) or any(covers(path, each) for each in effects.writes)


def _after(stage: Stage, last: Run, model: Model) -> Iterator[Instruction]:
    """What follows a RUN: in its stage, in stages built on it, and what other stages copy from these."""
    at = next(number for number, each in enumerate(stage.instructions) if each is last)
    yield from stage.instructions[at + 1 :]
    heirs = [each for each in model.stages if each is not stage and any(one is stage for one in each.lineage)]
    for heir in heirs:
        yield from heir.instructions
    family = [stage, *heirs]
    for other in model.stages:
        for instruction in other.instructions:
            if any(reference.stage is each for reference in model.references(instruction) for each in family):
                yield instruction


def _names(instruction: Instruction, path: str, model: Model) -> bool:
    """Whether an instruction's text has the path, in full or as seen from its WORKDIR; or the file's name, if the folder is not known."""
    text = model.dockerfile.source.slice(instruction.span)
    plain = path.rstrip("*")
    workdir = model.state(instruction).workdir
    if workdir is None or re.search(r"\bcd\b", text):
        relative = posixpath.basename(plain)
    else:
        relative = posixpath.relpath(plain, workdir)
    ends = r"(?![\w.-])" if plain == path else ""
    if plain in text or re.search(rf"(?<![\w.-]){re.escape(relative)}{ends}", text):
        return True
    if isinstance(instruction, Copy) and instruction.flag("from") is not None:
        for word in instruction.sources:
            source = model.expand(word, instruction)
            if source is None or overlaps("/" + source.lstrip("/"), path):
                return True
    return False


def _words(step: Step) -> str:
    text = " ".join(word.text for word in step.command.words) or "a script"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _intervals(wanted: Sequence[Artifact]) -> list[tuple[int, int, list[Artifact]]]:
    out: list[tuple[int, int, list[Artifact]]] = []
    for artifact in sorted(wanted, key=lambda each: (each.made, each.used)):
        if out and artifact.made <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], artifact.used), [*out[-1][2], artifact])
        else:
            out.append((artifact.made, artifact.used, [artifact]))
    return out


def _outermost(paths: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(paths))
    return [path for path in unique if not any(other != path and covers(other, path) for other in unique)]


def _quoted(path: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./~-]+\*", path):
        return path
    plain = re.sub(r"\\(.)", r"\1", path)
    return plain if re.fullmatch(r"[\w@%+=:,./~-]+", plain) else "'" + plain.replace("'", "'\\''") + "'"
