"""Scripts without nesting: read without tree-sitter, they are what they are with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.shell.flat import flat
from dfkit.shell.mask import mask
from tests.shell.both import assert_same, read

PIECES = [
    "a", "echo", "-x", "A=b", "'q u'", '"d $x"', "$x", "${x}", "${x:-y}", "${x#/*}", "${x%%[a-z]*}", "\\;", "#c\n", "2>&1", ">f",
    "< f", ">|f", "&>f", ">>f", "<<<w", "*.c", "{a,b}", "{}", "[ -f x ]", "[[ a ]]", "if", "then", "fi", "time", "!", "$(d)", "`d`",
    "(", ")", "{", "}", "&&", "||", "|", "|&", ";", ";;", "&", "\n", "\\\n", " ", "\t", "export", "é", "~", "=", "a[1]=b", "$", "\\",
    "esac", "case", "$(", "$(a", "$((", "))", "$(<f)", '"$(b "c")"', "x$(a; b)y",
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "apt-get update && apt-get install -y curl",
        "a; b & c\n\nd # e\nf",
        'A=1 B="$x" c > "/d" 2>&1 || e | f |& g',
        "a && \\\n  b \\\n  && # c\n  d",
        "echo ${x} ${y:-1.2} ${z%%.*} ${z##*/} ${z%%[a-z]*} ${z##*-} ${z[@]}",
        "find . -exec rm {} + && tar --exclude={a,b} -x a{b}c",
        "cat <<E > f\n  a; b | c\nE\ng",
        "a `b; c` '; d' \"; e\"",
        "[ -f a ] && b",
        'a $(b) "$(c "$(d | e)" && f; g)" x$(h)y',
        "a $(b)#c",
        "A=$(\n  a\n  b\n) c `d`",
        "export A=b; unset C; declare -x D",
        "",
        "# only a comment\n",
    ],
)
def test_what_has_no_nesting_needs_no_tree(text):
    assert flat(mask(text)) is not None
    found = read(text)
    assert found == read(text, way="tree")
    assert not found.opaque


@pytest.mark.parametrize(
    "text",
    [
        "a $((1))",
        "a $(<b)",
        "a $()",
        "a $(if b; then c; fi)",
        "a <(b)",
        "if a; then b; fi",
        "(a)",
        "{ a; }",
        "a &&",
        "&& a",
        "a | ; b",
        "a ;; b",
        "! a",
        "f() { a; }",
        "[[ a ]]",
    ],
)
def test_what_nests_commands_or_cannot_be_read_is_left_to_others(text):
    assert flat(mask(text)) is None


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from([" ", ""]))
def test_any_text_gives_the_same_script_both_ways(pieces, between):
    assert_same(between.join(pieces))
