"""Replays `examples/*/expected.txt`: each `$ dfkit …` line is run and must print what stands below it.

Bytes and times are no part of it: of `dfkit prove` only the verdict is kept. After a change that is meant, write them anew with
`UPDATE=1 pytest tests/test_examples.py`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*/expected.txt"))
UPDATE = bool(os.environ.get("UPDATE"))


def sections(path):
    """The commands of an expected.txt, each with what it prints."""
    parts = re.split(r"^\$ (dfkit .*)\n", path.read_text(), flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(command):
    words = command.split()[1:]
    done = subprocess.run([sys.executable, "-m", "dfkit", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    if words[0] == "prove":
        assert done.returncode in (0, 5), done.stderr
        return "".join(line + "\n" for line in done.stdout.splitlines() if line.startswith("verdict:"))
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def replay(path, wanted):
    kept, wrong = [], []
    for command, expected in sections(path):
        printed = run(command) if wanted(command) else expected
        kept.append(f"$ {command}\n{printed.rstrip()}\n")
        if printed.rstrip() != expected.rstrip():
            wrong.append((command, expected, printed))
    if UPDATE:
        path.write_text("\n".join(kept))
        return
    for _command, expected, printed in wrong:
        assert printed.rstrip() == expected.rstrip()


def is_engine(command):
    return command.startswith("dfkit prove")


def test_there_are_four_examples():
    assert [path.parent.name for path in EXAMPLES] == ["compiled", "locale", "node-app", "web-app"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_findings_and_rewrites(path):
    replay(path, lambda command: not is_engine(command))


@pytest.mark.engine
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_verdicts(path):
    assert any(is_engine(command) for command, _ in sections(path))
    replay(path, is_engine)
