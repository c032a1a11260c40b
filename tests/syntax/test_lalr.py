"""The driver against lark: the same grammar, the same tables, the same verdict and tokens."""

import os
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark, Token
from lark.exceptions import LarkError

from dfkit import _data
from dfkit.syntax import generate, lalr, tables

SHAPES = {
    "exec": ['["a", "b"]', "[]", '[ "\\u00e4" ]', '["a",]', "[1]", '["a"', "x"],
    "base": ["debian:12", "debian AS x", "debian as", "debian asx", "a b", "a AS b c", ""],
    "words": ["a b  c", "x", "\ta\tb", ""],
    "pairs": ["a=b", 'a="b c" d=e\\ f', "a b c", "a", 'a"=b', "a=1 b", "=x"],
    "names": ["a", "a=1 b", 'a="x y"'],
    "health": ["NONE", "CMD curl x", "CMD"],
    "flags": ["--a=b --c", "", '--x="a b"'],
}


def _grammar(name):
    with open(os.path.join(_data.folder("grammar"), f"{name}.lark"), encoding="utf-8") as file:
        return file.read()


@cache
def _oracle():
    grammar = _grammar("dockerfile")
    return Lark(grammar, parser="lalr", lexer="contextual", start=tables.STARTS["dockerfile"], maybe_placeholders=False)


def _postfix(tree):
    if isinstance(tree, Token):
        return [(tree.type, tree.start_pos, tree.end_pos, 0)]
    return [*(node for child in tree.children for node in _postfix(child)), (tree.data, len(tree.children))]


def _check(shape, text):
    try:
        expected = _postfix(_oracle().parse(text, start=shape))
    except LarkError:
        expected = None
    try:
        nodes = lalr.parser("dockerfile").parse(shape, text)
        *tokens, (name, _, _, first) = nodes
        nodes = [*((*token[:3], 0) for token in tokens), (name, len(tokens) - first)]
    except lalr.Mismatch:
        nodes = None
    assert nodes == expected


@pytest.mark.parametrize(("shape", "text"), [(shape, text) for shape, texts in SHAPES.items() for text in texts])
def test_reads_as_lark_does(shape, text):
    _check(shape, text)


@given(st.sampled_from(sorted(SHAPES)), st.text(alphabet="ab=\\\"'[], -\t", max_size=20))
@settings(max_examples=300, deadline=None)
def test_reads_random_text_as_lark_does(shape, text):
    _check(shape, text.strip())


@given(st.lists(st.sampled_from(["$a", "${b", ":-", "#", "}", "${c}", "'", '"', "\\", "x", "$", "/"]), max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_children_stand_in_order_inside_their_node(text):
    try:
        nodes = lalr.parser("word").parse("word", text)
    except lalr.Mismatch:
        return
    places = []
    for number, (name, start, end, first) in enumerate(nodes):
        assert first == number if name.isupper() else first <= number
        below = [place for place in places if place[0] >= first]
        places = [place for place in places if place[0] < first]
        edges = [start, *(edge for _, *place in below for edge in place), end]
        assert edges == sorted(edges)
        places.append((first, start, end))
    assert places == [(0, 0, len(text))]


def test_a_node_spans_all_its_tokens():
    text = "x${a:-'b'}y"
    spans = {name: text[start:end] for name, start, end, _ in lalr.parser("word").parse("word", text)}
    assert (spans["modified"], spans["single"], spans["word"]) == ("${a:-'b'}", "'b'", text)


@pytest.mark.parametrize("name", sorted(tables.STARTS))
def test_tables_survive_their_cache(name, tmp_path, monkeypatch):
    monkeypatch.setattr(_data, "cache", lambda file: str(tmp_path / file))
    made = generate.make(_grammar(name), tables.STARTS[name])
    assert tables.load(name) == made, "made"
    assert tables.load(name) == made, "read back"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(_data, "cache", lambda file: str(tmp_path / file))
    made = tables.load("mount")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"garbage")
    assert tables.load("mount") == made


def test_a_mismatch_says_where_and_what_was_expected():
    with pytest.raises(lalr.Mismatch) as caught:
        lalr.parser("dockerfile").parse("exec", '["a" "b"]')
    assert caught.value.offset == 5
    assert "COMMA" in caught.value.expected
