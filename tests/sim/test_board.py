"""The board as a whole: the same run twice, snapshots, time that jumps, and time that must not."""

from __future__ import annotations

import pytest
from unicorn.arm_const import UC_ARM_REG_FPSCR

from firmware_sim import Board, SimulatorError, open_board
from firmware_sim.board import running_board
from nnlite.link.wire import Message
from nnlite.profile import Symbol
from tests.sim.conversation import BAUD, answers, let_start, line_seconds, request
from tests.sim.machine_code import HALT, RAM, RXDRDY, Load, Part, bare_board, load, store, uart_on, wait

BOARDS = ("microbit", "microbit2", "nano33ble")


def converse(board: Board) -> tuple[object, ...]:
    """HELLO, a broken frame, HELLO and a refused VERIFY; all that the board is afterwards."""
    board.write_line(request(1), BAUD)
    heard = answers(board, 1, 1.0)
    board.write_line(b"\0broken\0" + request(2) + request(3, Message.VERIFY, b""), BAUD)
    heard += answers(board, 2, 1.0)
    memory = board.read_memory(RAM, board.profile.ram_bytes)
    return heard, board.cycles, board.instructions, board.stack_high_water, board.where(), memory, board.flash


@pytest.mark.board(*BOARDS)
def test_two_boards_run_the_same_to_the_cycle(board: Board) -> None:
    let_start(board)
    first = converse(board)
    assert len(first[0]) == 3  # type: ignore[arg-type]
    with open_board(board.profile.name) as other:
        let_start(other)
        assert converse(other) == first


@pytest.mark.board(*BOARDS)
def test_a_boot_starts_the_same_again(board: Board) -> None:
    let_start(board)
    board.boot()  # what the first start wrote to UICR is there now
    let_start(board)
    first = converse(board)
    board.boot()
    let_start(board)
    assert converse(board) == first


@pytest.mark.board(*BOARDS)
def test_a_snapshot_goes_on_as_if_nothing_had_been(board: Board) -> None:
    """Taken with bytes on the line both ways, in the FIFO, and unread."""
    let_start(board)
    board.write_line(request(7) + request(8), BAUD)
    board.run(round(25 * board.uart.byte_cycles))
    half = board.snapshot()
    assert board.uart.line
    assert board.waiting_bytes
    first = (answers(board, 2, 1.0), converse(board))
    for _ in range(2):
        board.restore(half)
        assert (answers(board, 2, 1.0), converse(board)) == first


def test_a_snapshot_brings_a_fallen_board_back(board: Board) -> None:
    let_start(board)
    good = board.snapshot()
    expected = converse(board)
    board.restore(good)
    board.cut_power()
    board.restore(good)
    assert converse(board) == expected
    board.restore(good)
    address = board.symbol("frame_decoder_take")
    board.write_memory(address, b"\xff" * 8)
    board.restore(good)
    assert converse(board) == expected


def test_waiting_costs_no_instructions(board: Board) -> None:
    let_start(board)
    before = board.instructions
    board.run(60 * board.profile.clock_hz)
    assert board.seconds == pytest.approx(60.1, abs=1e-5)
    assert board.instructions - before < 500


def test_a_loop_that_counts_is_not_waiting() -> None:
    """It looks at an unset flag all the time, but a register changes: cut short, the counts would differ."""
    #  movs r3, #0; 1: ldr r2, [r0]; adds r3, #1; cmp r3, #200; bne 1b; then the end is marked
    loop: tuple[Part, ...] = (b"\x00\x23", *load(RXDRDY), b"\x01\x33\xc8\x2b\xfb\xd1", *store(RAM, 0xE0D))
    board = bare_board(*uart_on(), store(RAM, 0), loop, HALT)
    board.run(10_000)
    assert board.read_memory(RAM, 4) == (0xE0D).to_bytes(4, "little")


