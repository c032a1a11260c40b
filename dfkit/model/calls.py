"""What the words of a command say that it reads, writes and deletes, by its entry in facts/commands.yaml."""

from __future__ import annotations

import posixpath

from dfkit._regex import regex
from dfkit.model.effects import DEVICES, OPAQUE, Effects, together
from dfkit.model.facts import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from dfkit.model.effects import Walk
    from dfkit.model.packages import Invocation
    from dfkit.shell import Command, Word

_ELSEWHERE = {
    "apk": ("--root", "-p"), "yum": ("--installroot",), "dnf": ("--installroot",), "zypper": ("--root", "-R"),
    "pip": ("--root", "--prefix", "--target", "-t"), "npm": ("--prefix",),
}  # fmt: skip
"""Options with which a package manager installs to another place."""
_ARCHIVE = regex(r"\.(?:tar\.[A-Za-z0-9]+|tar|t[gbx]z2?|zip|gz|bz2|xz|zst)$")


def call_effects(walk: Walk, command: Command, spec: dict[str, Any]) -> Effects:
    """The effects of a command with an entry; opaque where its words do not say them."""
    try:
        call = _Call(walk, command, spec)
        return _TOOLS[spec["tool"]](call) if "tool" in spec else call.by_table()
    except _Unknown:
        return OPAQUE


def manager_effects(walk: Walk, call: Invocation) -> Effects:
    """The effects of a call of a package manager."""
    own = table("commands")["managers"].get(call.manager)
    if own is None or call.has(*_ELSEWHERE.get(call.manager, ())):
        return OPAQUE
    lists = tuple(call.facts.get("lists", ()))
    caches = walk.places(call.facts.get("caches", ()))
    reads, writes, bulk = (walk.places(own[side]) for side in ("reads", "writes", "bulk"))
    if caches is None or reads is None or writes is None or bulk is None:
        return OPAQUE
    if call.action == "update":
        return Effects(("/etc", "/usr/share/keyrings", *lists), (*lists, *caches, "/var/cache/apt"), bulk=lists, network=True)
    if call.action == "clean":
        return Effects(reads=caches, deletes=caches)
    if call.manager == "pip" and (call.has("-e", "--editable") or any(_is_project(word) for word in call.packages)):
        return OPAQUE
    if call.manager == "apt" and call.packages and call.packages[0].value == "source":
        return _sources(walk, call, Effects((*reads, *lists), writes, network=True))
    given = [word for word in call.packages if "/" in word.text and "://" not in word.text]
    for option in call.options:
        if (
            option.name in ("-r", "--requirement", "-c", "--constraint")
            and option.value is not None
            and not isinstance(option.value, str)
        ):
            given.append(option.value)
    named: list[str] = []
    for word in given:
        paths = walk.paths(word)
        if paths is None:
            return OPAQUE
        named += paths
    return Effects((*reads, *lists, *caches, *named), (*writes, *caches), (), (), (*bulk, *caches), False, True)


def _sources(walk: Walk, call: Invocation, base: Effects) -> Effects:
    """`apt-get source name=version`: the files of a source package in the working directory, `name_version.orig.tar.gz` and others."""
    found: list[str] = []
    for word in call.packages[1:]:
        name, equals, version = (word.value or "").partition("=")
        upstream = regex(r"-[^-]*$").sub("", version.rpartition(":")[2])
        path = walk.absolute(f"{name}_{upstream}*") if equals and regex(r"[\w.+~-]+").fullmatch(upstream) else None
        if path is None:
            return OPAQUE
        found.append(path)
        if not call.has("-d", "--download-only"):
            found.append(posixpath.join(posixpath.dirname(path), f"{name}-{upstream}"))
    return together((base, Effects(writes=tuple(found), bulk=tuple(found))))


def _is_project(word: Word) -> bool:
    """Whether pip would run the project's own code."""
    return word.text.startswith((".", "/", "$")) and not word.text.endswith((".whl", ".txt"))


class _Unknown(Exception):
    """The words of a command do not say what it does."""


