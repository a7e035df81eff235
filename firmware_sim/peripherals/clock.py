"""CLOCK and POWER at 0x4000_0000, which share one block (nRF51 Reference Manual 12 and 13, nRF52833 PS 5.3 and 5.4)."""

from __future__ import annotations

from firmware_sim.peripherals.base import Peripheral, Timeline

__all__ = ["Clock"]

#: crystal start-up, a typical value: nRF51822 PS 8.1.1 and nRF52833 PS 5.4.5 leave it to the crystal
HFXO_STARTUP_US = 400

_COMMON = {0x000: "TASKS_HFCLKSTART", 0x004: "TASKS_HFCLKSTOP", 0x100: "EVENTS_HFCLKSTARTED", 0x400: "RESETREAS"}
_NRF51 = {
    0x504: "0x504 (undocumented, written by the workaround of anomaly 26)",
    0x524: "RAMON",
    0x554: "RAMONB",
}
_NRF52 = {
    0x10C: "EVENTS_DONE",
    0x110: "EVENTS_CTTO",
    0x538: "CTIV",
    0x550: "APPROTECT.FORCEPROTECT",
    0x558: "APPROTECT.DISABLE",
}


class Clock(Peripheral):
    """The crystal oscillator, and the few power registers that firmware touches at start-up."""

    def __init__(self, base: int, time: Timeline, clock_hz: int, nrf52: bool) -> None:
        super().__init__("CLOCK/POWER", base, time)
        self.NAMES = _COMMON | (_NRF52 if nrf52 else _NRF51)
        self._startup = HFXO_STARTUP_US * clock_hz // 1_000_000
        self.power_on()

    def power_on(self) -> None:
        self.values = {0x524: 0x3, 0x554: 0x3}
        self._ready: int | None = None
        self._seen = True

    @property
    def crystal(self) -> bool:
        """Whether the core runs from the crystal, so that baud rates are right."""
        return self._ready is not None and self._ready <= self.time.now

    def next_event(self) -> int | None:
        return self._ready if self._ready is not None and self._ready > self.time.now else None

    def read(self, offset: int) -> int:
        self.register(offset)
        if offset != 0x100:
            return self.values.get(offset, 0)
        if self._ready is None or self._seen:
            return 0
        if self._ready > self.time.now:
            self.time.polled()
        return int(self._ready <= self.time.now)

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        if offset == 0x000 and value == 1:
            self._ready, self._seen = self.time.now + self._startup, False
        elif offset == 0x004 and value == 1:
            self._ready = None
        elif offset == 0x100:
            self._seen = self._seen or (value == 0 and self.crystal)
        else:
            self.values[offset] = value
