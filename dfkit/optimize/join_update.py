"""T03 and T11: update the package lists in the RUN that installs from them, and remove them there.

An update in a RUN of its own is cached: an install that changes later then works from old lists. And the lists stay in the image.
Installs that stand directly after the update join it; others get an update of their own. The lists are removed only where every RUN
that needs them, here and in stages built on this one, has an update of its own.

Preconditions: an update that the RUN cannot succeed without; between it and the install nothing that changes package sources, the
user, the shell or a proxy; no mount over the lists; no unknown program later that may install packages.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.model.effects import covers, overlaps, steps, where
from dfkit.model.facts import table
from dfkit.model.packages import invocation
from dfkit.optimize.passes import Pass
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import PRAGMA, added, body_of, chain, groups, join, removal, unjoinable
from dfkit.shell import effective
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Arg, Env, Run, Transfer
from dfkit.text import Fix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.model import Model, Stage
    from dfkit.model.effects import Step
    from dfkit.optimize.passes import Facts
    from dfkit.optimize.runs import Body
    from dfkit.shell import Command
    from dfkit.syntax.nodes import Instruction
    from dfkit.text import Edit

NAME = "join-update"
TOOLS = frozenset((
    "make", "gmake", "cmake", "ninja", "meson", "configure", "gcc", "g++", "cc", "c++", "clang", "go", "cargo", "rustc", "rustup",
    "mvn", "gradle", "ant", "javac", "java", "sbt", "dotnet", "swift", "bazel", "node", "npx", "python", "python2", "python3",
    "perl", "ruby", "rake", "php", "composer", "bundle", "poetry", "uv", "conda", "mamba", "service", "a2ensite", "openssl",
    "ssh-keygen",
))  # fmt: skip
"""Programs that do not install system packages, although what else they do is not known."""
_ASK: dict[str, tuple[str, ...]] = {
    "apt": ("apt-cache", "apt-file", "apt-show-versions", "mk-build-deps"),
    "apk": (),
    "yum": ("yum-builddep", "repoquery"),
    "dnf": ("repoquery",),
    "zypper": (),
}
"""Other programs that read the lists."""


class Manager(Record):
    """How a package manager's lists are dealt with."""

    name: str
    lists: str
    remove: str
    declared: tuple[str, ...]
    sources: tuple[str, ...]


MANAGERS = (
    Manager("apt", "/var/lib/apt/lists", "rm -rf /var/lib/apt/lists/*", ("/var/lib/apt/lists/**",), ("/etc/apt",)),
    Manager("apk", "/var/cache/apk", "rm -rf /var/cache/apk/*", ("/var/cache/apk/**",), ("/etc/apk",)),
    Manager("yum", "/var/cache/yum", "yum clean all", ("/var/cache/yum/**",), ("/etc/yum.repos.d", "/etc/yum.conf")),
    Manager(
        "dnf", "/var/cache/dnf", "dnf clean all", ("/var/cache/dnf/**", "/var/cache/libdnf5/**"), ("/etc/yum.repos.d", "/etc/dnf")
    ),
    Manager("zypper", "/var/cache/zypp", "zypper clean -a", ("/var/cache/zypp/**",), ("/etc/zypp",)),
)


def rewrite(model: Model, _facts: Facts) -> Iterator[Proposal | Refusal]:
    """For each RUN that updates package lists and leaves them for later RUNs: let those update them, or join them with it."""
    for stage in model.stages:
        for at, instruction in enumerate(stage.instructions):
            if not isinstance(instruction, Run):
                continue
            for manager in MANAGERS:
                if _leaves_lists(instruction, manager, model):
                    yield from _rewrite(stage, at, instruction, manager, model)
                    break


PASS = Pass(NAME, "Update package lists in the RUN that installs from them, and remove them there", rewrite)


