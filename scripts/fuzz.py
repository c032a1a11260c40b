"""Fuzzing: files that are mutated or put together at random are parsed, linted and optimized. A part of scripts/prove."""

from __future__ import annotations

import os
import random
import re
import signal
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import dfkit
from dfkit.syntax.nodes import Comment
from dfkit.syntax.walk import children, walk
from dfkit.text import Source
from dfkit.text.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from dfkit.syntax.nodes import Dockerfile

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "dockerfiles"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "600"))
LIMIT = 20
"""How many seconds of processor time one file may take before it counts as a hang."""
LARGEST = 40_000
"""Larger files are left out: time goes to many files."""

_SCRAPS = (
    "\\", "`", "'", '"', "${", "}", "${a:-", "<<E", "<<-E", "\nE\n", "\n", "\\\n", "\\\r\n", " \\ \n", "#", "[", "]", "$(",
    "\x00", "\xe9", "\udcff", "\u2028", "\x85", "\ufeff", "&&", "|", ";", "\r", "\t", "=", "--", "--mount=type=cache,", " AS ",
    "ONBUILD ", '["a",', ":", "@", "/",
)  # fmt: skip
_LINES = (
    "# escape=`", "# syntax=docker/dockerfile:1", "#!/bin/sh", "# dfkit ignore=DL3008", "FROM debian:12 AS a", "FROM a",
    "FROM --platform=$X b", "ARG A=1 B", "ENV A=b C='d e'", "ENV a b c", "RUN apt-get update && apt-get install -y curl",
    "RUN apt-get install x && \\", "    # c", "    rm -rf /x", "RUN <<E cat", "COPY <<E <<-'F' /x/", "E", "F",
    "RUN --mount=type=cache,target=/x pip install a", 'CMD ["a", "b"]', 'RUN ["sh", "-c", "a"]', "COPY --from=a --link a b /c",
    "ADD https://x/y.tgz /", "USER root", "WORKDIR $A/b", "HEALTHCHECK --interval=1s CMD x", "ONBUILD RUN x",
    'SHELL ["bash", "-c"]', "LABEL a=b", "EXPOSE 80/tcp $P", "VOLUME /a", "STOPSIGNAL 9", "ENTRYPOINT a", "RUM x", "", "COPY a",
    "RUN cd /a && make || exit 1; echo $(cat b) > c", "RUN if x; then y; fi", "RUN wget -O- u | tar x",
    "RUN for i in a b; do echo $i; done",
)  # fmt: skip


class Hang(BaseException):
    """A file took too long. No `Exception`: nothing may take it for an error of its own."""


def fuzz() -> tuple[int, list[str]]:
    """Mutated files are parsed, linted and optimized: no crash, no hang, no lost character."""
    files = [path.read_bytes().decode("utf-8", "surrogateescape") for path in _files()]
    files = [text for text in files if text and len(text) < LARGEST]
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    until = time.monotonic() + SECONDS
    counts: Counter[str] = Counter()
    failures: dict[str, list[str]] = {}
    slowest = 0.0
    while time.monotonic() < until:
        text = _mutated(chance, _generated(chance) if chance.random() < 0.25 else chance.choice(files), files)
        counts["files"] += 1
        began = time.process_time()
        try:
            with _limit(LIMIT):
                counts["problems"] += _try(text)
        except Hang:
            failures.setdefault(f"hang: more than {LIMIT} s", []).append(text)
        except Exception:  # any error is what is looked for: it goes to the page with its text
            failures.setdefault(traceback.format_exc(limit=-1).strip().splitlines()[-1], []).append(text)
        slowest = max(slowest, time.process_time() - began)
    failed = sum(map(len, failures.values()))
    done = f"{counts['files']:,} mutated files in {SECONDS} s (seed {seed}) were parsed, linted and optimized"
    slow = f"the slowest file took {slowest:.1f} s of processor time"
    lines = [
        f"- {done}: {failed} crashes, hangs (over {LIMIT} s of processor time) or lost characters",
        f"- {counts['problems']:,} problems were told in them; {slow}",
    ]
    return failed, [*lines, *[_failure(what, texts) for what, texts in failures.items()][:20]]


def _files() -> list[Path]:
    return sorted(CORPUS.rglob("*.Dockerfile") if CORPUS.is_dir() else (ROOT / "examples").rglob("*Dockerfile"))


def _try(text: str) -> int:
    """Parse, lint and optimize a file; how many problems the parser told. Raises `AssertionError` where something is lost."""
    data = text.encode("utf-8", "surrogateescape")
    source = Source.decode(data)
    tree = dfkit.parse(source)
    assert tree.source.encode() == data, "the source is not the file's bytes"
    _check_places(tree)
    report = dfkit.lint(source, settings=Settings(shellcheck=False))
    for found in report.diagnostics:
        assert found.rule != "internal-error", found.message
    optimized = dfkit.optimize(source)
    assert len(dfkit.parse(optimized.text).problems) <= len(tree.problems), "the optimized file has new problems"
    assert dfkit.optimize(optimized.text).text == optimized.text, "a second optimization changes the file again"
    return len(tree.problems)


def _check_places(tree: Dockerfile) -> None:
    """Parts lie in what they are part of, instructions stand in order, and they and comments cover all but blanks."""
    text = tree.source.text
    for node in walk(tree):
        for below in children(node):
            assert node.span.covers(below.span) or isinstance(below, Comment), f"{below} is not inside {node}"
    at = 0
    outside = []
    for span in sorted((each.span for each in (*tree.instructions, *tree.comments)), key=lambda span: (span.start, -span.end)):
        outside.append(text[at : span.start])
        at = max(at, span.end)
    lost = "".join((*outside, text[at:]))
    assert re.fullmatch(r"[\s\ufeff\\`]*", lost), f"lost: {lost!r}"


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _generated(chance: random.Random) -> str:
    return chance.choice(("\n", "\n", "\n", "\r\n")).join(chance.choices(_LINES, k=chance.randrange(1, 25)))


def _mutated(chance: random.Random, text: str, files: list[str]) -> str:
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(7):
            case 0:
                text = text[:at] + text[at + chance.randrange(40) :]
            case 1 | 2:
                text = text[:at] + chance.choice(_SCRAPS) * chance.choice((1, 1, 1, 2, 30)) + text[at:]
            case 3:
                other = chance.choice(files)
                start = chance.randrange(len(other) + 1)
                text = text[:at] + other[start : start + chance.randrange(200)] + text[at:]
            case 4:
                text = text[:at] + text[max(0, at - chance.randrange(80)) :]
            case 5:
                text = text[:at] + "\n" + chance.choice(_LINES) + "\n" + text[at:]
            case _:
                lines = text.splitlines(keepends=True)
                text = "".join(chance.sample(lines, len(lines)))
    return text


def _failure(what: str, texts: list[str]) -> str:
    """A line of the page; the shortest of the files is kept in the checkout's cache."""
    folder = ROOT / ".cache" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    data = min(texts, key=len).encode("utf-8", "surrogateescape")
    path = folder / f"{sha256(data).hexdigest()[:16]}.Dockerfile"
    path.write_bytes(data)
    return f"  - {len(texts)} times `{what[:300]}` (`{path.relative_to(ROOT)}`)"
