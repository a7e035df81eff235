"""The UART as the manual has it: six bytes of FIFO, bits that take time, and what it refuses."""

from __future__ import annotations

import pytest

from firmware_sim import Board, FirmwareFault
from tests.sim.machine_code import (
    CRYSTAL_START,
    ENABLE,
    ERROR,
    ERRORSRC,
    HALT,
    PSELTXD,
    RAM,
    RXD,
    RXDRDY,
    STARTRX,
    STARTTX,
    TXD,
    TXDRDY,
    Part,
    bare_board,
    keep,
    load,
    store,
    uart_on,
    wait,
    word,
)

BAUD = 115_200
BYTE_CYCLES = 16_000_000 * 10 / BAUD


def started(*steps: tuple[Part, ...]) -> Board:
    """A board whose UART is on."""
    board = bare_board(*uart_on(), *steps, HALT)
    board.run(10_000)
    return board


@pytest.mark.parametrize(("sent", "lost"), [(6, 0), (7, 1), (9, 3)])
def test_the_fifo_holds_six_bytes_and_loses_the_later_ones(sent: int, lost: int) -> None:
    reads = [step for n in range(6) for step in (load(RXD), keep(RAM + 16 + 4 * n))]
    held = [store(RAM, 0), wait(RAM)]  # until the test lets it go on
    board = started(*held, load(ERROR), keep(RAM + 4), load(ERRORSRC), keep(RAM + 8), *reads)
    board.write_line(bytes(range(1, sent + 1)), BAUD)
    board.run(round(BYTE_CYCLES * (sent + 1)))
    board.write_memory(RAM, b"\1")
    board.run(1000)
    assert [word(board, RAM + 16 + 4 * n) for n in range(6)] == [1, 2, 3, 4, 5, 6]
    assert (word(board, RAM + 4), word(board, RAM + 8)) == (int(lost > 0), int(lost > 0))  # EVENTS_ERROR, OVERRUN
    assert (board.uart.overruns, board.uart.bytes_received) == (lost, sent)


def test_overrun_is_cleared_by_writing_its_bit_back() -> None:
    held = [store(RAM, 0), wait(RAM)]
    board = started(*held, store(ERRORSRC, 1), load(ERRORSRC), keep(RAM + 4))
    board.write_line(bytes(7), BAUD)
    board.run(round(BYTE_CYCLES * 8))
    board.write_memory(RAM, b"\1")
    board.run(1000)
    assert word(board, RAM + 4) == 0


def test_a_byte_arrives_when_its_stop_bit_has_passed() -> None:
    board = started(store(RAM, 0), wait(RXDRDY), store(RAM, 1))
    start = board.cycles
    board.write_line(b"x", BAUD)
    board.run(round(BYTE_CYCLES) - 1)
    assert word(board, RAM) == 0
    board.run(30)
    assert word(board, RAM) == 1
    assert board.cycles - start == pytest.approx(BYTE_CYCLES + 29, abs=6)  # a run may end late by one instruction


def test_bytes_of_two_writes_follow_each_other() -> None:
    board = started()
    board.write_line(b"abc", BAUD)
    board.write_line(b"def", BAUD)
    board.run(round(5.5 * BYTE_CYCLES))
    load_now = board.uart.bytes_received
    board.uart.read(RXDRDY - 0x40002000)
    assert (load_now, board.uart.bytes_received) == (0, 5)  # looked at when the firmware looks


def test_a_byte_that_is_sent_takes_its_time() -> None:
    board = started(store(TXDRDY, 0), store(TXD, 0x5A), wait(TXDRDY), store(TXD, 0xA5), wait(TXDRDY))
    board.boot()
    assert board.read_line(1, 1.0) == b"\x5a"
    first = board.cycles
    assert board.read_line(1, 1.0) == b"\xa5"
    assert board.cycles - first == pytest.approx(BYTE_CYCLES, abs=30)  # a turn of the loop, a store, the next byte
    assert board.uart.bytes_sent == 2


@pytest.mark.parametrize(("rx", "baud"), [(24, BAUD), (3, BAUD), (25, 9_600), (25, 250_000)])
def test_nothing_arrives_on_another_pin_or_at_another_rate(rx: int, baud: int) -> None:
    board = bare_board(*uart_on(rx=rx), store(RAM, 0), wait(RXDRDY), store(RAM, 1), HALT)
    board.run(10_000)
    board.write_line(b"abcd", baud)
    board.run(16_000_000)
    assert (board.uart.bytes_received, word(board, RAM)) == (0, 0)


CRYSTAL = (*store(CRYSTAL_START, 1), *wait(0x40000100))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((store(ENABLE, 4), store(STARTRX, 1)), "UART0 was started without the crystal"),
        ((store(ENABLE, 4), store(STARTTX, 1)), "UART0 was started without the crystal"),
        ((store(CRYSTAL_START, 1), store(STARTRX, 1)), "UART0 was started without the crystal"),  # it takes a while
        ((CRYSTAL, store(ENABLE, 4), store(PSELTXD, 24), store(TXD, 1)), "UART0.TXD was written with the transmitter"),
        ((uart_on(tx=25), store(TXD, 1)), "UART0.TXD was written with .* not on the pin the board wires"),
        ((uart_on(), store(ENABLE, 0), store(TXD, 1)), "UART0.TXD was written with"),
        ((uart_on(), store(TXD, 1), store(TXD, 2)), "UART0.TXD was written before TXDRDY"),
        ((uart_on(), load(RXD)), "UART0.RXD was read with no byte in it"),
        ((uart_on(baudrate=0x12345), store(TXD, 1)), "UART0.BAUDRATE is 0x12345"),
        ((uart_on(), load(0x40002400)), "UART0 has no register at 0x40002400 that is simulated"),
        ((uart_on(), store(0x40002400, 1)), "UART0 has no register at 0x40002400 that is simulated"),
    ],
)
def test_what_would_not_work_on_silicon_is_refused(steps: tuple[tuple[Part, ...], ...], message: str) -> None:
    board = bare_board(*steps, HALT)
    with pytest.raises(FirmwareFault, match=f"{message}.*; pc 0x0000"):
        board.run(100_000)
