"""What can stand behind a port: a board that is overheard, one that is translated, and things that are no board."""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable
from itertools import cycle
from typing import Any

import serial

from firmware_sim import Board
from nnlite.link.frame import DELIMITER, Frame, FrameDecoder, encode_frame
from nnlite.link.timing import BAUD
from nnlite.link.wire import ERROR_REPLY, REPLY_BIT, REPLY_HEADER, HelloField, Message, Status

__all__ = ["Echo", "OtherProtocol", "OverheardBoard", "Silence", "Talker", "TranslatedBoard"]

_PAYLOAD_BYTES = 512


class Silence:
    """Nothing at all; time passes while somebody waits."""

    def __init__(self) -> None:
        self._now = 0.0

    def plug(self) -> None: ...

    def unplug(self) -> None: ...

    def clock(self) -> float:
        return self._now

    def say(self, size: int, timeout: float) -> bytes:
        self._now += timeout
        return b""

    def hear(self, data: bytes) -> None: ...


class Talker(Silence):
    """Something that speaks, whatever it is told: lines of text, one after the other."""

    def __init__(self, *lines: bytes) -> None:
        super().__init__()
        self._lines = cycle(lines)

    def say(self, size: int, timeout: float) -> bytes:
        super().say(size, timeout)
        return next(self._lines)[:size]


class Echo(Silence):
    """A cable whose ends are joined."""

    def __init__(self) -> None:
        super().__init__()
        self._line = bytearray()

    def hear(self, data: bytes) -> None:
        self._line += data

    def say(self, size: int, timeout: float) -> bytes:
        if not self._line:
            return super().say(size, timeout)
        data = bytes(self._line[:size])
        del self._line[:size]
        return data


class OtherProtocol(Silence):
    """Firmware that knows none of our versions of the protocol, and says so in a frame, as docs/PROTOCOL.md has it."""

    def __init__(self, oldest: int, newest: int) -> None:
        super().__init__()
        self._versions = oldest, newest
        self._decoder = FrameDecoder(_PAYLOAD_BYTES)
        self._answers = bytearray()

    def hear(self, data: bytes) -> None:
        for request in self._decoder.feed(data):
            assert isinstance(request, Frame)
            status = Status.BAD_VERSION if request.type == Message.HELLO else Status.BAD_MESSAGE
            payload = struct.pack(REPLY_HEADER, status, 0, 0) + struct.pack(ERROR_REPLY, *self._versions)
            kind = request.type | REPLY_BIT
            self._answers += encode_frame(Frame(kind, 0, request.session, request.sequence, payload))

    def say(self, size: int, timeout: float) -> bytes:
        if not self._answers:
            return super().say(size, timeout)
        data = bytes(self._answers[:size])
        del self._answers[:size]
        return data


class _BehindAPort:
    """A simulated board, by way of its own port."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._port: Any = None

    def plug(self) -> None:
        self._port = serial.serial_for_url(self.board.url, baudrate=BAUD)

    def unplug(self) -> None:
        self._port.close()

    def clock(self) -> float:
        return float(self._port.clock())

    def say(self, size: int, timeout: float) -> bytes:
        self._port.timeout = timeout
        return bytes(self._port.read(size))

    def hear(self, data: bytes) -> None:
        self._port.write(data)


class OverheardBoard(_BehindAPort):
    """A board whose conversation is followed, up to the message at which something happens.

    Parameters
    ----------
    what : "silence", from that message on, or "interrupt", Ctrl-C at it; None only listens.
    side : "request" or "answer".
    number : of the message on its side, from 1.
    """

    def __init__(self, board: Board, what: str | None = None, side: str = "request", number: int = 0) -> None:
        super().__init__(board)
        self.requests: list[str] = []
        self.answers: list[str] = []
        self._what = what
        self._at = side, number
        self._decoders = {side: FrameDecoder(_PAYLOAD_BYTES) for side in ("request", "answer")}
        self._silent = False

    def hear(self, data: bytes) -> None:
        self.requests += self._names("request", data)
        now = self._at == ("request", len(self.requests))
        if now and self._what == "silence":
            self._silent = True
        if not self._silent:
            super().hear(data)
        if now and self._what == "interrupt":
            self._at = "request", 0  # once
            signal.raise_signal(signal.SIGINT)

    def say(self, size: int, timeout: float) -> bytes:
        data = super().say(size, timeout)
        before = len(self.answers)
        self.answers += self._names("answer", data)
        side, number = self._at
        if side == "answer" and before < number <= len(self.answers):
            if self._what == "silence":
                self._silent = True
            if self._what == "interrupt":
                self._at = "answer", 0
                signal.raise_signal(signal.SIGINT)
        return b"" if self._silent else data

    def _names(self, side: str, data: bytes) -> list[str]:
        frames = self._decoders[side].feed(data)
        return [Message(frame.type & ~REPLY_BIT).name for frame in frames if isinstance(frame, Frame)]


class TranslatedBoard(_BehindAPort):
    """A board whose HELLO is changed on its way: what other firmware may say of itself.

    Parameters
    ----------
    change : from the fields of HELLO, pairs of tag and value, to those that arrive.
    """

    def __init__(self, board: Board, change: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]) -> None:
        super().__init__(board)
        self._change = change
        self._raw = bytearray()
        self._out = bytearray()

    def plug(self) -> None:
        super().plug()
        self._raw.clear()
        self._out.clear()

    def say(self, size: int, timeout: float) -> bytes:
        if not self._out:
            self._raw += super().say(size, timeout)
        whole, delimiter, rest = self._raw.rpartition(DELIMITER)
        if delimiter:
            for frame in FrameDecoder(_PAYLOAD_BYTES).feed(bytes(whole) + DELIMITER):
                assert isinstance(frame, Frame)
                self._out += encode_frame(self._translated(frame))
            self._raw[:] = rest
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def _translated(self, frame: Frame) -> Frame:
        header = struct.calcsize(REPLY_HEADER)
        if frame.type != Message.HELLO | REPLY_BIT:
            return frame
        fields, at = [], header
        while at < len(frame.payload):
            tag, length = frame.payload[at : at + 2]
            fields.append((tag, frame.payload[at + 2 : at + 2 + length]))
            at += 2 + length
        body = b"".join(bytes([tag, len(value)]) + value for tag, value in self._change(fields))
        return Frame(frame.type, frame.flags, frame.session, frame.sequence, frame.payload[:header] + body)


def without(field: HelloField) -> Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]:
    """HELLO as firmware says it that does not have this field yet."""
    return lambda fields: [(tag, value) for tag, value in fields if tag != field]


def with_value(field: int, value: bytes) -> Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]:
    """HELLO with a field, known or not, that says something else."""
    return lambda fields: [(tag, old) for tag, old in fields if tag != field] + [(field, value)]
