"""System control block at 0xE000_ED00, and the FPU's own registers behind it (ARMv6-M B3.2, ARMv7-M B3.2)."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from firmware_sim.cpu.exceptions import NMI, PEND_SV, SYS_TICK, Exceptions
from firmware_sim.peripherals.base import Peripheral, Refused, Timeline

__all__ = ["Core", "Scb"]

_CPUID, _ICSR, _VTOR, _AIRCR, _SCR, _CCR, _SHPR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18
_SHCSR, _CFSR, _HFSR, _DFSR, _MMFAR, _BFAR, _AFSR, _CPACR = 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x88
_FPCCR, _FPCAR, _FPDSCR = 0x234, 0x238, 0x23C
_BOTH = {_CPUID: "CPUID", _ICSR: "ICSR", _AIRCR: "AIRCR", _SCR: "SCR", _CCR: "CCR", _SHCSR: "SHCSR"}
_M0 = _BOTH | {_SHPR + 4 * n: f"SHPR{n + 1}" for n in (1, 2)}
_M4 = (
    _BOTH
    | {_SHPR + 4 * n: f"SHPR{n + 1}" for n in range(3)}
    | {_VTOR: "VTOR", _CFSR: "CFSR", _HFSR: "HFSR", _DFSR: "DFSR", _MMFAR: "MMFAR", _BFAR: "BFAR", _AFSR: "AFSR"}
    | {_CPACR: "CPACR", _FPCCR: "FPCCR", _FPCAR: "FPCAR", _FPDSCR: "FPDSCR"}
)
_KEY = 0x05FA


@runtime_checkable
class Core(Protocol):
    """What the system registers have to do with the core."""

    @property
    def exceptions(self) -> Exceptions: ...

    def use_fpu(self, enabled: bool) -> None:
        """Whether instructions of the FPU are allowed."""


class Scb(Peripheral):
    """The system control block of a Cortex-M0 or M4.

    Attributes
    ----------
    reset_requested : SYSRESETREQ was set; the board resets the chip.
    """

    WIRING = Peripheral.WIRING | {"_core", "_reset"}

    def __init__(self, time: Timeline, core: Core, m4: bool) -> None:
        super().__init__("SCB", 0xE000ED00, time)
        self.NAMES = _M4 if m4 else _M0
        self._core = core
        self._cpuid = 0x410FC241 if m4 else 0x410CC200
        self._implemented = 0xE0 if m4 else 0xC0
        # Reset values: ARMv7-M B3.2.8 (STKALIGN) and B3.2.21; on ARMv6-M STKALIGN and UNALIGN_TRP read as 1.
        self._reset = {_CCR: 0x200 if m4 else 0x208, _FPCCR: 0xC0000000}
        self.power_on()

    def power_on(self) -> None:
        self.values = dict(self._reset)
        self.reset_requested = False

    def read(self, offset: int) -> int:
        self.register(offset)
        exceptions = self._core.exceptions
        if offset == _CPUID:
            return self._cpuid
        if offset == _ICSR:
            pending, active = exceptions.pending, exceptions.active[-1] if exceptions.active else 0
            first = min(pending, key=lambda n: (exceptions.of(n), n), default=0)
            bits = (NMI in pending) << 31 | (PEND_SV in pending) << 28 | (SYS_TICK in pending) << 26
            return bits | any(n >= 16 for n in pending) << 22 | first << 12 | active
        if offset == _VTOR:
            return exceptions.vectors
        if offset == _AIRCR:
            return 0xFA050000 | max(exceptions.group_bits - 1, 0) << 8
        if offset in (_SHPR, _SHPR + 4, _SHPR + 8):
            return sum(exceptions.of(offset - _SHPR + 4 + n) << 8 * n for n in range(4))
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        name = self.register(offset)
        exceptions = self._core.exceptions
        if offset == _ICSR:
            for number, sets, clears in ((NMI, 31, None), (PEND_SV, 28, 27), (SYS_TICK, 26, 25)):
                if value >> sets & 1:
                    exceptions.pending.add(number)
                elif clears is not None and value >> clears & 1:
                    exceptions.pending.discard(number)
            self.time.wake_at(0)
        elif offset == _VTOR:
            exceptions.vectors = value & 0xFFFFFF80
        elif offset == _AIRCR:
            if value >> 16 != _KEY:
                raise Refused(f"{name} = {value:#010x} without the key 0x05FA, so nothing would happen")
            exceptions.group_bits = (value >> 8 & 7) + 1
            if value & 4:
                self.reset_requested = True
                self.time.wake_at(0)
        elif offset in (_SHPR, _SHPR + 4, _SHPR + 8):
            first = offset - _SHPR + 4
            exceptions.priority |= {first + n: value >> 8 * n & self._implemented for n in range(4)}
        elif offset == _CPACR:
            self.values[offset] = value
            self._core.use_fpu(value >> 20 & 0xF == 0xF)
        elif offset == _CPUID:
            raise Refused(f"{name} is read-only")
        else:
            self.values[offset] = value
