"""TIMER: a counter that is started, captured, cleared and stopped; its compare events, shortcuts and counter mode."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import FirmwareFault
from firmware_sim.chips import Chip
from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.timer import Timer
from tests.sim.machine_code import BREAKPOINT, bare_board, store, wait
from tests.sim.registers import INTENCLR, INTENSET, TIMER0, Time, bare_chip

START, STOP, COUNT, CLEAR, CAPTURE, MODE, BITMODE, PRESCALER, CC = (
    *(0x000, 0x004, 0x008, 0x00C, 0x040),
    *(0x504, 0x508, 0x510, 0x540),
)
COMPARE, SHORTS = 0x140, 0x200


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


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (COUNT, 1, "TASKS_COUNT does nothing in timer mode"),
        (MODE, 2, "MODE = 2 is no mode of this timer"),
        (BITMODE, 4, "BITMODE = 4 is not there"),
        (PRESCALER, 10, "PRESCALER = 10 is more than 9"),
        (0x300, 1, "no register at 0x40008300"),
    ],
)
def test_what_the_manual_has_not_is_refused_by_name(offset: int, value: int, message: str) -> None:
    made, _ = timer()
    with pytest.raises(Refused, match=message):
        made.write(offset, value)


def test_it_must_not_be_changed_while_it_runs() -> None:
    made, _ = timer()
    made.write(START, 1)
    made.write(BITMODE, 3)  # as it is
    for offset, name in ((BITMODE, "BITMODE"), (PRESCALER, "PRESCALER"), (MODE, "MODE")):
        with pytest.raises(Refused, match=f"{name} must not change"):
            made.write(offset, 1)


@pytest.mark.parametrize(
    ("name", "narrow", "channels"), [("microbit", [1, 2], [4] * 3), ("microbit2", [], [4, 4, 4, 6, 6])]
)
def test_a_chips_timers_are_as_wide_as_the_manual_says(name: str, narrow: list[int], channels: list[int]) -> None:
    chip, _ = bare_chip(name)
    assert [sum(made.base + CC + 4 * n in Names(chip) for n in range(8)) for made in chip.timers] == channels
    for n, made in enumerate(chip.timers):
        made.write(BITMODE, 0)
        if n in narrow:
            with pytest.raises(Refused, match="this timer has 16 bits at most"):
                made.write(BITMODE, 3)
        else:
            made.write(BITMODE, 3)


class Names:
    """The addresses at which a chip has a register."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip

    def __contains__(self, address: int) -> bool:
        try:
            self.chip.read(address)
        except Refused:
            return False
        return True


@pytest.mark.parametrize(
    ("clock_hz", "prescaler", "each"), [(16_000_000, 0, 1), (16_000_000, 4, 16), (64_000_000, 2, 16)]
)
def test_a_compare_event_comes_at_its_cycle(clock_hz: int, prescaler: int, each: int) -> None:
    made, time = timer(clock_hz, prescaler=prescaler)
    made.write(CC, 1000)
    made.write(INTENSET, 1 << 16)
    time.now = 100
    cycle = 100 + 1000 * each
    made.write(START, 1)
    assert made.next_event() == cycle
    time.now = cycle - 1
    assert not made.interrupt()
    time.now = cycle
    assert made.interrupt()
    assert made.read(COMPARE) == 1
    assert made.next_event() is None  # until it is cleared, nothing comes that is not there
    made.write(COMPARE, 0)
    assert not made.interrupt()
    assert made.next_event() == cycle + (each << 32)


def test_an_event_that_nobody_asks_for_is_no_event() -> None:
    """So that a board whose timer runs free can wait for its laptop for good."""
    made, time = timer()
    made.write(CC, 1000)
    made.write(START, 1)
    made.write(INTENSET, 1 << 16)
    assert made.next_event() == 1000
    made.write(INTENCLR, 1 << 16)
    assert (made.read(INTENSET), made.next_event()) == (0, None)
    time.now = 1000
    assert not made.interrupt()
    assert made.read(COMPARE) == 1


def test_an_event_that_only_a_loop_waits_for_is_found_too() -> None:
    made, time = timer()
    made.write(CC + 4, 500)
    made.write(START, 1)
    assert made.next_event() is None  # nobody asks
    assert made.read(COMPARE + 4) == 0
    assert (time.polls, made.next_event()) == (1, 500)
    time.jump_to = 500
    assert made.read(COMPARE + 4) == 1


