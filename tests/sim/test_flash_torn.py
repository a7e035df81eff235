"""The power goes in the midst of a flash operation, bits flip, the supply dips: what flash and RAM hold then."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim import Board, FirmwareFault, PowerCutError, SimulatorError, open_board
from firmware_sim.peripherals.nvmc import Outcome
from nnlite.errors import UsageError
from tests.sim.conversation import BAUD, answers, let_start, request
from tests.sim.machine_code import CONFIG, EEN, ERASEPAGE, HALT, RAM, STACK, WEN, bare_board, load, store, word

PAGE = 0x8000
RESETREAS = 0x40000400
UICR_RBPCONF = 0x10001004


def cut(outcome: Outcome, seed: int, number: int, *steps: tuple[object, ...]) -> Board:
    """A board that lost its power at an operation."""
    board = bare_board(*steps, HALT)  # type: ignore[arg-type]
    board.cut_power_at_flash_operation(number, outcome, seed)
    with pytest.raises(PowerCutError):
        board.run(16_000_000)
    assert board.chip.nvmc.operations == number
    return board


def programming(outcome: Outcome, seed: int) -> int:
    board = cut(outcome, seed, 2, store(CONFIG, WEN), store(PAGE, 0x00FFFFFF), store(PAGE, 0xFF00FF00), store(PAGE, 0))
    return word(board, PAGE)


def test_a_word_is_programmed_in_part_or_not_or_whole() -> None:
    before, after = 0x00FFFFFF, 0x0000FF00
    assert programming("nothing", 1) == before
    assert programming("all", 1) == after
    torn = [programming("torn", seed) for seed in range(12)]
    assert all(value & before == value and value & after == after for value in torn)  # only what would fall
    assert len(set(torn)) > 8
    assert any(value not in (before, after) for value in torn)
    assert torn == [programming("torn", seed) for seed in range(12)]


def erasing(outcome: Outcome, seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    words = [store(PAGE + 4 * n, 0) for n in range(3)]
    neighbours = [store(PAGE - 4, 5), store(PAGE + 1024, 6)]
    steps = [store(CONFIG, WEN), *words, *neighbours, store(CONFIG, EEN), store(ERASEPAGE, PAGE)]
    board = cut(outcome, seed, 6, *steps)
    assert (word(board, PAGE - 4), word(board, PAGE + 1024)) == (5, 6)
    found = np.frombuffer(board.read_memory(PAGE, 1024), "<u4")
    assert (found[3:] == 0xFFFFFFFF).all()
    return found[:3]  # type: ignore[no-any-return, return-value]


def test_a_page_is_erased_in_part_or_not_or_whole() -> None:
    assert not erasing("nothing", 1).any()
    assert (erasing("all", 1) == 0xFFFFFFFF).all()
    half = [int(np.bitwise_count(erasing("half-erased", seed)).sum()) for seed in range(8)]
    assert all(25 < risen < 71 for risen in half)  # of 96
    torn = [int(np.bitwise_count(erasing("torn", seed)).sum()) for seed in range(12)]
    assert min(torn) < 25
    assert max(torn) > 71


def test_a_half_erased_page_must_be_erased_again_before_a_word_is_programmed_a_third_time() -> None:
    twice = [store(PAGE, 0), store(PAGE, 0)]
    board = cut("half-erased", 1, 3, store(CONFIG, WEN), *twice, store(CONFIG, EEN), store(ERASEPAGE, PAGE))
    board.boot()  # the same program again: its first store is the third
    with pytest.raises(FirmwareFault, match="programmed a third time"):
        board.run(16_000_000)


def test_user_configuration_is_torn_as_flash_is() -> None:
    values = set()
    for seed in range(6):
        board = cut("torn", seed, 1, store(CONFIG, WEN), store(UICR_RBPCONF, 0xFFFF0000))
        values.add(board.chip.uicr.values[4])
    assert len(values) > 3
    assert all(value & 0xFFFF0000 == 0xFFFF0000 for value in values)


def test_an_outcome_that_is_none_is_refused(board: Board) -> None:
    with pytest.raises(UsageError, match="no outcome 'half'; those are nothing, torn, half-erased, all"):
        board.cut_power_at_flash_operation(1, "half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="counted from 1 on"):
        board.cut_power_at_flash_operation(0)


def bits(content: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")


@pytest.mark.parametrize("memory", ["ram", "flash"])
def test_so_many_bits_flip_and_no_other(board: Board, memory: str) -> None:
    start, size = (
        (board.profile.ram_start, board.profile.ram_bytes)
        if memory == "ram"
        else (board.profile.flash_start, board.profile.flash_bytes)
    )
    before = board.read_memory(start, size)
    flipped = board.flip_bits(memory, 40, seed=3)  # type: ignore[arg-type]
    after = board.read_memory(start, size)
    where = np.flatnonzero(bits(before) != bits(after))
    assert sorted((start + int(n) // 8, int(n) % 8) for n in where) == sorted(flipped)
    assert len(flipped) == 40
    assert len(board.damage) == 40
    assert board.flip_bits(memory, 40, seed=3) == flipped  # type: ignore[arg-type]
    assert board.read_memory(start, size) == before  # flipped back


def test_a_flipped_bit_of_code_is_executed_also_where_it_ran_before() -> None:
    """`b .` becomes a branch back to the store in front of it, from the next round on."""
    board = bare_board(store(RAM, 7), b"\xfe\xe7")
    board.run(1_000)
    board.write_memory(RAM, bytes(4))
    board.run(1_000)
    assert word(board, RAM) == 0
    address = board.flash.index(b"\xfe\xe7", 0x40)
    board.flip_bit(address, 1)
    board.run(1_000)
    assert word(board, RAM) == 7


def test_bits_that_are_none_are_refused(board: Board) -> None:
    with pytest.raises(UsageError, match="bits 0 to 7, not 8"):
        board.flip_bit(board.profile.ram_start, 8)
    with pytest.raises(SimulatorError, match="are not in flash or RAM"):
        board.flip_bit(0x50000000, 0)
    with pytest.raises(UsageError, match="no memory 'eeprom'; those are ram, flash"):
        board.flip_bits("eeprom", 1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ram has 131,072 bits, 131,073 of them cannot flip"):
        board.flip_bits("ram", 131_073)
    with pytest.raises(UsageError, match="decay is the chance of each bit"):
        board.brown_out(decay=1.1)


def test_a_brown_out_resets_the_core_and_part_of_ram_decays(board: Board) -> None:
    let_start(board)
    fresh = open_board("microbit")
    start, size = board.profile.ram_start, board.profile.ram_bytes
    powered_up = bits(fresh.read_memory(start, size))
    board.write_memory(start + 0x2000, bytes(range(256)) * 16)  # behind the stack
    before, flash, cycles = bits(board.read_memory(start, size)), board.flash, board.cycles
    board.brown_out(seed=4, decay=0.25)
    after = bits(board.read_memory(start, size))
    assert board.cycles == cycles
    assert board.flash == flash
    assert board.cpu.pc == fresh.cpu.pc
    changed = after != before
    assert (after[changed] == powered_up[changed]).all()
    could = before != powered_up
    assert 0.23 < changed.sum() / could.sum() < 0.27
    assert board.chip.read(RESETREAS) == 0
    assert board.damage == [f"cycle {cycles:,}: brown-out, {int(changed.sum()):,} bits of RAM changed"]
    let_start(board)
    board.write_line(request(1), BAUD)
    assert answers(board, 1, 0.5)
    fresh.close()


def test_no_decay_keeps_ram_and_a_whole_one_is_a_power_up(board: Board) -> None:
    let_start(board)
    start, size = board.profile.ram_start, board.profile.ram_bytes
    before = board.read_memory(start, size)
    board.brown_out(decay=0.0)
    assert board.read_memory(start, size) == before
    board.brown_out(decay=1.0)
    after = board.read_memory(start, size)
    board.boot()
    assert after == board.read_memory(start, size) != before


def test_a_planned_fault_comes_at_its_cycle_once() -> None:
    board = bare_board(load(RAM), HALT)
    board.run(100)
    board.write_memory(STACK, bytes(4))
    board.at_cycle(5_000, lambda: board.flip_bit(STACK, 3))
    board.at_cycle(9_000, board.cut_power)
    board.run(4_000)
    assert word(board, STACK) == 0
    board.run(2_000)
    assert word(board, STACK) == 8
    assert board.damage[0].startswith("cycle 5,00")
    with pytest.raises(PowerCutError):
        board.run(10_000)
    assert 9_000 <= board.cycles < 9_010
    board.boot()
    board.run(20_000)
