"""The bytes of DATA frames: small frames made into large ones before `h2` takes a stream apart, and messages cut into frames.

BuildKit asks for each file in a frame of its own: 20,000 files are 20,000 frames of fifteen bytes, and each frame makes `h2`
several objects and an event. Where frames of one stream begin and end means nothing (RFC 9113, section 6.1), and their
lengths, which flow control counts, add up.

https://www.rfc-editor.org/rfc/rfc9113.html#section-4.1
"""

from __future__ import annotations

from collections import deque

_HEADER = 9
_DATA = 0
_LARGEST = 1 << 14
"""Bytes in a frame; what HTTP/2 allows unless a side asks for more, and `h2` does not."""
_PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


class Joiner:
    """Bytes of a connection in, the same frames out, but neighbouring plain DATA frames of a stream as one."""

    def __init__(self, *, preface: bool) -> None:
        """`preface`: the bytes begin with a client's connection preface."""
        self._skip = _PREFACE if preface else 0
        self._rest = b""
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        """All frames that are whole; the beginning of one waits for its end. A frame too large goes on as it is, with all behind it."""
        if self._broken:
            return data
        data = self._rest + data
        at = min(self._skip, len(data))
        self._skip -= at
        out = [data[:at]]
        joined: list[bytes] = []
        size = 0
        about = b""  # type, flags and stream of the frames that are joined
        end = len(data)
        while end - at >= _HEADER:
            length = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            if length > _LARGEST:
                self._broken = True
                end = at
                break
            after = at + _HEADER + length
            if after > end:
                break
            head = data[at + 3 : at + _HEADER]
            if joined and (head != about or size + length > _LARGEST):
                out += [size.to_bytes(3, "big"), about, *joined]
                joined, size = [], 0
            if head[0] == _DATA and head[1] == 0:
                about = head
                joined.append(data[at + _HEADER : after])
                size += length
            else:
                out.append(data[at:after])
            at = after
        if joined:
            out += [size.to_bytes(3, "big"), about, *joined]
        if self._broken:
            out.append(data[at:])
        else:
            self._rest = data[at:]
        return b"".join(out)


class Pieces:
    """Bytes that wait to be sent: put in by the message, taken out by the frame. Its length is that of the bytes."""

    __slots__ = ("_at", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._at = 0  # what was taken of the first piece
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, piece: bytes) -> None:
        """Add a piece behind the others; it is not copied."""
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def take(self, size: int) -> bytes:
        """The first bytes, at most that many."""
        taken: list[bytes] = []
        left = min(size, self._size)
        self._size -= left
        while left:
            piece = self._pieces[0][self._at : self._at + left]
            taken.append(piece)
            left -= len(piece)
            self._at += len(piece)
            if self._at == len(self._pieces[0]):
                self._pieces.popleft()
                self._at = 0
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def clear(self) -> None:
        """Forget all of them."""
        self._pieces.clear()
        self._at = self._size = 0
