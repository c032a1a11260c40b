from hypothesis import given
from hypothesis import strategies as st

from dfkit.text import Mapped, Position, Source, Span


def test_bytes_come_back_whatever_they_are():
    data = b"\xef\xbb\xbfFROM a\r\nRUN echo \xff\xfe\n"
    assert Source.decode(data).encode() == data


def test_lines_end_with_a_line_feed_only():
    source = Source("a\rb\nc\r\nd")
    assert source.position(2) == Position(1, 3)
    assert source.slice(source.line(2)) == "c"
    assert source.slice(source.line(3)) == "d"


def test_a_position_after_the_last_line_end_is_on_a_new_line():
    assert Source("a\n").position(2) == Position(2, 1)


@given(st.text(alphabet="ab\r\n", max_size=40))
def test_positions_and_lines_agree(text):
    source = Source(text)
    for offset in range(len(text) + 1):
        position = source.position(offset)
        assert source.line_starts[position.line - 1] + position.column - 1 == offset


def test_spans_touch_when_they_share_a_character():
    assert Span(1, 3).touches(Span(2, 5))
    assert not Span(1, 3).touches(Span(3, 5))
    assert Span(2, 2).touches(Span(1, 3))
    assert not Span(1, 1).touches(Span(1, 3))
    assert Span(1, 1).touches(Span(1, 1))


@given(st.lists(st.tuples(st.text(alphabet="xyz", min_size=1, max_size=5), st.integers(0, 3)), min_size=1, max_size=6))
def test_mapped_text_knows_where_each_character_came_from(parts):
    source, text, pieces = "", "", []
    for part, gap in parts:
        source += "-" * gap
        pieces.append((len(text), len(source)))
        source += part
        text += part
    mapped = Mapped(text, tuple(pieces))
    for start in range(len(text)):
        assert source[mapped.offset(start)] == text[start]
        for end in range(start + 1, len(text) + 1):
            span = mapped.span(start, end)
            assert source[span.start : span.end].replace("-", "") == text[start:end]
            part = mapped.slice(start, end)
            assert part.text == text[start:end]
            assert part.span(0, end - start) == span
