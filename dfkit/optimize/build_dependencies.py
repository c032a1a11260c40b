"""T56: remove what was only needed to build, in the layer that installed it. Only by `--allow build-deps`.

The technique is that of Docker's official images (docker-library/python and others): note which packages are marked as installed by
hand, install, build, mark everything as automatic but what was there, what is not for building, and the packages whose shared
libraries the built files link (`ldd`); then let apt remove what is left over. All packages of the base are kept, and their marks
restored.

UNSAFE, as a program may load a library by name while it runs (`dlopen`), or call a compiler.

Preconditions: apt; an install by literal names that surely ran, with packages for building among them; a build after it in RUNs that
stand one after the other; it installs below /usr/local or a literal `--prefix` that is not the system's; nothing later, in this stage
or one built on it, that is not known to do without the packages; no `pipefail`, as `ldd` and `dpkg-query` fail for files they do not know.
"""

from __future__ import annotations

import re

from dfkit.model.effects import overlaps, steps, where
from dfkit.model.packages import invocation
from dfkit.optimize.passes import Pass
from dfkit.optimize.proposal import Proposal, Refusal
from dfkit.optimize.runs import added, groups, join, layers
from dfkit.optimize.temporary_files import Placed, placed
from dfkit.shell import commands, effective
from dfkit.shell.properties import sets_option
from dfkit.syntax.nodes import Cmd, Entrypoint, Healthcheck, Run
from dfkit.text import UNSAFE, Fix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dfkit.model import Model, Stage
    from dfkit.optimize.passes import Facts
    from dfkit.syntax.nodes import Instruction

NAME = "build-deps"
_FOR_BUILDING = re.compile(
    r"build-essential|(?:gcc|g\+\+|clang|llvm|cpp|gfortran|gobjc)(?:-[\w.+-]+)?|make|cmake|ninja-build|meson|autoconf|automake|autotools-dev"
    r"|libtool|libtool-bin|bison|flex|m4|re2c|nasm|yasm|patch|pkg-config|pkgconf|dpkg-dev|debhelper|fakeroot|texinfo|binutils"
    r"|[a-z0-9][a-z0-9+.-]*-dev|linux-headers-[\w.+-]+"
)
_BUILDERS = frozenset(["make", "gmake", "ninja", "cmake", "meson", "configure", "gcc", "g++", "cc", "c++", "clang"])
_SYSTEM_PREFIXES = ("/", "/usr", "/bin", "/lib", "/etc", "/var")
_COMPILERS = re.compile(r"(?<![\w./-])(?:gcc|g\+\+|cc|c\+\+|clang|make|cmake|pkg-config)(?![\w.+-])")
_NOTE = ('saved_manual="$(apt-mark showmanual)"', 'saved_auto="$(apt-mark showauto)"')
_LIBRARIES = r"""find {folders} -type f \( -executable -o -name '*.so*' \) -exec ldd {{}} ';' 2> /dev/null
| sed -n 's|.* => /\(usr/\)\{{0,1\}}\(.*\) (0x.*|*/\2|p' | sort -u
| xargs -r dpkg-query --search 2> /dev/null | cut -d: -f1 | sort -u
| xargs -r apt-mark manual > /dev/null"""
"""Mark the packages of the libraries that files in some folders link. The path of a library is looked for with and without `/usr`, as
dpkg knows it by the one under which it was packed."""
_DECLARED = ("packages", "removed:/usr/local/share/fonts")
"""Packages that were installed above the base, with all that was theirs: `dfkit.verify.packages` knows what that is. The folder is
fontconfig's, whose scripts make and remove it."""


def rewrite(model: Model, _facts: Facts) -> Iterator[Proposal | Refusal]:
    """For each build from source in a shipped stage: one RUN that installs what it needs, builds, and removes that again."""
    for stage in model.stages:
        if model.is_shipped(stage):
            for group in groups(stage, model):
                yield from _rewrite(stage, group, model)


PASS = Pass(NAME, "Remove compilers and headers in the RUN that built with them", rewrite, UNSAFE, NAME)


def _rewrite(stage: Stage, group: tuple[Run, ...], model: Model) -> Iterator[Proposal | Refusal]:
    found = placed(group, model)
    install = next((each for each in found if _for_building(each)), None)
    if install is None:
        return
    last = max((each.run for each in found if each.run >= install.run and _is_build(each)), default=None)
    if last is None or _is_done(group[last], model):
        return
    # An update in a RUN before belongs to the install.
    first = install.run
    if first and any(_action(each) == "update" for each in found if each.run == first - 1):
        first -= 1
    runs = group[first : last + 1]
    line = model.dockerfile.source.position(runs[0].span.start).line
    where_ = _prefixes([each for each in found if first <= each.run <= last])
    why = where_ if isinstance(where_, str) else _obstacle(stage, runs, found, last, group, model)
    if why is not None:
        yield Refusal(NAME, install.step.command.span, f"What is only needed to build stays: {why}.")
        return
    building, kept = _packages([each for each in found if first <= each.run <= last])
    manual = " ".join(["$saved_manual", "$saved_auto", *kept])
    after = [
        "apt-mark auto '.*' > /dev/null",
        f"apt-mark manual {manual} > /dev/null",
        _LIBRARIES.format(folders=" ".join(where_)),
        "apt-get purge -y --auto-remove",
        '{ [ -z "$saved_auto" ] || apt-mark auto $saved_auto > /dev/null; }',
    ]
    edits = join(model, runs, [added(text, runs[-1], model) for text in after], [added(text, runs[0], model) for text in _NOTE])
    if isinstance(edits, str):
        yield Refusal(NAME, install.step.command.span, f"What is only needed to build stays: {edits}.")
        return
    names = ", ".join(f"`{name}`" for name in building)
    yield Proposal(
        NAME,
        Fix(f"remove {names} in the RUN of line {line}", edits, UNSAFE),
        runs[0].span,
        f"Only needed to build, but left in the image: {names}.",
        f"the bytes of {names} and all that was installed for it" + (f", and {layers(len(runs) - 1)}" if len(runs) > 1 else ""),
        _DECLARED,
    )


