"""Which files of a source tree the installs of package managers read: `npm ci`, `pip install -r`, `bundle install` and the like.

The calls are in facts/manifests.yaml; what they read is decided from the files themselves. Where a file names others, or lets code
of the tree run, that is followed or raises `Unclear`.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys

from dfkit._record import Record
from dfkit.model.facts import table
from dfkit.optimize.copied import Unclear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from dfkit.optimize.copied import Copied
    from dfkit.shell import Command, Word

_PYTHON = re.compile(r"python[0-9.]*")
_PIP = re.compile(r"pip[0-9.]*")
_ARCHIVE = re.compile(r"\.(?:zip|whl|tar|t[gbx]z|tar\.\w+|egg|tgz)$", re.I)


class Call(Record):
    """A call of a program in facts/manifests.yaml, taken apart. `words` are those that are no options, without the verb."""

    tool: str
    facts: Mapping[str, Any]
    verb: str
    options: tuple[tuple[str, str | None], ...]
    words: tuple[str, ...]
    is_module: bool = False
    """It was called as `python -m`, which puts the working directory on the module path."""

    def has(self, *names: str) -> bool:
        """Whether one of these options is given, as it stands there."""
        return any(name in names for name, _ in self.options)


def is_install(command: Command) -> bool:
    """Whether a command looks like an install that reads manifests; cheap, and no promise that it can be understood."""
    found = _program(command)
    if found is None:
        return False
    tool, arguments, _ = found
    if tool == "pip":
        return any(word.text.startswith(("-r", "--requirement")) for word in arguments)
    facts = table("manifests")[tool]
    if "manifest" not in facts or any(word.text in facts.get("global", ()) for word in arguments):
        return False
    words = [word.text for word in arguments if not word.text.startswith("-")]
    phrases = [phrase.split() for phrase in (*facts["install"], *facts.get("locked", ()))]
    return any(words[: len(phrase)] == phrase if phrase else not words for phrase in phrases)


def reads(command: Command, cwd: str | None, tree: Copied, frozen: frozenset[str]) -> frozenset[str] | None:
    """The files of a tree that a command reads, as paths in the image; None for a command that is not in the table.

    `frozen` has the programs that are known to be set not to write their lock files. Raises `Unclear` where the command may read or
    write others.
    """
    found = _program(command)
    path = command.words[0].value if command.words else None
    if found is None or path is None or ("/" in path and (not path.startswith("/") or tree.reaches(path))):
        return None
    tool, arguments, is_module = found
    call = _call(tool, arguments, is_module)
    if call is None:
        return None
    if call.verb in call.facts.get("aside", ()):
        return frozenset()
    if cwd is None:
        raise Unclear(f"it is not known in which folder `{tool}` runs")
    if call.is_module:
        _no_shadows(cwd, tree)
    return frozenset(_TOOLS[tool](call, cwd, tree, tool in frozen))


def freezes(command: Command) -> str | None:
    """The program whose lock files are frozen from this command on: `bundle config set frozen true`."""
    words = [word.value or "" for word in command.words]
    if command.name not in ("bundle", "bundler") or words[1:2] != ["config"]:
        return None
    plain = [word for word in words[2:] if not word.startswith("--") and word != "set"]
    return "bundler" if plain[:1] in (["frozen"], ["deployment"]) and plain[1:2] in (["true"], ["1"]) else None


def check_environment(values: Mapping[str, str | None], cwd: str | None, tree: Copied) -> None:
    """Raise `Unclear` if a variable makes a program read something of the tree. A value of None is not known."""
    words = table("manifests")["words"]
    for name, value in values.items():
        loads = name in words["loading"]
        if not loads and not name.startswith(tuple(words["settings_of"])):
            continue
        if value is None:
            if loads or not name.lower().endswith(tuple(words["no_paths"])):
                raise Unclear(f"the value of `{name}` is not known")
            continue
        for part in re.split(r"[\s,:;=]+", value):
            for word in {part, re.sub(r"^-\w", "", part)} - {""}:
                path = posixpath.normpath(posixpath.join(cwd or tree.folder, word))
                if tree.has(path) or (loads and path == tree.folder):
                    raise Unclear(f"`{name}` names `{word}`, which is copied")


# --- calls -----------------------------------------------------------------------------------------------------------------


def _program(command: Command) -> tuple[str, tuple[Word, ...], bool] | None:
    name = command.name
    if name is None:
        return None
    arguments = command.arguments
    if _PIP.fullmatch(name):
        return "pip", arguments, False
    if _PYTHON.fullmatch(name) and len(arguments) > 1 and arguments[0].value == "-m" and arguments[1].value == "pip":
        return "pip", arguments[2:], True
    for tool, facts in table("manifests").items():
        if name in facts.get("programs", ()):
            return tool, arguments, False
    return None


def _call(tool: str, arguments: Iterable[Word], is_module: bool) -> Call | None:
    """A call that the table knows; None for one that it does not (`npm run`).

    Raises `Unclear` for a word that is not literal, and for an option of an install that the table does not know.
    """
    facts = table("manifests")[tool]
    valued = (*facts["valued"], *_FILE_OPTIONS.get(tool, ()))
    options: list[tuple[str, str | None]] = []
    unknown: list[str] = []
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        value = _literal(word)
        name, equals, text = value.partition("=")
        glued = next((each for each in valued if len(each) == 2 and value.startswith(each)), None)
        if not value.startswith("-") or value == "-":
            words.append(value)
        elif value in facts["flags"]:
            options.append((value, None))
        elif value in valued:
            after = next(rest, None)
            options.append((value, _literal(after) if after is not None else None))
        elif equals and name in valued:
            options.append((name, text))
        elif glued is not None:
            options.append((glued, value[2:]))
        else:
            unknown.append(value)
    verb = _verb(facts, words, unknown)
    if verb is None:
        return None
    if unknown and verb not in facts["aside"]:
        raise Unclear(f"it is not known what `{unknown[0]}` means to `{tool}`")
    return Call(tool, facts, verb, tuple(options), tuple(words[len(verb.split()) :]), is_module)


def _literal(word: Word) -> str:
    if word.value is None:
        raise Unclear(f"`{word.text}` is not known before the build")
    return word.value


def _verb(facts: Mapping[str, Any], words: list[str], unknown: list[str]) -> str | None:
    """The phrase of the table that a call begins with."""
    if not words and unknown and unknown[0] in facts["aside"]:
        return unknown[0]
    for phrase in (*facts["aside"], *facts.get("global", ()), *facts["install"], *facts.get("locked", ())):
        parts = phrase.split()
        if words[: len(parts)] == parts if parts else not words:
            return str(phrase)
    return None


_FILE_OPTIONS = {"pip": ("-r", "--requirement", "-c", "--constraint")}


def _manifest(call: Call, cwd: str, tree: Copied, frozen: bool) -> dict[str, str]:
    """The manifest and what is read beside it: paths by name. Raises `Unclear`."""
    facts = call.facts
    manifest = facts["manifest"]
    if not tree.has(posixpath.join(cwd, manifest)):
        raise Unclear(f"`{manifest}` is not among the copied files that `{call.tool}` finds in `{cwd}`")
    for name in (*facts.get("alien", ()), *facts.get("makes", ())):
        if tree.has(posixpath.join(cwd, name)):
            where = (
                "makes it itself: put it into .dockerignore" if name in facts.get("makes", ()) else "works differently with it"
            )
            raise Unclear(f"`{name}` is copied, and `{call.tool}` {where}")
    above = posixpath.dirname(cwd)
    while tree.reaches(above):
        for name in (manifest, *facts.get("settings", ()), *facts.get("alien", ())):
            if tree.has(posixpath.join(above, name)):
                raise Unclear(f"`{name}` is copied to a folder above")
        above = posixpath.dirname(above)
    files = {
        name: posixpath.join(cwd, name) for name in (manifest, *facts.get("reads", ())) if tree.has(posixpath.join(cwd, name))
    }
    if call.verb not in facts.get("locked", ()) and not frozen and not call.has(*facts.get("frozen", ())):
        for name in facts.get("locks", ()):
            if name in files:
                what = f"`{call.tool} {call.verb or 'install'}` may write `{name}` anew"
                raise Unclear(f"{what}, which the files copied after it would undo{_FROZEN[call.tool]}")
    for name in facts.get("settings", ()):
        if name in files:
            _plain_settings(files[name], tree)
    return files


_FROZEN = {
    "npm": "; `npm ci` does not",
    "yarn": "; with `--frozen-lockfile` it does not",
    "bundler": "; after `bundle config set frozen true` it does not",
    "go": " if the base has Go before 1.18",
}


def _plain_settings(path: str, tree: Copied) -> None:
    """Raise `Unclear` if a line of a settings file may name another file."""
    plain = table("manifests")["words"]["plain"]
    for line in tree.text(path).splitlines():
        line = line.strip()
        if not line or line.startswith(("#", ";")):
            continue
        key = re.split(r"[\s=]", line, maxsplit=1)[0].strip('"')
        if key.removesuffix("[]").rpartition(":")[2] not in plain:
            raise Unclear(f"`{key}` in `{posixpath.basename(path)}` may name other files")


# --- npm, yarn -------------------------------------------------------------------------------------------------------------


def _node(call: Call, cwd: str, tree: Copied, frozen: bool) -> Iterable[str]:
    facts = call.facts
    if call.verb in facts["global"] or call.has(*facts["global"]):
        return _named_only(call, call.words[1:] if call.verb == "global" else call.words, cwd, tree)
    if call.words:
        raise Unclear(f"`{call.tool} {call.verb}` with names of packages writes `package.json`")
    files = _manifest(call, cwd, tree, frozen)
    _package_json(files["package.json"], tree, scripts=not call.has("--ignore-scripts"))
    for name in ("package-lock.json", "npm-shrinkwrap.json"):
        if name in files:
            _package_lock(files[name], tree)
    if "yarn.lock" in files and re.search(r"@(?:file|link|workspace|portal|patch):|@\.{0,2}/", tree.text(files["yarn.lock"])):
        raise Unclear("`yarn.lock` names a package by a path")
    return files.values()


def _named_only(call: Call, words: Iterable[str], cwd: str, tree: Copied) -> Iterable[str]:
    """For packages that come from a registry and go elsewhere: only the settings are read."""
    for word in words:
        if not re.fullmatch(r"(?:@[\w.-]+/)?[A-Za-z0-9][\w.-]*(?:@[\w.^~*<>=-]+)?", word) or _ARCHIVE.search(word):
            raise Unclear(f"`{word}` may be a path")
    found = [posixpath.join(cwd, name) for name in call.facts.get("settings", ()) if tree.has(posixpath.join(cwd, name))]
    for path in found:
        _plain_settings(path, tree)
    return found


def _json(path: str, tree: Copied) -> dict[str, Any]:
    try:
        found = json.loads(tree.text(path))
    except (ValueError, RecursionError) as error:
        raise Unclear(f"`{posixpath.basename(path)}` cannot be read") from error
    if not isinstance(found, dict):
        raise Unclear(f"`{posixpath.basename(path)}` holds no package")
    return found


def _package_json(path: str, tree: Copied, *, scripts: bool) -> None:
    words = table("manifests")["words"]
    package = _json(path, tree)
    if package.get("workspaces"):
        raise Unclear("`package.json` has workspaces")
    manager = str(package.get("packageManager", "npm"))
    if not manager.startswith(("npm", "yarn@1")):
        raise Unclear(f"`package.json` asks for `{manager}`")
    own = package.get("scripts")
    for name in own if scripts and isinstance(own, dict) else ():
        if name in words["lifecycle"]:
            raise Unclear(f"the script `{name}` of `package.json` runs during the install and may read any file")
    for field, dependencies in package.items():
        if field not in ("overrides", "resolutions", "pnpm") and not field.lower().endswith("dependencies"):
            continue
        for name, dependency in _strings(dependencies):
            if scripts and name in words["project_readers"]:
                raise Unclear(f"the install of `{name}` looks for files of the project")
            if re.match(r"(?:file|link|workspace|portal|patch):|\.{1,2}(?:/|$)|/|~/", dependency) or (
                _ARCHIVE.search(dependency) and "://" not in dependency
            ):
                raise Unclear(f"the dependency `{name}` is `{dependency}`, a part of the copied files")


def _strings(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """The strings in a part of a JSON document, each with the key it stands under."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _strings(each, key)


