"""The interface chip between laptop and UART: two buffers that overflow, rates that it makes, breaks that reset."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import serial

from firmware_sim import Board, PowerCutError, open_board
from firmware_sim.faults import Faults
from firmware_sim.image import Image
from firmware_sim.interface_chip import OVERFLOW, InterfaceChip
from nnlite.profile import Profile
from tests.sim.conversation import BAUD, answers, let_start, request
from tests.sim.machine_code import HALT, RXDRDY, Part, program, uart_on, wait

LIMITED = Faults(interface_chip=True)


def bare(*steps: tuple[Part, ...], faults: Faults | None = LIMITED) -> Board:
    return Board(Profile.load("microbit"), Image(((0, program(*steps, HALT)),)), faults=faults)


@pytest.fixture
def limited() -> Iterator[Board]:
    """A board with the firmware that ships, behind the chip."""
    with open_board("microbit", faults=LIMITED) as board:
        let_start(board)
        yield board


def test_what_the_board_says_to_nobody_overflows_with_a_text_at_the_end() -> None:
    chip, unread = InterfaceChip("microbit"), bytearray()
    said = bytes(0x41 + n % 26 for n in range(600))
    for byte in said:
        chip.keep(unread, bytes([byte]))
    assert bytes(unread) == said[: 512 - len(OVERFLOW)] + OVERFLOW
    assert chip.dropped_from_board == 600 - (512 - len(OVERFLOW))
    del unread[:100]
    chip.keep(unread, b"more")
    assert unread.endswith(OVERFLOW + b"more")


def test_the_boards_answers_overflow_when_nobody_reads_and_not_when_somebody_does(limited: Board) -> None:
    def asked() -> None:
        for sequence in range(1, 4):
            limited.write_line(request(sequence), BAUD)
            limited.run(limited.profile.clock_hz // 10)

    asked()
    unread = limited.read_line(10_000, 0)
    assert len(unread) == 512
    assert unread.endswith(OVERFLOW)
    for sequence in range(4, 8):
        limited.write_line(request(sequence), BAUD)
    assert len(limited.read_line(1_000, 1.0)) > 512
    for sequence in range(4, 10):
        limited.write_line(request(sequence), BAUD)
    assert [frame.sequence for frame in answers(limited, 6, 1.0)] == [4, 5, 6, 7, 8, 9]


def test_without_the_fault_there_is_no_limit(board: Board) -> None:
    let_start(board)
    for sequence in range(1, 6):
        board.write_line(request(sequence), BAUD)
        board.run(board.profile.clock_hz // 10)
    assert board.waiting_bytes > 1_000


def test_what_the_laptop_says_beyond_512_waiting_bytes_is_lost(limited: Board) -> None:
    assert limited.link.chip is not None
    limited.write_line(bytes(600), BAUD)
    assert len(limited.uart.line) == 512
    assert limited.link.chip.dropped_to_board == 88
    assert limited.line.passed["to_board"] == 512
    limited.run(round(limited.profile.clock_hz * 10.1 * 100 / BAUD))  # room for about a hundred
    limited.write_line(bytes(600), BAUD)
    assert len(limited.uart.line) == 512
    assert 600 < limited.line.passed["to_board"] < 620


def test_another_rate_clears_both_buffers(limited: Board) -> None:
    limited.write_line(request(1), BAUD)
    limited.run(limited.profile.clock_hz // 10)
    with serial.serial_for_url(limited.url, baudrate=BAUD, timeout=0) as port:
        assert port.in_waiting > 20
        port.timeout = 1  # no news
        assert port.in_waiting > 20
        port.write(bytes(100))
        port.baudrate = 250_000
        assert port.in_waiting == 0
        assert not limited.uart.line


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        *[(9_600, 9_615), (115_200, 115_384), (250_000, 250_000), (500_000, 500_000)],
        *[(230_400, 250_000), (460_800, 500_000), (1_000_000, 1_500_000)],
    ],
)
def test_the_micro_bits_chip_makes_some_rates_only(asked: int, made: int) -> None:
    assert InterfaceChip("microbit").rate(asked) == made
    assert InterfaceChip("microbit2").rate(asked) == asked


def test_a_rate_that_the_chip_cannot_make_does_not_reach_the_uart() -> None:
    """One million becomes 1.5 million: what the UART hears at one million is nothing of it."""
    steps = [uart_on(baudrate=0x10000000), wait(RXDRDY)]
    for faults, heard in ((LIMITED, False), (None, True)):
        board = bare(*steps, faults=faults)
        board.run(100_000)
        board.write_line(b"\x55", 1_000_000)
        board.run(100_000)
        assert (board.uart.bytes_received == 1 and board.uart.fifo[0] == 0x55) is heard


@pytest.mark.parametrize("how", ["send_break", "break_condition"])
def test_a_break_resets_the_board(board: Board, how: str) -> None:
    let_start(board)
    start = board.profile.ram_start + board.profile.ram_bytes - 64  # the arena's end: nobody's yet
    board.write_memory(start, b"kept")
    entry = int.from_bytes(board.flash[4:8], "little") & ~1
    with serial.serial_for_url(board.url, baudrate=BAUD, timeout=0.5) as port:
        before = board.seconds
        if how == "send_break":
            port.send_break(0.25)
            assert board.seconds - before == pytest.approx(0.25, abs=1e-6)
        else:
            port.break_condition = True
            assert board.cpu.pc != entry
            port.break_condition = False
        assert board.cpu.pc == entry
        assert board.read_memory(start, 4) == b"kept"
        let_start(board)
        port.write(request(1))
        assert answers(board, 1, 0.5)


def test_a_break_while_the_board_has_no_power_gives_it_none(board: Board) -> None:
    with serial.serial_for_url(board.url, baudrate=BAUD, timeout=0.5) as port:
        board.cut_power()
        with pytest.raises(PowerCutError):
            port.send_break()
    with pytest.raises(PowerCutError):
        board.run(1)
