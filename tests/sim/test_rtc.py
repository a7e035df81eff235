"""RTC: 24 bits on the low-frequency clock, with the events that are asked for and the compare that comes too late."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import FirmwareFault
from firmware_sim.chips import Chip
from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.rtc import Rtc
from tests.sim.machine_code import BREAKPOINT, bare_board, store, wait
from tests.sim.registers import CLOCK, INTENSET, RTC0, Time, bare_chip, with_low_frequency_clock

START, STOP, CLEAR, TRIGOVRFLW, TICK, OVRFLW, COMPARE = 0x000, 0x004, 0x008, 0x00C, 0x100, 0x104, 0x140
EVTENSET, EVTENCLR, COUNTER, PRESCALER, CC = 0x344, 0x348, 0x504, 0x508, 0x540
LFCLKSTOP = CLOCK + 0x00C


def rtc(prescaler: int = 0) -> tuple[Rtc, Chip, Time]:
    """RTC0, not started, on a clock that runs."""
    chip, time = with_low_frequency_clock()
    chip.rtcs[0].write(PRESCALER, prescaler)
    return chip.rtcs[0], chip, time


def pass_ticks(chip: Chip, time: Time, ticks: int) -> None:
    """Let the low-frequency clock tick so often, to the cycle."""
    time.now = chip.clock.lf_cycle(chip.clock.lf_ticks() + ticks)


def test_without_the_low_frequency_clock_it_would_stand_still() -> None:
    chip, _ = bare_chip()
    with pytest.raises(Refused, match=r"RTC0.TASKS_START without the low-frequency clock.*LFCLKSTART first"):
        chip.write(0x4000B000, 1)


def test_it_counts_32768_times_a_second() -> None:
    made, _, time = rtc()
    made.write(START, 1)
    time.now += 16_000_000
    assert made.read(COUNTER) == 32_768
    made.write(STOP, 1)
    time.now += 16_000_000
    assert made.read(COUNTER) == 32_768
    made.write(CLEAR, 1)
    assert made.read(COUNTER) == 0


@pytest.mark.parametrize("prescaler", [0, 1, 32, 4095])
def test_the_prescaler_divides(prescaler: int) -> None:
    made, chip, time = rtc(prescaler)
    made.write(START, 1)
    pass_ticks(chip, time, 5 * (prescaler + 1) - 1)
    assert made.read(COUNTER) == 4
    pass_ticks(chip, time, 1)
    assert made.read(COUNTER) == 5
    with pytest.raises(Refused, match="PRESCALER must not change"):
        made.write(PRESCALER, 7)


def test_a_stopped_clock_stops_it() -> None:
    made, chip, time = rtc()
    made.write(INTENSET, 1)
    made.write(START, 1)
    pass_ticks(chip, time, 10)
    chip.write(LFCLKSTOP, 1)
    assert made.next_event() is None
    time.now += 1_000_000
    assert made.read(COUNTER) == 10


def test_only_events_that_are_asked_for_come() -> None:
    made, chip, time = rtc()
    made.write(CC, 3)
    made.write(CC + 4, 3)
    made.write(EVTENSET, 1 << 16)
    made.write(START, 1)
    pass_ticks(chip, time, 5)
    assert [made.read(event) for event in (TICK, OVRFLW, COMPARE, COMPARE + 4)] == [0, 0, 1, 0]
    assert not made.interrupt()  # routed, which is no interrupt
    made.write(EVTENCLR, 1 << 16)
    assert made.read(EVTENSET) == 0


def test_a_tick_interrupts_at_its_cycle() -> None:
    made, _, time = rtc()
    made.write(INTENSET, 1)
    made.write(START, 1)
    cycles = []
    for _ in range(3):
        time.now = made.next_event() or 0
        assert made.interrupt()
        made.write(TICK, 0)
        assert not made.interrupt()
        cycles.append(time.now)
    assert {later - earlier for earlier, later in pairwise(cycles)} <= {488, 489}  # 488.28


def test_it_overflows_after_24_bits() -> None:
    made, chip, time = rtc()
    made.write(INTENSET, 2)
    made.write(START, 1)
    made.write(TRIGOVRFLW, 1)
    assert made.read(COUNTER) == 0xFFFFF0
    pass_ticks(chip, time, 15)
    assert not made.interrupt()
    assert made.next_event() == chip.clock.lf_cycle(chip.clock.lf_ticks() + 1)
    pass_ticks(chip, time, 1)
    assert made.interrupt()
    assert made.read(COUNTER) == 0


@pytest.mark.parametrize(("ahead", "comes"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_compare_that_is_set_too_late_is_missed(ahead: int, comes: bool) -> None:
    made, chip, time = rtc()
    made.write(INTENSET, 1 << 16)
    made.write(START, 1)
    pass_ticks(chip, time, 10)
    made.write(CC, 10 + ahead)
    pass_ticks(chip, time, ahead + 1)
    assert made.interrupt() is comes


def test_a_compare_that_was_set_in_time_is_not_missed_at_the_last_look() -> None:
    made, chip, time = rtc()
    made.write(INTENSET, 1 << 16)
    made.write(START, 1)
    made.write(CC, 5)
    pass_ticks(chip, time, 4)
    assert made.count == 4
    pass_ticks(chip, time, 1)
    assert made.interrupt()


def test_a_loop_that_waits_for_the_counter_lets_time_jump() -> None:
    made, chip, time = rtc(9)
    made.write(START, 1)
    assert (made.read(COUNTER), time.polls) == (0, 0)
    assert made.next_event() == chip.clock.lf_cycle(chip.clock.lf_ticks() + 10)
    time.jump_to = made.next_event()
    assert (made.read(COUNTER), time.polls) == (1, 1)


def test_waiting_for_the_counter_costs_few_instructions() -> None:
    """On a whole board: 16 ms, in three looks at each of the counter's values."""
    steps = [store(CLOCK + 0x008, 1), wait(CLOCK + 0x104), store(RTC0 + PRESCALER, 511), store(RTC0 + START, 1)]
    board = bare_board(*steps, wait(RTC0 + COUNTER), BREAKPOINT)
    with pytest.raises(FirmwareFault, match="BKPT"):
        board.run(16_000_000)
    assert board.cycles == pytest.approx(16 * 390 + 16_000_000 * 512 / 32_768, abs=600)
    assert board.instructions < 60


