"""What the blinking firmware does on a simulated micro:bit. Times are those of the chip, not of this computer."""

import pytest

from firmware_sim import Board

pytestmark = pytest.mark.board("microbit")

ON, OFF = b"on\n", b"off\n"
SECOND = 16_000_000  # in cycles


def lit(board: Board) -> list[tuple[int, int]]:
    """Row and column of each LED that is lit now."""
    return [(row, column) for row in range(5) for column in range(5) if board.leds[row][column]]


def period(board: Board) -> float:
    """Seconds from the next "on" to the one after it, with a look at the LED at each word."""
    assert board.run_until(ON).endswith(ON)
    assert lit(board) == [(0, 0)]
    start = board.seconds
    assert board.run_until(OFF) == OFF
    assert lit(board) == []
    assert board.run_until(ON) == ON
    assert lit(board) == [(0, 0)]
    return board.seconds - start


def test_it_blinks_twice_a_second(board: Board) -> None:
    assert period(board) == pytest.approx(0.5, abs=20e-6)


def test_button_a_doubles_the_rate_while_it_is_held(board: Board) -> None:
    board.press("A")
    assert period(board) == pytest.approx(0.25, abs=20e-6)
    board.release("A")
    board.run_until(OFF)  # the button is looked at when the LED changes
    assert period(board) == pytest.approx(0.5, abs=20e-6)


def test_it_sleeps_nearly_all_the_time(board: Board) -> None:
    board.run_until(ON)
    instructions, cycles = board.instructions, board.cycles
    board.run(SECOND)
    assert board.instructions - instructions < (board.cycles - cycles) / 10_000


def test_it_starts_over_after_a_reset(board: Board) -> None:
    board.press("A")
    board.run_until(ON)
    board.release("A")
    board.reset()
    start = board.seconds
    assert lit(board) == []
    assert board.run_until(ON) == ON
    assert board.seconds - start == pytest.approx(0.25, abs=0.002)


def test_the_stack_stays_small(board: Board) -> None:
    board.press("A")
    board.run(2 * SECOND)
    assert 0 < board.stack_high_water <= 96


def test_the_timer_handler_is_short(board: Board) -> None:
    board.run_until(ON)
    with board.profile_functions() as costs:
        board.run(SECOND)
    handler = next(cost for cost in costs if cost.function == "timer0_handler")
    assert handler.calls == 4
    assert handler.cycles / handler.calls < 60


def test_a_snapshot_goes_back_to_before_the_press(board: Board) -> None:
    board.run_until(ON)
    before = board.snapshot()
    board.press("A")
    board.run_until(OFF)
    assert period(board) == pytest.approx(0.25, abs=20e-6)
    board.restore(before)
    assert lit(board) == [(0, 0)]
    assert period(board) == pytest.approx(0.5, abs=20e-6)
