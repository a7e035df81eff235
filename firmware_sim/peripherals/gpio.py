"""GPIO ports (nRF51 Reference Manual 14, nRF52833 PS 6.8).

A pin is at the level of its output, if it is one that drives; else where it is held from outside; else where its pull
resistor takes it; else, floating, low.
"""

from __future__ import annotations

from typing import Protocol

from firmware_sim.peripherals.base import Peripheral, Refused, Timeline, numbered

__all__ = ["Gpio", "Watcher"]

_OUT, _OUTSET, _OUTCLR, _IN, _DIR, _DIRSET, _DIRCLR = 0x504, 0x508, 0x50C, 0x510, 0x514, 0x518, 0x51C
_LATCH, _DETECTMODE, _PIN_CNF = 0x520, 0x524, 0x700
_ALL = 0xFFFFFFFF
_OUTPUT, _DISCONNECTED, _PULLS, _DRIVES, _SENSES = 1, 2, 0x0C, 0x700, 0x30000
_PULL_UP = 0x0C
_SENSE_HIGH, _SENSE_LOW = 0x20000, 0x30000
#: DRIVE settings that let go of the pin instead of driving it low, or high
_NEVER_LOW, _NEVER_HIGH = (0x400, 0x500), (0x600, 0x700)


class Watcher(Protocol):
    """Whoever follows the pins: GPIOTE."""

    def pins_changed(self, port: Gpio, before: int) -> None:
        """`port.levels` were `before`."""

    def detected(self) -> None:
        """A pin of a port came to the level that its SENSE waits for."""


