"""GPIO: what a pin reads, by its own output, what holds it from outside, and its pull."""

from __future__ import annotations

import pytest

from firmware_sim.errors import SimulatorError
from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.gpio import Gpio
from tests.sim.registers import Time, bare_chip

OUT, OUTSET, OUTCLR, IN, DIR, DIRSET, DIRCLR, LATCH, DETECTMODE, PIN_CNF = (
    *(0x504, 0x508, 0x50C, 0x510, 0x514, 0x518, 0x51C, 0x520, 0x524),
    0x700,
)
INPUT, OUTPUT, DISCONNECTED = 0, 1, 2
PULL_DOWN, PULL_UP = 0x04, 0x0C
S0D1, D0S1 = 0x600, 0x400  # open drain: lets go of a high, or of a low
SENSE_HIGH, SENSE_LOW = 0x20000, 0x30000


def port(latched: bool = False) -> tuple[Gpio, Time]:
    time = Time()
    return Gpio("GPIO", 0x50000000, time, latched=latched), time


@pytest.mark.parametrize(
    ("setting", "out", "outside", "level"),
    [
        (INPUT, 0, None, 0),  # floating
        (INPUT, 1, None, 0),
        (INPUT, 0, True, 1),
        (INPUT | PULL_UP, 0, None, 1),
        (INPUT | PULL_UP, 0, False, 0),
        (INPUT | PULL_DOWN, 0, None, 0),
        (INPUT | PULL_DOWN, 0, True, 1),
        (INPUT | DISCONNECTED, 0, True, 0),
        (OUTPUT, 1, None, 1),
        (OUTPUT, 1, False, 1),
        (OUTPUT, 0, True, 0),
        (OUTPUT | DISCONNECTED, 1, None, 0),
        (OUTPUT | S0D1 | PULL_UP, 1, None, 1),
        (OUTPUT | S0D1 | PULL_UP, 1, False, 0),
        (OUTPUT | S0D1, 0, True, 0),
        (OUTPUT | D0S1, 0, True, 1),
        (OUTPUT | D0S1, 1, False, 1),
    ],
)
def test_what_a_pin_reads(setting: int, out: int, outside: bool | None, level: int) -> None:
    made, _ = port()
    made.write(OUT, out << 5)
    made.hold(5, outside)
    made.write(PIN_CNF + 20, setting)
    assert made.read(IN) == level << 5


def test_output_and_direction_are_set_bit_by_bit() -> None:
    made, _ = port()
    made.write(OUT, 0xF0)
    made.write(OUTSET, 0x0F)
    made.write(OUTCLR, 0x81)
    assert [made.read(offset) for offset in (OUT, OUTSET, OUTCLR)] == [0x7E] * 3
    made.write(DIRSET, 0x3)
    made.write(DIRCLR, 0x1)
    assert [made.read(offset) for offset in (DIR, DIRSET, DIRCLR)] == [2] * 3
    assert (made.read(PIN_CNF), made.read(PIN_CNF + 4)) == (DISCONNECTED, OUTPUT | DISCONNECTED)
    made.write(PIN_CNF, OUTPUT)
    made.write(PIN_CNF + 4, INPUT)
    assert made.read(DIR) == 1
    with pytest.raises(Refused, match="IN is read-only"):
        made.write(IN, 0)


def test_a_test_can_see_what_the_chip_drives() -> None:
    made, _ = port()
    made.hold(3, True)
    assert (made.level(3), made.drives(3)) == (True, None)
    made.write(DIRSET, 8)
    assert (made.level(3), made.drives(3)) == (False, False)
    made.power_on()
    assert (made.level(3), made.drives(3)) == (True, None)  # what is outside stays


def test_a_loop_that_waits_for_a_pin_lets_time_jump() -> None:
    made, time = port()
    made.write(PIN_CNF, INPUT)
    made.read(IN)
    assert time.polls == 0
    made.read(IN)
    assert time.polls == 1
    made.hold(0, True)
    assert (made.read(IN), time.polls) == (1, 1)


def test_latch_keeps_what_sense_saw() -> None:
    made, _ = port(latched=True)
    made.write(PIN_CNF, INPUT | SENSE_HIGH)
    made.write(PIN_CNF + 4, INPUT | PULL_UP | SENSE_LOW)
    assert (made.read(LATCH), made.detect) == (0, False)
    made.hold(0, True)
    made.hold(0, False)
    assert (made.read(LATCH), made.detect) == (1, False)
    made.write(DETECTMODE, 1)
    assert made.detect  # of what was latched
    made.write(LATCH, 1)
    assert (made.read(LATCH), made.detect) == (0, False)
    made.hold(1, False)
    made.write(LATCH, 2)
    assert (made.read(LATCH), made.detect) == (2, True)  # it is still low


def test_the_nrf51_has_no_latch() -> None:
    made, _ = port()
    with pytest.raises(Refused, match="no register at 0x50000520"):
        made.read(LATCH)


def test_ports_of_the_chips() -> None:
    chip, _ = bare_chip("microbit2")
    chip.write(0x50000300 + OUTSET, 1 << 5)
    chip.write(0x50000300 + PIN_CNF + 20, OUTPUT)
    chip.write(0x50000000 + OUTSET, 1 << 31)
    assert (chip.ports[1].drives(5), chip.ports[0].drives(5)) == (True, None)
    assert (chip.read(0x50000300 + OUT), chip.read(0x50000000 + OUT)) == (1 << 5, 1 << 31)
    assert chip.port(37) == (chip.ports[1], 5)
    with pytest.raises(SimulatorError, match="no pin 42"):
        chip.port(42)
    with pytest.raises(SimulatorError, match="no pin 32"):
        bare_chip("microbit")[0].port(32)
    assert bare_chip("nano33ble")[0].port(47)[1] == 15
    with pytest.raises(SimulatorError, match="no pin 48"):
        bare_chip("nano33ble")[0].port(48)
    with pytest.raises(ValueError, match="GPIO P1 has pins 0 to 9, not 10"):
        chip.ports[1].hold(10, True)
