"""`sim://` for pyserial: a simulated board behind the interface of a serial port, in this process.

`sim://microbit` boots a fresh board, `sim://microbit?state=FILE` keeps its flash in FILE between processes,
`sim://board/N` is the `url` of a board that already runs. pyserial finds this module by its name.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import serial

from firmware_sim.state import keep_flash, restore_flash
from nnlite.errors import UsageError

if TYPE_CHECKING:
    from firmware_sim.board import Board

__all__ = ["Serial"]


class Serial(serial.SerialBase):  # type: ignore[misc]  # pyserial has no types
    """A serial port whose timeouts are simulated time: `read` lets the board run, and returns without sleeping."""

    def open(self) -> None:
        """Boot or find the board that the URL names."""
        from firmware_sim import open_board  # says what to install, where pyserial would not know the URL

        self._board: Board | None = None
        self._state: Path | None = None
        url = urlsplit(str(self.portstr))
        if url.netloc == "board":
            from firmware_sim.board import running_board

            number = url.path.strip("/")
            board = running_board(int(number)) if number.isdigit() else None
            if board is None:
                raise serial.SerialException(errno.ENOENT, f"{self.portstr}: no such board is running in this process")
            if board.port_open:
                raise serial.SerialException(errno.EBUSY, f"{self.portstr}: the port is busy")
        else:
            state = _state_file(url.query)
            board = open_board(url.netloc)
            if state is not None:
                self._state = state
                restore_flash(board, state)
        board.port_open = True
        self._own = url.netloc != "board"
        self._board = board
        self.is_open = True
        self._reconfigure_port()

    def close(self) -> None:
        """Leave the board: one that this port booted is switched off, and its flash kept if a file was named."""
        board, self._board = getattr(self, "_board", None), None
        self.is_open = False
        if board is None:
            return
        board.port_open = False
        if self._own:
            if self._state is not None:
                keep_flash(board, self._state)
            board.close()

    def _running(self) -> Board:
        if self._board is None:
            raise serial.PortNotOpenError()
        return self._board

    def clock(self) -> float:
        """Simulated seconds since the board's power-up: what a client's own deadlines must go by."""
        return self._running().seconds

    def draw(self, below: int) -> int:
        """A number from 0 to `below` - 1 by the seed of the board's faults, for a client's sessions."""
        return self._running().draw(below)

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        return self._running().waiting_bytes

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; runs the board until they are there or the simulated timeout has passed."""
        return self._running().read_line(size, self._timeout)

    def write(self, data: Any) -> int:
        """Put bytes on the line; they arrive as simulated time passes."""
        content = bytes(data)
        self._running().write_line(content, self._baudrate)
        return len(content)

    def flush(self) -> None:
        """Nothing is buffered on this side."""

    def reset_input_buffer(self) -> None:
        """Forget what was received and not read."""
        self._running().discard_input()

    def reset_output_buffer(self) -> None:
        """Nothing is buffered on this side."""

    def _reconfigure_port(self, force_update: bool = False) -> None:
        """Another rate is news to the interface chip; the rest is looked at when bytes are written."""
        if self._board is not None:
            self._board.set_rate(self._baudrate)

    def send_break(self, duration: float = 0.25) -> None:
        """Hold the line low for so long in simulated time: the interface chip resets the board."""
        self._running().break_line(duration)

    def _update_break_state(self) -> None:
        """The interface chip resets the board when the break ends."""
        if not self._break_state:
            self._running().break_line(0.0)

    def _update_dtr_state(self) -> None:
        """The interface chip ignores DTR."""

    def _update_rts_state(self) -> None:
        """The interface chip ignores RTS."""


def _state_file(query: str) -> Path | None:
    """The file that a URL's query names; anything else that it says would be lost without a word."""
    options = parse_qsl(query, keep_blank_values=True)
    unknown = next((name for name, _ in options if name != "state"), None)
    if unknown is not None:
        raise UsageError(f"a simulated board has no option '{unknown}'; the one it has is sim://BOARD?state=FILE")
    files = [value for _, value in options]
    if len(files) > 1 or "" in files:
        raise UsageError("a simulated board keeps its flash in one file: sim://BOARD?state=FILE")
    return Path(files[0]) if files else None
