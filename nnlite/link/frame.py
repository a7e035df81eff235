"""Bytes <-> frames: COBS and CRC-32 (docs/PROTOCOL.md, Frame).

What the payloads mean is left to `nnlite.link.protocol`, the port to `nnlite.link.client`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from nnlite.link.wire import FRAME_CRC_BYTES, FRAME_HEADER

__all__ = [
    "DELIMITER",
    "BadFrame",
    "Frame",
    "FrameDecoder",
    "cobs_decode",
    "cobs_encode",
    "decode_frame",
    "encode_frame",
    "encoded_frame_bytes",
]

DELIMITER = b"\0"
_HEADER_BYTES = struct.calcsize(FRAME_HEADER)
#: bytes that are not zero behind one code byte at most; the code 255 then stands for no zero
_LONGEST_RUN = 254


@dataclass(frozen=True)
class Frame:
    """One whole frame.

    Attributes
    ----------
    type : `Message`, with `REPLY_BIT` in what the device sends.
    flags : frame flags, 0 to 255.
    session, sequence : 0 to 65,535.
    payload : what the message says.
    """

    type: int
    flags: int
    session: int
    sequence: int
    payload: bytes = b""


@dataclass(frozen=True)
class BadFrame:
    """Bytes up to a delimiter that are no frame: noise, boot text, or a frame that was damaged.

    Attributes
    ----------
    reason : "cobs", "short", "crc" or "long".
    length : encoded bytes, without the delimiter.
    """

    reason: str
    length: int


def cobs_encode(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker, 1999): no zero in the result, no delimiter added."""
    out = bytearray()
    runs = data.split(b"\0")
    for n, run in enumerate(runs):
        at = 0
        while len(run) - at >= _LONGEST_RUN:
            out.append(_LONGEST_RUN + 1)
            out += run[at : at + _LONGEST_RUN]
            at += _LONGEST_RUN
        # The data's end needs no code of its own behind a full run: that one stands for no zero anyway.
        if at == 0 or at < len(run) or n < len(runs) - 1:
            out.append(len(run) - at + 1)
            out += run[at:]
    return bytes(out)


def cobs_decode(encoded: bytes) -> bytes | None:
    """Undo `cobs_encode`. None when a code byte points beyond the end or is zero."""
    out = bytearray()
    at = 0
    while at < len(encoded):
        code = encoded[at]
        run = encoded[at + 1 : at + code]
        if code == 0 or len(run) != code - 1 or 0 in run:
            return None
        out += run
        at += code
        if code <= _LONGEST_RUN and at < len(encoded):
            out.append(0)
    return bytes(out)


def encode_frame(frame: Frame) -> bytes:
    """A frame as it goes over the line, its delimiter included."""
    body = struct.pack(FRAME_HEADER, frame.type, frame.flags, frame.session, frame.sequence) + frame.payload
    return cobs_encode(body + zlib.crc32(body).to_bytes(FRAME_CRC_BYTES, "little")) + DELIMITER


def decode_frame(encoded: bytes) -> Frame | BadFrame:
    """One frame from its bytes without the delimiter. Never raises."""
    body = cobs_decode(encoded)
    if body is None:
        return BadFrame("cobs", len(encoded))
    if len(body) < _HEADER_BYTES + FRAME_CRC_BYTES:
        return BadFrame("short", len(encoded))
    content, crc = body[:-FRAME_CRC_BYTES], body[-FRAME_CRC_BYTES:]
    if zlib.crc32(content) != int.from_bytes(crc, "little"):
        return BadFrame("crc", len(encoded))
    kind, flags, session, sequence = struct.unpack_from(FRAME_HEADER, content)
    return Frame(kind, flags, session, sequence, content[_HEADER_BYTES:])


def encoded_frame_bytes(payload_bytes: int) -> int:
    """Most bytes that a frame with such a payload takes on the line, its delimiter included."""
    body = _HEADER_BYTES + payload_bytes + FRAME_CRC_BYTES
    return body + -(-body // _LONGEST_RUN) + len(DELIMITER)


class FrameDecoder:
    """Takes bytes as they come in and gives frames out. Never raises, never holds more than one frame.

    Parameters
    ----------
    payload_bytes : largest payload to expect; what is longer becomes a `BadFrame`.
    """

    def __init__(self, payload_bytes: int) -> None:
        self._limit = encoded_frame_bytes(payload_bytes) - len(DELIMITER)
        self._buffer = bytearray()
        self._dropped = 0
        self._next_code = 0  # where the next code byte of COBS, or the delimiter, stands in the buffer

    @property
    def pending(self) -> int:
        """Bytes of a frame that is still coming in."""
        return len(self._buffer) + self._dropped

    @property
    def due(self) -> int:
        """Bytes that must come before the frame can end, at least: each code byte of COBS tells how far it is to the
        next one or to the delimiter."""
        return max(1, self._next_code + 1 - len(self._buffer))

    def feed(self, data: bytes) -> list[Frame | BadFrame]:
        """Every frame, good or bad, that ends in `data`. Empty ones are ignored."""
        *ended, rest = data.split(DELIMITER)
        frames: list[Frame | BadFrame] = []
        for piece in ended:
            self._take(piece)
            if self._dropped:
                frames.append(BadFrame("long", self.pending))
            elif self._buffer:
                frames.append(decode_frame(bytes(self._buffer)))
            self._buffer.clear()
            self._dropped = self._next_code = 0
        self._take(rest)
        return frames

    def _take(self, piece: bytes) -> None:
        room = self._limit - len(self._buffer)
        self._buffer += piece[:room]
        self._dropped += max(0, len(piece) - room)
        while self._next_code < len(self._buffer):
            self._next_code += self._buffer[self._next_code]
