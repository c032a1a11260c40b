"""One bad line never hides the rest: garbage put anywhere into a file leaves the other instructions' trees as they were."""

import random
import string
from pathlib import Path

import pytest

from dfkit.syntax import nodes, parse
from dfkit.text import Mapped, Source, Span

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "dockerfiles"
GARBAGE = [char for char in string.printable if char not in "\n\r\v\f"] + ["é", "☃", "\u3000"]


def shape(node, start):
    """A node without its comments, its places counted from where its instruction starts."""
    if isinstance(node, Span):
        return node.start - start, node.end - start
    if isinstance(node, Mapped):
        return node.text, tuple((at, place - start) for at, place in node.pieces)
    if isinstance(node, nodes.Word):
        return node.text, shape(node.span, start), tuple((at, place - start) for at, place in node.pieces)
    if isinstance(node, nodes.Node):
        fields = [name for name in node._fields if name != "comments"]
        return type(node).__name__, tuple(shape(getattr(node, name), start) for name in fields)
    if isinstance(node, tuple):
        return tuple(shape(each, start) for each in node)
    return node


def shapes(file):
    return [(instruction.span.start, shape(instruction, instruction.span.start)) for instruction in file.instructions]


def insert(text, chance):
    """The text with a line of garbage in it, where that starts, and its length."""
    starts = [0] + [at + 1 for at, char in enumerate(text) if char == "\n"]
    at = chance.choice(starts)
    line = "".join(chance.choices(GARBAGE, k=chance.randint(1, 60))) + "\n"
    return text[:at] + line + text[at:], at, len(line)


def lost(text, chance):
    """How many instructions other than the one that the garbage fell into are no longer there, or are different."""
    file = parse(text)
    damaged, at, length = insert(text, chance)
    after = dict(shapes(parse(damaged)))
    return sum(
        after.get(start + length if start >= at else start) != before
        for (start, before), node in zip(shapes(file), file.instructions, strict=True)
        if not node.span.start < at <= node.span.end
    )


def corpus():
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real Dockerfiles is not beside this checkout")
    return [Source.decode(path.read_bytes()).text for path in sorted(CORPUS.rglob("*.Dockerfile"))]


def test_garbage_in_real_files_leaves_the_other_instructions_in_99_of_100():
    chance = random.Random(3)
    files = chance.sample(corpus(), 400)
    intact = sum(not lost(text, chance) for text in files)
    assert intact >= 0.99 * len(files)


def test_triggers_in_triggers_are_not_followed():
    file = parse("FROM a\n" + "ONBUILD " * 5000 + "RUN x\nUSER y\n")
    assert [instruction.name for instruction in file.instructions] == ["FROM", "ONBUILD", "USER"]
    assert {problem.message for problem in file.problems} == {"ONBUILD cannot hold ONBUILD"}