def test_a_shortcut_clears_or_stops() -> None:
    made, time = timer()
    made.write(CC, 100)
    made.write(SHORTS, 1)
    made.write(INTENSET, 1 << 16)
    made.write(START, 1)
    for period in range(1, 4):
        time.now = 100 * period
        assert made.interrupt()
        made.write(COMPARE, 0)
        assert (made.count, made.next_event()) == (0, 100 * (period + 1))
    time.now = 100 * 1_000_000 + 7
    assert (made.count, made.read(COMPARE)) == (7, 1)
    made.write(COMPARE, 0)
    made.write(CC + 4, 50)
    made.write(SHORTS, 1 | 2 << 8)
    assert made.next_event() is None  # it stops in front of CC[0]
    time.now += 1000
    assert (made.count, made.read(COMPARE), made.read(COMPARE + 4)) == (50, 0, 1)


def test_counter_mode_counts_what_the_task_says() -> None:
    made, time = timer(bits=1)
    made.write(MODE, 1)
    made.write(CC, 3)
    made.write(SHORTS, 1)
    made.write(COUNT, 1)
    assert made.count == 0  # it was not started
    made.write(START, 1)
    seen = []
    for _ in range(4):
        time.now += 1000
        made.write(COUNT, 1)
        seen.append((captured(made, 3), made.read(COMPARE)))
    assert seen == [(1, 0), (2, 0), (0, 1), (1, 1)]


def test_a_loop_that_waits_for_the_event_costs_no_instructions() -> None:
    """On a whole board: a second until the compare event, in a few looks at it."""
    steps = [store(TIMER0 + BITMODE, 3), store(TIMER0 + PRESCALER, 0), store(TIMER0 + CC, 16_000_000)]
    board = bare_board(*steps, store(TIMER0 + START, 1), wait(TIMER0 + COMPARE), BREAKPOINT)
    with pytest.raises(FirmwareFault, match="BKPT"):
        board.run(17_000_000)
    assert 16_000_000 < board.cycles < 16_000_100
    assert board.instructions < 50


class Plain:
    """A timer that ticks one by one."""

    def __init__(self, bits: int, cc: list[int], shorts: int) -> None:
        self.modulus, self.cc, self.shorts = 1 << bits, cc, shorts
        self.count, self.running, self.events = 0, False, [0] * 4

    def tick(self) -> None:
        if self.running:
            self.count = (self.count + 1) % self.modulus
            hit = [value % self.modulus == self.count for value in self.cc]
            for n in range(4):
                self.events[n] |= hit[n]
            if any(hit[n] and self.shorts >> n & 1 for n in range(4)):
                self.count = 0
            if any(hit[n] and self.shorts >> 8 + n & 1 for n in range(4)):
                self.running = False


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 1500)),
        st.tuples(st.sampled_from(["start", "stop", "clear"]), st.just(0)),
        st.tuples(st.sampled_from(["event", "capture"]), st.integers(0, 3)),
        st.tuples(st.just("cc"), st.tuples(st.integers(0, 3), st.integers(0, 300))),
    ),
    max_size=20,
)


@given(st.integers(0, 1), st.lists(st.integers(0, 300), min_size=4, max_size=4), st.integers(0, 0xF), STEPS, st.data())
def test_it_does_what_one_does_that_ticks_one_by_one(
    wide: int, cc: list[int], clears: int, steps: list[tuple[str, Any]], data: st.DataObject
) -> None:
    """Also between two accesses that lie far apart, and in what it says of the next event."""
    shorts = clears | data.draw(st.integers(0, 0xF), "stops") << 8
    made, time = timer(bits=1 - wide)
    made.write(SHORTS, shorts)
    made.write(INTENSET, 0xF0000)
    plain = Plain(16 if wide else 8, list(cc), shorts)
    for n, value in enumerate(cc):
        made.write(CC + 4 * n, value)
    made.write(START, 1)
    plain.running = True
    for step, argument in [*steps, ("wait", 1000)]:
        if step == "wait":
            promised, came = made.next_event(), None
            for cycle in range(time.now + 1, time.now + argument + 1):
                before = list(plain.events)
                plain.tick()
                came = cycle if came is None and plain.events != before else came
            assert came == (promised if promised is not None and promised <= time.now + argument else None)
            time.now += argument
        elif step in ("start", "stop", "clear"):
            made.write({"start": START, "stop": STOP, "clear": CLEAR}[step], 1)
            plain.running = step == "start" or (step == "clear" and plain.running)
            plain.count = 0 if step == "clear" else plain.count
        elif step == "event":
            made.write(COMPARE + 4 * argument, 0)
            plain.events[argument] = 0
        elif step == "capture":
            assert captured(made, argument) == plain.count
            plain.cc[argument] = plain.count
        else:
            made.write(CC + 4 * argument[0], argument[1])
            plain.cc[argument[0]] = argument[1]
        assert made.count == plain.count
        assert [made.events[COMPARE + 4 * n] for n in range(4)] == plain.events
        assert made.interrupt() == any(plain.events)
