from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.context.audit import idle_lines
from dfkit.context.ignore import IgnoreFile
from dfkit.context.tree import walk

PATHS = [
    "README.md",
    "a.md",
    "docs",
    "docs/b.md",
    "docs/keep",
    "node_modules",
    "node_modules/m",
    "node_modules/m/i.js",
    "src",
    "src/x.c",
]


def idle(text, paths=PATHS):
    return [(each.line.line, each.reason, each.by and each.by.line) for each in idle_lines(IgnoreFile.read(text), paths)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*.md\n!README.md\nnode_modules\n", []),
        ("*.rb\nbuild\n", [(1, "nothing", None), (2, "nothing", None)]),
        ("!README.md\n*.md\n", [(1, "overridden", 2)]),
        ("*.md\n!README.md\nREADME.md\n", [(2, "overridden", 3)]),
        ("*.md\na.md\n", [(2, "needless", 1)]),
        ("a.md\n*.md\n", [(1, "needless", 2)]),
        ("docs\n!src\n", [(2, "needless", None)]),
        ("node_modules\nnode_modules/m\n", [(2, "needless", 1)]),
        ("docs\ndocs\ndocs\n", [(2, "needless", 1), (3, "needless", 1)]),
        ("docs\n!docs/*/**\n", [(2, "nothing", None)]),
        ("docs\n!docs/keep\n", []),
    ],
)  # fmt: skip
def test_a_line_that_changes_nothing_is_told_with_its_reason(text, expected):
    assert idle(text) == expected


@pytest.fixture(scope="module")
def bushy(tmp_path_factory):
    root = tmp_path_factory.mktemp("bushy")
    for depth in range(3):
        for parts in product("ab", repeat=depth):
            for name in ("f", "a.txt"):
                path = root.joinpath(*parts, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("x")
    (root / "empty").mkdir()
    return root


part = st.sampled_from(["a", "b", "f", "a.txt", "empty", "*", "**", "a*", "?", "*.txt", "[ab]", "[^a]"])
texts = st.lists(
    st.builds(lambda mark, parts: mark + "/".join(parts), st.sampled_from(["", "", "!"]), st.lists(part, min_size=1, max_size=3)),
    min_size=1,
    max_size=5,
).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_without_all_idle_lines_the_same_files_are_seen_and_without_another_line_not(bushy, text):
    ignore = IgnoreFile.read(text)
    found = {each.line.line for each in idle_lines(ignore, [entry.path for entry in walk(bushy)])}

    def seen(lines):
        matcher = IgnoreFile(tuple(lines)).matcher
        entries = list(walk(bushy, matcher))
        return [entry.path for entry in entries if entry.kind == "file" or entry.path == "empty"]

    everything = seen(ignore.lines)
    needed = [line for line in ignore.lines if line.line not in found]
    assert seen(needed) == everything
    for line in needed:
        others = [each for each in ignore.lines if each is not line and (each.line not in found or each.line < line.line)]
        assert seen(others) != everything
