"""Functions that start-up copied to RAM run as those in flash do, and go on while flash is written."""

from __future__ import annotations

import pytest

from firmware_sim import Board, FirmwareFault, PowerCutError, open_board
from firmware_sim.peripherals.nvmc import Outcome
from tests.sim.built import elf, line_of
from tests.sim.machine_code import bare_board, word

BOTH = ("microbit", "microbit2")
SOURCE = "ram_code.c"
PAGE = 0x20000
WRITE_CYCLES = {"microbit": 46 * 16, "microbit2": 41 * 64}
ERASE_CYCLES = {"microbit": 22_300 * 16, "microbit2": 85_000 * 64}


def booted(name: str, checks: bool = True) -> Board:
    board = open_board(name, elf(name, SOURCE), checks=checks)
    board.run_until("main")
    return board


def cost(board: Board, function: str, *arguments: int) -> tuple[int, int, int]:
    """What it returns, instructions, cycles."""
    with board.measure(function) as measured:
        value = board.call(function, *arguments)
    assert measured.calls == 1
    return value, measured.instructions, measured.cycles


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("name", BOTH)
def test_code_in_ram_counts_as_the_same_code_in_flash(name: str, checks: bool) -> None:
    board = booted(name, checks)
    in_ram, in_flash = (cost(board, function, 1_000) for function in ("sum_in_ram", "sum_in_flash"))
    assert in_ram == in_flash
    assert in_ram[0] == 250_000 + 2_500
    assert board.symbol("sum_in_ram") >= board.profile.ram_start


@pytest.mark.parametrize("name", BOTH)
def test_the_profile_names_functions_in_ram(name: str) -> None:
    board = booted(name)
    with board.profile_functions() as rows:
        board.call("sum_in_ram", 100)
        board.call("sum_in_flash", 100)
    found = {row.function: (row.calls, row.instructions, row.cycles) for row in rows}
    assert found["sum_in_ram"] == found["sum_in_flash"]
    assert found["sum_in_ram"][0] == 1


@pytest.mark.parametrize("name", BOTH)
def test_a_stop_in_ram_has_function_and_line_and_runs_end_in_front_of_it(name: str) -> None:
    board = booted(name)
    with pytest.raises(FirmwareFault, match="a read of 4 bytes at 0x60000000") as caught:
        board.call("follow", 0x60000000)
    assert caught.value.backtrace[0] == f"follow ({SOURCE}:{line_of(SOURCE, 'follow')})"
    board = booted(name)
    assert board.call("call_three") == 3
    board.cpu.call(board.symbol("call_three"), board.cpu.place((), board.image.hard_float, None))
    board.run_until("three")
    assert board.cpu.pc == board.symbol("three")
    assert [call.split()[0] for call in board.backtrace()][:2] == ["three", "call_three"]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("by", ["core", "test"])
def test_code_in_ram_that_is_overwritten_is_executed_as_it_is_then(name: str, by: str) -> None:
    board = booted(name)
    assert board.call("call_three") == 3
    state, movs_r0_4 = board.snapshot(), 0x2004
    if by == "core":
        board.call("overwrite", movs_r0_4, returns=None)
    else:
        board.write_memory(board.symbol("three"), movs_r0_4.to_bytes(2, "little"))
    assert board.call("call_three") == 4
    board.restore(state)
    assert board.call("call_three") == 3
    board.flip_bit(board.symbol("three"), 3)
    assert board.call("call_three") == 11
    board.boot()
    board.run_until("main")  # start-up copied it again
    assert board.call("call_three") == 3


@pytest.mark.parametrize("name", BOTH)
def test_where_the_image_has_no_code_ram_is_not_executed(name: str) -> None:
    board = booted(name)
    board.write_memory(0x20002000, b"\x70\x47")  # bx lr
    board.cpu.call(0x20002000, board.cpu.place((), False, None))
    with pytest.raises(FirmwareFault, match="a jump to 0x20002000, in RAM, where the image has no code"):
        board.run(100)
    board = booted(name, checks=False)
    board.write_memory(0x20002000, b"\x70\x47")
    before = board.instructions
    board.cpu.call(0x20002000, board.cpu.place((), False, None))
    board.cpu.run(board.cycles + 100)
    assert board.cpu.returned
    assert board.instructions == before + 1


