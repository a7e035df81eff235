"""TIMER as the firmware uses it: a counter that is started, captured, cleared and stopped."""

from __future__ import annotations

import pytest

from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.timer import Timer

START, STOP, COUNT, CLEAR, CAPTURE, MODE, BITMODE, PRESCALER, CC = (
    *(0x000, 0x004, 0x008, 0x00C, 0x040),
    *(0x504, 0x508, 0x510, 0x540),
)


class Time:
    now = 0

    def skip_to(self, cycles: int) -> None:
        self.now = cycles

    def wake_at(self, cycles: int) -> None: ...

    def polled(self) -> None: ...

    def changed(self) -> None: ...


def timer(clock_hz: int = 16_000_000, bits: int = 3, prescaler: int = 0) -> tuple[Timer, Time]:
    time = Time()
    made = Timer("TIMER0", 0x40008000, time, clock_hz)
    made.write(BITMODE, bits)
    made.write(PRESCALER, prescaler)
    return made, time


def captured(made: Timer, channel: int = 0) -> int:
    made.write(CAPTURE + 4 * channel, 1)
    return made.read(CC + 4 * channel)


@pytest.mark.parametrize(
    ("clock_hz", "prescaler", "ticks"), [(16_000_000, 0, 1000), (64_000_000, 0, 250), (16_000_000, 4, 62)]
)
def test_it_counts_from_its_start_on(clock_hz: int, prescaler: int, ticks: int) -> None:
    made, time = timer(clock_hz, prescaler=prescaler)
    time.now = 500
    assert captured(made) == 0
    made.write(START, 1)
    time.now += 1000
    assert captured(made, 2) == ticks
    assert made.read(CC) == 0
    made.write(START, 1)  # it runs already
    made.write(STOP, 1)
    time.now += 1000
    assert captured(made) == ticks
    made.write(START, 1)
    time.now += 1000
    assert captured(made) == 2 * ticks
    made.write(CLEAR, 1)
    assert captured(made) == 0


@pytest.mark.parametrize(("bits", "modulus"), [(0, 1 << 16), (1, 1 << 8), (2, 1 << 24), (3, 1 << 32)])
def test_it_wraps(bits: int, modulus: int) -> None:
    made, time = timer(bits=bits)
    made.write(START, 1)
    time.now = modulus + 5
    assert captured(made) == 5


def test_what_is_not_simulated_is_refused_by_name() -> None:
    made, _ = timer()
    for offset, value, name in (
        (COUNT, 1, "TASKS_COUNT"),
        (MODE, 1, "MODE"),
        (BITMODE, 4, "BITMODE"),
        (0x304, 1, "no register"),
    ):
        with pytest.raises(Refused, match=name):
            made.write(offset, value)
    made.write(START, 1)
    with pytest.raises(Refused, match="BITMODE must not change"):
        made.write(BITMODE, 1)
