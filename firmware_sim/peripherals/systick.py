"""SysTick at 0xE000_E010 (ARMv7-M B3.3): a 24-bit counter down, by the core's clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim.cpu.exceptions import IRQ, SYS_TICK, Exceptions
from firmware_sim.peripherals.base import Peripheral, Timeline

__all__ = ["SysTick"]

_CTRL, _LOAD, _VAL, _CALIB = 0x0, 0x4, 0x8, 0xC
_ENABLE, _TICKINT, _CLKSOURCE, _COUNTFLAG = 1, 2, 4, 1 << 16


class SysTick(Peripheral):
    """The core's own timer. It asks for its exception as an interrupt would, each time the counter reaches 0."""

    WIRING = Peripheral.WIRING | {"_exceptions"}
    NAMES: Mapping[int, str] = {_CTRL: "CTRL", _LOAD: "LOAD", _VAL: "VAL", _CALIB: "CALIB"}

    def __init__(self, time: Timeline, exceptions: Callable[[], Exceptions]) -> None:
        super().__init__("SysTick", 0xE000E010, time)
        self.irq = SYS_TICK - IRQ
        self._exceptions = exceptions
        self.power_on()

    def power_on(self) -> None:
        self.control = self.load = 0
        self._zero: int | None = None  # cycle at which the counter is 0 next, while it runs
        self._stood = 0  # the counter while it does not
        self._counted = False
        self._asks = False

    def _look(self) -> None:
        """Let time pass up to now."""
        if self._zero is not None and self._zero <= self.time.now:
            self._counted = True
            self._asks = bool(self.control & _TICKINT)
            if self.load:
                period = self.load + 1
                self._zero += ((self.time.now - self._zero) // period + 1) * period
            else:
                self._zero = None

    def interrupt(self) -> bool:
        self._look()
        asks, self._asks = self._asks, False
        return asks

    def next_event(self) -> int | None:
        self._look()
        return self._zero

    def read(self, offset: int) -> int:
        self.register(offset)
        self._look()
        if offset == _CTRL:
            counted, self._counted = self._counted, False
            if not counted:
                self.time.polled()
                self._look()
                counted, self._counted = self._counted, False
            return self.control | (_COUNTFLAG if counted else 0)
        if offset == _VAL:
            return self._stood if self._zero is None else self._zero - self.time.now
        return self.load if offset == _LOAD else 0

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        self._look()
        if offset == _LOAD:
            self.load = value & 0xFFFFFF
        elif offset == _VAL:  # any value clears it; the next cycle loads
            self._counted = False
            self._stood = 0
            if self.control & _ENABLE:
                self._start()
        elif offset == _CTRL:
            self._control(value & (_ENABLE | _TICKINT | _CLKSOURCE))

    def _control(self, value: int) -> None:
        if value & _ENABLE and not self.control & _ENABLE:
            self.control = value
            self._start()
        elif not value & _ENABLE and self._zero is not None:
            self._stood, self._zero = self._zero - self.time.now, None
        self.control = value
        enabled = self._exceptions().enabled
        (enabled.add if value & _TICKINT else enabled.discard)(SYS_TICK)

    def _start(self) -> None:
        """Count on from where it stood, or from LOAD."""
        if self._stood:
            self._zero = self.time.now + self._stood
        elif self.load:
            self._zero = self.time.now + self.load + 1
        else:
            self._zero = None
        self._stood = 0
