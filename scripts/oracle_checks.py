#!/usr/bin/env python3
"""Hold the profile `buildkit` against the real `docker build --check`: the same findings at the same lines.

usage: scripts/oracle_checks.py [--record]

Compared are the Dockerfiles of tests/checks/buildkit.yaml, the corpus of real ones if it is beside this checkout, and some that are
made up. The engine is Docker 28: that of scripts/modern-engine, or DFKIT_BUILDX_HOST, asked by the program DFKIT_BUILDX.
CHECKS_CORPUS (default: all) is how many real files are compared, CHECKS_EXAMPLES (default 500) how many are made up, CHECKS_SEED
from which number. Answers are kept in .cache/oracle-checks.

--record   write down what the engine says of the Dockerfiles in tests/checks/buildkit.yaml, where the tests look for it
"""

from __future__ import annotations

import os
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _buildkit import BuildKit, Case, find, plain
from made_up import dockerfile

from dfkit._record import replace
from dfkit.catalog import Catalog, select
from dfkit.lint import Linter
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Source
from dfkit.text.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from _buildkit import Answer

    Findings = Counter[tuple[str, int]]

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
CASES = ROOT / "tests" / "checks" / "buildkit.yaml"
CACHE = ROOT / ".cache" / "oracle-checks"
EXAMPLES = int(os.environ.get("CHECKS_EXAMPLES", "500"))
RELEASE = "28."
_NO_SECRET = re.compile(r'(?i) "(?:\S*_)?(?:file|version)(?:_\S*)?"\)$')
SHOWN = 20

SETTINGS = Settings(profile="buildkit", shellcheck=False)
RULES = select(Catalog.load(), SETTINGS)
CODES = frozenset(name for rule in RULES for name in rule.known_as("buildkit"))


def checks() -> tuple[int, list[str]]:
    """The profile `buildkit` finds what `docker build --check` finds."""
    buildkit = connected()
    if isinstance(buildkit, str):
        return 0, [f"{buildkit}: nothing was run."]
    seed = int(os.environ.get("CHECKS_SEED", random.SystemRandom().randrange(1 << 32)))
    with buildkit:
        parts = {
            "written by hand": compare(buildkit, [(each["name"], case(each)) for each in cases()]),
            "real": compare(buildkit, list(real())),
            f"made up (seed {seed})": compare(
                buildkit, [(f"seed {n}", Case(dockerfile(n))) for n in range(seed, seed + EXAMPLES)]
            ),
        }
        lines = [f"- Docker {buildkit.version}"]
    failures = []
    for name, result in parts.items():
        lines.append(f"- {result.summary(name)}")
        failures += result.differences
    return len(failures), [*lines, *(f"  - {failure}" for failure in failures[:SHOWN])]


def connected() -> BuildKit | str:
    """The engine that is asked, or why there is none."""
    buildx, host = find()
    if not (buildx and host):
        missing = "docker-buildx" if host else "recent engine"
        return f"There is no {missing} (scripts/modern-engine, or DFKIT_BUILDX and DFKIT_BUILDX_HOST)"
    buildkit = BuildKit(buildx, host, CACHE)
    if not buildkit.version.startswith(RELEASE):
        return f"The engine is Docker {buildkit.version}, and the profile is that of Docker {RELEASE.rstrip('.')}"
    return buildkit