def _rewrite(stage: Stage, at: int, run: Run, manager: Manager, model: Model) -> Iterator[Proposal | Refusal]:
    needers, unsure = _needers(stage, at, manager, model)
    pure = _is_pure(run, manager, model)
    if not needers:
        if pure:
            yield _drop(stage, at, run, manager, unsure, model)
        return
    why = next((found for each in (run, *needers) if (found := _obstacle(run, each, manager, model)) is not None), None)
    if why is not None:
        yield Refusal(NAME, run.span, f"The update stays in its own RUN: {why}.")
        return
    group = next((each for each in groups(stage, model) if run in each), (run,))
    follow = group[group.index(run) + 1 :]
    adjacent = 0
    while adjacent < len(follow) and any(follow[adjacent] is each for each in needers):
        adjacent += 1
    joined = follow[:adjacent]
    others = [each for each in needers if not any(each is one for one in joined)]
    if unsure is not None:
        line = model.dockerfile.source.position(unsure.span.start).line
        if not joined:
            yield Refusal(
                NAME, run.span, f"The update stays in its own RUN: the RUN in line {line} may install packages from its lists."
            )
            return
        others, keep = [], f"; the lists stay, as the RUN in line {line} may need them"
    else:
        keep = ""
        for other in others:
            why = _moved_too_far(stage, run, other, manager, model)
            if why is not None:
                yield Refusal(NAME, run.span, f"The update stays in its own RUN: {why}.")
                return
    clean = unsure is None
    update = _update_text(run, manager, model)
    if update is None:
        if others:
            yield Refusal(
                NAME, run.span, "The update stays in its own RUN: its command cannot be told from the rest of the script."
            )
            return
        update = ""
    edits = _edits(run, pure, joined, others, update, clean, manager, model)
    if isinstance(edits, str):
        yield Refusal(NAME, run.span, f"The update stays in its own RUN: {edits}.")
        return
    line = model.dockerfile.source.position(run.span.start).line
    declares = clean and any(_is_shipped(each, model) for each in (run, *needers))
    yield Proposal(
        NAME,
        Fix(f"update package lists of line {line} where they are used", edits),
        run.span,
        "An update in a RUN of its own is cached, so an install that changes later works from old lists" + keep + ".",
        "installs from current lists" + ("; the bytes of the lists" if declares else ""),
        manager.declared if declares else (),
    )


def _drop(stage: Stage, at: int, run: Run, manager: Manager, unsure: Run | None, model: Model) -> Proposal | Refusal:
    """Take out an update that a later one makes superfluous."""
    renewed = next(
        (
            each
            for each in stage.instructions[at + 1 :]
            if isinstance(each, Run) and any(_action(step, manager) == "update" and step.sure for step in _steps(each, model))
        ),
        None,
    )
    if renewed is None or unsure is not None or any(PRAGMA.search(comment.text) for comment in run.comments):
        return Refusal(
            NAME, run.span, "No RUN that dfkit knows uses these package lists, so there is nothing to join the update with."
        )
    line = model.dockerfile.source.position(renewed.span.start).line
    return Proposal(
        NAME,
        Fix(f"remove the update of line {model.dockerfile.source.position(run.span.start).line}", (removal(model, run),)),
        run.span,
        f"Nothing uses these package lists before line {line} updates them again.",
        "the time of an update, its bytes, and a layer",
        manager.declared,
    )