@pytest.mark.parametrize(("name", "count", "channels"), [("microbit", 2, [3, 4]), ("microbit2", 3, [3, 4, 4])])
def test_a_chip_has_what_the_manual_says(name: str, count: int, channels: list[int]) -> None:
    chip, _ = bare_chip(name)
    assert len(chip.rtcs) == count
    for made, number in zip(chip.rtcs, channels, strict=True):
        made.read(CC + 4 * (number - 1))
        with pytest.raises(Refused, match="has no register"):
            made.read(CC + 4 * number)


class Plain:
    """An RTC that ticks one by one."""

    def __init__(self, prescaler: int, cc: list[int]) -> None:
        self.divider, self.cc = prescaler + 1, cc
        self.count = self.phase = 0
        self.late: set[int] = set()
        self.events = {TICK: 0, OVRFLW: 0, **{COMPARE + 4 * n: 0 for n in range(3)}}

    def tick(self) -> None:
        self.phase += 1
        if self.phase < self.divider:
            return
        self.phase = 0
        self.count = (self.count + 1) % (1 << 24)
        self.events[TICK] = 1
        self.events[OVRFLW] |= self.count == 0
        for n, value in enumerate(self.cc):
            self.events[COMPARE + 4 * n] |= value == self.count and n not in self.late
        self.late.clear()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 40)),
        st.tuples(st.sampled_from(["clear", "overflow"]), st.just(0)),
        st.tuples(st.just("event"), st.sampled_from([TICK, OVRFLW, COMPARE, COMPARE + 4, COMPARE + 8])),
        st.tuples(st.just("cc"), st.tuples(st.integers(0, 2), st.integers(0, 12) | st.integers(0xFFFFF0, 0xFFFFFF))),
    ),
    max_size=20,
)


@given(st.integers(0, 3), STEPS)
def test_it_does_what_one_does_that_ticks_one_by_one(prescaler: int, steps: list[tuple[str, Any]]) -> None:
    made, chip, time = rtc(prescaler)
    plain = Plain(prescaler, [0, 0, 0])
    made.write(INTENSET, 0x70003)
    made.write(START, 1)
    for step, argument in [*steps, ("wait", 40)]:
        if step == "wait":
            promised, came = made.next_event(), None
            for n in range(1, argument + 1):
                before = dict(plain.events)
                plain.tick()
                if came is None and plain.events != before:
                    came = chip.clock.lf_cycle(chip.clock.lf_ticks() + n)
            pass_ticks(chip, time, argument)
            assert came == (promised if promised is not None and promised <= time.now else None)
        elif step in ("clear", "overflow"):
            made.write(CLEAR if step == "clear" else TRIGOVRFLW, 1)
            plain.count, plain.phase = 0 if step == "clear" else 0xFFFFF0, 0
            plain.late.clear()
        elif step == "event":
            made.write(argument, 0)
            plain.events[argument] = 0
        else:
            made.write(CC + 4 * argument[0], argument[1])
            plain.cc[argument[0]] = argument[1]
            plain.late.add(argument[0])
        assert made.count == plain.count
        assert made.events == plain.events
        assert made.interrupt() == any(plain.events.values())
