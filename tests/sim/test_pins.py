"""Pins and LEDs as a test waits for them: at the instruction that changes them, without being asked in between."""

from __future__ import annotations

from itertools import pairwise

import pytest

from firmware_sim import Board, SimulatorError
from tests.sim.machine_code import HALT, bare_board, store

OUTSET, OUTCLR, DIRSET = 0x50000508, 0x5000050C, 0x50000518
DELAY = b"\xff\x23\x01\x3b\xfd\xd1"  # movs r3, #255; 1: subs r3, #1; bne 1b
ROW, COLUMN = 13, 4  # the LED in the corner is lit by a high row and a low column


def blinking() -> Board:
    lights = [store(OUTSET, 1 << ROW), DELAY, store(OUTCLR, 1 << ROW), DELAY]
    return bare_board(store(DIRSET, 1 << ROW | 1 << COLUMN), DELAY, *lights, *lights, HALT)


def lit(board: Board) -> bool:
    return board.leds[0][0]


def test_it_stops_behind_the_instruction_that_lights_an_led() -> None:
    board, step_by_step = blinking(), blinking()
    for state in (True, False, True):
        board.run_until_pins(lambda b, state=state: lit(b) is state)  # type: ignore[misc]
        while lit(step_by_step) is not state:
            step_by_step.run(1)
        assert (board.cpu.pc, board.instructions) == (step_by_step.cpu.pc, step_by_step.instructions)


def test_it_is_asked_at_once_and_when_a_pin_has_changed() -> None:
    board, asked = blinking(), 0

    def never(_: Board) -> bool:
        nonlocal asked
        asked += 1
        return False

    with pytest.raises(
        SimulatorError, match=r"what was asked of the pins was not there within 0\.001 simulated seconds"
    ):
        board.run_until_pins(never, timeout=0.001)
    assert asked == 1 + 5
    assert board.seconds == pytest.approx(0.001, abs=1e-6)
    board.run_until_pins(lambda b: not lit(b))  # is so already
    assert board.seconds == pytest.approx(0.001, abs=1e-6)


def test_it_stops_at_any_change_and_then_no_more() -> None:
    board = blinking()
    board.run_until_pins()
    assert board.pin(ROW) is False  # driven now
    board.run_until_pins()
    assert board.pin(ROW) is True
    board.run(10_000)
    assert board.cycles > 10_000
    with pytest.raises(SimulatorError, match="a change of a pin was not there"):
        board.run_until_pins(timeout=0.01)


def test_edges_are_recorded_with_their_cycles() -> None:
    board = blinking()
    with board.record_pin(ROW) as edges, board.record_pin(COLUMN) as others, board.record_pin(7) as nothing:
        board.run(10_000)
        board.reset()
    assert [edge.level for edge in edges] == [None, False, True, False, True, False, None]
    assert [edge.level for edge in others] == [None, False, None]
    assert [edge.level for edge in nothing] == [None]
    times = [edge.cycle for edge in edges]
    assert len({after - before for before, after in pairwise(times[2:6])}) == 1
    again = blinking()
    for time in times[1:-1]:
        again.run_until_pins()
        assert again.cycles - time in range(4)
    board.run(10_000)
    assert len(edges) == 7