def _edits(
    run: Run, pure: bool, joined: tuple[Run, ...], others: list[Run], update: str, clean: bool, manager: Manager, model: Model
) -> tuple[Edit, ...] | str:
    edits: list[Edit] = []

    def cleanup(target: Run) -> list[Body]:
        if not clean or not _is_shipped(target, model) or _removes(target, manager, model):
            return []
        return [added(("sudo " if update.startswith("sudo ") else "") + manager.remove, target, model)]

    if joined or not pure:
        after = cleanup(joined[-1] if joined else run)
        if joined or after:
            found = join(model, (run, *joined), after)
            if isinstance(found, str):
                return found
            edits += found
    else:
        edits.append(removal(model, run))
    above = (
        tuple([model.dockerfile.source.slice(comment.span).rstrip() for comment in run.comments]) if pure and not joined else ()
    )
    if any(PRAGMA.search(comment) for comment in above):
        return "a comment that turns a check off stands above it"
    for number, several in enumerate(_neighbours(others, model)):
        found = join(model, several, cleanup(several[-1]), (added(update, several[0], model, above if number == 0 else ()),))
        if isinstance(found, str):
            return found
        edits += found
    return tuple(edits)


def _neighbours(runs: list[Run], model: Model) -> list[tuple[Run, ...]]:
    """RUNs in groups of those that stand one after the other and can be joined."""
    out: list[tuple[Run, ...]] = []
    for run in runs:
        stage = model.stage_of(run)
        group = next((each for each in groups(stage, model) if any(one is run for one in each)), ()) if stage else ()
        at = next((number for number, each in enumerate(group) if each is run), 0)
        if out and at and group[at - 1] is out[-1][-1]:
            out[-1] = (*out[-1], run)
        else:
            out.append((run,))
    return out


def _is_shipped(run: Run, model: Model) -> bool:
    """Whether lists in a RUN's layer reach the final image, so that removing them gains something."""
    stage = model.stage_of(run)
    return stage is not None and model.is_shipped(stage)


def _steps(run: Run, model: Model) -> list[Step]:
    scripts = model.scripts(run)
    return list(steps(scripts[0], where(model, run))) if len(scripts) == 1 else []


def _action(step: Step, manager: Manager) -> str:
    call = invocation(effective(step.command))
    return call.action if call is not None and call.manager == manager.name else ""


def _leaves_lists(run: Run, manager: Manager, model: Model) -> bool:
    """Whether a RUN surely updates the lists and does not remove them."""
    left = False
    for step in _steps(run, model):
        if _action(step, manager) == "update":
            left = step.sure
        elif _deletes_lists(step, manager):
            left = False
    return left


def _deletes_lists(step: Step, manager: Manager) -> bool:
    return any(covers(path, f"{manager.lists}/x") for path in step.effects.deletes)


def _removes(run: Run, manager: Manager, model: Model) -> bool:
    return any(_deletes_lists(step, manager) for step in _steps(run, model))


def _is_pure(run: Run, manager: Manager, model: Model) -> bool:
    """Whether a RUN only updates lists."""
    scripts = model.scripts(run)
    members = chain(scripts[0]) if len(scripts) == 1 else None
    if members is None:
        return False
    calls = [invocation(effective(member)) for member in members]
    return all(call is not None and call.manager == manager.name and call.action == "update" for call in calls)


def _update_text(run: Run, manager: Manager, model: Model) -> str | None:
    """The command that updates, as written."""
    scripts = model.scripts(run)
    members = chain(scripts[0]) if len(scripts) == 1 else None
    for command in members or ():
        call = invocation(effective(command))
        if call is not None and call.manager == manager.name and call.action == "update":
            return _written(command, model)
    return None


def _written(command: Command, model: Model) -> str | None:
    text = model.dockerfile.source.slice(command.span)
    known = all(word.value is not None for word in command.words) and not command.redirects
    return text if known and "\n" not in text else None


def _needers(stage: Stage, at: int, manager: Manager, model: Model) -> tuple[list[Run], Run | None]:
    """The RUNs that use the lists that the RUN at `at` leaves, and the first of which that is not known."""
    found: list[Run] = []
    unsure: Run | None = None

    def go(stage: Stage, start: int) -> None:
        nonlocal unsure
        for instruction in stage.instructions[start:]:
            if not isinstance(instruction, Run):
                continue
            need, ends = _need(instruction, manager, model)
            if need is True:
                found.append(instruction)
            elif need is None and unsure is None:
                unsure = instruction
            if ends:
                return
        for child in model.stages:
            if child.base is stage:
                go(child, 0)

    go(stage, at + 1)
    return found, unsure


