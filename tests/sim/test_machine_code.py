"""What the core does and costs, and what stops it, on firmware of a few instructions."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim import Board, FirmwareFault
from firmware_sim.cpu.cycles import entries
from firmware_sim.cpu.slots import BYTE, TAKEN_SHIFT
from nnlite.profile import Symbol
from tests.sim.machine_code import BREAKPOINT, CODE, HALT, RAM, STACK, Load, bare_board, load, store, word

COUNTDOWN = b"\x01\x38\xfd\xd1"  # 1: subs r0, #1; bne 1b


def counts(*steps: bytes, name: str = "microbit") -> tuple[int, int]:
    """Instructions and cycles up to a breakpoint, the breakpoint included."""
    board = bare_board(*steps, BREAKPOINT, name=name)
    with pytest.raises(FirmwareFault, match="BKPT"):
        board.run(1_000_000)
    return board.instructions, board.cycles


@pytest.mark.parametrize("times", [1, 2, 255])
def test_a_loop_is_counted_to_the_instruction_and_the_cycle(times: int) -> None:
    instructions, cycles = counts(bytes([times, 0x20]) + COUNTDOWN)  # movs r0, #times
    assert instructions == 1 + 2 * times + 1
    assert cycles == 1 + times + 3 * (times - 1) + 1 + 1  # a branch costs 3, one that is not taken 1


def test_a_run_that_is_cut_in_pieces_counts_the_same() -> None:
    whole = bare_board(b"\xff\x20", COUNTDOWN, HALT)
    pieces = bare_board(b"\xff\x20", COUNTDOWN, HALT)
    whole.run(1100)
    while pieces.cycles < whole.cycles:
        pieces.run(1)
    assert (pieces.instructions, pieces.cycles, pieces.where()) == (whole.instructions, whole.cycles, whole.where())


def test_a_wide_instruction_counts_once() -> None:
    assert counts(b"\x40\xf2\x34\x12", name="microbit2") == (2, 2)  # movw r2, #0x234


@pytest.mark.parametrize(
    ("block", "instructions", "cycles"),
    [
        ("08bf 0121", 4, 4),  # it eq; moveq r1, #1
        ("18bf 0121", 4, 4),  # it ne; movne r1, #1: fails
        ("0cbf 0121 0268", 5, 5),  # ite eq; moveq; ldrne r2, [r0]: a load that fails takes one cycle
        ("14bf 0121 0268", 5, 6),  # ite ne; movne; ldreq r2, [r0]: one that is carried out two
        ("1cbf 0121 00e0", 5, 5),  # itt ne; movne; bne to the next but one: not taken
        ("04bf 0121 ffe7", 5, 5),  # itt eq; moveq; beq to the next one
        ("04bf 0121 00e0 0022", 5, 7),  # itt eq; moveq; beq over movs r2, #0: taken
    ],
)
def test_an_it_block_counts_what_it_skips(block: str, instructions: int, cycles: int) -> None:
    assert counts(b"\x00\x28", bytes.fromhex(block), name="microbit2") == (instructions, cycles)  # cmp r0, #0


@pytest.mark.parametrize("piece", [1, 2, 3])
def test_a_run_never_ends_inside_an_it_block(piece: int) -> None:
    code = b"\x00\x28", bytes.fromhex("01bf 0131 0231 0331 0431"), b"\xf9\xe7"  # cmp; 1: itttt eq; adds; b 1b
    board = bare_board(*code, name="microbit2")
    for _ in range(40):
        board.run(piece)
        assert board.cpu.pc not in (CODE + 6, CODE + 8, CODE + 10)
    assert (board.instructions - 1) % 6 in (0, 5)


def test_a_watched_call_is_counted_from_entry_to_return() -> None:
    # 40: bl 48; bl 48; 48: movs r0, #3; subs r0, #1; bne; bx lr. Then it falls into 48 once more, uncalled.
    function = {"function": Symbol(CODE + 8, 8)}
    board = bare_board(b"\x00\xf0\x02\xf8\x00\xf0\x00\xf8", b"\x03\x20", COUNTDOWN, b"\x70\x47", symbols=function)
    with board.measure("function") as cost:
        board.run(40)
    assert (cost.calls, cost.instructions) == (2, 2 * (1 + 2 * 3 + 1))
    assert cost.cycles == 2 * (1 + 3 + 3 + 3 + 1 + 3)


@pytest.mark.parametrize(
    ("code", "core", "own", "taken"),
    [
        ("0846", "cortex-m0", 1, 2),  # mov r0, r1; into pc it would be a jump
        ("0168", "cortex-m0", 2, 2),  # ldr r1, [r0]
        ("0160", "cortex-m0", 2, 0),  # str r1, [r0]
        ("0160", "cortex-m4f", 1, 0),
        ("f0b5", "cortex-m0", 6, 0),  # push {r4-r7, lr}
        ("f0bd", "cortex-m0", 6, 3),  # pop {r4-r7, pc}
        ("0fc8", "cortex-m0", 5, 0),  # ldm r0!, {r0-r3}
        ("fee7", "cortex-m0", 1, 2),  # b
        ("fed0", "cortex-m0", 1, 2),  # beq
        ("7047", "cortex-m0", 1, 2),  # bx lr
        ("fff7feff", "cortex-m0", 1, 3),  # bl
        ("4843", "cortex-m0", 1, 2),  # muls
        ("b0fbf1f0", "cortex-m4f", 7, 0),  # udiv
        ("80ee200a", "cortex-m4f", 14, 0),  # vdiv.f32
        ("30ee200a", "cortex-m4f", 1, 2),  # vadd.f32
        ("00ee200a", "cortex-m4f", 3, 0),  # vmla.f32
        ("d0ed000a", "cortex-m4f", 2, 2),  # vldr
        ("d0e90001", "cortex-m4f", 3, 0),  # ldrd
        ("08bf0121", "cortex-m4f", 2, 0),  # it, with the instruction in its block
    ],
)
def test_the_cycle_table_follows_the_manuals(code: str, core: str, own: int, taken: int) -> None:
    _, entry = next(iter(entries(memoryview(bytes.fromhex(code)), 0, core)))
    assert entry & BYTE == own
    assert entry >> TAKEN_SHIFT & BYTE == taken


def test_data_between_functions_is_not_taken_for_code() -> None:
    """bl over a word whose second half, with the push behind it, would make one instruction of four bytes."""
    data = bytes.fromhex("0000 00f0")
    called = bytes.fromhex("10b5 10bd")  # push {r4, lr}; pop {r4, pc}
    board = bare_board(b"\x00\xf0\x04\xf8", BREAKPOINT, b"\x00\xbf", data, called)
    with pytest.raises(FirmwareFault, match="BKPT"):
        board.run(100)
    assert (board.instructions, board.cycles) == (4, 4 + 3 + 3 + 3 + 1)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((b"\xff\xb4\xfd\xe7",), r"a write of 4 bytes at 0x1fffffe0, below RAM: the stack overflowed"),  # push; b
        (load(0x30000000), r"a read of 4 bytes at 0x30000000, where nothing is mapped"),
        (store(RAM + 0x4000, 1), r"a write of 4 bytes at 0x20004000, where nothing is mapped"),
        ((Load(0, 0x60000001), b"\x00\x47"), r"a jump to 0x60000000, where nothing is"),  # bx r0
        (load(RAM + 1), "an unaligned access at 0x20000001"),
        ((b"\x00\xde",), "an undefined instruction"),  # udf
        ((b"\x00\xdf",), "exception 11 has the vector 0x00000000"),  # svc
        ((BREAKPOINT,), "BKPT"),
    ],
    ids=["stack", "read", "write", "jump", "unaligned", "undefined", "svc", "breakpoint"],
)
def test_what_silicon_would_not_forgive_stops_the_run_with_a_message(steps: tuple[bytes, ...], message: str) -> None:
    board = bare_board(*steps, HALT)
    with pytest.raises(FirmwareFault, match=f"microbit: .*{message}.*pc 0x"):
        board.run(10_000)
    with pytest.raises(FirmwareFault, match=message):
        board.run(1)
    board.boot()
    assert board.cycles == 0
    with pytest.raises(FirmwareFault, match=message):
        board.run(10_000)


def test_the_message_names_the_function_where_symbols_are_known(board: Board) -> None:
    address = board.symbol("frame_decoder_take")
    board.write_memory(address, b"\x00\xde")  # udf
    board.run(board.profile.clock_hz // 100)  # the UART is on by now
    board.write_line(b"x", 115_200)
    with pytest.raises(FirmwareFault, match=rf"an undefined instruction.*pc {address:#010x} in frame_decoder_take"):
        board.run(board.profile.clock_hz)


def test_power_up_leaves_noise_in_ram_and_a_reset_leaves_what_was_there() -> None:
    board = bare_board(store(RAM, 0x12345678), HALT)
    board.run(100)
    assert word(board, RAM) == 0x12345678
    before = board.cycles
    board.reset()
    assert board.cycles == before
    assert word(board, RAM) == 0x12345678
    board.boot()
    assert word(board, RAM) != 0x12345678
    noise = np.frombuffer(board.read_memory(RAM, 0x4000), np.uint8)
    assert len(set(noise.tolist())) == 256


def test_the_stack_starts_where_the_vector_table_says() -> None:
    board = bare_board(b"\x01\xb4", HALT)  # push {r0}
    before = board.read_memory(STACK - 4, 4)
    board.run(20)
    assert board.read_memory(STACK - 4, 4) == bytes(4) != before