def test_a_loop_that_counts_in_ram_is_not_waiting() -> None:
    """The registers are the same at every look: r3 is dropped again."""
    # 1: ldr r2, [r4]; ldr r3, [r5]; adds r3, #1; str r3, [r5]; cmp r3, #200; beq 2f; movs r3, #0; cmp r3, #0
    # beq 1b; 2:
    loop = b"\x22\x68\x2b\x68\x01\x33\x2b\x60\xc8\x2b\x02\xd0\x00\x23\x00\x2b\xf6\xd0"
    steps = (*store(RAM, 0), *store(RAM + 8, 0), Load(4, RXDRDY), Load(5, RAM + 8), loop, *store(RAM, 0xE0D))
    board = bare_board(*uart_on(), steps, HALT)
    board.run(20_000)
    assert board.read_memory(RAM, 4) == (0xE0D).to_bytes(4, "little")


def test_a_wait_ends_at_its_event() -> None:
    board = bare_board(*uart_on(), wait(RXDRDY), b"\x00\xbe")
    board.run(10_000)
    start = board.cycles
    board.write_line(b"x", BAUD)
    with pytest.raises(SimulatorError, match="BKPT"):
        board.run(16_000_000)
    assert 0 <= board.cycles - start - 10 * 16_000_000 / BAUD < 20


@pytest.mark.board(*BOARDS)
def test_frames_from_the_ring_buffer_are_answered_without_a_stall(board: Board) -> None:
    """While the first answer goes out the second request waits in RAM, and the UART has nothing to tell: not a wait."""
    let_start(board)
    start = board.seconds
    board.write_line(request(1) + request(2) + request(3), BAUD)
    heard = answers(board, 3, 2.0)
    assert [frame.sequence for frame in heard] == [1, 2, 3]
    assert board.seconds - start < 1.1 * line_seconds(heard) + 0.003
    assert board.uart.overruns == 0


def test_the_url_names_a_board_until_it_is_closed(board: Board) -> None:
    assert running_board(board.number) is board
    board.close()
    assert running_board(board.number) is None


def test_a_call_is_measured_with_its_callees(board: Board) -> None:
    let_start(board)
    with board.measure("slots_boot") as boot:
        board.boot()
        let_start(board)
    with board.measure("slots_boot") as again:
        board.boot()
        let_start(board)
    assert boot == again
    assert boot.calls == 1
    assert 0 < boot.instructions < boot.cycles < board.cycles
    with pytest.raises(SimulatorError, match="no symbol 'nowhere'"), board.measure("nowhere"):
        pass


def test_without_checks_the_stack_is_measured_from_its_paint() -> None:
    with open_board("microbit", checks=False) as board:
        address = board.symbol("stack")
        assert board.stack_high_water == 0
        board.write_memory(address + 1024 - 100, b"\0" * 8)
        assert board.stack_high_water in (99, 100)  # one byte in 256 is as the paint was
        board.boot()
        assert board.stack_high_water == 0


@pytest.mark.parametrize(("access", "end"), [(load(RAM + 8), 12), (store(RAM + 20, 0, 2), 22), (load(RAM + 64), 0)])
def test_poison_tells_how_far_an_object_was_read_or_written(access: tuple[Part, ...], end: int) -> None:
    board = bare_board(access, HALT, symbols={"object": Symbol(RAM, 64)})
    board.poison("object")
    before = board.read_memory(RAM, 64)
    assert board.touched("object") == 0
    board.run(100)
    assert board.touched("object") == end
    assert sum(a != b for a, b in zip(before, board.read_memory(RAM, 64), strict=True)) <= 2


def test_memory_outside_the_board_is_refused(board: Board) -> None:
    for address, size in ((0x40000, 1), (0x3FFFF, 2), (0x20004000, 1), (0x10000000, 4)):
        with pytest.raises(SimulatorError, match="are not in flash or RAM"):
            board.read_memory(address, size)


@pytest.mark.parametrize("restart", ["boot", "reset"])
def test_the_fpu_computes_as_ieee_wants_whatever_its_mode_was_before(restart: str) -> None:
    """The simulator's FPSCR outlives a reset, so that it can be anything here."""
    mode = 0x07C0_0000  # alternative half precision, default NaN, flush-to-zero, rounding towards zero
    with open_board("microbit2") as board:
        for _ in range(2):
            board.cpu.engine.reg_write(UC_ARM_REG_FPSCR, mode)
            assert board.cpu.engine.reg_read(UC_ARM_REG_FPSCR) & mode == mode
            let_start(board)
            assert board.cpu.engine.reg_read(UC_ARM_REG_FPSCR) & mode == 0
            getattr(board, restart)()