def _need(run: Run, manager: Manager, model: Model) -> tuple[bool | None, bool]:
    """Whether a RUN uses the lists as it finds them (None: not known), and whether it replaces or removes them."""
    need: bool | None = False
    ends = False
    if len(model.scripts(run)) != 1:
        return None, False
    for step in _steps(run, model):
        action = _action(step, manager)
        if action == "update" and step.sure:
            return need, True
        call = invocation(effective(step.command))
        ours = call is not None and call.manager == manager.name
        if (ours and action not in ("remove", "clean", "update")) or effective(step.command).name in _ASK[manager.name]:
            if manager.name == "apk" and call is not None and call.has("--no-cache", "--update-cache", "-U", "--update"):
                continue
            need = True
        elif step.effects.opaque and need is False and not _is_tool(step):
            need = None
        if step.sure and _deletes_lists(step, manager):
            ends = True
            if need is not True:
                return need, True
    return need, ends


def _is_tool(step: Step) -> bool:
    """Whether an unknown program is one that installs no system packages."""
    command = effective(step.command)
    call = invocation(command)
    if call is not None:
        return call.manager not in {each.name for each in MANAGERS}
    return command.name in TOOLS or command.name in table("commands")["commands"]


def _obstacle(update: Run, run: Run, manager: Manager, model: Model) -> str | None:
    line = model.dockerfile.source.position(run.span.start).line
    why = unjoinable(run, model)
    if why is not None:
        return f"of the RUN in line {line}, {why}"
    for mount in mounts(run):
        if mount.target is None or overlaps(mount.target, manager.lists):
            return f"the RUN in line {line} has a mount over the lists"
    one, other = model.state(update), model.state(run)
    if one.user != other.user or (one.user_from != other.user_from and one.user is None):
        return f"the RUN in line {line} runs as another user"
    if one.shell != other.shell:
        return f"the RUN in line {line} runs under another shell"
    if body_of(run, model) is None:
        return f"the RUN in line {line} has a comment over several lines"
    return None


def _moved_too_far(stage: Stage, update: Run, run: Run, manager: Manager, model: Model) -> str | None:
    """Why an update may not be moved, or done again, down to a RUN."""
    target = model.stage_of(run)
    between: list[Instruction] = []
    if target is stage:
        between += stage.instructions[stage.instructions.index(update) + 1 : stage.instructions.index(run)]
    elif target is not None:
        between += stage.instructions[stage.instructions.index(update) + 1 :]
        for each in target.lineage:
            if each is stage:
                break
            between += each.instructions[: each.instructions.index(run)] if each is target else each.instructions
    for instruction in between:
        line = model.dockerfile.source.position(instruction.span.start).line
        if isinstance(instruction, Env | Arg):
            names = {pair.key.text.lower() for pair in instruction.pairs}
            if any(name.endswith("_proxy") or name.startswith(("apt_", "dpkg_")) for name in names):
                return f"line {line} sets something that an update depends on"
        elif isinstance(instruction, Run):
            for step in _steps(instruction, model):
                if _action(step, manager):
                    continue
                if step.effects.opaque and not _is_tool(step):
                    return f"the RUN in line {line} may change the package sources"
                if any(
                    overlaps(path, source) for path in (*step.effects.writes, *step.effects.deletes) for source in manager.sources
                ):
                    return f"the RUN in line {line} may change the package sources"
            if not model.scripts(instruction):
                return f"the RUN in line {line} may change the package sources"
        elif isinstance(instruction, Transfer):
            destination = model.expand(instruction.destination, instruction)
            if destination is None or any(
                overlaps(destination, source) for source in manager.sources if destination.startswith("/")
            ):
                return f"line {line} may change the package sources"
    return None
