"""A .dockerignore made from what a context holds and what the instructions read of it.

Each pattern is checked against the files before it is taken: it may leave out only what it was made for, so that the build still has
all that its instructions name.
"""

from __future__ import annotations

import re

from dfkit._record import Record
from dfkit.context.facts import total
from dfkit.context.glob import BadPatternError
from dfkit.context.ignore import IgnoreError, IgnoreFile
from dfkit.context.pattern import Pattern
from dfkit.context.tree import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from dfkit.context.facts import Share
    from dfkit.context.secrets import Secret

UNUSED = "no instruction reads these"
RISKY = "these look secret"

_USUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("version control", (".git", ".hg", ".svn")),
    (
        "what describes the build",
        (
            "Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile", ".dockerignore", "compose*.y*ml",
            "docker-compose*.y*ml",
        ),
    ),
    ("installed anew in the image", ("**/node_modules", "**/.venv", "**/venv")),
    (
        "caches and reports of tools",
        (
            "**/__pycache__", "**/*.pyc", "**/.pytest_cache", "**/.mypy_cache", "**/.ruff_cache", "**/.tox", "**/.nox", "**/.hypothesis",
            "**/.coverage", "**/htmlcov", "**/.gradle", "**/.nyc_output", "**/.eslintcache", "**/*.log",
        ),
    ),
    ("editors and desktops", (".idea", ".vscode", "**/.DS_Store", "**/Thumbs.db", "**/*.swp")),
)  # fmt: skip


class Suggested(Record):
    """One pattern, the group that it belongs to, the files that it leaves out and their bytes."""

    pattern: str
    group: str
    files: int
    size: int


class Suggestion(Record):
    """An ignore file's new text: the old one with the patterns after it. The weights are of what Docker sees, before and after."""

    text: str
    patterns: tuple[Suggested, ...]
    before: Share
    after: Share


def suggest(
    text: str,
    visible: Sequence[Entry],
    secrets: Sequence[Secret],
    unused: Collection[str],
    named: Callable[[str], bool],
    new: str | None = None,
) -> Suggestion:
    """Patterns for files that the ignore file with this text leaves visible. `new` is its path if it has still to be made.

    `unused` are the paths that no instruction reads; `named` says whether an instruction reads a path by more than copying all: such
    a path is never left out. What is usually of no use in an image, and what looks secret, is left out of `COPY . .` too.
    """
    files = {entry.path: entry for entry in visible if entry.kind != "dir"}
    if new is not None:
        files[new] = Entry(new, "file", 0o644, 0, 0)
    left = dict(files)
    chosen: list[Suggested] = []

    def take(pattern: str, group: str, allowed: Callable[[str], bool]) -> None:
        try:
            alone = IgnoreFile.read(pattern)
        except IgnoreError:
            return
        matched = [path for path in left if alone.matcher.matches(path)]
        if not matched:
            return
        together = IgnoreFile.read(_written(text, [*chosen, Suggested(pattern, group, 0, 0)]))
        caught = [path for path in matched if together.ignores(path)]
        if caught and all(allowed(path) for path in caught):
            weight = total([left.pop(path) for path in caught])
            chosen.append(Suggested(pattern, group, weight.files, weight.size))
            matched = [path for path in matched if path in left]
        if matched and not pattern.endswith("/**"):  # an exception brought them back: it goes before a pattern for a folder above
            take(f"{pattern}/**", group, allowed)

    def unnamed(path: str) -> bool:
        return not named(path)

    for group, patterns in _USUAL:
        for pattern in patterns:
            take(pattern, group, unnamed)
    for secret in secrets:
        if escaped := escape(secret.path.rstrip("/")):
            take(escaped, RISKY, unnamed)
    for path in _topmost(files, unused):
        if escaped := escape(path):
            take(escaped, UNUSED, unused.__contains__)
    if new is not None and all(each.pattern == new for each in chosen):
        chosen.clear()
    left.pop(new or "", None)
    return Suggestion(_written(text, chosen), tuple(chosen), total(visible), total(left.values()))


def escape(path: str) -> str | None:
    """The pattern for one path, `None` if there is none that Docker understands."""
    if path != path.strip() or not path.isprintable():
        return None
    pattern = re.sub(r"([*?\[\]\\^{}|])", r"\\\1", path) if re.search(r"[*?\[\]\\]", path) else path
    if pattern.startswith(("!", "#")):
        pattern = "\\" + pattern
    try:
        parsed = Pattern.parse(pattern)
    except BadPatternError:
        return None
    return pattern if parsed and not parsed.exception and parsed.matches(path) else None


def _topmost(files: Collection[str], unused: Collection[str]) -> Iterator[str]:
    """The unused files; a folder with none but such stands for all of them."""
    mixed: set[str] = {""}
    for path in files:
        if path not in unused:
            parts = path.split("/")[:-1]
            mixed.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    told: set[str] = set()
    for path in files:
        if path in unused:
            parts = path.split("/")
            top = next(
                above
                for depth in range(1, len(parts) + 1)
                if (above := "/".join(parts[:depth])) not in mixed or depth == len(parts)
            )
            if top not in told:
                told.add(top)
                yield top


def _written(text: str, chosen: Sequence[Suggested]) -> str:
    lines = [text if not text or text.endswith("\n") else f"{text}\n"]
    group = ""
    for each in chosen:
        if each.group != group:
            group = each.group
            lines.append(f"\n# {group}\n" if lines != [""] else f"# {group}\n")
        lines.append(f"{each.pattern}\n")
    return "".join(lines)