def _action(each: Placed) -> str:
    call = invocation(effective(each.step.command))
    return call.action if call is not None and call.manager == "apt" else ""


def _for_building(each: Placed) -> bool:
    call = invocation(effective(each.step.command))
    if call is None or call.manager != "apt" or call.action != "install" or not each.step.sure:
        return False
    return any(_FOR_BUILDING.fullmatch(word.value or "") for word in call.packages)


def _is_build(each: Placed) -> bool:
    return each.step.sure and each.name in _BUILDERS


def _is_done(run: Run, model: Model) -> bool:
    """Whether a RUN removes packages already."""
    for script in model.scripts(run):
        for command in commands(script):
            call = invocation(effective(command))
            if call is not None and call.manager == "apt" and call.action == "remove":
                return True
    return False


def _prefixes(found: Sequence[Placed]) -> list[str] | str:
    """Where the build installs to; or why that is not known."""
    folders = ["/usr/local"]
    for each in found:
        for word in each.step.command.words:
            match = re.match(
                r"(?:--prefix=|--prefix$|-DCMAKE_INSTALL_PREFIX(?::PATH)?=|(?:PREFIX|DESTDIR|prefix)=)(.*)", word.text, re.DOTALL
            )
            if match is None:
                continue
            path = (word.value or "").partition("=")[2].rstrip("/")
            if not re.fullmatch(r"(?:/[\w.+-]+)+", path):
                return f"the prefix `{word.text}` is not a literal path"
            if path in _SYSTEM_PREFIXES or overlaps(path, "/usr/bin") or overlaps(path, "/usr/lib"):
                return f"`{word.text}` puts the result among the packages' own files, so its libraries cannot be told from theirs"
            folders.append(path)
    return list(dict.fromkeys(each for each in folders if not any(each != one and each.startswith(f"{one}/") for one in folders)))


def _packages(found: Sequence[Placed]) -> tuple[list[str], list[str]]:
    """The names that are installed: those for building, and the others."""
    names: list[str] = []
    for each in found:
        call = invocation(effective(each.step.command))
        if call is not None and call.manager == "apt" and call.action == "install":
            names += [re.split(r"[=/]", word.value or "")[0] for word in call.packages]
    unique = list(dict.fromkeys(names))
    return [name for name in unique if _FOR_BUILDING.fullmatch(name)], [
        name for name in unique if not _FOR_BUILDING.fullmatch(name)
    ]


def _obstacle(
    stage: Stage, runs: Sequence[Run], found: Sequence[Placed], last: int, group: Sequence[Run], model: Model
) -> str | None:
    for run in runs:
        (script,) = model.scripts(run)
        if sets_option(script, "pipefail"):
            return "`pipefail` is on, under which looking for the libraries would fail"
        if model.state(run).is_root is False:
            return "it runs as another user than root"
    for each in found:
        call = invocation(effective(each.step.command))
        if call is None or call.action != "install" or each.run > last:
            continue
        if call.manager == "apt" and (not each.step.sure or any(not _is_name(word.value) for word in call.packages)):
            return f"the packages of `{' '.join(word.text for word in each.step.command.words)[:60]}` are not known"
    at = next(number for number, each in enumerate(stage.instructions) if each is group[last])
    later: list[Instruction] = list(stage.instructions[at + 1 :])
    for heir in model.stages:
        if heir is not stage and any(each is stage for each in heir.lineage):
            later += heir.instructions
    for instruction in later:
        line = model.dockerfile.source.position(instruction.span.start).line
        if isinstance(instruction, Run):
            scripts = model.scripts(instruction)
            if len(scripts) != 1:
                return f"the RUN in line {line} may need it"
            for step in steps(scripts[0], where(model, instruction)):
                call = invocation(effective(step.command))
                if step.effects.opaque or (call is not None and call.manager in ("pip", "npm", "yarn", "gem")):
                    return f"the RUN in line {line} may need it"
        if isinstance(instruction, Run | Cmd | Entrypoint | Healthcheck) and _COMPILERS.search(
            model.dockerfile.source.slice(instruction.span)
        ):
            return f"line {line} names a build tool"
    return None


def _is_name(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"[a-z0-9][a-z0-9+.-]*(?:[=/:][\w.+~:-]+)?", text) is not None