class Gpio(Peripheral):
    """One port.

    Parameters
    ----------
    pins : how many it has.
    latched : whether it has LATCH and DETECTMODE.

    Attributes
    ----------
    pins : how many it has.
    levels : of the pins now, a bit each.
    out, direction : the registers OUT and DIR.
    watcher : who is told of what changes.
    """

    WIRING = Peripheral.WIRING | {"watcher"}

    def __init__(self, name: str, base: int, time: Timeline, pins: int = 32, latched: bool = False) -> None:
        super().__init__(name, base, time)
        self.NAMES = {
            _OUT: "OUT",
            _OUTSET: "OUTSET",
            _OUTCLR: "OUTCLR",
            _IN: "IN",
            _DIR: "DIR",
            _DIRSET: "DIRSET",
            _DIRCLR: "DIRCLR",
            **numbered("PIN_CNF", _PIN_CNF, pins),
            **({_LATCH: "LATCH", _DETECTMODE: "DETECTMODE"} if latched else {}),
        }
        self.pins = pins
        self.watcher: Watcher | None = None
        self._held_high = self._held_low = 0  # from outside, whatever the chip does
        self._drove = 0, 0  # the pins that the chip drove last, and their levels
        self.power_on()

    def power_on(self) -> None:
        self._configured = [_DISCONNECTED] * self.pins
        self.out = self.direction = 0
        self._taken_out = self._taken_in = self._taken_level = 0  # by channels of GPIOTE
        self._latch = self._detect_latched = 0
        self._detect = False
        self._looked: int | None = None
        self._configure()
        self.levels = self._level()
        self._look_at_outputs()

    # ---- from outside ----

    def hold(self, pin: int, level: bool | None) -> None:
        """Hold a pin high or low from outside; None lets go of it."""
        if not 0 <= pin < self.pins:
            raise ValueError(f"{self.name} has pins 0 to {self.pins - 1}, not {pin}")
        bit = 1 << pin
        self._held_high = self._held_high | bit if level else self._held_high & ~bit
        self._held_low = self._held_low | bit if level is False else self._held_low & ~bit
        self._settle()

    def level(self, pin: int) -> bool:
        """Whether a pin is high."""
        return bool(self.levels >> pin & 1)

    def drives(self, pin: int) -> bool | None:
        """The level that the chip itself drives a pin to; None if it does not."""
        return bool(self.levels >> pin & 1) if self._driven() >> pin & 1 else None

    # ---- from GPIOTE ----

    def take(self, inputs: int, outputs: int, level: int) -> None:
        """Pins that GPIOTE has for itself: as inputs, and as outputs at a level."""
        self._taken_in, self._taken_out, self._taken_level = inputs, outputs, level
        self._settle()

    @property
    def detect(self) -> bool:
        """The signal DETECT."""
        return self._detect

    # ---- registers ----

    def read(self, offset: int) -> int:
        self.register(offset)
        if offset in (_OUT, _OUTSET, _OUTCLR):
            return self.out
        if offset in (_DIR, _DIRSET, _DIRCLR):
            return self.direction
        if offset == _LATCH:
            return self._latch
        if offset == _DETECTMODE:
            return self._detect_latched
        if offset >= _PIN_CNF:
            return self._configured[(offset - _PIN_CNF) // 4]
        value = self.levels & self._connected
        if value == self._looked:
            self.time.polled()  # a firmware may wait for a pin
            value = self.levels & self._connected
        self._looked = value
        return value

    def write(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if offset == _IN:
            raise Refused(f"{name} is read-only")
        if offset in (_OUT, _OUTSET, _OUTCLR):
            self.out = {_OUT: value, _OUTSET: self.out | value, _OUTCLR: self.out & ~value}[offset] & _ALL
        elif offset in (_DIR, _DIRSET, _DIRCLR):
            before = self.direction
            self.direction = {_DIR: value, _DIRSET: before | value, _DIRCLR: before & ~value}[offset] & _ALL
            for pin, setting in enumerate(self._configured):
                self._configured[pin] = setting & ~_OUTPUT | self.direction >> pin & 1
        elif offset == _LATCH:
            self._latch &= ~value
            self._detect &= not self._detect_latched  # a bit that is still set raises LDETECT anew
        elif offset == _DETECTMODE:
            self._detect_latched = value & 1
        else:
            pin = (offset - _PIN_CNF) // 4
            self._configured[pin] = value
            self.direction = self.direction & ~(1 << pin) | (value & _OUTPUT) << pin
            self._configure()
        self._settle()

    def _configure(self) -> None:
        """Sort the settings of the pins by what they mean."""

        def pins(mask: int, *settings: int) -> int:
            return sum(1 << pin for pin, setting in enumerate(self._configured) if setting & mask in settings)

        self._connected = pins(_DISCONNECTED, 0)
        self._pulled_up = pins(_PULLS, _PULL_UP)
        self._never_low, self._never_high = pins(_DRIVES, *_NEVER_LOW), pins(_DRIVES, *_NEVER_HIGH)
        self._sense_high, self._sense_low = pins(_SENSES, _SENSE_HIGH), pins(_SENSES, _SENSE_LOW)

    def _driven(self) -> int:
        """The pins that the chip drives."""
        out = self.out & ~self._taken_out | self._taken_level & self._taken_out
        released = out & self._never_high | ~out & self._never_low
        return (self.direction & ~self._taken_in | self._taken_out) & ~released

    def _level(self) -> int:
        driven = self._driven()
        out = self.out & ~self._taken_out | self._taken_level & self._taken_out
        return driven & out | ~driven & (self._held_high | self._pulled_up & ~self._held_low)

    def _look_at_outputs(self) -> None:
        driven = self._driven()
        drives = driven, driven & self.levels
        if drives != self._drove:
            self._drove = drives
            self.time.pins_changed()

    def _settle(self) -> None:
        before, self.levels = self.levels, self._level()
        self._look_at_outputs()
        sensed = self._connected & (self._sense_high & self.levels | self._sense_low & ~self.levels)
        self._latch |= sensed
        detect = bool(self._latch if self._detect_latched else sensed)
        rises, self._detect = detect and not self._detect, detect
        if self.watcher is not None:
            if before != self.levels:
                self.watcher.pins_changed(self, before)
            if rises:
                self.watcher.detected()
