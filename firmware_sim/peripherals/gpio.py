"""GPIO ports (nRF51 Reference Manual 14, nRF52833 PS 6.8): outputs are kept, inputs read as set from outside."""

from __future__ import annotations

from firmware_sim.peripherals.base import Peripheral, Timeline

__all__ = ["Gpio"]

_OUT, _OUTSET, _OUTCLR, _IN, _DIR, _DIRSET, _DIRCLR, _PIN_CNF = 0x504, 0x508, 0x50C, 0x510, 0x514, 0x518, 0x51C, 0x700


class Gpio(Peripheral):
    """One port of 32 pins; `inputs` is what the pins are held at from outside."""

    NAMES = {
        _OUT: "OUT",
        _OUTSET: "OUTSET",
        _OUTCLR: "OUTCLR",
        _IN: "IN",
        _DIR: "DIR",
        _DIRSET: "DIRSET",
        _DIRCLR: "DIRCLR",
    } | {_PIN_CNF + 4 * pin: f"PIN_CNF[{pin}]" for pin in range(32)}

    def __init__(self, name: str, base: int, time: Timeline) -> None:
        super().__init__(name, base, time)
        self.inputs = 0xFFFFFFFF
        self.power_on()

    def power_on(self) -> None:
        self.values = {_PIN_CNF + 4 * pin: 2 for pin in range(32)}
        self.out = self.direction = 0

    def read(self, offset: int) -> int:
        self.register(offset)
        if offset in (_OUT, _OUTSET, _OUTCLR):
            return self.out
        if offset in (_DIR, _DIRSET, _DIRCLR):
            return self.direction
        return self.inputs if offset == _IN else self.values[offset]

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        if offset == _OUT:
            self.out = value
        elif offset == _OUTSET:
            self.out |= value
        elif offset == _OUTCLR:
            self.out &= ~value
        elif offset == _DIR:
            self.direction = value
        elif offset == _DIRSET:
            self.direction |= value
        elif offset == _DIRCLR:
            self.direction &= ~value
        elif offset >= _PIN_CNF:
            self.values[offset] = value
            bit = 1 << (offset - _PIN_CNF) // 4
            self.direction = self.direction | bit if value & 1 else self.direction & ~bit
