"""The last bytes on a board's line, both ways, with the time of each piece: what a report of a failure shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from firmware_sim.faults.line import Direction

__all__ = ["LineRecord", "Passed"]

_KEPT_BYTES = 2_048
_LONGEST_PIECE_BYTES = 256


@dataclass
class Passed:
    """Bytes that went one behind the other.

    Attributes
    ----------
    cycle : when the first was there, in cycles since power-up; `last` the last.
    data : as they arrived, whatever the line made of them.
    """

    cycle: int
    last: int
    direction: Direction
    data: bytearray


class LineRecord:
    """Bounded: what is older than the last 2,048 bytes is forgotten.

    Parameters
    ----------
    gap : cycles of silence that begin a new piece.
    """

    def __init__(self, gap: int) -> None:
        self._gap = gap
        self._pieces: deque[Passed] = deque()
        self._bytes = 0

    def add(self, cycle: int, direction: Direction, data: bytes) -> None:
        """Bytes went by."""
        if not data:
            return
        self._bytes += len(data)
        last = self._pieces[-1] if self._pieces else None
        if (
            last is not None
            and last.direction == direction
            and 0 <= cycle - last.last <= self._gap
            and len(last.data) < _LONGEST_PIECE_BYTES
        ):
            last.data += data
            last.last = cycle
        else:
            self._pieces.append(Passed(cycle, cycle, direction, bytearray(data)))
        while self._bytes > _KEPT_BYTES and len(self._pieces) > 1:
            self._bytes -= len(self._pieces.popleft().data)

    @property
    def pieces(self) -> tuple[Passed, ...]:
        """What there is, the oldest first."""
        return tuple(self._pieces)