class Comparison:
    """Findings of both on some Dockerfiles, counted."""

    def __init__(self) -> None:
        self.files = self.unanswered = self.silent = self.same = self.extra = self.missing = 0
        self.differences: list[str] = []

    def add(self, name: str, text: str, theirs: Findings, ours: Findings, withdrawn: Findings) -> None:
        """One file. That dfkit lacks what newer BuildKit has withdrawn is counted, but is no failure."""
        self.files += 1
        self.silent += not theirs and not ours
        self.same += (theirs & ours).total()
        for who, only in (("only dfkit", ours - theirs), ("only BuildKit", theirs - ours - withdrawn)):
            for rule, line in only.elements():
                shown = text.split("\n")[line - 1].strip()[:80] if line else ""
                self.differences.append(f"{name}:{line}: {who} has {rule}: `{shown}`")
        self.extra += (ours - theirs).total()
        self.missing += (theirs - ours).total()

    def summary(self, name: str) -> str:
        """Figures in a sentence."""
        every = self.same + self.extra + self.missing
        share = f"{100 * self.same / every:.2f} %" if every else "none to compare"
        return (
            f"{self.files} Dockerfiles {name}: {self.same} findings of both, {self.missing} of BuildKit alone, {self.extra} of dfkit"
            f" alone ({share} the same); {self.silent} files without any; {self.unanswered} more that BuildKit had no base image for"
        )


def compare(buildkit: BuildKit, named: list[tuple[str, Case]]) -> Comparison:
    """What both say of each case."""
    result = Comparison()
    for (name, each), answer in zip(named, buildkit.answers(case for _, case in named), strict=True):
        if answer.counted:
            result.add(name, each.text, said(answer), findings(each), withdrawn(answer))
        else:
            result.unanswered += 1
    return result


def said(answer: Answer) -> Findings:
    """Rules and lines of BuildKit's findings."""
    return Counter((each.rule, each.line) for each in answer.warnings)


def withdrawn(answer: Answer) -> Findings:
    """Those of them that newer BuildKit does not have: a name with FILE or VERSION is that of no secret."""
    return Counter((each.rule, each.line) for each in answer.warnings if _NO_SECRET.search(each.detail))


def findings(case: Case) -> Findings:
    """Rules and lines of dfkit's findings."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".dockerignore").write_text(case.ignore)
        settings = replace(SETTINGS, check=case.check, context=folder)
        model = Model(parse(Source(case.text)), build_args=dict(case.build_args))
        report = Linter(RULES, settings).report(model)
    return Counter((each.code, report.position(each).line) for each in report.diagnostics if each.code in CODES)


def cases() -> list[dict[str, Any]]:
    """The Dockerfiles written by hand."""
    from ruamel.yaml import YAML

    return list(YAML(typ="safe").load(CASES))


def case(written: dict[str, Any]) -> Case:
    """One of them."""
    arguments = tuple((written.get("args") or {}).items())
    return Case(written["dockerfile"], arguments, written.get("check", ""), written.get("ignore", ""))


def real() -> Iterable[tuple[str, Case]]:
    """The real Dockerfiles that BuildKit can read."""
    if not CORPUS.is_dir():
        return
    rows = [line.split("\t") for line in (CORPUS / "MANIFEST.tsv").read_text().splitlines()]
    column = rows[0].index("instructions")
    names = [row[0] for row in rows[1:] if row[column] == "ok"]
    count = int(os.environ.get("CHECKS_CORPUS", len(names)))
    for name in names if count >= len(names) else random.Random(count).sample(names, count):
        text = (CORPUS / "dockerfiles" / name).read_bytes().decode("utf-8", "surrogateescape")
        yield name, Case(plain(text))


def record() -> None:
    """Write down what the engine says of the cases."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

    yaml = YAML()
    yaml.width = 130
    yaml.preserve_quotes = True
    written = yaml.load(CASES)
    buildkit = connected()
    if isinstance(buildkit, str):
        raise SystemExit(buildkit)
    with buildkit:
        for each, answer in zip(written, buildkit.answers([case(each) for each in written]), strict=True):
            assert answer.counted, f"{each['name']}: {answer.error}"
            found = CommentedSeq(f"{rule} {line}" for rule, line in sorted(said(answer).elements(), key=lambda pair: pair[::-1]))
            found.fa.set_flow_style()
            each["found"] = found
    yaml.dump(written, CASES)


def main() -> int:
    if sys.argv[1:] == ["--record"]:
        record()
        return 0
    failed, lines = checks()
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
