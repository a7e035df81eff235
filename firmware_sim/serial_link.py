"""The way between the laptop's program and the UART's line: latency, the interface chip if there is one, the faults
of the line, and the record of what went by."""

from __future__ import annotations

from collections import deque

from firmware_sim.faults import Faults, Line
from firmware_sim.interface_chip import InterfaceChip
from firmware_sim.line_record import LineRecord
from firmware_sim.peripherals.base import Timeline
from firmware_sim.peripherals.uart import Uart

__all__ = ["SerialLink"]

#: a silence that begins a new piece of the record
_GAP_SECONDS = 0.001


class SerialLink:
    """One board's.

    Attributes
    ----------
    line : what happens to bytes on the wire.
    record : the last of them.
    chip : the interface chip, if it is to be one with limits.
    on_the_way : (cycle of its arrival, byte) of what the board sent and the laptop cannot read yet.
    unread : what the laptop can read.
    reading : whether it is doing so.
    """

    def __init__(self, board: str, uart: Uart, time: Timeline, cycles_per_second: float, faults: Faults) -> None:
        self.line = Line()
        self.line.expose_to(faults)
        self.record = LineRecord(round(_GAP_SECONDS * cycles_per_second))
        self.chip = InterfaceChip(board) if faults.interface_chip else None
        self.on_the_way: deque[tuple[int, int]] = deque()
        self.unread = bytearray()
        self.reading = False
        self._uart, self._time = uart, time
        self._latency = round(faults.latency * cycles_per_second)
        self._baud: int | None = None

    def set_rate(self, baud: int) -> None:
        """The laptop asks for a rate: another one than before clears the interface chip's buffers."""
        if self.chip is not None and self._baud not in (None, baud):
            self._uart.forget_line()
            self.forget()
        self._baud = baud

    def forget(self) -> None:
        """Lose what the laptop has not read."""
        self.on_the_way.clear()
        self.unread.clear()

    def take(self, size: int) -> bytes:
        """Up to `size` bytes for the laptop."""
        out = bytes(self.unread[:size])
        del self.unread[:size]
        return out

    def send(self, data: bytes, baud: int) -> None:
        """Bytes from the laptop: they are at the line after the latency, and go over it one by one."""
        at = self._time.now + self._latency
        if self.chip is not None:
            data = self.chip.take(data, sum(sent[0] > at for sent in self._uart.line))
            baud = self.chip.rate(baud)
        arriving = self.line.carry("to_board", data)
        self.record.add(at, "to_board", arriving)
        self._uart.line_free = max(self._uart.line_free, float(at))
        self._uart.receive(arriving, baud)

    def collect(self) -> None:
        """Bring what the board has sent by now to the laptop, which reads it or leaves it unread."""
        sent, now = self._uart.sent, self._time.now
        while sent and sent[0][0] <= now:
            cycle, byte = sent.popleft()
            arrived = self.line.carry("from_board", bytes([byte]))
            self.record.add(cycle, "from_board", arrived)
            self.on_the_way.extend((cycle + self._latency, arrives) for arrives in arrived)
        while self.on_the_way and self.on_the_way[0][0] <= now:
            byte = self.on_the_way.popleft()[1]
            if self.chip is None or self.reading:
                self.unread.append(byte)
            else:
                self.chip.keep(self.unread, bytes([byte]))

    def save(self) -> tuple[bytes, tuple[tuple[int, int], ...]]:
        """What the laptop has not read, for a snapshot; faults and record are not part of it."""
        return bytes(self.unread), tuple(self.on_the_way)

    def restore(self, state: tuple[bytes, tuple[tuple[int, int], ...]]) -> None:
        """Back to a `save`."""
        self.unread[:] = state[0]
        self.on_the_way = deque(state[1])

    @property
    def next_arrival(self) -> int | None:
        """Cycle at which the laptop gets the next byte that is on the way."""
        return self.on_the_way[0][0] if self.on_the_way else None
