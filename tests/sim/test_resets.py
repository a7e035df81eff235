"""What each kind of reset keeps: registers, RAM, counters, and bytes that the laptop has not read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from unicorn import arm_const

from firmware_sim import Board, open_board
from tests.sim.built import elf
from tests.sim.machine_code import CONFIG, HALT, WEN, bare_board, store

BOTH = pytest.mark.parametrize("name", ["microbit", "microbit2"])
RESETREAS, GPREGRET = 0x40000400, 0x4000051C
RESETPIN, SREQ = 1 << 0, 1 << 2


def power_cycle(board: Board) -> None:
    board.cut_power()
    board.boot()


def request(board: Board) -> None:
    """SYSRESETREQ."""
    board.chip.write(0xE000ED0C, 0x05FA0004)
    board.run(10)


RESETS: dict[str, tuple[Callable[[Board], None], int, int]] = {
    "power": (power_cycle, 0, 0),
    "brown-out": (Board.brown_out, 0, 0),
    "pin": (Board.reset, RESETPIN, 0),
    "break": (lambda board: board.break_line(0.1), RESETPIN, 0),
    "soft": (request, SREQ, 0xA5),
}


@BOTH
@pytest.mark.parametrize("kind", RESETS)
def test_the_reason_and_what_is_retained(name: str, kind: str) -> None:
    restart, reason, retained = RESETS[kind]
    board = open_board(name, elf(name, "interrupts.c"))
    board.run_until("main")
    board.chip.write(GPREGRET, 0xA5)
    restart(board)
    assert (board.chip.read(RESETREAS), board.chip.read(GPREGRET)) == (reason, retained)


def test_reasons_gather_until_they_are_cleared_by_ones() -> None:
    board = open_board("microbit", elf("microbit", "interrupts.c"))
    assert board.chip.read(RESETREAS) == 0
    board.reset()
    request(board)
    assert board.chip.read(RESETREAS) == RESETPIN | SREQ
    board.chip.write(RESETREAS, RESETPIN)
    assert board.chip.read(RESETREAS) == SREQ
    board.brown_out()
    assert board.chip.read(RESETREAS) == 0


@pytest.mark.parametrize("kind", ["brown-out", "pin", "soft"])
def test_what_the_laptop_has_not_read_outlasts_a_reset(kind: str) -> None:
    board = open_board("microbit", elf("microbit", "callable.c"))
    board.run_until("leaf")  # ready\n has left the UART
    RESETS[kind][0](board)
    assert board.take(100) == b"ready\n"
    assert board.run_until(b"ready\n") == b"ready\n"


def test_what_the_laptop_has_not_read_is_lost_with_the_power() -> None:
    board = open_board("microbit", elf("microbit", "callable.c"))
    board.run_until("leaf")
    power_cycle(board)
    assert board.waiting_bytes == 0


@pytest.mark.parametrize(("kind", "kept"), [("brown-out", True), ("pin", True), ("soft", True), ("power", False)])
def test_counts_are_since_power_up(kind: str, kept: bool) -> None:
    board = open_board("microbit", elf("microbit", "callable.c"))
    board.run_until("leaf")
    board.chip.nvmc.config = 1
    board.chip.nvmc.store(0x20000, 4, 0)
    before = (1, 6, board.cycles, board.instructions)
    RESETS[kind][0](board)
    after = (board.chip.nvmc.operations, board.uart.bytes_sent)
    assert after == (before[:2] if kept else (0, 0))
    assert (board.cycles >= before[2]) is kept
    assert (board.instructions >= before[3]) is kept


def test_a_power_cut_is_counted_from_power_up_on() -> None:
    board = bare_board(store(CONFIG, WEN), store(0x20000, 1), HALT)
    board.run(2_000)
    board.cut_power_at_flash_operation(2)
    board.reset()
    with pytest.raises(Exception, match="no power"):
        board.run(2_000)
    assert board.damage[-1].endswith("power cut at flash operation 2, of which was done: nothing")


def test_without_checks_the_stack_is_measured_since_ram_was_new() -> None:
    board = open_board("microbit", elf("microbit", "callable.c"), checks=False)
    checked = open_board("microbit", elf("microbit", "callable.c"))
    for one in (board, checked):
        one.run_until("leaf")
        one.run(1_000)
    deepest = board.stack_high_water
    assert checked.stack_high_water - 8 <= deepest <= checked.stack_high_water > 0
    board.reset()
    assert board.stack_high_water == deepest  # RAM is as it was
    board.brown_out()
    assert board.stack_high_water == 0
    state = board.snapshot()
    board.run_until("leaf")
    board.boot()
    board.restore(state)
    assert board.stack_high_water == 0


@pytest.mark.parametrize("number", [14, 2])
def test_the_return_from_any_exception_but_nmi_clears_faultmask(number: int) -> None:
    board = open_board("microbit2", elf("microbit2", "interrupts.c"))
    board.run_until("main")
    board.write_memory(4 * number, (board.symbol("pendsv_handler") | 1).to_bytes(4, "little"))
    board.cpu.exceptions.pending.add(number)  # type: ignore[attr-defined]
    board.run_until("pendsv_handler")
    core = board.cpu
    core.engine.reg_write(arm_const.UC_ARM_REG_FAULTMASK, 1)  # type: ignore[attr-defined]
    board.run(1_000)
    assert np.array_equal(core.exceptions.active, [])  # type: ignore[attr-defined]
    assert core.engine.reg_read(arm_const.UC_ARM_REG_FAULTMASK) == (number == 2)  # type: ignore[attr-defined]
