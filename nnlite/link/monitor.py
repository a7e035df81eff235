"""What goes over a line, piece by piece: frames with their meaning, text such as boot messages, and broken frames.

No I/O but through the port that a `Tap` stands in front of; what a piece looks like is the command line's business.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nnlite.link.frame import DELIMITER, BadFrame, Frame, decode_frame
from nnlite.link.meaning import meaning, message_name, status_name
from nnlite.link.port import Port
from nnlite.link.wire import REPLY_BIT

__all__ = ["Piece", "Splitter", "Tap"]

#: a line of text in front of a frame, as a board that starts may print it
_LINES = re.compile(rb"[\t\r\n\x20-\x7e]*[\r\n]")
_TEXT = re.compile(rb"[\t\r\n\x1b\x20-\x7e]+")
#: what is longer is no frame any more
_LIMIT_BYTES = 4_200
_SHOWN_BYTES = 16
#: after so long a silence, what has no end will get none: a frame's bytes come one behind the other
_SILENCE_SECONDS = 0.3

Direction = Literal["sent", "received"]


@dataclass(frozen=True)
class Piece:
    """One thing that went over the line.

    Attributes
    ----------
    seconds : since the port was opened.
    direction : "sent" or "received", seen from the laptop.
    kind : "frame", "text" or "broken".
    message, status : names, of a frame; status of a reply only.
    session, sequence : of a frame.
    payload_bytes : of a frame; else all bytes.
    meaning : in a few words; the text itself; or what is wrong.
    """

    seconds: float
    direction: Direction
    kind: Literal["frame", "text", "broken"]
    payload_bytes: int
    meaning: str
    message: str | None = None
    session: int | None = None
    sequence: int | None = None
    status: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return asdict(self)


class Splitter:
    """Takes bytes of one direction as they come and gives pieces out."""

    def __init__(self, direction: Direction) -> None:
        self._direction: Direction = direction
        self._buffer = bytearray()

    def feed(self, data: bytes, now: float) -> list[Piece]:
        """The pieces that end in `data`."""
        *ended, rest = (bytes(self._buffer) + data).split(DELIMITER)
        self._buffer[:] = rest
        pieces = [piece for encoded in ended if encoded for piece in self._pieces(encoded, now)]
        return pieces + (self.flush(now) if len(self._buffer) > _LIMIT_BYTES else [])

    def flush(self, now: float) -> list[Piece]:
        """What has no end yet: for a line that has fallen silent."""
        encoded = bytes(self._buffer)
        self._buffer.clear()
        if not encoded:
            return []
        if _TEXT.fullmatch(encoded):
            return [self._text(encoded, now)]
        return [self._broken(encoded, "half a frame", now)]

    def _pieces(self, encoded: bytes, now: float) -> list[Piece]:
        frame = decode_frame(encoded)
        if isinstance(frame, Frame):
            return [self._frame(frame, now)]
        lines = _LINES.match(encoded)
        if lines and isinstance(behind := decode_frame(encoded[lines.end() :]), Frame):
            return [self._text(lines[0], now), self._frame(behind, now)]
        if _TEXT.fullmatch(encoded):
            return [self._text(encoded, now)]
        assert isinstance(frame, BadFrame)
        return [self._broken(encoded, f"no frame ({frame.reason})", now)]

    def _frame(self, frame: Frame, now: float) -> Piece:
        return Piece(
            now,
            self._direction,
            "frame",
            len(frame.payload),
            meaning(frame),
            message_name(frame),
            frame.session,
            frame.sequence,
            status_name(frame) if frame.type & REPLY_BIT else None,
        )

    def _text(self, data: bytes, now: float) -> Piece:
        return Piece(now, self._direction, "text", len(data), data.decode("ascii").strip())

    def _broken(self, data: bytes, what: str, now: float) -> Piece:
        rest = "" if len(data) <= _SHOWN_BYTES else " ..."
        return Piece(now, self._direction, "broken", len(data), f"{what}: {data[:_SHOWN_BYTES].hex(' ')}{rest}")


class Tap:
    """A port whose traffic is shown as it passes.

    Parameters
    ----------
    port : the one that it stands in front of.
    show : called with each piece.
    """

    def __init__(self, port: Port, show: Callable[[Piece], None]) -> None:
        self._port = port
        self._show = show
        self.clock: Callable[[], float] = getattr(port, "clock", time.monotonic)
        self.draw: Callable[[int], int] = getattr(port, "draw", secrets.randbelow)
        self._start = self._heard = self.clock()
        self._sent, self._received = Splitter("sent"), Splitter("received")

    @property
    def baudrate(self) -> int:
        """The port's."""
        return self._port.baudrate

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self._port.baudrate = baud

    def read(self, size: int, /) -> bytes:
        """As the port's. A long silence ends whatever had no end."""
        data = self._port.read(size)
        now = self.clock()
        pieces: list[Piece] = []
        if data:
            pieces = self._received.feed(data, now - self._start)
            self._heard = now
        elif now - self._heard > _SILENCE_SECONDS:
            pieces = self._received.flush(now - self._start)
        for piece in pieces:
            self._show(piece)
        return data

    def write(self, data: bytes, /) -> int | None:
        """As the port's."""
        count = self._port.write(data)
        for piece in self._sent.feed(data, self.clock() - self._start):
            self._show(piece)
        return count

    def close(self) -> None:
        """As the port's."""
        self._port.close()
