"""Calls of package managers, judged as hadolint judges them: versions, and what stays in the layer."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.checks.hadolint.commands import Call, calls, is_mounted, named, plain_text
from dfkit.checks.hadolint.stages import is_base
from dfkit.shell import Script
from dfkit.syntax.nodes import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place


@check(Script)
def unclean(
    node: Script,
    at: Place,
    *,
    programs: Words,
    words: Words,
    clean: Words = (),
    removed: Words = (),
    mounted: str = "",
    based_on: bool = False,
) -> Iterator[Finding]:
    """A call with one of these words is not followed by one of the same program with a word of `clean`, or `rm` with one of `removed`.

    `mounted` is as for `lacks`. With `based_on` stages that are neither the last nor the base of another are passed by.
    """
    if (mounted and is_mounted(at.instruction, mounted)) or (based_on and not is_base(at)):
        return
    if not isinstance(at.instruction, Run):
        return
    order = calls(node)
    for program in programs:
        installs = [index for index, call in enumerate(order) if call.name == program and set(words) & set(call.words)]
        cleans = [index for index, call in enumerate(order) if _cleans(call, program, clean, removed)]
        # Only the first of each is looked at.
        if installs and not (cleans and cleans[0] > installs[0]):
            yield Finding(order[installs[0]].span)


def _cleans(call: Call, program: str, clean: Words, removed: Words) -> bool:
    return bool((call.name == program and set(clean) & set(call.words)) or (call.name == "rm" and set(removed) & set(call.words)))


@check(Script)
def unpinned(
    node: Script,
    at: Place,
    *,
    programs: Words,
    words: Words,
    pinned: str,
    first: bool = False,
    valued: Words = (),
    all_valued: bool = False,
    unless: Words = (),
    one: Words = (),
) -> Iterator[Finding]:
    """A call with one of these words has a package that `pinned`, a regular expression that is looked for, does not fit.

    `first`: only where the word is the first one. `valued` options take the next word, with `all_valued` all options do. With an
    option of `unless`, spelt so, nothing is judged; with a word of `one` the first package only.
    """
    for call in named(node, at, programs):
        plain = call.plain(_options(call) if all_valued else valued)
        if all_valued and "--" in plain:
            plain = plain[: plain.index("--")]
        if not (plain[:1] and plain[0] in words if first else any(word in call.words for word in words)):
            continue
        if any(
            word == option or (word.startswith(f"{option}=") and option.startswith("--"))
            for word in call.words
            for option in unless
        ):
            continue
        packages = [word for word in plain if word not in words]
        if any(word in call.words for word in one):
            packages = packages[:1]
        if any(not regex(pinned).search(package) for package in packages):
            yield Finding(call.span)
            return


def _options(call: Call) -> Words:
    return tuple([word for word in call.words if word.startswith("-") and word != "--"])


@check(Script)
def unpinned_modules(node: Script, at: Place, *, programs: Words) -> Iterator[Finding]:
    """`yum install` and its kin: a package without `-` and a digit or `.rpm`, or after `module` one without `:`; `dnf group` is fine."""
    for call in named(node, at, programs):
        if "install" in call.words and not (call.name != "yum" and "group" in call.words):
            is_module = "module" in call.words and call.words.index("module") < call.words.index("install")
            packages = [word for word in call.plain() if word != "install" and not (is_module and word == "module")]
            if any(not (":" in each if is_module else regex(r"-(?:\d[^*]*$|.*\.rpm$)").search(each)) for each in packages):
                yield Finding(call.span)
                return


_PIP_VALUED: Words = (
    "--abi", "-b", "--build", "-e", "--editable", "--extra-index-url", "-f", "--find-links", "-i", "--index-url", "--implementation",
    "--no-binary", "--only-binary", "--platform", "--prefix", "--progress-bar", "--proxy", "--python-version", "--root",
    "--root-user-action", "--src", "-t", "--target", "--trusted-host", "--upgrade-strategy",
)  # fmt: skip


def _pip(node: Script, at: Place) -> Iterator[Call]:
    """The calls of `pip install`, each with the words after it: by a name that begins with `pip`, or as `python -m pip install`."""
    for call in named(node, at, ("pip*", "python*")):
        if call.name.startswith("pip") and not call.name.startswith("pipenv") and "install" in call.words:
            yield Call(call.command, call.name, call.words[call.words.index("install") + 1 :])
        elif call.name.startswith("python") and "-m" in call.words:
            words = call.words[call.words.index("-m") + 1 :]
            if words[:2] == ("pip", "install"):
                yield Call(call.command, "pip", words[2:])


@check(Script)
def unpinned_pip(node: Script, at: Place) -> Iterator[Finding]:
    """`pip install` of something that is no file, and has no version."""
    for call in _pip(node, at):
        if any(word in ("-r", "--requirement") for word in call.words) or call.has(("-c", "--constraint")):
            continue
        if "." not in call.words and any(not _is_pinned_pip(word) for word in call.plain(_PIP_VALUED) if word != "install"):
            yield Finding(call.span)
            return


def _is_pinned_pip(package: str) -> bool:
    if regex(r"git\+|(?:hg|svn|bzr)\+.*://").match(package):
        return "@" in package
    is_file = package == "." or "/" in package or package.endswith((".whl", ".tar.gz"))
    return is_file or any(sign in package for sign in ("==", ">=", "<=", "!=", "~=", ">", "<"))


@check(Script)
def pip_cache(node: Script, at: Place) -> Iterator[Finding]:
    """`pip install` without `--no-cache-dir`, and without PIP_NO_CACHE_DIR in ENV, an `export`, or before the command."""
    for call in _pip(node, at):
        if call.name.startswith("pipx") or "--no-cache-dir" in _all_words(call):
            continue
        if is_mounted(at.instruction, r"(?:.*/)?\.cache/pip") or _keeps_nothing(node, call, at):
            continue
        yield Finding(call.span)
        return


def _all_words(call: Call) -> list[str]:
    return [plain_text(word.value, word.text) for word in call.command.words]


_ON = ("1", "true", "True", "TRUE", "on", "On", "ON", "yes", "Yes", "YES")
_OFF = ("0", "false", "False", "FALSE", "off", "Off", "OFF", "no", "No", "NO")


def _keeps_nothing(node: Script, call: Call, at: Place) -> bool:
    name = "PIP_NO_CACHE_DIR"
    for each in call.command.assignments:
        if each.name == name:
            return each.value is not None and plain_text(each.value.value, each.value.text) not in _OFF
    if any(word.startswith(f"{name}=") for each in calls(node) if each.name == "export" for word in each.words):
        return True
    binding = at.model.scope(at.instruction).binding(name) if at.instruction is not None else None
    return binding is not None and binding.kind == "env" and binding.value in _ON


@check(Script)
def lists_left(node: Script, at: Place) -> Iterator[Finding]:
    """`apt-get update` in a RUN with neither `rm -rf` nor `rm` of the lists, in a stage that is the last or the base of another."""
    if not is_base(at) or is_mounted(at.instruction, "/var/lib/apt/lists(?:/.*)?"):
        return
    if is_mounted(at.instruction, "/var/lib/apt") and is_mounted(at.instruction, "/var/cache/apt(?:/.*)?"):
        return
    found = [call for call in named(node, at, ("apt-get", "apt", "aptitude")) if "update" in call.words]
    removed = ("-rf", "/var/lib/apt/lists/*")
    if found and not any(call.name == "rm" and any(word in call.words for word in removed) for call in calls(node)):
        yield Finding(found[0].span)