class _Call:
    """A command's words, read by its entry in the table."""

    def __init__(self, walk: Walk, command: Command, spec: dict[str, Any]) -> None:
        self.walk = walk
        self.spec = spec
        self.command = command
        self.operands: list[Word] = []
        self.options: list[tuple[str, Word | None, str | None]] = []
        self._read()

    def _read(self) -> None:
        valued = self.spec.get("options", {})
        rest = iter(self.command.arguments)
        only_operands = False
        for word in rest:
            text = word.text
            if only_operands or not text.startswith("-") or text == "-":
                self.operands.append(word)
            elif text == "--":
                only_operands = True
            elif text.startswith("--"):
                name, equals, _ = text.partition("=")
                if equals:
                    self.options.append((name, None, word.value.partition("=")[2] if word.value is not None else None))
                else:
                    self.options.append((name, next(rest, None) if name in valued else None, None))
            else:
                self._cluster(word, text, valued, rest)
        refused = self.spec.get("refuse", ())
        if any(name in refused for name, _, _ in self.options):
            raise _Unknown

    def _cluster(self, word: Word, text: str, valued: Mapping[str, str], rest: Iterator[Word]) -> None:
        """`-fsSLo file`, `-ofile`."""
        if text in valued:
            self.options.append((text, next(rest, None), None))
            return
        for at, char in enumerate(text[1:], 1):
            name = f"-{char}"
            if name not in valued:
                self.options.append((name, None, None))
                continue
            glued = text[at + 1 :]
            if not glued:
                self.options.append((name, next(rest, None), None))
            else:
                self.options.append((name, None, glued if word.value == text else None))
            return

    def has(self, *names: str) -> bool:
        return any(name in names for name, _, _ in self.options)

    def value(self, *names: str) -> Word | str | None:
        """The last value of an option, None if it is not given. Raises `_Unknown` if it is given with a value that is not known."""
        found: Word | str | None = None
        for name, word, text in self.options:
            if name in names:
                if word is None and text is None:
                    raise _Unknown
                found = word or text
        return found

    def paths(self, word: Word | str) -> tuple[str, ...]:
        if isinstance(word, str):
            path = self.walk.absolute(word)
            paths: tuple[str, ...] | None = None if path is None else (path,)
        else:
            paths = self.walk.paths(word)
        if paths is None:
            raise _Unknown
        return paths

    def literal(self, word: Word | str) -> str:
        value = word if isinstance(word, str) else self.walk.literal(word)
        if value is None:
            raise _Unknown
        return value

    def by_table(self) -> Effects:
        """The effects that the table gives the operands and options."""
        found = [self.fixed()]
        operands = list(self.operands)
        spec = self.spec
        if "first" in spec and operands and not self.has(*spec.get("first_by", ())):
            operands = operands[1:]
        last = operands.pop() if "last" in spec and len(operands) > 1 else None
        found += [self.role(spec.get("operands", "print"), word) for word in operands if word.text != "-"]
        if last is not None:
            found.append(self.role(spec["last"], last))
        for name, word, text in self.options:
            role = spec.get("options", {}).get(name)
            if role not in (None, "print"):
                if word is None and text is None:
                    raise _Unknown
                if (word.text if word is not None else text) != "-":
                    found.append(self.role(role, word or text or ""))
        return together(found)

    def fixed(self) -> Effects:
        """What it does whatever its words are."""
        reads, writes = (self.walk.places(self.spec.get(side, ())) for side in ("reads", "writes"))
        if reads is None or writes is None:
            raise _Unknown
        return Effects(reads=reads, writes=writes, network=bool(self.spec.get("network")))

    def role(self, role: str, word: Word | str) -> Effects:
        if role == "print":
            return Effects()
        if role == "delete" and not isinstance(word, str) and self.walk.paths(word) is None:
            # What else it deletes is still known.
            return OPAQUE
        paths = tuple([path for path in self.paths(word) if not path.startswith(DEVICES)])
        match role:
            case "read":
                return Effects(reads=paths)
            case "write":
                return Effects(writes=paths, bulk=paths if self.spec.get("bulk") else ())
            case "delete":
                return Effects(deletes=paths)
            case "move":
                return Effects(reads=paths, deletes=paths)
            case _:
                return Effects(changes=paths)


def _written(base: Effects, paths: tuple[str, ...], reads: tuple[str, ...] = ()) -> Effects:
    return together((base, Effects(reads=reads, writes=paths, bulk=paths)))


def _url_name(url: str) -> str:
    """The file name that `curl -O` and `wget` take from a URL; raises `_Unknown` if it has none."""
    name = regex(r"[?#].*").sub("", regex(r"^[a-z+]+://").sub("", url)).rpartition("/")
    if not name[1] or not name[2]:
        raise _Unknown
    return name[2]


