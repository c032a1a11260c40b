"""Large files: what 10 MB cost beside 100 kB, a byte. A part of scripts/prove."""

from __future__ import annotations

import json
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SMALL, LARGE = 100_000, 10_000_000
LIMIT = 1.5
ROUNDS = 3

HEAD = "FROM debian:12\n"


def _filled(unit: str, head: str = HEAD, tail: str = "") -> Callable[[int], str]:
    return lambda size: head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def _heredocs(size: int) -> str:
    """At most 10,000 heredocs; their bodies have what is left."""
    count = min(10_000, size // 40)
    body = "x" * (size // count - 30)
    return HEAD + "".join([f"RUN <<E{number}\necho {body}\nE{number}\n" for number in range(count)])


def _nested(size: int) -> str:
    depth = size // len("${a:-}")
    return f"{HEAD}ENV x={'${a:-' * depth}b{'}' * depth}\n"


SHAPES: dict[str, Callable[[int], str]] = {
    "many instructions": _filled(
        "RUN apt-get update && \\\n    apt-get install -y a\nENV A=b C='d e'\nCOPY --from=a b c /d/\nUSER app\n"
    ),
    "one RUN of many continued lines": _filled("    && apt-get install -y curl \\\n", f"{HEAD}RUN true \\\n", "    && true\n"),
    "many comments in a continuation": _filled("    # what this is for\n", f"{HEAD}RUN true \\\n", "    && true\n"),
    "`${a:-…}` in itself": _nested,
    "10,000 heredocs": _heredocs,
    "one long word": _filled("x", f"{HEAD}USER ", "\n"),
    "one long line of words": _filled("ab ", f"{HEAD}COPY ", "/x\n"),
    "an exec form of many items": _filled('"a", ', f"{HEAD}CMD [", '"a"]\n'),
    "many flags": _filled("--mount=type=cache,target=/x ", f"{HEAD}RUN ", "make\n"),
    "a quote that is not closed": _filled("a b ", f'{HEAD}ENV A="', "\n"),
    "a heredoc that is not closed": _filled("echo a\n", f"{HEAD}RUN <<E\n"),
    "braces that are not closed": _filled("${a:-", f"{HEAD}ENV A=", "\n"),
    "lines that are no instructions": _filled("    foo bar\n"),
    "ONBUILD in ONBUILD": _filled("ONBUILD ", HEAD, "RUN x\n"),
}

_CHILD = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import size
from dfkit.syntax import parse
from dfkit.syntax.nodes import Word
from dfkit.syntax.walk import walk
from dfkit.syntax.words import BadWord, expand, variables

def memory():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def read(text):
    tree = parse(text)
    for instruction in tree.instructions:
        for node in walk(instruction):
            if isinstance(node, Word) and "$" in node.text:
                variables(node, tree.escape)
                try:
                    expand(node.text, {}.get, tree.escape)
                except BadWord:
                    pass
    return tree

text = size.SHAPES[sys.argv[2]](int(sys.argv[3]))
read("FROM a\\nRUN x\\nCOPY a b\\nENV a=$b\\nCMD [\\"a\\"]\\n")
before = memory()
began = time.process_time()
for _ in range(int(sys.argv[4])):
    tree = read(text)
seconds = (time.process_time() - began) / int(sys.argv[4])
first = tree.problems[0].message if tree.problems else ""
print(json.dumps([seconds, (memory() - before) * 1024, len(text.encode()), first]))
"""


def size() -> tuple[int, list[str]]:
    """Files of 100 kB and of 10 MB are parsed and their words expanded, in processes of their own, in turn."""
    rows = ["| 10 MB of | seconds | time a byte | memory a byte | problem that is told |", "|---|---|---|---|---|"]
    failed = 0
    for name in SHAPES:
        small, large = [], []
        for _ in range(ROUNDS):
            # A time near that of the large file's, so that both meet the same load on the machine.
            small.append(_measured(name, SMALL, 20))
            large.append(_measured(name, LARGE, 1))
            slower = min(large)[0] / min(small)[0] / (large[0][2] / small[0][2])
            if slower <= LIMIT:
                break
        memory = min(each[1] for each in large) / large[0][2]
        # Python asks the system for memory in pieces of a megabyte, which 100 kB may find in what was there before.
        base = max(each[1] + (1 << 20) for each in small) / small[0][2]
        bad = slower > LIMIT or memory > LIMIT * base
        failed += bad
        problem = large[0][3].split(":")[0][:70]
        mark = " **over the limit**" if bad else ""
        figures = f"{min(large)[0]:.1f} | {slower:.2f}{mark} | {memory / base:.2f} ({memory:.0f} bytes) | {problem}"
        rows.append(f"| {name} | {figures} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return failed, [
        "Files of 10 MB beside files of 100 kB: parsed, and all words with variables expanded. Processor time and peak memory of",
        f"a byte of the large file as ratios to those of the small one; at most {LIMIT} is linear.",
        "",
        *rows,
    ]


def _measured(name: str, amount: int, times: int) -> tuple[float, int, int, str]:
    """Seconds, bytes of memory at most, the file's size, and its first problem."""
    command = [sys.executable, "-c", _CHILD, __file__.rpartition("/")[0], name, str(amount), str(times)]
    seconds, memory, length, problem = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return seconds, memory, length, problem
