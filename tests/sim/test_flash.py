"""NVMC, UICR and FICR: the rules of NOR flash, and the time it takes."""

from __future__ import annotations

import pytest

from firmware_sim import Board, FirmwareFault, PowerCutError
from tests.sim.machine_code import (
    CONFIG,
    EEN,
    ERASEPAGE,
    HALT,
    RAM,
    READY,
    REN,
    WEN,
    Part,
    bare_board,
    keep,
    load,
    store,
    word,
)

PAGE = 0x8000
UICR_RBPCONF = 0x10001004


def ran(*steps: tuple[Part, ...], name: str = "microbit") -> Board:
    """A board that has run the steps and marked the end."""
    board = bare_board(*steps, store(RAM, 0xD0E), HALT, name=name)
    board.run(board.profile.clock_hz)
    assert word(board, RAM) == 0xD0E
    return board


def test_bits_only_fall() -> None:
    board = ran(store(CONFIG, WEN), store(PAGE, 0xFF00FF0F), store(PAGE, 0x0FF0FFF0), store(CONFIG, REN))
    assert word(board, PAGE) == 0xFF00FF0F & 0x0FF0FFF0
    assert word(board, PAGE + 4) == 0xFFFFFFFF


def test_erasing_sets_one_page_and_allows_programming_again() -> None:
    twice = [store(PAGE, 0), store(PAGE, 0)]
    neighbours = [store(PAGE - 4, 1), store(PAGE + 1020, 2), store(PAGE + 1024, 3)]
    erase = [store(CONFIG, EEN), store(ERASEPAGE, PAGE), store(CONFIG, WEN)]
    board = ran(store(CONFIG, WEN), *twice, *neighbours, *erase, store(PAGE, 7))
    assert [word(board, a) for a in (PAGE - 4, PAGE, PAGE + 4, PAGE + 1020, PAGE + 1024)] == [
        1,
        7,
        0xFFFFFFFF,
        0xFFFFFFFF,
        3,
    ]
    assert board.flash_bytes_programmed(PAGE, PAGE + 1024) == 4


@pytest.mark.parametrize(("name", "erase_us", "write_us"), [("microbit", 22_300, 46), ("microbit2", 85_000, 41)])
def test_operations_take_the_datasheets_time(name: str, erase_us: int, write_us: int) -> None:
    def cycles(*steps: tuple[Part, ...]) -> int:
        board = bare_board(*steps, b"\x00\xbe", name=name)
        with pytest.raises(FirmwareFault, match="BKPT"):
            board.run(board.profile.clock_hz)
        return board.cycles

    mhz = 16 if name == "microbit" else 64
    idle = cycles(store(CONFIG, EEN), store(RAM, 0), store(CONFIG, WEN), store(RAM, 1), store(RAM, 1))
    busy = cycles(store(CONFIG, EEN), store(ERASEPAGE, PAGE), store(CONFIG, WEN), store(PAGE, 1), store(PAGE + 4, 1))
    assert busy - idle == (erase_us + 2 * write_us) * mhz


def test_uicr_is_programmed_as_flash_and_outlives_the_power() -> None:
    board = ran(store(CONFIG, WEN), store(UICR_RBPCONF, 0xFFFF00FF), store(UICR_RBPCONF, 0xFFFFFFF0))
    assert board.chip.uicr.values[4] == 0xFFFF00F0
    assert board.chip.nvmc.operations == 2
    board.boot()
    assert board.chip.uicr.values[4] == 0xFFFF00F0


def test_the_factorys_registers_tell_the_size_of_the_flash() -> None:
    board = ran(load(0x10000010), keep(RAM + 4), load(0x10000014), keep(RAM + 8), load(READY), keep(RAM + 12))
    assert [word(board, RAM + n) for n in (4, 8, 12)] == [1024, 256, 1]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((store(PAGE, 0),), "a store to flash at 0x00008000 without CONFIG = WEN"),
        ((store(CONFIG, EEN), store(PAGE, 0)), "a store to flash at 0x00008000 without CONFIG = WEN"),
        ((store(CONFIG, WEN), store(PAGE, 0, 1)), "a store of 1 bytes to flash at 0x00008000; only whole words"),
        ((store(CONFIG, WEN), store(PAGE, 0, 2)), "a store of 2 bytes to flash at 0x00008000; only whole words"),
        (
            (store(CONFIG, WEN), *[store(PAGE, 0xFFFFFFFF)] * 3),
            "the word at 0x00008000 was programmed a third time since its page was erased",
        ),
        ((store(ERASEPAGE, PAGE),), "NVMC.ERASEPAGE for 0x00008000 without CONFIG = EEN"),
        ((store(CONFIG, WEN), store(ERASEPAGE, PAGE)), "NVMC.ERASEPAGE for 0x00008000 without CONFIG = EEN"),
        ((store(CONFIG, EEN), store(ERASEPAGE, PAGE + 4)), "0x00008004, which is not the start of a page"),
        ((store(CONFIG, EEN), store(ERASEPAGE, 0x40000)), "0x00040000, which is not the start of a page"),
        ((store(READY, 1),), "NVMC.READY is read-only"),
        ((store(UICR_RBPCONF, 0),), "a store to UICR.RBPCONF without NVMC.CONFIG = WEN"),
        ((store(0x10000060, 0),), r"FICR.DEVICEID\[0\] is read-only"),
        ((load(0x10000020),), "FICR has no register at 0x10000020 that is simulated"),
        ((load(0x40024000),), "no peripheral that is simulated lies at 0x40024000"),
        ((store(0x40001508, 1),), r"RADIO \(0x40001000\) is not simulated: the firmware writes 0x40001508"),
    ],
)
def test_what_silicon_would_not_do_is_refused(steps: tuple[tuple[Part, ...], ...], message: str) -> None:
    board = bare_board(*steps, HALT)
    with pytest.raises(FirmwareFault, match=f"microbit: .*{message}.*; pc 0x"):
        board.run(10_000)
    assert word(board, PAGE) == 0xFFFFFFFF


def test_the_message_tells_the_instruction_itself() -> None:
    """store() is two loads and a str, from 0x40 on."""
    board = bare_board(store(CONFIG, WEN), store(0x40024000, 1), HALT)
    with pytest.raises(FirmwareFault, match="pc 0x0000004a"):
        board.run(1000)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_cut_comes_in_front_of_its_operation(cut: int) -> None:
    operations = [store(CONFIG, WEN), store(PAGE, 1), store(PAGE + 4, 2), store(PAGE + 8, 3)]
    board = bare_board(*operations, store(RAM, 0xD0E), HALT)
    board.cut_power_at_flash_operation(cut)
    with pytest.raises(PowerCutError):
        board.run(10_000)
    with pytest.raises(PowerCutError, match="no power"):
        board.run(1)
    expected = [n if n < cut else 0xFFFFFFFF for n in (1, 2, 3)]
    assert [word(board, PAGE + 4 * n) for n in range(3)] == expected
    board.boot()  # once only
    board.run(10_000)
    assert word(board, RAM) == 0xD0E
