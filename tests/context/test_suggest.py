from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.context import IgnoreFile, plan
from dfkit.context.selection import select
from dfkit.context.suggest import RISKY, UNUSED, escape, suggest
from dfkit.context.survey import survey
from dfkit.context.tree import walk
from dfkit.model.uses import ContextRead
from dfkit.text import Span


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def suggested(root, *sources, text=""):
    if text:
        (root / ".dockerignore").write_text(text)
    reads = [ContextRead(source, Span(0, 0)) for source in sources]
    found = survey(plan(root, reads=reads), select(root, reads))
    named = select(root, [read for read in reads if read.source != "."])
    return suggest(text, found.visible, found.secrets, {entry.path for entry in found.unused}, named.wants)


def patterns(suggestion):
    return [each.pattern for each in suggestion.patterns]


def test_what_no_instruction_reads_is_left_out_by_its_topmost_folder(tmp_path):
    write(tmp_path, "src/a", "docs/x/y", "docs/z", "lib/used", "lib/other", "lib/more/m", "TODO")
    found = suggested(tmp_path, "src", "lib/used")
    assert patterns(found) == ["TODO", "docs", "lib/more", "lib/other"]
    assert {each.group for each in found.patterns} == {UNUSED}
    assert (found.before.files, found.after.files) == (7, 2)


def test_a_copy_of_everything_loses_what_is_of_no_use_in_an_image_and_what_looks_secret(tmp_path):
    write(
        tmp_path,
        ".git/HEAD",
        "Dockerfile",
        "app.py",
        "pkg/__pycache__/a.pyc",
        "web/node_modules/m/i.js",
        "prod.tfvars",
        "src/x.c",
    )
    found = suggested(tmp_path, ".")
    assert patterns(found) == [".git", "Dockerfile", "**/node_modules", "**/__pycache__", "prod.tfvars"]
    assert found.patterns[-1].group == RISKY
    assert found.after.files == 2


def test_what_an_instruction_names_is_never_left_out(tmp_path):
    write(tmp_path, ".git/HEAD", ".git/config", ".env", "a/node_modules/x", "b/node_modules/y", "src/a")
    found = suggested(tmp_path, ".", ".git/HEAD", ".env", "a/node_modules")
    assert patterns(found) == []


def test_the_patterns_of_a_file_stay_before_the_new_ones(tmp_path):
    write(tmp_path, "src/a", "docs/b", "x.log")
    found = suggested(tmp_path, "src", text="*.log\r\n!keep.log")
    assert found.text == "*.log\r\n!keep.log\n\n# what describes the build\n.dockerignore\n\n# no instruction reads these\ndocs\n"
    assert found.patterns[1].size == len("docs/b")


def test_nothing_is_suggested_where_all_is_needed(tmp_path):
    write(tmp_path, "src/a")
    found = suggested(tmp_path, "src")
    assert (found.text, found.patterns) == ("", ())


@pytest.mark.parametrize("name", ["a*b", "[x]", "a?", "!a", "#a", "sp ace", "a\\b", "{a}[b", "a|b*", "^a*", "é", "a.b+(c)$"])
def test_a_name_with_special_characters_has_a_pattern_of_its_own(name):
    pattern = escape(name)
    assert pattern
    ignore = IgnoreFile.read(pattern)
    assert ignore.ignores(name)
    assert not any(ignore.ignores(other) for other in ("a", "b", "axb", "x", "ab", "sp", "ace"))


@pytest.mark.parametrize("name", [" a", "a\t", "new\nline", "\udcff", "a\u00a0"])
def test_a_name_that_no_pattern_can_tell_has_none(name):
    assert escape(name) is None


names = st.sampled_from(["a", "b", "ab", "node_modules", ".git", ".env", "a*b", "[x]", "!n", "#c", "x.log", "a.pyc", "é"])
trees = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=10, unique=True)
sources = st.lists(
    st.one_of(st.just("."), st.lists(st.one_of(names, st.sampled_from(["*", "a*", "?"])), min_size=1, max_size=2).map("/".join)),
    max_size=4,
)
ignores = st.lists(st.sampled_from(["a", "!a", "*", "!ab", "**/b", "!**/a", "node_modules", "!a/b"]), max_size=4).map("\n".join)


@settings(max_examples=120, deadline=None)
@given(trees, sources, ignores)
def test_a_suggestion_never_takes_what_an_instruction_names(tmp_path_factory, tree, sources, text):
    root = tmp_path_factory.mktemp("made")
    for name in tree:
        if not any((root / name).parents[depth].is_file() for depth in range(name.count("/") + 1)) and not (root / name).exists():
            write(root, name)
    found = suggested(root, *sources, text=text)
    before = [entry.path for entry in walk(root, IgnoreFile.read(text).matcher) if entry.kind == "file"]
    after = [entry.path for entry in walk(root, IgnoreFile.read(found.text).matcher) if entry.kind == "file"]
    named = select(root, [ContextRead(source, Span(0, 0)) for source in sources if source != "."])
    assert [path for path in before if named.wants(path)] == [path for path in after if named.wants(path)]
    assert set(after) <= set(before)
    assert (found.before.files, found.after.files) == (len(before), len(after))
    if sources and "." not in sources:
        assert [path for path in after if not named.wants(path) and escape(path)] == []
