"""NVIC at 0xE000_E100: interrupts enabled, pending, and their priorities (ARMv6-M B3.4, ARMv7-M B3.4)."""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.cpu.exceptions import IRQ, Exceptions
from firmware_sim.peripherals.base import Peripheral, Timeline

__all__ = ["Nvic"]

_ISER, _ICER, _ISPR, _ICPR, _IABR, _IPR = 0x000, 0x080, 0x100, 0x180, 0x200, 0x300
_BANKS = {_ISER: "ISER", _ICER: "ICER", _ISPR: "ISPR", _ICPR: "ICPR", _IABR: "IABR"}


class Nvic(Peripheral):
    """The registers; what they say lies in the core's `Exceptions`.

    Parameters
    ----------
    exceptions : the core's, asked for at each access.
    interrupts : how many the chip has.
    priority_bits : of each priority, the upper ones of its byte.
    """

    WIRING = Peripheral.WIRING | {"_exceptions"}

    def __init__(
        self, time: Timeline, exceptions: Callable[[], Exceptions], interrupts: int, priority_bits: int
    ) -> None:
        super().__init__("NVIC", 0xE000E100, time)
        self._exceptions = exceptions
        self._interrupts = interrupts
        self._implemented = 0xFF << (8 - priority_bits) & 0xFF
        words = range((interrupts + 31) // 32)
        self.NAMES = {bank + 4 * n: f"{name}[{n}]" for bank, name in _BANKS.items() for n in words}
        self.NAMES |= {_IPR + 4 * n: f"IPR[{n}]" for n in range((interrupts + 3) // 4)}

    def _first(self, offset: int) -> int:
        """Exception number of a register's lowest bit or byte."""
        return IRQ + (offset - _IPR if offset >= _IPR else 32 * (offset % 0x80 // 4))

    def read(self, offset: int) -> int:
        self.register(offset)
        exceptions, first = self._exceptions(), self._first(offset)
        if offset >= _IPR:
            return sum(exceptions.of(first + n) << 8 * n for n in range(4))
        bank = offset & ~0x7F
        numbers = {_IABR: set(exceptions.active), _ISPR: exceptions.pending, _ICPR: exceptions.pending}
        chosen = numbers.get(bank, exceptions.enabled)
        return sum(1 << n - first for n in chosen if first <= n < first + 32)

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        exceptions, first = self._exceptions(), self._first(offset)
        if offset >= _IPR:
            exceptions.priority |= {first + n: value >> 8 * n & self._implemented for n in range(4)}
            return
        bank = offset & ~0x7F
        numbers = {first + n for n in range(32) if value >> n & 1 and first + n < IRQ + self._interrupts}
        if bank == _ISER:
            exceptions.enabled |= numbers
            self.time.wake_at(0)
        elif bank == _ICER:
            exceptions.enabled -= numbers
        elif bank == _ISPR:
            exceptions.pending |= numbers
            self.time.wake_at(0)
        elif bank == _ICPR:
            exceptions.pending -= numbers
