"""C functions called from Python: what goes in, what comes back, and what is left when a call ends otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim import Board, FirmwareFault, SimulatorError, open_board
from firmware_sim.failure_report import tell
from tests.sim.built import elf, line_of

BOTH = pytest.mark.parametrize("name", ["microbit", "microbit2"])


def in_main(name: str, source: str = "callable.c") -> Board:
    board = open_board(name, elf(name, source))
    board.run_until("main")
    return board


@BOTH
def test_functions_take_and_give_what_c_does(name: str) -> None:
    board = in_main(name)
    before = board.registers()
    assert board.call("add", 2, 3) == 5
    assert board.call("add", -1, 0) == 0xFFFFFFFF
    assert board.call("digits", 1, 2, 3, 4, 5, 6) == 123456
    assert board.call("wide", 1, 2, returns=np.uint64) == (2 << 32) + 1
    assert board.call("negative", 7, returns=np.int32) == -7
    values, out = np.array([1, 2, 3.5], np.float32), np.zeros(3, np.float32)
    assert board.call("scaled", values, 3, 2.0, out, returns=float) == 13.0
    assert out.tolist() == [2, 4, 7]
    assert values.tolist() == [1, 2, 3.5]
    letters = np.frombuffer(b"abcde", np.uint8).copy()
    assert board.call("reversed", letters, 5) == 5
    assert letters.tobytes() == b"edcba"
    letters = np.frombuffer(b"abcde", np.uint8).copy()
    board.call("reversed", letters, 5, arrays_at=0x20002000)
    assert (letters.tobytes(), board.read_memory(0x20002000, 5)) == (b"edcba", b"edcba")
    assert board.registers() == before
    assert board.run_until(b"ready\n") == b"ready\n"


def test_calls_that_cannot_be_are_refused() -> None:
    board = in_main("microbit")
    for arguments, message in (
        (("nothing",), "has no symbol 'nothing'"),
        (("add", "a"), "argument 1 is 'a'"),
        (("add", 1 << 32), "argument 1 is 4294967296, more than 32 bits; np.int64 and"),
        (("reversed", np.zeros(2000, np.uint8)), "take 2000 bytes of the stack, which has .*arrays_at"),
        (("reversed", np.zeros((4, 4), np.uint8)[:, 1]), "must be contiguous"),
        (("reversed", [1, 2]), r"argument 1 is a list; pass np.array\(values, np.int16\), say"),
        (("negative", 1e39), "argument 1 is 1e\\+39, more than a float of C holds; np.float64 passes a double"),
        (("negative", 1j), "argument 1 is 1j: integers of 32 bits, floats"),
    ):
        with pytest.raises(SimulatorError, match=message):
            board.call(*arguments)  # type: ignore[arg-type]
    with pytest.raises(SimulatorError, match="take 64 bytes, rounds has 4; name a larger object with arrays_at"):
        board.call("reversed", np.zeros(64, np.uint8), 64, arrays_at="rounds")
    with pytest.raises(SimulatorError, match=r"forever did not return within 0\.01 simulated seconds; it is at pc"):
        board.call("forever", timeout=0.01)
    assert board.call("add", 1, 1) == 2


@BOTH
def test_doubles_and_integers_of_64_bits(name: str) -> None:
    board = in_main(name)
    f, d = float, np.float64
    values = (f(1), d(0.1), f(2), d(3), d(4), d(5), d(6), d(7), d(8), f(9))
    expected = 1 + 0.2 + 8 + 24 + 64 + 160 + 384 + 896 + 2048 + 4608
    assert board.call("weighed", *values, returns=np.float64) == expected
    big, negative = np.uint64(1 << 40), np.int64(-5)
    assert board.call("long_sum", 1, big, 3, negative, 7, returns=np.uint64) == 1 + (1 << 41) + 12 - 40 + 112
    assert board.call("long_sum", 1, np.longlong(2), 3, np.ulonglong(4), 5, returns=np.uint64) == 1 + 4 + 12 + 32 + 80
    assert board.call("negative", np.int16(-3)) == 3
    assert board.call("negative", np.True_, returns=np.int8) == -1
    assert board.call("add", 0, 0, returns=bool) is False
    assert board.call("add", 0, 1, returns=bool) is True


def test_the_same_array_twice_is_one_object_in_the_chip() -> None:
    board = in_main("microbit")
    values = np.array([1, 10, 100], np.uint16)
    board.call("mix", values, values, 3, returns=None)
    assert values.tolist() == [2, 13, 104]  # the second reads what was made of the first's beginning
    board.call("mix", values, values[:], 3, returns=None)
    assert values.tolist() == [4, 18, 110]
    with pytest.raises(SimulatorError, match="arguments 1 and 2 share a part of their memory"):
        board.call("mix", values, values[1:], 2)


def test_what_a_function_cannot_return_is_refused_before_it_runs() -> None:
    board = in_main("microbit")
    before = board.cycles
    for kind, named in ((list, "list"), (str, "str"), (np.complex128, "complex128"), (np.integer, "integer"), (7, "7")):
        with pytest.raises(SimulatorError, match=f"returns={named}: a C function returns None, int,"):
            board.call("add", 1, 2, returns=kind)  # type: ignore[arg-type]
    assert board.cycles == before


@BOTH
def test_a_call_on_another_stack_has_the_room_that_ram_has(name: str) -> None:
    board = in_main(name, "interrupts.c")
    board.cpu.sp = 0x20000A00 if name == "microbit" else 0x20002A00  # below the main stack, as a thread's is
    with pytest.raises(SimulatorError, match=r"take 12800 bytes of the stack, which has \d+; name other memory"):
        board.call("start_timer", np.zeros(12800, np.uint8), 1000, 0)


def test_room_that_scalars_have_not_is_not_to_be_named_elsewhere() -> None:
    board = in_main("microbit")
    board.cpu.sp = 0x20000008
    with pytest.raises(SimulatorError, match=r"the arguments of digits take 24 bytes of the stack, which has 8$"):
        board.call("digits", *range(9))


def test_after_a_timeout_in_a_handler_the_handler_is_pending_again() -> None:
    board = in_main("microbit")
    board.write_memory(4 * 14, (board.symbol("forever") | 1).to_bytes(4, "little"))
    board.cpu.exceptions.pending.add(14)  # type: ignore[attr-defined]
    registers = board.registers()
    with pytest.raises(SimulatorError, match=r"add did not return within 0\.001 simulated seconds"):
        board.call("add", 1, 2, timeout=0.001)
    exceptions = board.cpu.exceptions  # type: ignore[attr-defined]
    assert (exceptions.active, exceptions.pending) == ([], {14})
    assert board.registers() == registers


@pytest.mark.parametrize("how", ["reset", "brown_out", "boot"])
def test_a_reset_during_a_call_is_told_and_the_board_has_begun_anew(how: str) -> None:
    board = in_main("microbit")
    fresh = open_board("microbit", elf("microbit", "callable.c"))
    board.at_cycle(board.cycles + 5, getattr(board, how))
    with pytest.raises(SimulatorError, match="the board was reset during the call of forever, which did not return"):
        board.call("forever")
    assert board.registers() == fresh.registers()
    board.run_until("main")
    assert board.call("add", 1, 2) == 3


def test_a_function_that_resets_the_chip_does_not_return() -> None:
    board = in_main("microbit", "interrupts.c")
    with pytest.raises(SimulatorError, match="was reset during the call of request_reset, which did not return"):
        board.call("request_reset")
    board.run_until("main")


@BOTH
def test_a_fault_in_a_call_leaves_the_board_where_it_is(name: str) -> None:
    board = in_main(name)
    with pytest.raises(FirmwareFault) as caught:
        board.call("follow", 0x60000000)
    line = line_of("callable.c", "follows")
    assert board.backtrace() == list(caught.value.backtrace)
    assert board.backtrace()[0] == f"follow (callable.c:{line})"
    assert (board.registers()["r0"], board.registers()["pc"]) == (0x60000000, caught.value.pc)
    assert f"follow (callable.c:{line})" in board.where()
    report = tell(board)
    assert f"backtrace  follow (callable.c:{line})\n" in report
    assert "r0 60000000" in report
