"""What every peripheral is: named registers at offsets, a clock to look at, and a way to refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from firmware_sim.errors import Refused

__all__ = ["POWER", "Constants", "EventPeripheral", "Peripheral", "Refused", "Reset", "Timeline", "Words", "numbered"]

#: the supply comes, dips so far that the chip starts anew, the reset pin, and SYSRESETREQ
Reset = Literal["power", "brown-out", "pin", "soft"]

_FIRST_EVENT, _BEHIND_EVENTS = 0x100, 0x200
_INTENSET, _INTENCLR = 0x304, 0x308
#: 0 here resets a peripheral; the nRF51's manual names it, the nRF52's has it, too
POWER = 0xFFC


class Timeline(Protocol):
    """Simulated time, in cycles of the core since power-up."""

    @property
    def now(self) -> int: ...

    def skip_to(self, cycles: int) -> None:
        """Let time pass while the core stands still."""

    def wake_at(self, cycles: int) -> None:
        """Something happens then that the board should look at."""

    def flash_changed(self, start: int, size: int) -> None:
        """Flash is not what it was, so code in it is not either."""

    def flash_busy(self, cycles: int) -> None:
        """Flash is busy up to a cycle: a core that executes it stands still, one that executes RAM goes on."""

    def byte_sent(self, cycles: int) -> None:
        """The last bit of a byte leaves the UART then."""

    def polled(self) -> None:
        """The firmware read a flag that is not set: if it does nothing else, time may jump to the next event."""

    def changed(self) -> None:
        """A flag came up by itself, unseen yet."""

    def pins_changed(self) -> None:
        """The chip drives a pin to another level than before, or lets go of it."""


class Peripheral(ABC):
    """A block of registers.

    `NAMES` lists every register there is, by offset; an access to another one is refused by name. `WIRING` lists the
    attributes that are no state, such as what it refers to: a snapshot leaves them alone.

    Attributes
    ----------
    irq : its number in the interrupt controller, if it has one.
    """

    NAMES: Mapping[int, str] = MappingProxyType({})
    WIRING = frozenset({"name", "base", "time", "irq", "NAMES"})

    def __init__(self, name: str, base: int, time: Timeline, irq: int | None = None) -> None:
        self.name = name
        self.base = base
        self.time = time
        self.irq = irq

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

    def reset(self, kind: Reset) -> None:
        """The chip starts anew: `power_on`, but for what outlasts that kind of reset."""
        self.power_on()

    def save(self) -> dict[str, Any]:
        """Its state; arrays and containers are copied."""
        return {name: _copied(value) for name, value in vars(self).items() if name not in self.WIRING}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to a `save`."""
        for name, value in state.items():
            current = getattr(self, name)
            if isinstance(current, np.ndarray):
                current[:] = value
            else:
                setattr(self, name, _copied(value))

    def next_event(self) -> int | None:
        """Cycle of the next thing that happens by itself, if any."""
        return None

    def interrupt(self) -> bool:
        """Whether it asks for an interrupt now."""
        return False


class EventPeripheral(Peripheral):
    """Registers by the plan that Nordic's peripherals share: tasks from 0x000, events from 0x100, then the rest.

    Bit n of INTENSET and INTENCLR stands for the event at 0x100 + 4 n. An interrupt is asked for as long as an event
    is 1 and enabled.

    Attributes
    ----------
    events : the event registers.
    enabled : what INTENSET and INTENCLR made of the interrupts.
    values : the registers that only keep what was written to them.
    """

    WIRING = Peripheral.WIRING | {"_clock"}  # by which some of them run

    def __init__(self, name: str, base: int, time: Timeline, irq: int | None, names: Mapping[int, str]) -> None:
        super().__init__(name, base, time, irq)
        self.NAMES = {_INTENSET: "INTENSET", _INTENCLR: "INTENCLR", **names}
        self.events = {offset: 0 for offset in names if _FIRST_EVENT <= offset < _BEHIND_EVENTS}
        self.values: dict[int, int] = {}
        self.enabled = 0

    def power_on(self) -> None:
        self.events = dict.fromkeys(self.events, 0)
        self.enabled = 0

    def update(self) -> None:
        """Let everything happen that is due by now."""

    def task(self, offset: int) -> None:
        """Carry out a task."""
        raise Refused(f"{self.register(offset)} is not simulated")

    def load(self, offset: int) -> int:
        """Value of a register that is neither task nor event."""
        return self.values.get(offset, 0)

    def store(self, offset: int, value: int) -> None:
        """Set a register that is neither task nor event."""
        self.values[offset] = value

    def happen(self, offset: int) -> None:
        """Set an event."""
        if not self.events[offset]:
            self.events[offset] = 1
            self.time.changed()

    def interrupt(self) -> bool:
        if not self.enabled:
            return False
        self.update()
        return any(value and self.enabled & _bit(offset) for offset, value in self.events.items())

    def read(self, offset: int) -> int:
        if offset not in self.NAMES:
            self.register(offset)
        self.update()
        if offset in self.events:
            if not self.events[offset]:
                self.time.polled()
                self.update()  # time may have jumped
            return self.events[offset]
        if offset in (_INTENSET, _INTENCLR):
            return self.enabled
        if offset < _FIRST_EVENT:
            return 0
        return self.values.get(POWER, 1) if offset == POWER else self.load(offset)

    def write(self, offset: int, value: int) -> None:
        if offset not in self.NAMES:
            self.register(offset)
        self.update()
        if offset < _FIRST_EVENT:
            if value == 1:
                self.task(offset)
        elif offset in self.events:
            self.events[offset] = value & 1
        elif offset == _INTENSET:
            self.enabled |= value & sum(map(_bit, self.events))
        elif offset == _INTENCLR:
            self.enabled &= ~value
        elif offset == POWER:
            if not value & 1:
                self.power_on()
            self.values[POWER] = value & 1
        else:
            self.store(offset, value)


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value


def _bit(event: int) -> int:
    return 1 << (event - _FIRST_EVENT) // 4


def numbered(name: str, first: int, count: int) -> dict[int, str]:
    """Names of an array of registers."""
    return {first + 4 * n: f"{name}[{n}]" for n in range(count)}


class Words(Peripheral):
    """Registers that only keep what is written to them."""

    WIRING = Peripheral.WIRING | {"_reset"}

    def __init__(
        self, name: str, base: int, time: Timeline, names: Mapping[int, str], reset: Mapping[int, int]
    ) -> None:
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
