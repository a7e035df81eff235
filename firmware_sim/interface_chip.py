"""The interface chip of a board: USB to the laptop on one side, the UART's line on the other, a buffer each way.

Modelled on DAPLink as a micro:bit v1 has it (KL26, `kl26z/uart.c`). What the laptop sends comes over USB at once and
drains at the baud rate; what finds 512 bytes waiting is lost. (DAPLink itself would let the laptop wait; a program
that does not count on it is right on every chip.) What the board sends and nobody reads is kept up to 512 bytes, the
last of which say that bytes were lost.
"""

from __future__ import annotations

__all__ = ["BUFFER_BYTES", "OVERFLOW", "InterfaceChip"]

BUFFER_BYTES = 512
OVERFLOW = b"<DAPLink:Overflow>\n"
#: what the baud rate is divided from, by a whole number; a board that is not here makes every rate
_CLOCK_HZ = {"microbit": 1_500_000}  # 24 MHz / 16


class InterfaceChip:
    """The chip of one board.

    Attributes
    ----------
    dropped_to_board, dropped_from_board : bytes that found a buffer full.
    """

    def __init__(self, board: str) -> None:
        self._clock_hz = _CLOCK_HZ.get(board)
        self.dropped_to_board = 0
        self.dropped_from_board = 0

    def rate(self, baud: int) -> int:
        """The rate that it makes when it is asked for one: its divider cuts off, so 1,000,000 becomes 1,500,000."""
        if self._clock_hz is None:
            return baud
        return self._clock_hz // max(1, self._clock_hz // baud)

    def take(self, data: bytes, waiting: int) -> bytes:
        """What it takes of the laptop's bytes while so many wait for the line."""
        room = max(0, BUFFER_BYTES - waiting)
        self.dropped_to_board += max(0, len(data) - room)
        return data[:room]

    def keep(self, unread: bytearray, data: bytes) -> None:
        """Put the board's bytes behind those that the laptop has not read; the overflow's text behind the last."""
        for byte in data:
            room = BUFFER_BYTES - len(unread)
            if room > len(OVERFLOW):
                unread.append(byte)
                continue
            self.dropped_from_board += 1
            if room == len(OVERFLOW):
                unread += OVERFLOW
