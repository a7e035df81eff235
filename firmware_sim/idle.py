"""Tells when the firmware only waits, so that simulated time may jump to whatever it waits for.

It waits when, between two looks at the same unset flag, no register of the core and no byte of RAM has changed and
nothing else happened on the bus: then it will do the same again until a peripheral gives another answer.
"""

from __future__ import annotations

from firmware_sim.cpu import NEXT, Cpu

__all__ = ["Idle"]

#: flags that one waiting loop may look at; after so many others the loop is looked for anew
_FLAGS = 8


class Idle:
    """Follows one core's looks at flags.

    Parameters
    ----------
    cpu : the core, asked for its state from inside a register access.

    Attributes
    ----------
    waiting : whether the last look found the core as an earlier one had.
    """

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu
        self._counters = cpu.view
        self._memory = memoryview(cpu.ram)  # type: ignore[arg-type, unused-ignore]  # typed from Python 3.12 on
        self.waiting = False
        self._place = 0
        self._registers = b""
        self._ram: bytes | None = None
        self._others = 0

    def busy(self) -> None:
        """Something else than a look at an unset flag happened."""
        self.waiting = False
        self._others = _FLAGS

    def save(self) -> tuple[object, ...]:
        """What it has seen so far."""
        return self.waiting, self._place, self._registers, self._ram, self._others

    def restore(self, state: tuple[object, ...]) -> None:
        """Back to a `save`."""
        self.waiting, self._place, self._registers, self._ram, self._others = state  # type: ignore[assignment]

    def polled(self) -> bool:
        """A look at an unset flag. Returns `waiting`."""
        place = self._counters[NEXT]
        if place != self._place and self._others < _FLAGS:
            self._others += 1
            return self.waiting
        registers = self._cpu.registers()
        if self._others >= _FLAGS or registers != self._registers:
            self.waiting = False
            self._ram = None  # copied once the registers have come back: most loops that work never get there
        else:
            ram = self._memory.tobytes()
            self.waiting = ram == self._ram
            self._ram = ram
        self._place, self._registers, self._others = place, registers, 0
        return self.waiting