def _curl(call: _Call) -> Effects:
    found = call.by_table()
    if any(word.text.startswith("@") for _, word, _ in call.options if word is not None):
        raise _Unknown
    if call.has("-O", "--remote-name", "--remote-name-all"):
        for word in call.operands:
            found = _written(found, call.paths(_url_name(call.literal(word))))
    return found


def _wget(call: _Call) -> Effects:
    found = call.by_table()
    if not call.has("-O", "--output-document"):
        folder = call.value("-P", "--directory-prefix")
        prefix = call.literal(folder).rstrip("/") + "/" if folder is not None else ""
        for word in call.operands:
            url = call.literal(word)
            if regex(r"[?#]").search(url):
                raise _Unknown
            found = _written(found, call.paths(prefix + _url_name(url)))
    return found


def _tar(call: _Call) -> Effects:
    words = list(call.command.arguments)
    if not words:
        raise _Unknown
    mode, stripped = "", False
    file: Word | str | None = None
    folder: Word | str | None = None
    members: list[Word] = []
    rest = iter(words)
    for at, word in enumerate(rest):
        text = word.text
        if text.startswith("--"):
            name, equals, value = text.partition("=")
            if name in ("--extract", "--get", "--create", "--list"):
                mode += {"--extract": "x", "--get": "x", "--create": "c", "--list": "t"}[name]
            elif name in ("--file", "--directory"):
                taken: Word | str | None = value if equals and word.value is not None else None if equals else next(rest, None)
                if taken is None:
                    raise _Unknown
                file, folder = (taken, folder) if name == "--file" else (file, taken)
            elif name not in ("--strip-components", "--strip", "--no-same-owner", "--gzip", "--xz", "--bzip2", "--verbose",
                              "--no-same-permissions", "--exclude", "--wildcards", "--overwrite", "--keep-old-files"):  # fmt: skip
                raise _Unknown
            if name in ("--strip-components", "--strip"):
                stripped = True
            if name in ("--strip-components", "--exclude", "--strip") and not equals:
                next(rest, None)
        elif text.startswith("-") or at == 0:
            for place, char in enumerate(text.lstrip("-")):
                if char in "fC":
                    glued = text.lstrip("-")[place + 1 :] if text.startswith("-") else ""
                    taken = glued or next(rest, None)
                    if taken is None:
                        raise _Unknown
                    file, folder = (taken, folder) if char == "f" else (file, taken)
                    if glued:
                        break
                elif char in "xct":
                    mode += char
                elif char not in "vzjJapmokhBSWP":
                    raise _Unknown
        else:
            members.append(word)
    archive = () if file is None or (file if isinstance(file, str) else file.text) == "-" else call.paths(file)
    target = call.paths(folder) if folder is not None else call.paths(".")
    if mode == "x":
        # By custom an archive `name-1.0.tar.gz` holds one folder of its name.
        stem = _ARCHIVE.sub("", posixpath.basename(archive[0])) if len(archive) == 1 and not stripped and not members else ""
        return Effects(
            reads=archive, writes=target, bulk=tuple([posixpath.join(each, stem) for each in target]) if stem else target
        )
    if mode == "t":
        return Effects(reads=archive)
    if mode == "c":
        return Effects(reads=target, writes=archive, bulk=archive)
    raise _Unknown


def _unzip(call: _Call) -> Effects:
    words = list(call.command.arguments)
    folder: Word | None = None
    operands: list[Word] = []
    rest = iter(words)
    for word in rest:
        if word.text == "-d":
            folder = next(rest, None)
        elif word.text.startswith("-") and regex(r"-[qonjaLl]+").fullmatch(word.text):
            continue
        elif word.text.startswith("-"):
            raise _Unknown
        else:
            operands.append(word)
    if not operands:
        raise _Unknown
    target = call.paths(folder) if folder is not None else call.paths(".")
    return Effects(reads=call.paths(operands[0]), writes=target, bulk=target)


def _unpack(call: _Call) -> Effects:
    if call.has("-c", "--stdout"):
        return Effects(reads=tuple([path for word in call.operands for path in call.paths(word)]))
    found = Effects()
    for word in call.operands:
        paths = call.paths(word)
        both = (*paths, *[regex(r"\.(?:gz|bz2|xz)$").sub("", path) for path in paths], *[f"{path}.gz" for path in paths])
        found = together((found, Effects(reads=paths, writes=both, deletes=paths, bulk=both)))
    return found


