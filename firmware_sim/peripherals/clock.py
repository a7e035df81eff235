"""CLOCK and POWER at 0x4000_0000, which share one block (nRF51 Reference Manual 12 and 13, nRF52833 PS 5.3 and 5.4)."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.peripherals.base import EventPeripheral, Refused, Reset, Timeline

__all__ = ["Clock"]

#: crystal start-up; it depends on the crystal, this is of the right size
HFXO_STARTUP_US = 400
LF_HZ = 32_768

_HFCLKSTART, _HFCLKSTOP, _LFCLKSTART, _LFCLKSTOP, _CAL, _CTSTART, _CTSTOP = range(0x000, 0x01C, 4)
_HFCLKSTARTED, _LFCLKSTARTED, _DONE, _CTTO = 0x100, 0x104, 0x10C, 0x110
_RESETREAS, _HFCLKRUN, _HFCLKSTAT, _LFCLKRUN, _LFCLKSTAT, _LFCLKSRCCOPY = 0x400, 0x408, 0x40C, 0x414, 0x418, 0x41C
_SYSTEMOFF, _GPREGRET, _LFCLKSRC, _CTIV = 0x500, 0x51C, 0x518, 0x538
_RUNNING = 1 << 16  # STATE in HFCLKSTAT and LFCLKSTAT
_RC, _XTAL, _SYNTH = 0, 1, 2

_NAMES = {
    _HFCLKSTART: "TASKS_HFCLKSTART",
    _HFCLKSTOP: "TASKS_HFCLKSTOP",
    _LFCLKSTART: "TASKS_LFCLKSTART",
    _LFCLKSTOP: "TASKS_LFCLKSTOP",
    _CAL: "TASKS_CAL",
    _CTSTART: "TASKS_CTSTART",
    _CTSTOP: "TASKS_CTSTOP",
    0x078: "TASKS_CONSTLAT",
    0x07C: "TASKS_LOWPWR",
    _HFCLKSTARTED: "EVENTS_HFCLKSTARTED",
    _LFCLKSTARTED: "EVENTS_LFCLKSTARTED",
    0x108: "EVENTS_POFWARN",
    _DONE: "EVENTS_DONE",
    _CTTO: "EVENTS_CTTO",
    _RESETREAS: "RESETREAS",
    _HFCLKRUN: "HFCLKRUN",
    _HFCLKSTAT: "HFCLKSTAT",
    _LFCLKRUN: "LFCLKRUN",
    _LFCLKSTAT: "LFCLKSTAT",
    _LFCLKSRCCOPY: "LFCLKSRCCOPY",
    _SYSTEMOFF: "SYSTEMOFF",
    0x510: "POFCON",
    _LFCLKSRC: "LFCLKSRC",
    _GPREGRET: "GPREGRET",
    _CTIV: "CTIV",
    0x578: "DCDCEN",
}
_NRF51 = {
    0x504: "0x504 (undocumented, written by the workaround of anomaly 26)",
    0x524: "RAMON",
    0x544: "RESET",
    0x550: "XTALFREQ",
    0x554: "RAMONB",
}
_NRF52 = {
    0x114: "EVENTS_SLEEPENTER",
    0x118: "EVENTS_SLEEPEXIT",
    0x520: "GPREGRET2",
    0x528: "HFXODEBOUNCE",
    0x52C: "LFXODEBOUNCE",
    0x550: "APPROTECT.FORCEPROTECT",
    0x558: "APPROTECT.DISABLE",
}
#: microseconds until an oscillator runs, by LFCLKSRC, and that a calibration takes. Of the right size (the nRF5340's
#: manual says 310 ms for the crystal and 500 us for RC), compared with no table of these two: firmware has to wait
#: for the event, however long that takes
_NRF51_STARTUP_US = {_RC: 390, _XTAL: 300_000, _SYNTH: 100}
_NRF52_STARTUP_US = {_RC: 600, _XTAL: 250_000, _SYNTH: 100}
_CALIBRATION_US = 17_000
_QUARTER_SECOND_US = 250_000  # unit of CTIV
#: what keeps its bits in a reset, and the bit of RESETREAS that tells of it: the pin clears the retained registers, a
#: lack of supply RESETREAS, too. So it is in the nRF54L15's table of reset behaviour, not compared with those of these
#: chips (nRF51 Reference Manual 12, nRF52833 PS 5.3)
_RETAINED: Mapping[Reset, tuple[int, ...]] = {"pin": (_RESETREAS,), "soft": (_RESETREAS, _GPREGRET, 0x520)}
_REASONS: Mapping[Reset, int] = {"pin": 1 << 0, "soft": 1 << 2}  # RESETPIN and SREQ
#: what of the nRF52833 these resets do not reset, though it is to be expected (anomaly 36)
_UNRESET = (_DONE, _CTTO, _CTIV)


class Clock(EventPeripheral):
    """The oscillators, and the power registers that firmware touches at start-up.

    Parameters
    ----------
    low_frequency_crystal : whether the board has a crystal of 32,768 Hz.

    Attributes
    ----------
    lf_started : whether the low-frequency clock was started.
    """

    def __init__(
        self,
        base: int,
        time: Timeline,
        clock_hz: int,
        nrf52: bool,
        irq: int | None = None,
        low_frequency_crystal: bool = True,
    ) -> None:
        super().__init__("CLOCK/POWER", base, time, irq, _NAMES | (_NRF52 if nrf52 else _NRF51))
        self._clock_hz = clock_hz
        self._nrf52 = nrf52
        self._low_frequency_crystal = low_frequency_crystal
        self._ppm = 0
        self.power_on()

    def power_on(self) -> None:
        super().power_on()
        self.values = {} if self._nrf52 else {0x524: 0x3, 0x554: 0x3}
        self._due: dict[int, int] = {}  # events that will come, with their cycles
        self._crystal_from: int | None = None
        self.lf_started = False
        self._lf_counted = 0  # ticks of the low-frequency clock up to `_lf_since`
        self._lf_since = 0

    def reset(self, kind: Reset) -> None:
        kept = _RETAINED.get(kind, ())
        kept += _UNRESET if kept and self._nrf52 else ()
        values = {offset: value for offset, value in self.values.items() if offset in kept}
        events = {offset: value for offset, value in self.events.items() if offset in kept}
        super().reset(kind)
        self.values |= values
        self.events |= events
        self.values[_RESETREAS] = self.values.get(_RESETREAS, 0) | _REASONS.get(kind, 0)

    @property
    def crystal(self) -> bool:
        """Whether the core runs from the crystal, so that baud rates are right."""
        return self._crystal_from is not None and self._crystal_from <= self.time.now

    @property
    def ppm(self) -> int:
        """How much faster than nominal the core's crystal is, in millionths."""
        return self._ppm

    @ppm.setter
    def ppm(self, value: int) -> None:
        ticks = self.lf_ticks()
        if self.lf_started and ticks > self._lf_counted:
            self._lf_since, self._lf_counted = self.lf_cycle(ticks), ticks
        self._ppm = value

    def lf_ticks(self) -> int:
        """Ticks of the low-frequency clock since power-up."""
        if not self.lf_started or self.time.now < self._lf_since:
            return self._lf_counted
        passed = self.time.now - self._lf_since
        return self._lf_counted + passed * LF_HZ * 1_000_000 // (self._clock_hz * (1_000_000 + self._ppm))

    def lf_cycle(self, ticks: int) -> int:
        """The cycle at which the low-frequency clock, as it runs now, has ticked so often since power-up."""
        each = self._clock_hz * (1_000_000 + self._ppm)
        return self._lf_since - (-(ticks - self._lf_counted) * each // (LF_HZ * 1_000_000))

    def next_event(self) -> int | None:
        self.update()
        return min(self._due.values()) if self._due else None

    def update(self) -> None:
        if not self._due:
            return
        for offset in [offset for offset, cycle in self._due.items() if cycle <= self.time.now]:
            del self._due[offset]
            self.happen(offset)

    def _schedule(self, offset: int, microseconds: int) -> int:
        self._due[offset] = self.time.now + microseconds * self._clock_hz // 1_000_000
        return self._due[offset]

    def load(self, offset: int) -> int:
        crystal, source = self.crystal, self.values.get(_LFCLKSRCCOPY, 0)
        computed = {
            _HFCLKRUN: int(self._crystal_from is not None),
            _HFCLKSTAT: _RUNNING | int(crystal),
            _LFCLKRUN: int(self.lf_started),
            _LFCLKSTAT: (_RUNNING if self.lf_started and _LFCLKSTARTED not in self._due else 0) | source,
        }
        return computed[offset] if offset in computed else self.values.get(offset, 0)

    def store(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if offset in (_HFCLKRUN, _HFCLKSTAT, _LFCLKRUN, _LFCLKSTAT, _LFCLKSRCCOPY):
            raise Refused(f"{name} is read-only")
        if offset == _SYSTEMOFF and value == 1:
            raise Refused(f"{name} puts the chip to sleep until a reset, which is not simulated")
        if offset == _LFCLKSRC and self.lf_started:
            raise Refused(f"{name} must not change while the low-frequency clock runs")
        self.values[offset] = self.values.get(offset, 0) & ~value if offset == _RESETREAS else value

    def task(self, offset: int) -> None:
        if offset == _HFCLKSTART:
            if self._crystal_from is None:
                self._crystal_from = self._schedule(_HFCLKSTARTED, HFXO_STARTUP_US)
            elif self.crystal:
                self.happen(_HFCLKSTARTED)
        elif offset == _HFCLKSTOP:
            self._crystal_from = None
            self._due.pop(_HFCLKSTARTED, None)
        elif offset == _LFCLKSTART:
            self._start_lf()
        elif offset == _LFCLKSTOP:
            self._lf_counted, self.lf_started = self.lf_ticks(), False
            self._due.pop(_LFCLKSTARTED, None)
        elif offset == _CAL:
            self._calibrate()
        elif offset == _CTSTART:
            self._schedule(_CTTO, self.values.get(_CTIV, 0) * _QUARTER_SECOND_US)
        elif offset == _CTSTOP:
            self._due.pop(_CTTO, None)

    def _start_lf(self) -> None:
        source = self.values.get(_LFCLKSRC, 0) & 3
        startup = _NRF52_STARTUP_US if self._nrf52 else _NRF51_STARTUP_US
        if source not in startup:
            raise Refused(f"CLOCK.LFCLKSRC = {source} is no source of the low-frequency clock")
        if source == _XTAL and not self._low_frequency_crystal:
            raise Refused(
                "CLOCK.TASKS_LFCLKSTART with LFCLKSRC = Xtal: the board has no 32,768 Hz crystal, so it would never "
                "start; take RC or Synth"
            )
        if self.lf_started:
            return
        self.values[_LFCLKSRCCOPY] = source
        self._schedule(_LFCLKSTARTED, startup[source])
        # Until the crystal swings, the RC oscillator is what ticks.
        ticking = startup[_RC] if source == _XTAL else startup[source]
        self._lf_since = self.time.now + ticking * self._clock_hz // 1_000_000
        self.lf_started = True

    def _calibrate(self) -> None:
        if not self.crystal or not self.lf_started or self.values[_LFCLKSRCCOPY] != _RC:
            raise Refused("CLOCK.TASKS_CAL needs the crystal and the low-frequency RC oscillator, both running")
        self._schedule(_DONE, _CALIBRATION_US)
