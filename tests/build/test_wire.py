from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfkit.build.buildkit.wire import Message, WireError, encode

numbers = st.integers(1, (1 << 29) - 1)


def test_a_message_is_the_bytes_of_the_format_description():
    # The two examples of https://protobuf.dev/programming-guides/encoding/
    assert encode((1, 150)) == bytes.fromhex("089601")
    assert encode((2, "testing")) == bytes.fromhex("120774657374696e67")


def test_fixed_width_numbers_are_read():
    message = Message(b"\x09" + (7).to_bytes(8, "little") + b"\x15" + (9).to_bytes(4, "little"))
    assert (message.integer(1), message.integer(2)) == (7, 9)


@given(numbers, st.integers(-(1 << 63), (1 << 63) - 1))
@example(1, -1)
def test_an_integer_comes_back(number, value):
    assert Message(encode((number, value))).signed(number) == value


@given(numbers, st.lists(st.text(), max_size=5))
def test_repeated_strings_come_back_in_order(number, values):
    assert Message(encode(*((number, value) for value in values))).texts(number) == tuple(values)


@given(st.dictionaries(numbers, st.integers(0, (1 << 64) - 1) | st.binary(), max_size=8))
def test_a_message_of_many_fields_comes_back(fields):
    message = Message(encode((99, encode(*fields.items())))).message(99)
    assert message is not None
    for number, value in fields.items():
        assert (message.integer(number) if isinstance(value, int) else message.data(number)) == value


@given(st.binary(max_size=200))
@example(b"\xff" * 11)
@example(b"\x0a\xff\xff\xff\xff\x0f")
@example(b"\x00\x01")
@example(b"\x0b")
def test_any_bytes_are_a_message_or_a_wire_error(data):
    try:
        message = Message(data)
    except WireError:
        return
    assert message.text(1) is not None


@given(st.dictionaries(numbers, st.binary(min_size=1), min_size=1, max_size=4), st.data())
def test_a_cut_message_is_never_read_past_its_end(fields, data):
    whole = encode(*fields.items())
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        message = Message(cut)
    except WireError:
        return
    assert sum(len(message.data(number)) for number in fields) < len(whole)


def test_of_a_single_field_sent_twice_the_last_counts_and_messages_are_merged():
    assert Message(encode((1, "old"), (1, "new"))).text(1) == "new"
    merged = Message(encode((1, encode((1, 5))), (1, encode((2, 6))))).message(1)
    assert merged is not None
    assert (merged.integer(1), merged.integer(2)) == (5, 6)


def test_an_absent_field_has_its_default():
    message = Message(b"")
    assert (message.integer(1), message.text(1), message.datas(1), message.message(1)) == (0, "", (), None)


@pytest.mark.parametrize("field", [(0, 1), (1 << 29, 1), (1, 1 << 64)])
def test_what_no_message_can_hold_is_refused(field):
    with pytest.raises(ValueError, match=r"no field number|64 bits"):
        encode(field)
