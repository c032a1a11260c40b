#!/usr/bin/env python3
"""Hold dfkit's build context against Docker's own client: `docker buildx` says for a context what arrives, dfkit what would be sent.

DFKIT_BUILDX names the program `docker-buildx`, DFKIT_BUILDX_HOST its engine, such as unix:///run/docker.sock; docs/context.md says
which. CONTEXT_EXAMPLES (default 500) is how many contexts are made up; besides these there are those of `CASES`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import tarfile
import tempfile
from pathlib import Path

from dfkit.context import IgnoreError, plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Seen = dict[str, tuple[object, ...]]

BUILDX = os.environ.get("DFKIT_BUILDX", "")
HOST = os.environ.get("DFKIT_BUILDX_HOST", "")
EXAMPLES = int(os.environ.get("CONTEXT_EXAMPLES", "500"))
SHOWN = 20

TREE = (
    "Dockerfile", "a.md", "README.md", ".env", ".git/HEAD", ".git/config", "src/main.c", "src/main.h", "src/sub/x.c",
    "src/sub/keep.txt", "keep.txt", "UPPER.TXT", "lower.txt", "node_modules/m/index.js", "node_modules/m/keep.txt",
    "web/node_modules/n/keep.txt", "web/app.js", "build/out/a", "build/out/keep", "build/x/y/z", "docs/a.md", "docs/b/c.md",
    "a*b", "axb", "a]b", "[x]", "x", "^a", "^ab", "b!c", "!n", "#c", "d/e/f/g/h", "v1", "vd", "a+b", "a.b", "a{2}b", "aab",
    "a|b", "log.1", "log.12", "é/ü", "sp ace",
)  # fmt: skip

CASES = {
    "no patterns": "",
    "a plain file": "a.md",
    "a folder": "node_modules",
    "a folder with a slash": "node_modules/",
    "a leading slash": "/src/main.c",
    "a leading ./": "./src/main.c",
    "a path with ..": "src/../docs",
    "a path above the context": "../src",
    "a star": "*.md",
    "a star takes dot files": "*",
    "a star in the middle": "src/*/x.c",
    "a question mark": "a?b",
    "a star does not cross a slash": "src*x.c",
    "case": "*.txt",
    "two stars first": "**/node_modules",
    "two stars before a glob": "**/*.md",
    "two stars last": "src/**",
    "two stars in the middle": "build/**/z",
    "two stars glued": "**keep.txt",
    "two stars behind a name": "log**",
    "two stars alone": "**",
    "two stars and a dot": "**/.git",
    "three stars": "***",
    "an exception": "*.md\n!README.md",
    "an exception in the wrong order": "!README.md\n*.md",
    "an exception overruled": "*\n!src\nsrc/main.c",
    "an exception at any depth": "*\n!**/keep.txt",
    "an exception for a type": "*\n!src/**/*.c",
    "an exception below a folder": "src\n!src/sub/keep.txt",
    "an exception below a folder of any depth": "**/node_modules\n!**/keep.txt",
    "an exception with stars at its end": "build\n!build/*/**",
    "an exception with a star at its end": "build\n!build/out/*",
    "an exception for a whole folder": "build\n!build/out",
    "an exception for a folder's folder": "**\n!build/x",
    "an exception with a question mark": "src\n!src/main.?",
    "exceptions twice": "*\n!src\nsrc/*\n!src/sub\nsrc/sub/*\n!src/sub/x.c",
    "an exception with space after its mark": "*\n!  src",
    "an exception with a slash": "*\n!/src",
    "an exception of a file that is not there": "docs\n!docs/none",
    "an escaped star": r"a\*b",
    "an escaped bracket": r"\[x\]",
    "an escaped letter": r"v\d",
    "an escaped exclamation mark": r"\!n",
    "an escaped hash": r"\#c",
    "a backslash that is no escape": r"src\main.c",
    "a class": "log.[0-9]",
    "a negated class": "a[^x]b",
    "a class with an exclamation mark": "a[!x]b",
    "a class that matches a slash": "src[^x]main.c",
    "a bracket in a class": r"a[\]]b",
    "a star in a class": "a[*]b",
    "a named class": "log.[[:digit:]]",
    "a caret": "^a",
    "a caret before a star": "^a*",
    "braces": "a{2}b",
    "braces and a star": "a{2}*",
    "braces of alternatives": "{a,b}.md",
    "a bar": "a|b",
    "a bar and a star": "a*|x",
    "a plus": "a+b",
    "a dot": "a.b",
    "a comment": "# *\na.md",
    "a comment after space": " # a\na.md",
    "a hash behind a pattern": "a.md # no comment",
    "space around a pattern": "  a.md\t\n",
    "a name with a space": "sp ace",
    "carriage returns": "a.md\r\ndocs\r\n",
    "a byte order mark": "\ufeffa.md\ndocs",
    "a byte order mark before a comment": "\ufeff# x\na.md",
    "a byte order mark in the second line": "docs\n\ufeffa.md",
    "empty lines": "\n\n\na.md\n\n",
    "a dot alone": ".",
    "a slash alone": "/",
    "two dots": "..",
    "an exclamation mark alone": "!",
    "an exclamation mark and a slash": "!/",
    "an open class": "a.md\n[",
    "an open class behind a star": "a*[",
    "an open class that Docker does not come to read": "!a*[",
    "an open class behind a star that matches a dot": "!.*[",
    "an open class that is read for a file that is taken": "*.md\n!a*[",
    "a backslash at the end behind a star that files come to": "a*\\",
    "a class behind a star that begins with a bracket": "a*[]b]",
    "a class behind a star with a minus at its ends": "lo*[-g2]",
    "a class with a slash behind a star": "s*[/m]ain.c",
    "an unknown escape in an exception that no file comes to": "!v\\q",
    "an unknown escape behind what takes all": "*\nv\\q",
    "an unknown class behind what takes all but one": "*\n!a.md\n[[:no:]]",
    "an unknown class": "[[:no:]]",
    "a negated named class": "log.[[:^digit:]]",
    "a backslash at the end behind a star": "!a*\\",
    "a name as Windows writes it": "C:\\src\\main.c",
    "a drive": "c:/src",
    "a folder and a backslash": "src\\",
    "several slashes": "src//main.c",
    "a dot in the middle": "src/./main.c",
    "two dots in the middle": "docs/b/../a.md",
    "two dots above and back": "../../src",
    "three dots": "...",
    "an exception with two dots": "*\n!src/../docs",
    "an exception with a dot": "*\n!./src",
    "an exception with a slash at its end": "*\n!src/",
    "an exception with two marks": "*\n!!n",
    "an exception behind an escape": "*\n\\!src",
    "an escaped slash": "src\\/main.c",
    "an escaped dot": "a\\.md",
    "an escaped backslash": "a\\\\b",
    "an escaped space": "sp\\ ace",
    "an escaped question mark": "a\\?b",
    "two stars and a slash at the end": "src/**/",
    "two stars twice": "**/**/x.c",
    "two stars between names": "b**d/**/a",
    "two stars behind a star": "*/**",
    "two stars behind a slash": "/**",
    "stars around a name": "**/sub/**",
    "an exception with two stars first": "src\n!**/x.c",
    "an exception with two stars last": "src\n!src/**",
    "an exception with two stars alone": "*\n!**",
    "a folder taken back and a file taken again": "src\n!src/sub\nsrc/sub/keep.txt",
    "the same twice": "a.md\na.md\n!a.md\n!a.md",
    "question marks for a whole name": "?.md",
    "a question mark and a slash": "src?main.c",
    "a class with a range and more": "log.[0-25]*",
    "a class with a caret in the middle": "[x^]*",
    "a class with a minus that is escaped": "a[\\-*]b",
    "a class with an escaped caret": "[\\^]a",
    "a dollar": "a.md$",
    "parentheses": "(a).md",
    "a tab before a comment": "\t# a\na.md",
    "space alone": "   \n\t\na.md",
    "a carriage return alone": "\r\na.md\r",
    "a line separator": "a.md\u2028",
    "a zero-width space": "\u200ba.md",
    "two byte order marks": "\ufeff\ufeffa.md",
    "a byte order mark behind an exclamation mark": "*\n!\ufeffa.md",
    "no line feed at the end": "docs\na.md",
    "an exclamation mark and a comment": "*\n!#c",
    "an empty class": "[]a]",
    "a range without an end": "[a-]",
    "a backslash at the end": "a\\",
    "an unknown escape": r"v\q*",
    "a backward range": "[b-a]x*",
    "the Dockerfile": "Dockerfile\n.dockerignore",
    "not ASCII": "é",
    "not ASCII by a question mark": "?/ü",
    "a no-break space": "\u00a0a.md",
    "a NUL": "a\0b\na.md",
    "a tab in a name": "docs\na\tb",
    "a delete character": "a\x7fb",
    "a control character beside a name that is not ASCII": "a\x01b\né\na.md",
    "a control character behind an exception": "*\n!a\x1b",
    "a control character in a comment": "# \x01\na.md",
    "a long line": "a" * 65_600,
    "a line just short enough": "a" * 65_500 + "\na.md",
}

KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block",
}  # fmt: skip


class Refused(Exception):
    """The client did not build."""


def oracle() -> tuple[int, list[str]]:
    """What buildx brings into an image equals what dfkit would send, on the cases, on odd files and on contexts that are made up."""
    if not (BUILDX and HOST):
        return 0, ["DFKIT_BUILDX and DFKIT_BUILDX_HOST name no client and engine (docs/context.md): nothing was run."]
    failures: list[str] = []
    cases = refused = 0
    with tempfile.TemporaryDirectory(prefix="dfkit-oracle-") as folder:
        root = plant(Path(folder, "tree"), TREE)
        for number, (name, text) in enumerate(CASES.items()):
            root = root.rename(f"{folder}-{number}")
            (root / ".dockerignore").write_text(text, newline="")
            found = compare(root)
            cases += 1
            refused += found == REFUSED
            failures += [f"{name}: {line}" for line in found if found != REFUSED]
        root.rename(Path(folder, "tree"))
        odd = plant_odd(Path(folder, f"{Path(folder).name}-odd"))
        failures += [f"odd files: {line}" for line in compare(odd)]
        failures += [f"own ignore file: {line}" for line in compare_own_ignore_file(Path(folder, f"{Path(folder).name}-own"))]
        cases += 2
    made, failed = made_up()
    lines = [
        f"- {version()}",
        f"- {cases} contexts written by hand (both refuse {refused} of them), {made} made up by hypothesis",
        f"- {len(failures) + len(failed)} paths or contexts differ",
    ]
    found = [*failures, *failed]
    return len(found), [*lines, *(f"  - {failure}" for failure in found[:SHOWN])]


def version() -> str:
    """The client's version and the engine's."""
    environment = {**os.environ, "DOCKER_HOST": HOST}
    client = subprocess.run([BUILDX, "version"], env=environment, capture_output=True, text=True, check=True).stdout.split()
    listed = subprocess.run([BUILDX, "inspect"], env=environment, capture_output=True, text=True, check=True).stdout
    engine = next((line.split()[-1] for line in listed.splitlines() if line.startswith("BuildKit version")), "unknown")
    return f"buildx {client[1]}, BuildKit {engine}"


REFUSED = ["both refuse"]


def compare(root: Path, dockerfile: Path | None = None) -> list[str]:
    """What differs between the two, one line a path; `REFUSED` if both refuse the context."""
    with tempfile.TemporaryDirectory() as folder:
        file = dockerfile or Path(folder, "Dockerfile")
        file.write_text("FROM scratch\nCOPY . /\n")
        try:
            theirs: Seen | None = arrives(root, file)
            reason = ""
        except Refused as error:
            theirs, reason = None, str(error)
        try:
            ours: Seen | None = sends(root, file)
        except IgnoreError as error:
            ours, reason = None, str(error)
    if theirs is None and ours is None:
        return REFUSED
    if theirs is None or ours is None:
        return [f"only {'buildx' if theirs is None else 'dfkit'} refuses: {reason}"]
    return [
        f"{path}: buildx {theirs.get(path)}, dfkit {ours.get(path)}"
        for path in sorted(theirs.keys() | ours.keys())
        if theirs.get(path) != ours.get(path)
    ]


def sends(root: Path, dockerfile: Path) -> Seen:
    """What dfkit would send: kind, mode, time in seconds, link, content and extended attributes of each path."""
    seen: Seen = {}
    first: dict[tuple[int, int], str] = {}
    for entry in plan(root, dockerfile_path=dockerfile).entries:
        if entry.inode and entry.inode in first:
            seen[entry.path] = ("link", first[entry.inode])
            continue
        if entry.inode:
            first[entry.inode] = entry.path
        seen[entry.path] = (
            "file" if entry.kind == "socket" else entry.kind,
            entry.mode if entry.kind != "symlink" else 0,
            (entry.mtime + 500_000_000) // 1_000_000_000,  # Go's tar writer rounds
            entry.linkname,
            content(root / entry.path, entry.kind),
            attributes(root / entry.path) if entry.kind != "symlink" else {},
        )
    return seen


def content(path: Path, kind: str) -> str:
    if kind == "socket":
        return digest(b"")
    return digest(path.read_bytes()) if kind == "file" else ""


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path) if not name.startswith("security.")}


def arrives(root: Path, dockerfile: Path) -> Seen:
    """The same of what buildx brings into an image by `COPY . /`. Raises `Refused`."""
    command: list[str | Path] = [
        BUILDX,
        "build",
        "-q",
        "--no-cache",
        "--provenance=false",
        "-f",
        dockerfile,
        "--output",
        "type=tar,dest=-",
        root,
    ]
    process = subprocess.Popen(command, env={**os.environ, "DOCKER_HOST": HOST}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    seen: Seen = {}
    with process, process.stdout as output:
        try:
            with tarfile.open(fileobj=output, mode="r|") as archive:
                for member in archive:
                    path = member.name.rstrip("/")
                    if member.islnk():
                        seen[path] = ("link", member.linkname)
                        continue
                    file = archive.extractfile(member) if member.isreg() else None
                    seen[path] = (
                        KINDS[member.type],
                        member.mode if not member.issym() else 0,
                        int(member.mtime),
                        member.linkname,
                        digest(file.read()) if file else "",
                        {
                            key.removeprefix("SCHILY.xattr."): value.encode("utf-8", "surrogateescape")
                            for key, value in member.pax_headers.items()
                            if key.startswith("SCHILY.xattr.")
                        },
                    )
        except tarfile.ReadError:
            pass
        errors = process.stderr.read().decode("utf-8", "replace")
    if process.returncode:
        raise Refused(next((line for line in errors.splitlines() if line.startswith("ERROR")), errors))
    return seen


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def plant(root: Path, names: Iterable[str]) -> Path:
    """A folder with these files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def plant_odd(root: Path) -> Path:
    """A folder of files that are not plain, or not plainly named."""
    plant(root, ["sub/program", "sub-", "sub.txt", "é 日本", "n" * 100, "m" * 255, "new\nline", "trailing ", "empty/x", "shut"])
    (root / "empty" / "x").unlink()
    (root / "sub" / "program").chmod(0o6755)
    os.link(root / "sub" / "program", root / "another")
    os.link(root / "sub" / "program", root / "sub" / "same")
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    (root / "empty").chmod(0o700)
    (root / "shut").chmod(0)
    os.mkfifo(root / "pipe", 0o640)
    (root / "link").symlink_to("sub")
    (root / "dangling").symlink_to("/no/where")
    (root / "outside").symlink_to("../../../etc/passwd")
    (root / "far").symlink_to("t" * 300)
    (root / "a-loop").symlink_to("b-loop")
    (root / "b-loop").symlink_to("a-loop")
    (root / "sub" / "up").symlink_to("..")
    with (root / "sparse").open("wb") as file:
        file.truncate(3_000_000)
        file.seek(1_500_000)
        file.write(b"x")
    os.utime(root / "sub.txt", (0, 1_000_000_000.75))
    os.utime(root / "sub-", (0, -1.5))
    deep = root.joinpath(*["d" * 60] * 8)
    deep.mkdir(parents=True)
    (deep / "x").write_text("deep")
    os.setxattr(root / "sub.txt", "user.some", b"with\0null=\xc3\xa9")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
    return root


