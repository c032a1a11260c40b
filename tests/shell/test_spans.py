"""Spans, over scripts that hypothesis makes and over the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.shell import Command, Script, Word, commands, parse, scripts, walk
from dfkit.syntax import parser
from dfkit.syntax.nodes import From, Shell
from dfkit.text import Mapped

CORPUS = Path(__file__).parents[2] / "../shared/corpus/dockerfiles"

WORDS = st.sampled_from(
    ["a", "-y", "'s q'", '"d q"', "a\\ b", "$x", '"$x y"', "${x:-d e}", '"$(b "c")"', "`b`", "*.t", "~/x", "é中😀"]
)
COMMANDS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join).map("a ".__add__)
PIPELINES = st.lists(COMMANDS, min_size=1, max_size=3).map(" | ".join)
CHAINS = st.lists(PIPELINES, min_size=1, max_size=4).map(" && ".join)


def compounds(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner.map(lambda text: f"( {text} )"),
        inner.map(lambda text: f"{{ {text}; }} > f"),
        st.tuples(inner, inner).map(lambda pair: f"if {pair[0]}; then {pair[1]}; fi"),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]} ; {pair[1]}"),
        st.tuples(inner, inner).map(lambda pair: f"case $x in a|b) {pair[0]} ;; *) {pair[1]} ;; esac"),
        inner.map(lambda text: f"for i in a 'b c' ; do {text} ; done"),
    )


SCRIPTS = st.recursive(CHAINS, compounds, max_leaves=4)


def outline(script: Script) -> list[object]:
    return [type(node).__name__ if not isinstance(node, Word) else (node.value, node.pattern) for node in walk(script)]


@settings(max_examples=60, deadline=None)
@given(SCRIPTS)
def test_the_text_of_a_span_is_the_text_of_the_node(text: str) -> None:
    script = parse(Mapped(text, ((0, 0),)))
    assert not script.opaque
    for node in walk(script):
        if isinstance(node, Word):
            assert text[node.span.start : node.span.end] == node.text
        if isinstance(node, Command):
            found = text[node.span.start : node.span.end]
            assert found.startswith(node.words[0].text)
            assert found == found.strip()
    assert_nested(script)


@settings(max_examples=60, deadline=None)
@given(SCRIPTS, st.data())
def test_continuations_change_places_and_nothing_else(text: str, data: st.DataObject) -> None:
    plain = parser.parse(f"FROM x\nRUN {text}")
    blanks = [at for at, char in enumerate(text) if char == " "]
    chosen = set(data.draw(st.lists(st.sampled_from(blanks), max_size=5))) if blanks else set()
    gap = data.draw(st.sampled_from([" \\\n", " \\\n# it's a \"comment\n", "\\\n \t"]))
    broken = "".join(gap if at in chosen and text[at - 1] != "\\" else char for at, char in enumerate(text))
    continued = parser.parse(f"FROM x\nRUN {broken}")
    (before,), (after,) = scripts(plain.instructions[1]), scripts(continued.instructions[1])
    # Blanks inside quotes are part of a value, so compare what is left without them.
    assert repr(outline(before)).replace(" ", "").replace("\\t", "") == repr(outline(after)).replace(" ", "").replace("\\t", "")
    assert_nested(after)
    for node in walk(after):
        if isinstance(node, Word) and "\n" not in continued.source.slice(node.span):
            assert continued.source.slice(node.span) == node.text


def assert_nested(script: Script) -> None:
    """Every node lies in the node around it."""
    from dfkit.shell.commands import children

    for node in walk(script):
        for child in children(node):
            assert node.span.covers(child.span) or isinstance(child, Script), (node, child)


def corpus_scripts() -> Iterator[tuple[str, Script]]:
    for path in sorted(CORPUS.rglob("*.Dockerfile"))[::3]:
        tree = parser.parse(path.read_bytes())
        shell: tuple[str, ...] = ("/bin/sh", "-c")
        for instruction in tree.instructions:
            if isinstance(instruction, From):
                shell = ("/bin/sh", "-c")
            elif isinstance(instruction, Shell) and hasattr(instruction.form, "values"):
                shell = instruction.form.values
            for script in scripts(instruction, shell):
                yield tree.source.text, script


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of Dockerfiles is not beside the repository")
def test_the_corpus_is_read_with_few_opaque_scripts() -> None:
    total = opaque = 0
    for text, script in corpus_scripts():
        if script.dialect not in ("sh", "bash", "zsh", "ksh"):
            continue
        total += 1
        opaque += script.opaque
        for command in commands(script):
            for word in command.words:
                found = text[word.span.start : word.span.end]
                assert found == word.text or "\n" in found or "\\" in found, (word, found)
    assert total > 2_000
    assert opaque / total < 0.005
