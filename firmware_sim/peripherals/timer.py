"""TIMER as a free-running counter (nRF51 Reference Manual 18, nRF52833 PS 6.30): 16 MHz, captured by a task.

Compare events, shortcuts and counting of events are not simulated; a write that asks for them is refused by name.
"""

from __future__ import annotations

from firmware_sim.peripherals.base import Peripheral, Refused, Timeline

__all__ = ["Timer"]

_START, _STOP, _COUNT, _CLEAR, _CAPTURE = 0x000, 0x004, 0x008, 0x00C, 0x040
_MODE, _BITMODE, _PRESCALER, _CC = 0x504, 0x508, 0x510, 0x540
_CHANNELS = 4
_HZ = 16_000_000
#: BITMODE 0 to 3
_BITS = (16, 8, 24, 32)


class Timer(Peripheral):
    """One timer in timer mode."""

    NAMES = (
        {_START: "TASKS_START", _STOP: "TASKS_STOP", _COUNT: "TASKS_COUNT", _CLEAR: "TASKS_CLEAR"}
        | {_CAPTURE + 4 * n: f"TASKS_CAPTURE[{n}]" for n in range(_CHANNELS)}
        | {_MODE: "MODE", _BITMODE: "BITMODE", _PRESCALER: "PRESCALER"}
        | {_CC + 4 * n: f"CC[{n}]" for n in range(_CHANNELS)}
    )

    def __init__(self, name: str, base: int, time: Timeline, clock_hz: int) -> None:
        super().__init__(name, base, time)
        self._clock_hz = clock_hz
        self.power_on()

    def power_on(self) -> None:
        self.values = {_MODE: 0, _BITMODE: 0, _PRESCALER: 4} | {_CC + 4 * n: 0 for n in range(_CHANNELS)}
        self._counted = 0  # ticks up to the last start or stop
        self._since: int | None = None  # the cycle of the last start

    @property
    def count(self) -> int:
        """The counter now."""
        running = 0 if self._since is None else (self.time.now - self._since) * _HZ // self._clock_hz
        return self._counted + (running >> self.values[_PRESCALER]) & (1 << _BITS[self.values[_BITMODE]]) - 1

    def read(self, offset: int) -> int:
        self.register(offset)
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if offset < _MODE:
            if value == 1:
                self._task(offset, name)
            return
        if (offset == _MODE and value != 0) or (offset == _BITMODE and value >= len(_BITS)) or value >> 32:
            raise Refused(f"{name} = {value} is not simulated")
        if offset in (_BITMODE, _PRESCALER) and self._since is not None:
            raise Refused(f"{name} must not change while the timer runs")
        self.values[offset] = value

    def _task(self, offset: int, name: str) -> None:
        if offset == _START:
            self._since = self.time.now if self._since is None else self._since
        elif offset == _STOP:
            self._counted, self._since = self.count, None
        elif offset == _CLEAR:
            self._counted, self._since = 0, None if self._since is None else self.time.now
        elif offset >= _CAPTURE:
            self.values[_CC + offset - _CAPTURE] = self.count
        else:
            raise Refused(f"{name} counts events in counter mode, which is not simulated")