def compare_own_ignore_file(root: Path) -> list[str]:
    """A Dockerfile's own ignore file goes before the context's."""
    plant(root, ["a", "b", "docker/x"])
    (root / ".dockerignore").write_text("a")
    (root / "docker" / "web.Dockerfile.dockerignore").write_text("b")
    return compare(root, root / "docker" / "web.Dockerfile")


def made_up() -> tuple[int, list[str]]:
    """Contexts that hypothesis makes: how many were compared, and what differs."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    name = st.sampled_from(["a", "b", "ab", "A", "f.txt", "g.txt", ".h", "a*b", "[x]", "é", "b-c", "a.b"])
    piece = st.sampled_from(
        ["a", "b", "ab", "A", "f.txt", "*.txt", ".h", "*", "**", "?", "a*", "*b", "[ab]", "[^a]", "[a-c]*", r"a\*b", r"\[x\]", "**b", "a**",
         "..", ".", "é", "??", "[", "***", "{a,b}", "a|b", "a.b", r"\w", "f.[t]xt", "", "a+"]
    )  # fmt: skip
    pattern = st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "", "", "!", "!", "/", "!/", " ", "#", "! "]),
        st.lists(piece, min_size=1, max_size=4).map("/".join),
        st.sampled_from(["", "", "", "", "/", " ", "/**", "/*"]),
        st.sampled_from(["", "", "", "\r"]),
    )
    files = st.lists(st.lists(name, min_size=1, max_size=4).map("/".join), min_size=1, max_size=14, unique=True)
    texts = st.builds("{}{}".format, st.sampled_from(["", "", "", "\ufeff"]), st.lists(pattern, max_size=6).map("\n".join))
    count = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(files, texts)
    def check(names: list[str], text: str) -> None:
        nonlocal count
        with tempfile.TemporaryDirectory(prefix="dfkit-oracle-") as folder:
            root = Path(folder)
            for each in names:
                parts = Path(each).parts
                if (
                    not any((root.joinpath(*parts[:depth])).is_file() for depth in range(1, len(parts)))
                    and not (root / each).exists()
                ):
                    plant(root, [each])
            (root / ".dockerignore").write_text(text, newline="")
            found = compare(root)
        count += 1
        assert found in ([], REFUSED), f"{text!r} over {names}: {found}"

    try:
        check()
    except AssertionError as error:
        return count, [str(error)]
    return count, []


def main() -> int:
    failed, lines = oracle()
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