def _git(call: _Call) -> Effects:
    words = list(call.command.arguments)
    if not words or words[0].value != "clone":
        raise _Unknown
    operands: list[Word] = []
    rest = iter(words[1:])
    for word in rest:
        if word.text in ("-b", "--branch", "--depth", "-c", "--config", "-j", "--jobs", "-o", "--origin"):
            next(rest, None)
        elif regex(
            r"--(?:branch|depth|recurs\w*|recurse-submodules|single-branch|quiet|shallow-\w+|no-\w+|jobs|progress|verbose)|-[qv]+$"
        ).match(
            word.text,
        ):
            continue
        elif word.text.startswith("-"):
            raise _Unknown
        else:
            operands.append(word)
    if len(operands) == 2:
        target = call.paths(operands[1])
    elif len(operands) == 1:
        name = call.literal(operands[0]).rstrip("/").rpartition("/")[2].rpartition(":")[2]
        target = call.paths(name.removesuffix(".git"))
    else:
        raise _Unknown
    home = call.walk.places(("~/.gitconfig", "/etc/gitconfig", "/etc/ssl", "~/.ssh")) or ()
    return Effects(reads=home, writes=target, bulk=target, network=True)


def _sed(call: _Call) -> Effects:
    words = list(call.command.arguments)
    in_place, script_given, scripts, files = False, False, [], []
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in ("-e", "--expression"):
            script_given = True
            scripts.append(next(rest, None))
        elif text.startswith(("-f", "--file")):
            raise _Unknown
        elif text.startswith(("--in-place", "-i")):
            in_place = True
        elif text.startswith("-"):
            in_place = in_place or ("i" in text and not text.startswith("--"))
            if regex(r"-[nErsuzi]*e").fullmatch(text):
                script_given = True
                scripts.append(next(rest, None))
        else:
            files.append(word)
    if not script_given and files:
        scripts.append(files.pop(0))
    for script in scripts:
        # `w file` and the flags `w` and `e` of `s` write and run things.
        if (
            script is None
            or regex(r"(?:^|[;}\n]|[0-9$/])\s*[we]\b").search(script.text.strip("'\""))
            or regex(r"/[gpI0-9]*[we]").search(script.text)
        ):
            raise _Unknown
    paths = tuple([path for word in files if word.text != "-" for path in call.paths(word)])
    return Effects(reads=paths, writes=paths if in_place else ())


def _ln(call: _Call) -> Effects:
    if len(call.operands) == 1:
        return Effects(writes=call.paths(posixpath.basename(call.literal(call.operands[0]).rstrip("/"))))
    if not call.operands:
        raise _Unknown
    read = () if call.has("-s", "--symbolic") else tuple([path for word in call.operands[:-1] for path in call.paths(word)])
    return Effects(reads=read, writes=call.paths(call.operands[-1]))


def _install(call: _Call) -> Effects:
    if call.has("-d", "--directory"):
        return Effects(writes=tuple([path for word in call.operands for path in call.paths(word)]))
    return call.by_table()


def _accounts(call: _Call) -> Effects:
    found = call.by_table()
    words = list(call.command.arguments)
    for at, word in enumerate(words):
        name, equals, _ = word.text.partition("=")
        if name in ("-d", "--home", "--home-dir", "-h", "-b", "--base-dir"):
            if equals:
                value = word.value.partition("=")[2] if word.value is not None else None
                if value is None:
                    raise _Unknown
                found = together((found, Effects(writes=call.paths(value))))
            elif at + 1 < len(words):
                found = together((found, Effects(writes=call.paths(words[at + 1]))))
    return found


def _gpg(call: _Call) -> Effects:
    found = call.fixed()
    words = list(call.command.arguments)
    for at, word in enumerate(words):
        if word.text in ("-o", "--output") and at + 1 < len(words):
            found = together((found, Effects(writes=call.paths(words[at + 1]))))
        elif word.text.startswith("-") or ("/" not in word.text and "." not in word.text):
            continue
        elif "://" not in word.text and not (at and words[at - 1].text in ("--keyserver", "--recv-keys", "--recv")):
            found = together((found, Effects(reads=call.paths(word))))
    if "GNUPGHOME" in call.walk.variables or any(each.name == "GNUPGHOME" for each in call.command.assignments):
        raise _Unknown
    return found


_TOOLS: dict[str, Callable[[_Call], Effects]] = {
    "accounts": _accounts,
    "curl": _curl,
    "git": _git,
    "gpg": _gpg,
    "install": _install,
    "ln": _ln,
    "sed": _sed,
    "tar": _tar,
    "unpack": _unpack,
    "unzip": _unzip,
    "wget": _wget,
}
