"""`staged://NAME` for pyserial: a port of this process whose other end a test stages. pyserial finds it by its name."""

from __future__ import annotations

from typing import Any, Protocol

import serial

__all__ = ["STAGE", "Party", "Serial"]


class Party(Protocol):
    """What is behind the port. Its time is its own: a read without data takes as much of it as the port may wait."""

    def plug(self) -> None:
        """The port is opened."""

    def unplug(self) -> None:
        """It is closed."""

    def clock(self) -> float:
        """Seconds."""

    def say(self, size: int, timeout: float) -> bytes:
        """Up to `size` bytes for the laptop."""

    def hear(self, data: bytes) -> None:
        """Bytes from the laptop."""


STAGE: dict[str, Party] = {}


class Serial(serial.SerialBase):  # type: ignore[misc]  # pyserial has no types
    """The laptop's end."""

    @property
    def _party(self) -> Party:
        return STAGE[str(self.portstr).removeprefix("staged://")]

    def open(self) -> None:
        self._party.plug()
        self.is_open = True

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._party.unplug()

    def clock(self) -> float:
        return self._party.clock()

    def read(self, size: int = 1) -> bytes:
        return self._party.say(size, self._timeout)

    def write(self, data: Any) -> int:
        self._party.hear(bytes(data))
        return len(data)

    def reset_input_buffer(self) -> None:
        """Nothing is kept on this side."""

    def _reconfigure_port(self, force_update: bool = False) -> None:
        """Rates are no matter here."""

    def _update_dtr_state(self) -> None:
        """No line."""

    def _update_rts_state(self) -> None:
        """No line."""
