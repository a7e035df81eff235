"""Chips as tables: what lies where, which interrupt it has, and names for what is not simulated."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from firmware_sim.chips import Chip
from firmware_sim.cpu import make_cpu
from firmware_sim.errors import SimulatorError
from firmware_sim.peripherals.base import Refused
from nnlite.profile import Profile
from tests.sim.registers import CLOCK, INTENSET, RTC0, TIMER0, NoCore, Time, bare_chip, with_crystal

MICROBIT = {"CLOCK/POWER": 0, "UART0": 2, "GPIOTE": 6, "TIMER0": 8, "TIMER1": 9, "TIMER2": 10, "RTC0": 11, "RTC1": 17}
MICROBIT2 = MICROBIT | {"TIMER3": 26, "TIMER4": 27, "RTC2": 36}


@pytest.mark.parametrize(
    ("name", "numbers"), [("microbit", MICROBIT), ("microbit2", MICROBIT2), ("nano33ble", MICROBIT2)]
)
def test_interrupts_have_the_numbers_of_the_manual(name: str, numbers: dict[str, int]) -> None:
    chip, _ = bare_chip(name)
    asking = [p for _, p in chip.blocks if p.irq is not None and p.name != "SysTick"]
    assert {p.name: p.irq for p in asking} == numbers
    assert all(p.base == 0x40000000 + 0x1000 * (p.irq or 0) for p in asking)


def test_requests_are_those_of_now() -> None:
    chip, time = with_crystal()
    chip.write(TIMER0 + 0x540, 1)
    chip.write(TIMER0 + INTENSET, 1 << 16)
    chip.write(TIMER0, 1)
    assert chip.requests() == ()
    chip.write(CLOCK + INTENSET, 1)
    assert chip.requests() == (0,)
    assert chip.next_event() == time.now + 16
    time.now += 16
    assert chip.requests() == (0, 8)
    chip.write(TIMER0 + 0x140, 0)
    chip.write(CLOCK + 0x100, 0)
    assert chip.requests() == ()


class Refers:
    """Something that is no plain data."""


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(plain(part) for part in (*value, *value.values()))
    if isinstance(value, list | tuple | set | frozenset | deque):
        return all(plain(part) for part in value)
    owned = isinstance(value, np.ndarray) and value.base is None
    return value is None or owned or isinstance(value, int | float | str)


@pytest.mark.parametrize("name", ["microbit", "microbit2", "nano33ble"])
def test_a_snapshot_of_a_peripheral_is_plain_data_and_refers_to_nothing(name: str) -> None:
    chip, time = bare_chip(name)
    assert not plain({"here": [time]})
    for _, peripheral in chip.blocks:
        assert {key: value for key, value in peripheral.save().items() if not plain(value)} == {}, peripheral.name


def test_a_core_that_is_no_cortex_m_is_refused() -> None:
    profile = Profile.load("microbit")
    with pytest.raises(SimulatorError, match="nrf51822 has a Cortex-M, and the core of microbit is none: cortex-m0"):
        Chip(profile, Time(), Refers(), np.full(profile.flash_bytes, 0xFF, np.uint8), None, 1)
    with pytest.raises(SimulatorError, match="the core avr8 is not simulated; those are cortex-m0, cortex-m4f"):
        make_cpu("avr8", 0, np.zeros(1024, np.uint8), 0x20000000, np.zeros(1024, np.uint8))


@pytest.mark.parametrize(
    ("name", "address", "message"),
    [
        ("microbit", 0x4000D508, r"RNG \(0x4000d000\) is not simulated: the firmware reads 0x4000d508"),
        ("microbit", 0x40007000, r"ADC \(0x40007000\)"),
        ("microbit2", 0x40007000, r"SAADC \(0x40007000\)"),
        ("microbit", 0x40019000, r"SWI5 \(0x40019000\)"),
        ("microbit2", 0x4002F504, r"SPIM3 \(0x4002f000\)"),
        ("microbit2", 0x40029500, "no peripheral that is simulated lies at 0x40029500"),
        ("nano33ble", 0x40029500, r"QSPI \(0x40029000\)"),
        ("microbit", 0x40024000, "no peripheral that is simulated lies at 0x40024000, which the firmware reads"),
        ("microbit", 0x40008300, "TIMER0 has no register at 0x40008300 that is simulated"),
    ],
)
def test_what_is_not_simulated_is_known_by_name(name: str, address: int, message: str) -> None:
    chip, _ = bare_chip(name)
    with pytest.raises(Refused, match=message):
        chip.read(address)
    with pytest.raises(Refused, match=message.replace("reads", "writes")):
        chip.write(address, 0)


@pytest.mark.parametrize("name", ["microbit", "microbit2", "nano33ble"])
def test_every_id_has_a_name(name: str) -> None:
    chip, _ = bare_chip(name)
    last = 0x1F if name == "microbit" else 0x2F
    there = set(range(last + 1)) - (
        {0x05, 0x1A, 0x1B, 0x1C, 0x1D} if name == "microbit" else set(range(0x29, 0x2F)) - {0x2D}
    )
    there |= {0x29} if name == "nano33ble" else set()
    unknown = []
    for place in range(0x40):
        try:
            chip.read(0x40000FF0 + 0x1000 * place)
        except Refused as refused:
            unknown += [place] if "no peripheral" in str(refused) else []
    assert unknown == [place for place in range(0x40) if place not in there]


@pytest.mark.parametrize("name", ["microbit", "microbit2", "nano33ble"])
def test_every_register_can_be_read_and_goes_back_with_the_rest(name: str) -> None:
    chip, time = bare_chip(name)
    chip.write(CLOCK + 0x008, 1)
    saved = chip.save()

    def content() -> list[tuple[str, int]]:
        return [
            (f"{p.name}.{p.NAMES[offset]}", p.read(offset))
            for _, p in chip.blocks
            for offset in p.NAMES
            if p.NAMES[offset] != "RXD"  # nothing is in it
        ]

    before = content()
    chip.restore(saved)
    for start in (RTC0, TIMER0):
        chip.write(start, 1)
    chip.write(TIMER0 + 0x540, 5)
    chip.write(TIMER0 + INTENSET, 1 << 16)
    chip.write(0x50000508, 1)
    chip.write(0x40006510, 0x30103)
    time.now = 16_000
    chip.write(TIMER0 + 0x044, 1)
    assert content() != before
    chip.restore(saved)
    time.now = 0
    assert content() == before


def test_the_specimen_is_made_of_its_id() -> None:
    def factory(unique_id: int) -> list[int]:
        profile = Profile.load("microbit")
        chip = Chip(profile, Time(), NoCore(), np.full(profile.flash_bytes, 0xFF, np.uint8), None, unique_id)
        return [chip.read(0x10000000 + offset) for offset in (0x060, 0x064, 0x080, 0x0A4, 0x0A8)]

    assert factory(0x2_00000001)[:2] == [1, 2]
    assert factory(1) == factory(1)
    assert factory(1)[2:] != factory(2)[2:]
    with pytest.raises(Refused, match=r"FICR\.CODESIZE is read-only"):
        bare_chip()[0].write(0x10000014, 0)


@pytest.mark.parametrize(
    ("name", "values"),
    [("microbit2", (4096, 128, 0x52833, 128, 512, 13, 2)), ("nano33ble", (4096, 256, 0x52840, 256, 1024, 8, 5))],
)
def test_the_factory_writes_what_the_chip_is(name: str, values: tuple[int, ...]) -> None:
    chip, _ = bare_chip(name)
    offsets = (0x010, 0x014, 0x100, 0x10C, 0x110, 0x130, 0x134)
    assert tuple(chip.read(0x10000000 + offset) for offset in offsets) == values


def test_a_chip_that_there_is_not() -> None:
    profile = Profile.load("uno")
    with pytest.raises(SimulatorError, match="is not simulated; those are nrf51822, nrf52833, nrf52840"):
        Chip(profile, Time(), NoCore(), np.zeros(4, np.uint8), None, 1)
