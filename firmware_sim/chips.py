"""Which peripherals a chip has, where, and with which reset values.

Registers and addresses: nRF51 Series Reference Manual v3.0, nRF52833 Product Specification v1.3, nRF52840
Product Specification v1.7. The addresses
that only errata workarounds write are listed by the anomaly that names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.errors import SimulatorError
from firmware_sim.peripherals import uicr
from firmware_sim.peripherals.base import Constants, Peripheral, Refused, Reset, Timeline, Words
from firmware_sim.peripherals.clock import Clock
from firmware_sim.peripherals.ficr import Ficr
from firmware_sim.peripherals.gpio import Gpio
from firmware_sim.peripherals.gpiote import Gpiote
from firmware_sim.peripherals.nvic import Nvic
from firmware_sim.peripherals.nvmc import Nvmc
from firmware_sim.peripherals.rtc import Rtc
from firmware_sim.peripherals.scb import Core, Scb
from firmware_sim.peripherals.systick import SysTick
from firmware_sim.peripherals.timer import Timer
from firmware_sim.peripherals.uart import Uart
from firmware_sim.wiring import wiring_of
from nnlite.profile import Profile

__all__ = ["Chip", "check_chip"]

_PERIPHERALS = 0x40000000
_CLOCK, _UART, _GPIOTE, _TEMP, _NVMC = 0x00, 0x02, 0x06, 0x0C, 0x1E
_FICR, _UICR = 0x10000000, 0x10001000


@dataclass(frozen=True)
class _Silicon:
    """What differs between chips. A peripheral's id is its place: `_PERIPHERALS` + 0x1000 id, and its interrupt, too.

    Attributes
    ----------
    newest : revision when nothing else is asked for: the nRF51822's is 3 (FICR CONFIGID hardware 0x7x).
    part : what the nRF52's word at 0x1000_0130 says; the nRF51 has none.
    timers : id, channels, bits of the widest counter.
    rtcs : id, channels.
    flash_halts : whether a flash operation halts the core also when it executes RAM (nRF51 Reference Manual 6.1.1; for
        the nRF52833 the PS, 4.3.1, names only code in flash).
    ports : name, base, where its window starts and how long it is, pins.
    not_simulated : names by id.
    """

    newest: int
    part: int | None
    timers: tuple[tuple[int, int, int], ...]
    rtcs: tuple[tuple[int, int], ...]
    ports: tuple[tuple[str, int, int, int, int], ...]
    gpiote_channels: int
    flash_halts: bool
    gpiote_extra: Mapping[int, str]
    uicr: Mapping[int, str]
    not_simulated: Mapping[int, str]

    @property
    def nrf52(self) -> bool:
        """Whether it is of that series."""
        return self.part is not None


_SHARED = {0x01: "RADIO", 0x0D: "RNG", 0x0E: "ECB", 0x0F: "AAR/CCM", 0x10: "WDT", 0x12: "QDEC", 0x1F: "PPI"}
_NRF51822 = _Silicon(
    newest=7,
    part=None,
    timers=((0x08, 4, 32), (0x09, 4, 16), (0x0A, 4, 16)),
    rtcs=((0x0B, 3), (0x11, 4)),
    ports=(("GPIO", 0x50000000, 0x50000000, 0x1000, 32),),
    gpiote_channels=4,
    flash_halts=True,
    gpiote_extra={0xC18: "0x40006C18 (undocumented, written by the workaround of anomaly 26)"},
    uicr=uicr.NRF51,
    not_simulated=_SHARED
    | {0x03: "SPI0/TWI0", 0x04: "SPI1/SPIS1/TWI1", 0x07: "ADC", _TEMP: "TEMP", 0x13: "LPCOMP"}
    | {0x14 + n: f"SWI{n}" for n in range(6)},
)
_NRF52833 = _Silicon(
    newest=2,
    part=13,
    timers=((0x08, 4, 32), (0x09, 4, 32), (0x0A, 4, 32), (0x1A, 6, 32), (0x1B, 6, 32)),
    rtcs=((0x0B, 3), (0x11, 4), (0x24, 4)),
    ports=(("GPIO P0", 0x50000000, 0x50000000, 0x800, 32), ("GPIO P1", 0x50000300, 0x50000800, 0x400, 10)),
    gpiote_channels=8,
    flash_halts=False,
    gpiote_extra={},
    uicr=uicr.NRF52,
    not_simulated=_SHARED
    | {0x03: "SPIM0/SPIS0/TWIM0/TWIS0", 0x04: "SPIM1/SPIS1/TWIM1/TWIS1", 0x05: "NFCT", 0x07: "SAADC"}
    | {0x13: "COMP/LPCOMP", 0x1C: "PWM0", 0x1D: "PDM", 0x20: "MWU", 0x21: "PWM1", 0x22: "PWM2", 0x23: "SPIM2/SPIS2"}
    | {0x25: "I2S", 0x26: "FPU", 0x27: "USBD", 0x28: "UARTE1", 0x2D: "PWM3", 0x2F: "SPIM3"}
    | {0x14 + n: f"EGU{n}/SWI{n}" for n in range(6)},
)
_NRF52840 = replace(
    _NRF52833,
    newest=5,
    part=8,
    ports=(("GPIO P0", 0x50000000, 0x50000000, 0x800, 32), ("GPIO P1", 0x50000300, 0x50000800, 0x400, 16)),
    not_simulated={**_NRF52833.not_simulated, 0x29: "QSPI"},
)
#: a chip more is a row more here, and peripherals where it has others
_CHIPS: Mapping[str, _Silicon] = MappingProxyType({"nrf51822": _NRF51822, "nrf52833": _NRF52833, "nrf52840": _NRF52840})

_MPU_NAMES = {0x608: "MPU.DISABLEINDEBUG"}
_TEMP_NAMES = (
    {0x520 + 4 * n: f"A{n}" for n in range(6)}
    | {0x540 + 4 * n: f"B{n}" for n in range(6)}
    | {0x560 + 4 * n: f"T{n}" for n in range(5)}
)
_ROM_NAMES = {0xFE0: "PERIPHID0", 0xFE4: "PERIPHID1", 0xFE8: "PERIPHID2", 0xFEC: "PERIPHID3"}


@dataclass(frozen=True)
class _Window:
    start: int
    size: int


class Chip:
    """All registers of one chip behind `read` and `write` by address.

    Parameters
    ----------
    core : what NVIC and SCB set; a Cortex-M.
    revision : of the silicon: bits 7:4 of the nRF51's 0xF000_0FE8, or the nRF52's word at 0x1000_0134.
    unique_id : FICR.DEVICEID, the low word first.

    Attributes
    ----------
    wiring : what the board connects to the pins.
    blocks : the peripherals with their windows; the smaller windows come first.
    """

    def __init__(
        self,
        profile: Profile,
        time: Timeline,
        core: object,
        flash: npt.NDArray[np.uint8],
        revision: int | None,
        unique_id: int,
    ) -> None:
        check_chip(profile)
        if not isinstance(core, Core):
            raise SimulatorError(
                f"{profile.chip} has a Cortex-M, and the core of {profile.name} is none: {profile.core}"
            )
        silicon = _CHIPS[profile.chip]
        revision = silicon.newest if revision is None else revision
        hz = profile.clock_hz
        self.wiring = wiring_of(profile.name)
        self.blocks: list[tuple[_Window, Peripheral]] = []
        self._found: dict[int, tuple[Peripheral, int]] = {}
        self._timed: list[Peripheral] = []  # those to which something can happen by itself
        self._asking: list[tuple[int, Peripheral]] = []  # those with an interrupt
        self._not_simulated = silicon.not_simulated

        crystal = self.wiring.low_frequency_crystal
        self.clock = Clock(_base(_CLOCK), time, hz, silicon.nrf52, _CLOCK, crystal)
        pins = (profile.uart_tx_pin, profile.uart_rx_pin)
        self.uart = Uart(_base(_UART), time, self.clock, hz, profile.uart_fifo_bytes, pins, _UART)
        erase, write = profile.erase_page_us * hz // 1_000_000, profile.write_word_us * hz // 1_000_000
        self.nvmc = Nvmc(
            _base(_NVMC), time, profile.flash_start, flash, profile.page_bytes, erase, write, silicon.flash_halts
        )
        self.uicr = uicr.Uicr(_UICR, time, self.nvmc, silicon.uicr)
        self.timers = tuple(
            Timer(f"TIMER{n}", _base(place), time, hz, place, channels, bits, silicon.nrf52)
            for n, (place, channels, bits) in enumerate(silicon.timers)
        )
        self.rtcs = tuple(
            Rtc(f"RTC{n}", _base(place), time, self.clock, place, channels)
            for n, (place, channels) in enumerate(silicon.rtcs)
        )
        self.ports = tuple(Gpio(name, base, time, count, silicon.nrf52) for name, base, _, _, count in silicon.ports)
        channels = silicon.gpiote_channels
        self.gpiote = Gpiote(_base(_GPIOTE), time, _GPIOTE, self.ports, channels, silicon.nrf52, silicon.gpiote_extra)

        if silicon.nrf52:
            self.temp = Words("TEMP", _base(_TEMP), time, _TEMP_NAMES, {})
            self.add(self.temp)
            # The nRF51's core came without SysTick; its manuals offer the RTC instead.
            self.add(SysTick(time, lambda: core.exceptions), size=0x10)
        else:
            self.mpu = Words("MPU", _base(_CLOCK), time, _MPU_NAMES, {})
            self.add(self.mpu, 0x40000600, 0x100)
            values = {0xFE0: 1, 0xFE4: 0, 0xFE8: revision << 4, 0xFEC: 0}
            self.add(Constants("ROM table", 0xF0000000, time, _ROM_NAMES, values))
        self.scb = Scb(time, core, silicon.nrf52)
        self.add(self.scb, size=0x240)
        interrupts, priority_bits = (48, 3) if silicon.nrf52 else (32, 2)
        self.add(Nvic(time, lambda: core.exceptions, interrupts, priority_bits), size=0x400)
        self.add(Ficr(_FICR, time, profile, silicon.part, revision, unique_id))
        for peripheral in (self.uicr, self.clock, self.uart, self.nvmc, *self.timers, *self.rtcs, self.gpiote):
            self.add(peripheral)
        for port, (_, _, start, size, _) in zip(self.ports, silicon.ports, strict=True):
            self.add(port, start, size)
        for pin in self.wiring.buttons.values():
            self._hold_up(pin)

    def _hold_up(self, number: int) -> None:
        port, pin = self.port(number)
        port.hold(pin, True)

    def add(self, peripheral: Peripheral, start: int | None = None, size: int = 0x1000) -> None:
        """Put a peripheral into the address space, from its base on unless told otherwise."""
        self.blocks.append((_Window(peripheral.base if start is None else start, size), peripheral))
        if type(peripheral).next_event is not Peripheral.next_event:
            self._timed.append(peripheral)
        if peripheral.irq is not None:
            self._asking.append((peripheral.irq, peripheral))

    def port(self, pin: int) -> tuple[Gpio, int]:
        """The port of a pin, and its number there. A pin is a number as PSEL registers take it: 32 a port.

        Raises
        ------
        SimulatorError : the chip has no such pin.
        """
        number, within = divmod(pin, 32)
        if not 0 <= number < len(self.ports) or within >= self.ports[number].pins:
            raise SimulatorError(f"the chip has no pin {pin}; a pin of P1 is 32 and its number there")
        return self.ports[number], within

    @property
    def spaces(self) -> tuple[tuple[int, int], ...]:
        """Address ranges that hold registers, by megabyte."""
        starts = sorted({window.start & ~0xFFFFF for window, _ in self.blocks})
        return tuple((start, 0x100000) for start in starts)

    def _find(self, address: int, access: str) -> tuple[Peripheral, int]:
        for window, peripheral in self.blocks:
            if window.start <= address < window.start + window.size:
                self._found[address] = peripheral, address - peripheral.base
                return self._found[address]
        place = (address - _PERIPHERALS) >> 12
        if place in self._not_simulated:
            name = f"{self._not_simulated[place]} ({_base(place):#010x})"
            raise Refused(f"{name} is not simulated: the firmware {access} {address:#010x}")
        raise Refused(f"no peripheral that is simulated lies at {address:#010x}, which the firmware {access}")

    def read(self, address: int) -> int:
        """Read a register by address."""
        peripheral, offset = self._found.get(address) or self._find(address, "reads")
        return peripheral.read(offset)

    def write(self, address: int, value: int) -> None:
        """Write a register by address."""
        peripheral, offset = self._found.get(address) or self._find(address, "writes")
        peripheral.write(offset, value)

    def reset(self, kind: Reset) -> None:
        """Reset values everywhere, but for what outlasts that kind of reset; flash and UICR keep their bits."""
        for _, peripheral in self.blocks:
            peripheral.reset(kind)

    def next_event(self) -> int | None:
        """Cycle of the next thing that happens by itself, if any."""
        return min((event for p in self._timed if (event := p.next_event()) is not None), default=None)

    def requests(self) -> tuple[int, ...]:
        """The interrupts that are asked for now, by number."""
        return tuple(irq for irq, p in self._asking if p.interrupt())

    def save(self) -> list[dict[str, Any]]:
        """State of every peripheral."""
        return [peripheral.save() for _, peripheral in self.blocks]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Back to a `save`."""
        for (_, peripheral), saved in zip(self.blocks, state, strict=True):
            peripheral.restore(saved)


def check_chip(profile: Profile) -> None:
    """Raise SimulatorError where a board cannot be simulated for its chip, or for what its profile does not say."""
    if profile.chip not in _CHIPS:
        raise SimulatorError(
            f"the chip of {profile.name}, {profile.chip}, is not simulated; those are {', '.join(_CHIPS)}"
        )
    if profile.firmware_limits is None:
        raise SimulatorError(
            f"the profile of {profile.name} has no table [firmware], and a simulated board needs the pages, times and "
            "pins in it (docs/PROFILES.md)"
        )


def _base(place: int) -> int:
    return _PERIPHERALS + (place << 12)
