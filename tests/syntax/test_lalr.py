"""The driver against lark: the same grammar, the same tables, the same verdict and tokens."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark
from lark.exceptions import LarkError

from dfkit import _data
from dfkit.syntax import lalr, tables

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


@pytest.fixture(scope="module")
def oracle():
    return Lark(
        _grammar("dockerfile"), parser="lalr", lexer="contextual", start=tables.STARTS["dockerfile"], maybe_placeholders=False
    )


def _leaves(tree):
    if not tree[3] and tree[0].isupper():
        return [(tree[0], tree[1], tree[2])]
    return [leaf for child in tree[3] for leaf in _leaves(child)]


def _check(oracle, shape, text):
    try:
        expected = [(token.type, token.start_pos, token.end_pos) for token in oracle.parse(text, start=shape).scan_values(bool)]
    except LarkError:
        expected = None
    try:
        tree = lalr.parser("dockerfile").parse(shape, text)
    except lalr.Mismatch:
        tree = None
    assert (None if tree is None else _leaves(tree)) == expected


@pytest.mark.parametrize(("shape", "text"), [(shape, text) for shape, texts in SHAPES.items() for text in texts])
def test_reads_as_lark_does(oracle, shape, text):
    _check(oracle, shape, text)


@given(st.sampled_from(sorted(SHAPES)), st.text(alphabet="ab=\\\"'[], -\t", max_size=20))
@settings(max_examples=300, deadline=None)
def test_reads_random_text_as_lark_does(oracle, shape, text):
    _check(oracle, shape, text.strip())


@pytest.mark.parametrize("name", sorted(tables.STARTS))
def test_tables_survive_their_cache(name, tmp_path, monkeypatch):
    monkeypatch.setattr(_data, "cache", lambda file: str(tmp_path / file))
    made = tables.make(_grammar(name), tables.STARTS[name])
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