def _package_lock(path: str, tree: Copied) -> None:
    lock = _json(path, tree)
    packages = lock.get("packages") or lock.get("dependencies") or {}
    for name, package in packages.items() if isinstance(packages, dict) else ():
        if not isinstance(package, dict) or not name:
            continue
        source = str(package.get("resolved") or package.get("version") or "")
        if package.get("link") or source.startswith(("file:", "link:", ".", "/")):
            raise Unclear(f"`{posixpath.basename(path)}` has `{name}` from a path")
        if name.rpartition("node_modules/")[2] in table("manifests")["words"]["project_readers"] and package.get(
            "hasInstallScript", True
        ):
            raise Unclear(f"the install of `{name.rpartition('node_modules/')[2]}` looks for files of the project")


# --- pip -------------------------------------------------------------------------------------------------------------------


def _pip(call: Call, cwd: str, tree: Copied, _frozen: bool) -> Iterable[str]:
    for word in call.words:
        _requirement(word, "the command")
    found: set[str] = set()
    for name, value in call.options:
        if name in _FILE_OPTIONS["pip"] and "://" not in (value or ""):
            _requirements(posixpath.normpath(posixpath.join(cwd, value or "")), tree, found)
    return found


def _requirements(path: str, tree: Copied, found: set[str]) -> None:
    """Add a requirements file, and those that it names, to what was found.

    https://pip.pypa.io/en/stable/reference/requirements-file-format/
    """
    if path in found:
        return
    if not tree.has(path):
        raise Unclear(f"`{path}` is not among the copied files")
    found.add(path)
    name = posixpath.basename(path)
    for line in re.sub(r"\\\r?\n", " ", tree.text(path)).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line:
            continue
        nested = re.match(r"(?:-r|-c|--requirement|--constraint)(?:\s*=?\s*)(\S+)$", line)
        if nested:
            target = nested[1].strip("\"'")
            if "://" not in target:
                _requirements(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)), tree, found)
        elif re.match(r"(?:-f|--find-links)(?:\s*=?\s*)https?://", line):
            continue
        elif line.startswith("-"):
            option = re.split(r"[\s=]", line, maxsplit=1)[0]
            if option not in _PLAIN_LINES:
                raise Unclear(f"`{line}` in `{name}` may read other files")
        else:
            _requirement(line, f"`{name}`")


