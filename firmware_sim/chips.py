"""Which peripherals a chip has, where, and with which reset values.

Registers and addresses: nRF51 Series Reference Manual v3.0, nRF52833 Product Specification v1.3. The addresses
that only errata workarounds write are listed by the anomaly that names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.errors import SimulatorError
from firmware_sim.peripherals.base import Constants, Peripheral, Refused, Timeline, Words
from firmware_sim.peripherals.clock import Clock
from firmware_sim.peripherals.gpio import Gpio
from firmware_sim.peripherals.nvmc import Nvmc
from firmware_sim.peripherals.timer import Timer
from firmware_sim.peripherals.uart import Uart
from nnlite.profile import Profile

__all__ = ["Chip"]

#: newest silicon when nothing else is asked for: nRF51822 revision 3 (FICR CONFIGID hardware 0x7x), nRF52833 rev 2
_NEWEST = {"nrf51822": 7, "nrf52833": 2}

_NRF51_ERRATA = {0xC18: "0x40006C18 (undocumented, written by the workaround of anomaly 26)"}
_MPU = {0x608: "MPU.DISABLEINDEBUG"}
_TEMP = (
    {0x520 + 4 * n: f"A{n}" for n in range(6)}
    | {0x540 + 4 * n: f"B{n}" for n in range(6)}
    | {0x560 + 4 * n: f"T{n}" for n in range(5)}
)
#: the last of the words that are left to the board's maker; this one says that it is simulated ("SIMU")
_CUSTOMER = {0x0FC: "CUSTOMER[31]"}
_SIMULATED = {0x0FC: 0x554D4953}
_FICR_TEMP = {0x404 + 4 * n: f"TEMP[{n}]" for n in range(17)}


@dataclass(frozen=True)
class _Window:
    start: int
    size: int


class Uicr(Words):
    """User configuration: flash of its own page, programmable while NVMC allows it."""

    def __init__(self, base: int, time: Timeline, nvmc: Nvmc, names: dict[int, str]) -> None:
        super().__init__("UICR", base, time, names, dict.fromkeys(names, 4294967295))
        self.values |= _SIMULATED
        self._nvmc = nvmc

    def power_on(self) -> None:
        """Keeps its bits: it is flash."""

    def write(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if self._nvmc.config != 1:
            raise Refused(f"a store to {name} without NVMC.CONFIG = WEN")
        if self._nvmc.program():
            self.values[offset] &= value


class Chip:
    """All registers of one chip behind `read` and `write` by address.

    Parameters
    ----------
    unique_id : FICR.DEVICEID, the low word first.
    revision : of the silicon: bits 7:4 of the nRF51's 0xF000_0FE8, or the nRF52833's word at 0x1000_0134.
    """

    def __init__(
        self, profile: Profile, time: Timeline, flash: npt.NDArray[np.uint8], revision: int | None, unique_id: int
    ) -> None:
        if profile.chip not in _NEWEST:
            raise SimulatorError(f"the chip {profile.chip} is not simulated; those are {', '.join(_NEWEST)}")
        revision = _NEWEST[profile.chip] if revision is None else revision
        nrf52 = profile.chip == "nrf52833"
        mhz = profile.clock_hz // 1_000_000
        self.clock = Clock(0x40000000, time, profile.clock_hz, nrf52)
        pins = (profile.uart_tx_pin, profile.uart_rx_pin)
        self.uart = Uart(0x40002000, time, self.clock, profile.clock_hz, profile.uart_fifo_bytes, pins)
        erase, write = profile.erase_page_us * mhz, profile.write_word_us * mhz
        self.nvmc = Nvmc(0x4001E000, time, profile.flash_start, flash, profile.page_bytes, erase, write)
        identity = {0x060: unique_id & 0xFFFFFFFF, 0x064: unique_id >> 32}
        self.port0 = Gpio("GPIO P0", 0x50000000, time)
        self.blocks: list[tuple[_Window, Peripheral]] = []
        self._found: dict[int, tuple[Peripheral, int]] = {}
        names = {0x010: "CODEPAGESIZE", 0x014: "CODESIZE", 0x060: "DEVICEID[0]", 0x064: "DEVICEID[1]"}
        sizes = {0x010: profile.page_bytes, 0x014: profile.flash_bytes // profile.page_bytes}
        if nrf52:
            names |= {0x100: "INFO.PART", 0x130: "0x10000130 (undocumented: part)", **_FICR_TEMP}
            names[0x134] = "0x10000134 (undocumented: revision)"
            parts = {0x100: 0x52833, 0x130: 13, 0x134: revision}
            parts |= {offset: 0x300 + n for n, offset in enumerate(_FICR_TEMP)}  # the specimen's calibration
            self._add(0x10000000, 0x1000, Constants("FICR", 0x10000000, time, names, identity | sizes | parts))
            self.uicr = Uicr(0x10001000, time, self.nvmc, _CUSTOMER | {0x208: "APPROTECT"})
            self.temp = Words("TEMP", 0x4000C000, time, _TEMP, {})
            self._add(0x4000C000, 0x1000, self.temp)
            self._add(0x50000800, 0x400, Gpio("GPIO P1", 0x50000300, time))
            self.system = Words("SCB", 0xE000E000, time, {0xD88: "CPACR"}, {0xD88: 0})
            self._add(0xE000E000, 0x1000, self.system)
        else:
            self._add(0x10000000, 0x1000, Constants("FICR", 0x10000000, time, names, identity | sizes))
            self.uicr = Uicr(0x10001000, time, self.nvmc, _CUSTOMER | {0x004: "RBPCONF"})
            self.gpiote = Words("GPIOTE", 0x40006000, time, _NRF51_ERRATA, {})
            self._add(0x40006000, 0x1000, self.gpiote)
            rom = {0xFE0: "PERIPHID0", 0xFE4: "PERIPHID1", 0xFE8: "PERIPHID2", 0xFEC: "PERIPHID3"}
            values = {0xFE0: 1, 0xFE4: 0, 0xFE8: revision << 4, 0xFEC: 0}
            self._add(0xF0000000, 0x1000, Constants("ROM table", 0xF0000000, time, rom, values))
            self.mpu = Words("MPU", 0x40000000, time, _MPU, {})
            self._add(0x40000600, 0x100, self.mpu)
        self._add(0x10001000, 0x1000, self.uicr)
        self._add(0x40000000, 0x1000, self.clock)
        self._add(0x40002000, 0x1000, self.uart)
        self._add(0x4001E000, 0x1000, self.nvmc)
        self._add(0x40008000, 0x1000, Timer("TIMER0", 0x40008000, time, profile.clock_hz))
        self._add(0x50000000, 0x1000, self.port0)

    def _add(self, start: int, size: int, peripheral: Peripheral) -> None:
        self.blocks.append((_Window(start, size), peripheral))

    @property
    def spaces(self) -> tuple[tuple[int, int], ...]:
        """Address ranges that hold registers, by megabyte."""
        starts = sorted({window.start & ~0xFFFFF for window, _ in self.blocks})
        return tuple((start, 0x100000) for start in starts)

    def _find(self, address: int) -> tuple[Peripheral, int]:
        for window, peripheral in self.blocks:  # the smaller windows come first
            if window.start <= address < window.start + window.size:
                self._found[address] = peripheral, address - peripheral.base
                return self._found[address]
        raise Refused(f"no peripheral that is simulated lies at {address:#010x}")

    def read(self, address: int) -> int:
        """Read a register by address."""
        peripheral, offset = self._found.get(address) or self._find(address)
        return peripheral.read(offset)

    def write(self, address: int, value: int) -> None:
        """Write a register by address."""
        peripheral, offset = self._found.get(address) or self._find(address)
        peripheral.write(offset, value)

    def power_on(self) -> None:
        """Reset values everywhere; flash and UICR keep their bits."""
        for _, peripheral in self.blocks:
            peripheral.power_on()

    def next_event(self) -> int | None:
        """Cycle of the next thing that happens by itself, if any."""
        return min((event for _, p in self.blocks if (event := p.next_event()) is not None), default=None)

    def save(self) -> list[dict[str, Any]]:
        """State of every peripheral; arrays and containers are copied, wiring is left out."""
        return [{k: _copied(v) for k, v in vars(p).items() if k not in _WIRING} for _, p in self.blocks]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Back to a `save`."""
        for (_, peripheral), saved in zip(self.blocks, state, strict=True):
            for key, value in saved.items():
                current = getattr(peripheral, key)
                if isinstance(current, np.ndarray):
                    current[:] = value
                else:
                    setattr(peripheral, key, _copied(value))


_WIRING = {"time", "_clock", "_nvmc", "_words", "NAMES", "_reset"}


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value
