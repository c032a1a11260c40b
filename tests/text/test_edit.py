import pytest

from dfkit.text import Edit, Span, apply, overlap


def test_edits_are_made_from_the_original_offsets():
    assert apply("abcdef", [Edit(Span(4, 5), "E"), Edit(Span(1, 3), "")]) == "adEf"


def test_insertions_at_one_place_keep_their_order():
    assert apply("ab", [Edit(Span(1, 1), "1"), Edit(Span(1, 1), "2")]) == "a12b"


def test_equal_edits_count_once():
    edit = Edit(Span(0, 1), "x")
    assert apply("ab", [edit, edit]) == "xb"


def test_overlapping_edits_are_refused():
    with pytest.raises(ValueError, match="overlap at offset 1"):
        apply("abc", [Edit(Span(0, 2), "x"), Edit(Span(1, 3), "y")])


def test_overlap_of_groups():
    assert overlap([Edit(Span(0, 2), "")], [Edit(Span(1, 1), "x")])
    assert not overlap([Edit(Span(0, 2), "")], [Edit(Span(2, 2), "x")])
