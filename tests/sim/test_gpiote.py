"""GPIOTE: edges that become events, tasks that move a pin, and the event of SENSE."""

from __future__ import annotations

import pytest

from firmware_sim.chips import Chip
from firmware_sim.peripherals.base import Refused
from tests.sim.registers import GPIOTE, INTENSET, bare_chip

OUT, SET, CLR, IN, PORT, CONFIG = 0x000, 0x030, 0x060, 0x100, 0x17C, 0x510
EVENT, TASK = 1, 3
LO_TO_HI, HI_TO_LO, TOGGLE = 1, 2, 3
P0, P1, PIN_CNF = 0x50000000, 0x50000300, 0x700
SENSE_LOW = 0x30000


def setting(mode: int, pin: int, polarity: int, first: int = 0) -> int:
    return mode | pin << 8 | polarity << 16 | first << 20


def write(chip: Chip, offset: int, value: int = 1) -> None:
    chip.write(GPIOTE + offset, value)


@pytest.mark.parametrize(
    ("polarity", "events"), [(0, [0, 0, 0]), (LO_TO_HI, [1, 0, 1]), (HI_TO_LO, [0, 1, 0]), (TOGGLE, [1, 1, 1])]
)
def test_an_edge_is_an_event(polarity: int, events: list[int]) -> None:
    chip, time = bare_chip()
    write(chip, CONFIG + 8, setting(EVENT, 3, polarity))
    write(chip, INTENSET, 4)
    for level, event in zip((True, False, True), events, strict=True):
        chip.ports[0].hold(3, level)
        assert chip.gpiote.interrupt() is bool(event)
        assert chip.requests() == ((6,) if event else ())
        assert chip.read(GPIOTE + IN + 8) == event
        write(chip, IN + 8, 0)
    chip.ports[0].hold(4, True)
    assert chip.read(GPIOTE + IN + 8) == 0
    assert time.changes == sum(events)


def test_an_edge_that_the_firmware_makes_on_another_pin_is_none() -> None:
    chip, _ = bare_chip("microbit2")
    write(chip, CONFIG, setting(EVENT, 1 << 5 | 5, TOGGLE))  # P1.05
    chip.ports[0].hold(5, True)
    assert chip.read(GPIOTE + IN) == 0
    chip.ports[1].hold(5, True)
    assert chip.read(GPIOTE + IN) == 1


def test_tasks_move_the_pin() -> None:
    chip, _ = bare_chip("microbit2")
    port = chip.ports[0]
    write(chip, CONFIG + 28, setting(TASK, 9, TOGGLE, first=1))
    levels = [port.drives(9)]
    for offset in (OUT, OUT, CLR, CLR, SET):
        write(chip, offset + 28)
        levels.append(port.drives(9))
    assert levels == [True, False, True, False, False, True]
    chip.write(P0 + 0x50C, 1 << 9)  # OUTCLR: the pin is not GPIO's
    assert port.drives(9) is True
    write(chip, CONFIG + 28, 0)
    assert port.drives(9) is None


@pytest.mark.parametrize(("polarity", "level"), [(LO_TO_HI, True), (HI_TO_LO, False)])
def test_task_out_goes_by_the_polarity(polarity: int, level: bool) -> None:
    chip, _ = bare_chip()
    write(chip, CONFIG, setting(TASK, 9, polarity, first=not level))
    assert chip.ports[0].drives(9) is not level
    for _ in range(2):
        write(chip, OUT)
        assert chip.ports[0].drives(9) is level


def test_sense_raises_the_port_event_once() -> None:
    chip, _ = bare_chip()
    write(chip, INTENSET, 1 << 31)
    for pin in (17, 26):
        chip.write(P0 + PIN_CNF + 4 * pin, SENSE_LOW)
    assert chip.requests() == ()
    chip.ports[0].hold(17, False)
    assert chip.requests() == (6,)
    write(chip, PORT, 0)
    chip.ports[0].hold(26, False)  # DETECT is up already
    assert chip.read(GPIOTE + PORT) == 0
    chip.ports[0].hold(17, True)
    chip.ports[0].hold(26, True)
    chip.ports[0].hold(26, False)
    assert chip.read(GPIOTE + PORT) == 1


def test_a_latch_that_is_set_again_raises_the_port_event_anew() -> None:
    chip, _ = bare_chip("microbit2")
    chip.write(P0 + PIN_CNF + 4 * 14, SENSE_LOW)
    chip.write(P0 + 0x524, 1)  # DETECTMODE: what LATCH holds
    chip.ports[0].hold(14, False)
    events = []
    for low in (True, False):
        events.append(chip.read(GPIOTE + PORT))
        write(chip, PORT, 0)
        chip.ports[0].hold(14, not low)
        chip.write(P0 + 0x520, 1 << 14)
    assert [*events, chip.read(GPIOTE + PORT)] == [1, 1, 0]


@pytest.mark.parametrize(("name", "channels"), [("microbit", 4), ("microbit2", 8)])
def test_channels_of_the_chips(name: str, channels: int) -> None:
    chip, _ = bare_chip(name)
    write(chip, CONFIG + 4 * (channels - 1), setting(EVENT, 1, TOGGLE))
    with pytest.raises(Refused, match="no register"):
        write(chip, CONFIG + 4 * channels, 1)


def test_what_cannot_work_is_refused_by_name() -> None:
    chip, _ = bare_chip()
    with pytest.raises(Refused, match=r"TASKS_OUT\[1\] without a pin"):
        write(chip, OUT + 4)
    with pytest.raises(Refused, match="no register at 0x40006030"):
        write(chip, SET)
    with pytest.raises(Refused, match="a mode or a port that there is not"):
        write(chip, CONFIG, 2)
    write(chip, CONFIG, setting(TASK, 9, TOGGLE))
    with pytest.raises(Refused, match=r"takes pin P0\.09, which another channel drives"):
        write(chip, CONFIG + 4, setting(TASK, 9, TOGGLE))
