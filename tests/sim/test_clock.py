"""CLOCK: oscillators that take their time to start, and what the registers say of them."""

from __future__ import annotations

import pytest

from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.clock import Clock
from tests.sim.registers import CLOCK, INTENSET, Time, bare_chip, with_crystal, with_low_frequency_clock

HFCLKSTART, HFCLKSTOP, LFCLKSTART, LFCLKSTOP, CAL, CTSTART, CTSTOP = range(0x000, 0x01C, 4)
HFCLKSTARTED, LFCLKSTARTED, DONE, CTTO = 0x100, 0x104, 0x10C, 0x110
HFCLKRUN, HFCLKSTAT, LFCLKRUN, LFCLKSTAT, LFCLKSRCCOPY, LFCLKSRC, CTIV = 0x408, 0x40C, 0x414, 0x418, 0x41C, 0x518, 0x538
RC, XTAL, SYNTH = 0, 1, 2
RUNNING = 1 << 16


def clock(nrf52: bool = False) -> tuple[Clock, Time]:
    """On a board that has both crystals."""
    time = Time()
    return Clock(CLOCK, time, 64_000_000 if nrf52 else 16_000_000, nrf52, 0), time


@pytest.mark.parametrize("nrf52", [False, True])
def test_the_crystal_takes_a_while(nrf52: bool) -> None:
    made, time = clock(nrf52)
    ready = 400 * (64 if nrf52 else 16)
    assert (made.read(HFCLKSTAT), made.read(HFCLKRUN)) == (RUNNING, 0)  # from the RC oscillator
    made.write(INTENSET, 1)
    made.write(HFCLKSTART, 1)
    assert (made.next_event(), made.read(HFCLKRUN), made.crystal) == (ready, 1, False)
    time.now = ready - 1
    assert not made.interrupt()
    time.now = ready
    assert made.interrupt()
    assert (made.read(HFCLKSTARTED), made.read(HFCLKSTAT), made.crystal) == (1, RUNNING | 1, True)
    made.write(HFCLKSTARTED, 0)
    assert not made.interrupt()
    made.write(HFCLKSTART, 1)  # it runs already
    assert (made.read(HFCLKSTARTED), made.crystal) == (1, True)
    made.write(HFCLKSTOP, 1)
    assert (made.read(HFCLKSTAT), made.crystal) == (RUNNING, False)


def test_what_is_over_is_no_event_to_come() -> None:
    """Also if nobody has looked at it: a firmware that waits for something else waits on."""
    made, time = clock()
    made.write(HFCLKSTART, 1)
    time.now = 1_000_000
    assert made.next_event() is None


@pytest.mark.parametrize(
    ("nrf52", "source", "microseconds"),
    [(False, RC, 390), (False, XTAL, 300_000), (False, SYNTH, 100), (True, RC, 600), (True, XTAL, 250_000)],
)
def test_the_low_frequency_clock_takes_the_datasheets_time(nrf52: bool, source: int, microseconds: int) -> None:
    made, time = clock(nrf52)
    ready = microseconds * (64 if nrf52 else 16)
    made.write(LFCLKSRC, source)
    made.write(INTENSET, 2)
    made.write(LFCLKSTART, 1)
    assert (made.next_event(), made.read(LFCLKRUN), made.read(LFCLKSTAT)) == (ready, 1, source)
    time.now = ready
    assert made.interrupt()
    assert made.read(LFCLKSTARTED) == 1
    assert (made.read(LFCLKSTAT), made.read(LFCLKSRCCOPY)) == (RUNNING | source, source)
    with pytest.raises(Refused, match="LFCLKSRC must not change"):
        made.write(LFCLKSRC, RC)
    made.write(LFCLKSTOP, 1)
    assert (made.read(LFCLKRUN), made.read(LFCLKSTAT)) == (0, source)


def test_the_rc_oscillator_ticks_until_the_crystal_does() -> None:
    made, time = clock()
    made.write(LFCLKSRC, XTAL)
    made.write(LFCLKSTART, 1)
    time.now = 390 * 16 + 16_000_000 // 10
    assert made.lf_ticks() == 3_276
    assert made.read(LFCLKSTARTED) == 0


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_a_board_without_the_crystal_says_so(name: str) -> None:
    chip, _ = bare_chip(name)
    chip.write(CLOCK + LFCLKSRC, XTAL)
    with pytest.raises(Refused, match=r"no 32,768 Hz crystal.*take RC or Synth"):
        chip.write(CLOCK + LFCLKSTART, 1)


@pytest.mark.parametrize("ppm", [0, 40, -30_000])
def test_the_cores_crystal_makes_the_others_ticks_longer_or_shorter(ppm: int) -> None:
    chip, time = with_low_frequency_clock()
    before = chip.clock.lf_ticks()
    chip.clock.ppm = ppm
    time.now += 16_000_000 + 16 * ppm  # a second by a clock that is right
    assert chip.clock.lf_ticks() - before == pytest.approx(32_768, abs=1)


def test_a_change_of_the_cores_crystal_loses_no_tick() -> None:
    chip, time = with_low_frequency_clock()
    for ppm in (100, -100, 0):
        for _ in range(1000):
            time.now += 16
            chip.clock.ppm = ppm
    assert chip.clock.lf_ticks() == 48_000 * 32_768 // 16_000_000


def test_calibration_takes_its_time_and_both_oscillators() -> None:
    chip, time = with_crystal()
    with pytest.raises(Refused, match="TASKS_CAL needs the crystal and the low-frequency RC oscillator"):
        chip.write(CLOCK + CAL, 1)
    chip.write(CLOCK + LFCLKSTART, 1)
    time.now = chip.next_event() or 0
    chip.write(CLOCK + CAL, 1)
    time.now += 17_000 * 16 - 1
    assert chip.read(CLOCK + DONE) == 0
    time.now += 1
    assert chip.read(CLOCK + DONE) == 1


def test_the_calibration_timer_counts_quarters_of_a_second() -> None:
    made, time = clock()
    made.write(CTIV, 3)
    made.write(CTSTART, 1)
    assert made.next_event() == 12_000_000
    made.write(CTSTOP, 1)
    assert made.next_event() is None
    made.write(CTSTART, 1)
    time.now = 12_000_000
    assert made.read(CTTO) == 1


def test_what_a_reset_keeps() -> None:
    made, _ = clock()
    made.write(0x51C, 0xA5)
    made.write(0x578, 1)
    made.write(INTENSET, 1)
    made.reset("soft")
    assert (made.read(0x51C), made.read(0x578), made.read(INTENSET), made.read(0x524)) == (0xA5, 0, 0, 3)


def test_what_is_not_to_be_done_is_refused_by_name() -> None:
    made, _ = clock()
    with pytest.raises(Refused, match="HFCLKSTAT is read-only"):
        made.write(HFCLKSTAT, 0)
    with pytest.raises(Refused, match="SYSTEMOFF puts the chip to sleep"):
        made.write(0x500, 1)
    made.write(LFCLKSRC, 3)
    with pytest.raises(Refused, match="LFCLKSRC = 3 is no source"):
        made.write(LFCLKSTART, 1)