_PLAIN_LINES = (
    "-i", "--index-url", "--extra-index-url", "--no-binary", "--only-binary", "--prefer-binary", "--require-hashes", "--pre",
    "--trusted-host", "--use-feature",
)  # fmt: skip


def _requirement(text: str, where: str) -> None:
    """Raise `Unclear` unless a requirement comes from an index or by a URL."""
    if re.match(r"(?:git|hg|svn|bzr)\+(?:https?|ssh|git)://|https?://", text):
        return
    named = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*(?:@\s*(.*)|[=<>!~;(].*|\s--.*)?$", text)
    if named is None or _ARCHIVE.search(re.split(r"[=<>!~;\s\[]", text, maxsplit=1)[0]):
        raise Unclear(f"`{text}` in {where} may be one of the copied files")
    if named[1] is not None and not re.match(r"(?:(?:git|hg|svn|bzr)\+)?(?:https?|ssh|git)://", named[1]):
        raise Unclear(f"`{text}` in {where} is one of the copied files")


def _no_shadows(cwd: str, tree: Copied) -> None:
    """Raise `Unclear` if the folder has modules that `python -m pip` would import for its own."""
    own = {*sys.stdlib_module_names, "pip", "setuptools", "pkg_resources", "wheel", "distutils", "_distutils_hack"}
    for path in tree.files:
        if posixpath.dirname(path) == cwd and posixpath.splitext(posixpath.basename(path))[0] in own:
            raise Unclear(f"`python -m pip` would import `{posixpath.basename(path)}`")


# --- others ----------------------------------------------------------------------------------------------------------------

_PLAIN = r"""(?:"[^"\#\\]*"|'[^'\\]*'|:\w+)"""
_STRING = rf"(?:{_PLAIN}|true|false|nil|[\d.]+|%[wi]\[[\w\ ]*\]|\[(?:\s*{_PLAIN}\s*,?)*\s*\])"
_GEM_LINES = re.compile(
    rf"""
    source \s+ {_STRING} (?: \s+ do)? $
    | (?: gem | group | platforms? | ruby | install_if ) (?: \s+ | \s* \( \s* )
      (?! .* \b (?: path | gemspec | file ) \b )
      (?: {_STRING} | \w+: \s* {_STRING} | {_STRING} \s* => \s* {_STRING} | , | \s )+ \)? (?: \s* do)? $
    | ruby \s+ file: \s* ["']\.ruby-version["'] $
    | git_source \( :github \) \s* \{{ \s* \|\w+\| \s* "https://github\.com/\#\{{\w+\}}(?:\.git)?" \s* \}} $
    | end $
    """,
    re.X,
)
"""Lines of a Gemfile that read nothing."""


def _bundler(call: Call, cwd: str, tree: Copied, frozen: bool) -> Iterable[str]:
    if call.words:
        raise Unclear("`bundle install` with words does something else")
    files = _manifest(call, cwd, tree, frozen)
    for path in tree.files:
        if posixpath.dirname(path) == cwd and path.endswith(".gemspec"):
            raise Unclear(f"`{posixpath.basename(path)}` is a gem of its own, which may list any file")
    text = tree.text(files["Gemfile"])
    for number, line in enumerate(re.sub(r",\s*\n", ", ", text).splitlines(), 1):
        line = re.sub(r"\s+#.*$|^#.*$", "", line).strip()
        if line and not _GEM_LINES.match(line):
            raise Unclear(f"`{line}` in line {number} of `Gemfile` is Ruby code that may read any file")
    if "Gemfile.lock" in files and re.search(r"^PATH$", tree.text(files["Gemfile.lock"]), re.M):
        raise Unclear("`Gemfile.lock` has a gem from a path")
    return files.values()


_PRUNED = 17
"""Since this Go 1.x a go.mod lists all that a build needs: https://go.dev/ref/mod#graph-pruning."""


def _go(call: Call, cwd: str, tree: Copied, frozen: bool) -> Iterable[str]:
    if call.words:
        raise Unclear("`go mod download` with words downloads something else")
    files = _manifest(call, cwd, tree, frozen)
    text = re.sub(r"//.*", "", tree.text(files["go.mod"]))
    version = re.search(r"^go 1\.(\d+)", text, re.M)
    sums = tree.text(files["go.sum"]) if "go.sum" in files else ""
    for module, release in re.findall(r"^\s*(?:require\s+)?([\w./~-]+) (v\d\S+)\s*$", text, re.M):
        if f"{module} {release}/go.mod " not in sums:
            raise Unclear(f"`go.sum` lacks `{module} {release}`, so that `go mod download` may write it")
    if version is None or int(version[1]) < _PRUNED:
        raise Unclear(f"`go.mod` is older than Go 1.{_PRUNED}, so that `go mod download` may write it")
    if re.search(r"=>\s*\"?(?:\.{1,2}(?:/|\s|$)|/)", text):
        raise Unclear("`go.mod` replaces a module by a folder")
    return files.values()


def _gem(call: Call, cwd: str, tree: Copied, _frozen: bool) -> Iterable[str]:
    if not call.words or any(posixpath.dirname(path) == cwd and path.endswith(".gem") for path in tree.files):
        raise Unclear("`gem install` may read the copied files")
    return _named_only(call, call.words, cwd, tree)


_TOOLS: dict[str, Callable[[Call, str, Copied, bool], Iterable[str]]] = {
    "npm": _node,
    "yarn": _node,
    "pip": _pip,
    "bundler": _bundler,
    "go": _go,
    "gem": _gem,
}
