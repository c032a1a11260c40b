"""Scripts without nesting: read without tree-sitter, they are what they are with it."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.shell.flat import flat
from dfkit.shell.mask import Unreadable, mask
from dfkit.text import Mapped

MODULE = import_module("dfkit.shell.parse")

PIECES = [
    "a", "echo", "-x", "A=b", "'q u'", '"d $x"', "$x", "${x}", "${x:-y}", "${x#/*}", "\\;", "#c", "2>&1", ">f", "< f", ">|f", "&>f",
    ">>f", "<<<w", "*.c", "{a,b}", "{}", "[ -f x ]", "[[ a ]]", "if", "then", "fi", "time", "!", "$(d)", "`d`", "(", ")", "{", "}",
    "&&", "||", "|", "|&", ";", ";;", "&", "\n", "\\\n", " ", "\t", "export", "é", "~", "=", "a[1]=b", "$", "\\", "esac", "case", "$(", "$(a", "$((", "))", "$(<f)", '"$(b "c")"', "x$(a; b)y",
]  # fmt: skip


def both(text, monkeypatch):
    """The script read as it is read, and read by tree-sitter's tree alone; the memo is not asked."""
    mapped = Mapped(text, ((0, 0),))
    without = MODULE._parse(mapped, "bash", (), 0)
    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "flat", lambda _masked: None)
        return without, MODULE._parse(mapped, "bash", (), 0)


@pytest.mark.parametrize(
    "text",
    [
        "apt-get update && apt-get install -y curl",
        "a; b & c\n\nd # e\nf",
        'A=1 B="$x" c > "/d" 2>&1 || e | f |& g',
        "a && \\\n  b \\\n  && # c\n  d",
        "echo ${x} ${y:-1.2} ${z%%.*} ${z##*/}",
        "cat <<E > f\n  a; b | c\nE\ng",
        "a `b; c` '; d' \"; e\"",
        "[ -f a ] && b",
        'a $(b) "$(c "$(d | e)" && f; g)" x$(h)y',
        "A=$(\n  a\n  b\n) c `d`",
        "export A=b; unset C; declare -x D",
        "",
        "# only a comment\n",
    ],
)
def test_what_has_no_nesting_needs_no_tree(text, monkeypatch):
    assert flat(mask(text)) is not None
    without, with_ = both(text, monkeypatch)
    assert without == with_
    assert not without.opaque


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
        "a &&",
        "&& a",
        "a | ; b",
        "a ;; b",
        "! a",
        "f() { a; }",
        "[[ a ]]",
    ],
)
def test_what_has_or_cannot_be_read_is_left_to_tree_sitter(text):
    assert flat(mask(text)) is None


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from([" ", ""]))
def test_any_text_gives_the_same_script_both_ways(pieces, between):
    text = between.join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        without, with_ = both(text, patch)
    if flat_or_none(text) is not None and with_.opaque:
        return  # tree-sitter-bash does not read everything that a shell does
    assert without == with_


def flat_or_none(text):
    try:
        return flat(mask(text))
    except Unreadable:
        return None