def test_an_image_without_names_may_have_code_anywhere_in_ram() -> None:
    board = bare_board(b"\x01\x20\x40\x07\x01\x30\x00\x47")  # r0 = 1 << 29; adds r0, #1; bx r0
    board.write_memory(0x20000000, b"\x07\x21\xfe\xe7")  # movs r1, #7; b .
    board.run(100)
    assert board.registers()["r1"] == 7
    assert board.cpu.pc == 0x20000002


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("name", BOTH)
def test_code_in_ram_goes_on_while_a_word_is_written_where_the_chip_lets_it(name: str, checks: bool) -> None:
    board = booted(name, checks)
    before, start = board.cycles, WRITE_CYCLES[name]
    rounds = board.call("write_and_count", 7)
    took = board.cycles - before
    assert start < took < start + 100
    assert (rounds > 100) == (name == "microbit2")
    assert rounds == 0 or name == "microbit2"
    assert word(board, PAGE) == 7


@pytest.mark.parametrize("name", BOTH)
def test_waiting_for_the_controller_costs_its_time_and_few_instructions(name: str) -> None:
    board = booted(name)
    cycles, instructions = board.cycles, board.instructions
    assert board.call("write_and_wait", 9) == 9
    assert 0 < board.cycles - cycles - WRITE_CYCLES[name] < 100
    assert board.instructions - instructions < 60
    cycles, instructions = board.cycles, board.instructions
    assert board.call("erase_and_wait") == 0xFFFFFFFF
    assert 0 < board.cycles - cycles - ERASE_CYCLES[name] < 100
    assert board.instructions - instructions < 60


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("name", BOTH)
def test_a_fetch_from_flash_waits_until_it_is_free(name: str, checks: bool) -> None:
    board = booted(name, checks)
    before = board.cycles
    assert board.call("write_and_call", 3) == 1  # no longer busy
    assert 0 < board.cycles - before - WRITE_CYCLES[name] < 100
    before = board.cycles
    board.call("write_in_flash", 2, returns=None)
    assert 0 < board.cycles - before - WRITE_CYCLES[name] < 100


def test_a_second_operation_while_the_first_runs_is_refused() -> None:
    board = booted("microbit2")
    with pytest.raises(
        FirmwareFault, match="a store to flash at 0x00020004 while the flash controller is busy"
    ) as caught:
        board.call("write_twice", 1)
    assert caught.value.backtrace[0] == f"write_twice ({SOURCE}:{line_of(SOURCE, 'write_twice')})"
    other = booted("microbit")
    other.call("write_twice", 1, returns=None)
    assert word(other, PAGE + 4) == 1


def test_a_reset_ends_the_operation_and_a_snapshot_keeps_it() -> None:
    board = booted("microbit2")
    board.cpu.call(board.symbol("write_and_count"), board.cpu.place((7,), True, None))
    board.run(1_000)
    assert board.chip.nvmc.constants == {}
    state, left = board.snapshot(), board.chip.nvmc.busy_until - board.cycles
    assert 0 < left < WRITE_CYCLES["microbit2"] - 900
    board.reset()
    assert board.chip.nvmc.constants
    board.run_until("main")
    board.restore(state)
    board.run(left)
    assert board.chip.nvmc.constants


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("outcome", ["nothing", "torn", "all"])
def test_a_power_cut_at_a_write_from_ram_leaves_what_one_from_flash_leaves(name: str, outcome: Outcome) -> None:
    left = []
    for function in ("write_and_wait", "write_in_flash"):
        board = booted(name)
        board.cut_power_at_flash_operation(1, outcome, seed=5)
        with pytest.raises(PowerCutError):
            board.call(function, 0x0F0F00FF)
        left.append(word(board, PAGE))
    assert left[0] == left[1]
    assert (left[0] == 0xFFFFFFFF) == (outcome == "nothing")
    assert (left[0] == 0x0F0F00FF) == (outcome == "all")
