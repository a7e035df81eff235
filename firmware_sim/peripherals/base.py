"""What every peripheral is: named registers at offsets, a clock to look at, and a way to refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from firmware_sim.errors import SimulatorError

__all__ = ["Constants", "Peripheral", "Refused", "Timeline", "Words"]


class Refused(SimulatorError):
    """A register access that silicon would not do what was meant with. The board adds where the firmware was."""


class Timeline(Protocol):
    """Simulated time, in cycles of the core since power-up."""

    @property
    def now(self) -> int: ...

    def skip_to(self, cycles: int) -> None:
        """Let time pass while the core stands still."""

    def wake_at(self, cycles: int) -> None:
        """Something happens then that the board should look at."""

    def polled(self) -> None:
        """The firmware read a flag that is not set: if it does nothing else, time may jump to the next event."""

    def changed(self) -> None:
        """A flag came up by itself, unseen yet."""


class Peripheral(ABC):
    """A block of registers.

    `NAMES` lists every register there is, by offset; an access to another one is refused by name.
    """

    NAMES: Mapping[int, str] = MappingProxyType({})

    def __init__(self, name: str, base: int, time: Timeline) -> None:
        self.name = name
        self.base = base
        self.time = time

    def register(self, offset: int) -> str:
        """Name of the register at an offset.

        Raises
        ------
        Refused : there is none, or none that is modelled.
        """
        if offset not in self.NAMES:
            raise Refused(f"{self.name} has no register at {self.base + offset:#010x} that is simulated")
        return f"{self.name}.{self.NAMES[offset]}"

    @abstractmethod
    def read(self, offset: int) -> int:
        """Value of a register."""

    @abstractmethod
    def write(self, offset: int, value: int) -> None:
        """Set a register."""

    def power_on(self) -> None:  # noqa: B027  many have nothing to reset
        """Reset values."""

    def next_event(self) -> int | None:
        """Cycle of the next thing that happens by itself, if any."""
        return None


class Words(Peripheral):
    """Registers that only keep what is written to them."""

    def __init__(self, name: str, base: int, time: Timeline, names: dict[int, str], reset: dict[int, int]) -> None:
        super().__init__(name, base, time)
        self.NAMES = names
        self._reset = reset
        self.values: dict[int, int] = dict(reset)

    def power_on(self) -> None:
        self.values = dict(self._reset)

    def read(self, offset: int) -> int:
        self.register(offset)
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        self.values[offset] = value


class Constants(Words):
    """Registers that came with the chip and cannot be written."""

    def write(self, offset: int, value: int) -> None:
        raise Refused(f"{self.register(offset)} is read-only")
