"""Programs whose words say more than a table can: what they read, write and delete."""

from __future__ import annotations

import posixpath

from dfkit._regex import regex
from dfkit.model.calls import Unknown
from dfkit.model.effects import Effects, together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dfkit.model.calls import Call
    from dfkit.shell import Word

_ARCHIVE = regex(r"\.(?:tar\.[A-Za-z0-9]+|tar|t[gbx]z2?|zip|gz|bz2|xz|zst)$")


def _written(base: Effects, paths: tuple[str, ...], reads: tuple[str, ...] = ()) -> Effects:
    return together((base, Effects(reads=reads, writes=paths, bulk=paths)))


def _url_name(url: str) -> str:
    """The file name that `curl -O` and `wget` take from a URL; raises `Unknown` if it has none."""
    name = regex(r"[?#].*").sub("", regex(r"^[a-z+]+://").sub("", url)).rpartition("/")
    if not name[1] or not name[2]:
        raise Unknown
    return name[2]


def _curl(call: Call) -> Effects:
    found = call.by_table()
    if any(word.text.startswith("@") for _, word, _ in call.options if word is not None):
        raise Unknown
    if call.has("-O", "--remote-name", "--remote-name-all"):
        for word in call.operands:
            found = _written(found, call.paths(_url_name(call.literal(word))))
    return found


def _wget(call: Call) -> Effects:
    found = call.by_table()
    if not call.has("-O", "--output-document"):
        folder = call.value("-P", "--directory-prefix")
        prefix = call.literal(folder).rstrip("/") + "/" if folder is not None else ""
        for word in call.operands:
            url = call.literal(word)
            if regex(r"[?#]").search(url):
                raise Unknown
            found = _written(found, call.paths(prefix + _url_name(url)))
    return found


def _tar(call: Call) -> Effects:
    words = list(call.command.arguments)
    if not words:
        raise Unknown
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
                    raise Unknown
                file, folder = (taken, folder) if name == "--file" else (file, taken)
            elif name not in ("--strip-components", "--strip", "--no-same-owner", "--gzip", "--xz", "--bzip2", "--verbose",
                              "--no-same-permissions", "--exclude", "--wildcards", "--overwrite", "--keep-old-files"):  # fmt: skip
                raise Unknown
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
                        raise Unknown
                    file, folder = (taken, folder) if char == "f" else (file, taken)
                    if glued:
                        break
                elif char in "xct":
                    mode += char
                elif char not in "vzjJapmokhBSWP":
                    raise Unknown
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
    raise Unknown


def _unzip(call: Call) -> Effects:
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
            raise Unknown
        else:
            operands.append(word)
    if not operands:
        raise Unknown
    target = call.paths(folder) if folder is not None else call.paths(".")
    return Effects(reads=call.paths(operands[0]), writes=target, bulk=target)


def _unpack(call: Call) -> Effects:
    if call.has("-c", "--stdout"):
        return Effects(reads=tuple([path for word in call.operands for path in call.paths(word)]))
    found = Effects()
    for word in call.operands:
        paths = call.paths(word)
        both = (*paths, *[regex(r"\.(?:gz|bz2|xz)$").sub("", path) for path in paths], *[f"{path}.gz" for path in paths])
        found = together((found, Effects(reads=paths, writes=both, deletes=paths, bulk=both)))
    return found


def _git(call: Call) -> Effects:
    words = list(call.command.arguments)
    if not words or words[0].value != "clone":
        raise Unknown
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
            raise Unknown
        else:
            operands.append(word)
    if len(operands) == 2:
        target = call.paths(operands[1])
    elif len(operands) == 1:
        name = call.literal(operands[0]).rstrip("/").rpartition("/")[2].rpartition(":")[2]
        target = call.paths(name.removesuffix(".git"))
    else:
        raise Unknown
    home = call.walk.places(("~/.gitconfig", "/etc/gitconfig", "/etc/ssl", "~/.ssh")) or ()
    return Effects(reads=home, writes=target, bulk=target, network=True)


def _sed(call: Call) -> Effects:
    words = list(call.command.arguments)
    in_place, script_given, scripts, files = False, False, [], []
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in ("-e", "--expression"):
            script_given = True
            scripts.append(next(rest, None))
        elif text.startswith(("-f", "--file")):
            raise Unknown
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
            raise Unknown
    paths = tuple([path for word in files if word.text != "-" for path in call.paths(word)])
    return Effects(reads=paths, writes=paths if in_place else ())


def _ln(call: Call) -> Effects:
    if len(call.operands) == 1:
        return Effects(writes=call.paths(posixpath.basename(call.literal(call.operands[0]).rstrip("/"))))
    if not call.operands:
        raise Unknown
    read = () if call.has("-s", "--symbolic") else tuple([path for word in call.operands[:-1] for path in call.paths(word)])
    return Effects(reads=read, writes=call.paths(call.operands[-1]))


def _install(call: Call) -> Effects:
    if call.has("-d", "--directory"):
        return Effects(writes=tuple([path for word in call.operands for path in call.paths(word)]))
    return call.by_table()


def _accounts(call: Call) -> Effects:
    found = call.by_table()
    words = list(call.command.arguments)
    for at, word in enumerate(words):
        name, equals, _ = word.text.partition("=")
        if name in ("-d", "--home", "--home-dir", "-h", "-b", "--base-dir"):
            if equals:
                value = word.value.partition("=")[2] if word.value is not None else None
                if value is None:
                    raise Unknown
                found = together((found, Effects(writes=call.paths(value))))
            elif at + 1 < len(words):
                found = together((found, Effects(writes=call.paths(words[at + 1]))))
    return found


def _gpg(call: Call) -> Effects:
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
        raise Unknown
    return found


TOOLS: dict[str, Callable[[Call], Effects]] = {
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
"""By the name that facts/commands.yaml gives a tool."""
