"""What a test does with a board of its own firmware: run until, call, look where time went, go back."""

from __future__ import annotations

import pytest

from firmware_sim import Board, SimulatorError, open_board
from firmware_sim.cpu.cortex_m import _learned
from tests.sim.built import elf

BOTH = pytest.mark.parametrize("name", ["microbit", "microbit2"])


def opened(name: str, checks: bool = True) -> Board:
    return open_board(name, elf(name, "callable.c"), checks=checks)


def rounds(board: Board) -> int:
    return int.from_bytes(board.read_memory(board.symbol("rounds"), 4), "little")


@BOTH
def test_it_runs_until_bytes_come_and_gives_what_came_before_them(name: str) -> None:
    board = opened(name)
    assert board.run_until(b"dy\n") == b"ready\n"
    assert board.run_until(b"tick\ntick\n") == b"tick\ntick\n"
    assert rounds(board) in (2, 3)


@BOTH
def test_it_runs_until_a_function_again_and_again(name: str) -> None:
    board = opened(name)
    for n in range(3):
        board.run_until("leaf")
        assert board.cpu.pc == board.symbol("leaf")
        assert rounds(board) == n
    assert board.backtrace()[1].startswith("main (callable.c:")


def test_it_runs_until_a_cycle_or_a_condition() -> None:
    board = opened("microbit")
    board.run_until(1_000)
    assert 1_000 <= board.cycles < 1_010
    board.run_until(lambda b: rounds(b) == 4)
    assert rounds(board) == 4


@pytest.mark.parametrize(
    "what", [b"never", "forever", 1 << 40, lambda board: False], ids=["bytes", "name", "cycle", "if"]
)
def test_what_does_not_come_in_time_is_told_with_where_it_is(what: object) -> None:
    board = opened("microbit")
    with pytest.raises(
        SimulatorError, match=r"was not there within 0.01 simulated seconds; it is at pc 0x.* in \w+ \("
    ):
        board.run_until(what, timeout=0.01)  # type: ignore[arg-type]
    assert board.seconds == pytest.approx(0.01, abs=1e-4)


@BOTH
def test_the_profile_adds_up(name: str) -> None:
    board = opened(name)
    board.run_until(b"ready\n")
    board.run_until("leaf")
    before, cycles = board.instructions, board.cycles
    with board.profile_functions() as rows:
        board.run_until(lambda b: rounds(b) == 3)
    by_name = {row.function: row for row in rows}
    assert by_name["leaf"].calls == 3
    assert sum(row.instructions for row in rows) == board.instructions - before
    assert sum(row.cycles for row in rows) <= board.cycles - cycles
    assert rows == sorted(rows, key=lambda row: (-row.cycles, row.function))
    with board.measure("leaf") as cost:
        board.run_until(lambda b: rounds(b) == 6)
    assert (cost.calls, cost.instructions) == (3, by_name["leaf"].instructions)


def test_without_checks_there_is_no_profile_but_the_same_counts() -> None:
    checked, fast = opened("microbit"), opened("microbit", checks=False)
    for board in (checked, fast):
        board.run_until(b"tick\n")
    assert (checked.cycles, checked.instructions) == (fast.cycles, fast.instructions)
    with pytest.raises(SimulatorError, match="checks=True"), fast.profile_functions():
        pass


@BOTH
def test_a_board_goes_back_and_does_the_same_again(name: str) -> None:
    board = opened(name)
    board.run_until(b"ready\n")
    state = board.snapshot()
    ends = []
    for _ in range(3):
        board.restore(state)
        board.run(board.profile.clock_hz // 500)
        ends.append((board.cycles, board.instructions, rounds(board), board.registers(), board.backtrace()))
    assert ends[0] == ends[1] == ends[2]


def cost_of_add(board: Board) -> tuple[int, int]:
    board.run_until("main")
    with board.measure("add") as cost:
        assert board.call("add", 1, 2) == 3
    return cost.instructions, cost.cycles


def test_a_board_whose_code_was_changed_does_not_change_others() -> None:
    _learned.cache_clear()
    other = opened("microbit")
    other.write_memory(other.symbol("add"), b"\x70\x47\x00\xbf")  # bx lr; nop, before the core was ever there
    other.run_until("main")
    other.call("add", 1, 2)
    beside = cost_of_add(opened("microbit"))
    _learned.cache_clear()
    assert beside == cost_of_add(opened("microbit"))


def test_a_snapshot_can_be_restored_on_another_board() -> None:
    first, second = opened("microbit"), opened("microbit")
    first.run_until(b"ready\n")
    second.restore(first.snapshot())
    for board in (first, second):
        board.run(20_000)
    assert (first.cycles, first.registers(), rounds(first)) == (second.cycles, second.registers(), rounds(second))


def test_erased_code_is_not_executed() -> None:
    board = opened("microbit")
    board.run_until("main")
    assert board.call("add", 1, 2) == 3
    board.chip.nvmc.write(0x504, 2)
    board.chip.nvmc.write(0x508, board.symbol("add") & ~0x3FF)
    with pytest.raises(SimulatorError, match="an undefined instruction"):
        board.call("add", 1, 2)


def test_going_back_brings_old_code_back_too() -> None:
    board = opened("microbit")
    board.run_until("main")
    assert board.call("add", 2, 3) == 5
    state = board.snapshot()
    board.write_memory(board.symbol("add"), b"\x40\x1a\x70\x47")  # subs r0, r0, r1; bx lr
    assert board.call("add", 7, 3) == 4
    board.restore(state)
    assert board.call("add", 7, 3) == 10
