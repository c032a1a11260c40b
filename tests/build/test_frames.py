"""DATA frames joined before HTTP/2 is taken apart, and bytes that wait for frames."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from hypothesis import given
from hypothesis import strategies as st

from dfkit.build.buildkit.frames import Joiner, Pieces

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, WINDOW_UPDATE = 0, 1, 8
PADDED = 8

frames = st.tuples(
    st.sampled_from([DATA, DATA, DATA, HEADERS, WINDOW_UPDATE]),
    st.sampled_from([0, 0, 0, 1, PADDED]),
    st.sampled_from([1, 1, 3]),
    st.one_of(st.binary(max_size=20), st.integers(0, 1 << 14).map(bytes)),
)


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def parsed(data):
    found = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        assert len(data) >= end
        data = data[end:]
    return found


def merged(found):
    """Frames with neighbouring plain DATA of one stream as one, whatever its size."""
    result = []
    for each in found:
        if result and each[:2] == (DATA, 0) and result[-1][:3] == each[:3]:
            result[-1] = (*each[:3], result[-1][3] + each[3])
        else:
            result.append(each)
    return result


@given(st.lists(frames, max_size=30), st.lists(st.integers(1, 40_000), max_size=20), st.booleans())
def test_the_same_frames_come_out_however_the_bytes_are_cut(sent, cuts, preface):
    stream = (PREFACE if preface else b"") + b"".join(frame(*each) for each in sent)
    joiner = Joiner(preface=preface)
    out = b""
    for size in [*cuts, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        out += joiner.feed(piece)
    if preface:
        assert out.startswith(PREFACE)
        out = out.removeprefix(PREFACE)
    found = parsed(out)
    assert all(len(each[3]) <= 1 << 14 for each in found)
    assert merged(found) == merged(sent)


def test_many_small_frames_become_few():
    joined = Joiner(preface=False).feed(b"".join(frame(DATA, 0, 1, b"x" * 15) for _ in range(5000)))
    assert [len(each[3]) for each in parsed(joined)] == [16380] * 4 + [75000 - 4 * 16380]


def test_a_frame_that_is_too_large_goes_on_at_once():
    joiner = Joiner(preface=False)
    start = frame(DATA, 0, 1, b"a") + ((1 << 14) + 1).to_bytes(3, "big") + bytes([DATA, 0]) + (1).to_bytes(4, "big")
    assert joiner.feed(start) == start
    assert joiner.feed(b"anything") == b"anything"


def test_flow_control_counts_what_it_counted():
    windows = []
    for join in (False, True):
        client = H2Connection(H2Configuration(client_side=True))
        server = H2Connection(H2Configuration(client_side=False))
        client.initiate_connection()
        server.initiate_connection()
        client.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")])
        for number in range(500):
            client.send_data(1, bytes([number % 256]) * 7)
        data = client.data_to_send()
        events = server.receive_data(Joiner(preface=True).feed(data) if join else data)
        bodies = [event.data for event in events if isinstance(event, DataReceived)]
        assert len(bodies) == (1 if join else 500)
        windows.append((b"".join(bodies), server.remote_flow_control_window(1), server.inbound_flow_control_window))
    assert windows[0] == windows[1]


@given(st.lists(st.one_of(st.binary(max_size=9), st.none(), st.integers(0, 12)), max_size=40))
def test_pieces_give_back_what_was_put_in(steps):
    pieces, expected = Pieces(), b""
    for step in steps:
        if step is None:
            pieces.clear()
            expected = b""
        elif isinstance(step, int):
            assert pieces.take(step) == expected[:step]
            expected = expected[step:]
        else:
            pieces.put(step)
            expected += step
        assert len(pieces) == len(expected)
    assert pieces.take(1000) == expected
    assert not pieces
