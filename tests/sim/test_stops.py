"""Firmware that does what silicon would not forgive is stopped where it did, named, with its source line."""

from __future__ import annotations

import pytest

from firmware_sim import Board, FirmwareFault, open_board
from tests.sim.built import elf, line_of

BOTH = ("microbit", "microbit2")
SOURCE = "stops.c"


def booted(name: str, checks: bool = True) -> Board:
    board = open_board(name, elf(name, SOURCE), checks=checks)
    board.run_until("main")
    return board


STOPS = [
    ("unimplemented_register", (), r"RNG \(0x4000d000\) is not simulated: the firmware reads 0x4000d508"),
    ("unknown_register", (), "UART0 has no register at 0x40002ff0 that is simulated"),
    ("read_only_register", (), r"FICR.DEVICEID\[0\] is read-only"),
    ("unaligned_several", (), r"an unaligned access at 0x2000000[2-6]"),
    ("bad_pointer_read", (0x60000000,), "a read of 4 bytes at 0x60000000, where nothing is mapped"),
    ("bad_pointer_write", (0x20040000,), "a write of 4 bytes at 0x20040000, where nothing is mapped"),
    ("bad_call", (0x20000100,), "a jump to 0x20000100, in RAM, where the image has no code"),
    ("bad_call", (0x30000000,), "a jump to 0x30000000, where nothing is"),
    ("flash_write_not_enabled", (), "a store to flash at 0x00020000 without CONFIG = WEN"),
    ("flash_write_three_times", (), "the word at 0x00020000 was programmed a third time since its page was erased"),
    ("flash_write_of_a_byte", (), "a store of 1 bytes to flash at 0x00020000; only whole words"),
    ("flash_erase_in_a_page", (), "NVMC.ERASEPAGE for 0x00020010, which is not the start of a page"),
    ("stack_overflow", (), r"the stack overflowed: sp is 0x20003b[0-9a-f]{2}, \d+ bytes below its end at 0x20003c00"),
    ("undefined_instruction", (), "an undefined instruction"),
    ("breakpoint", (), "BKPT with no debugger"),
    ("exception_without_vector", (), "exception 41 has the vector 0x00000000"),
]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(("function", "arguments", "message"), STOPS)
def test_each_is_named_with_function_line_and_callers(
    name: str, function: str, arguments: tuple[int, ...], message: str
) -> None:
    board = booted(name)
    with pytest.raises(FirmwareFault, match=f"{name}: {message}") as caught:
        board.call(function, *arguments)
    fault = caught.value
    line = f"{SOURCE}:{line_of(SOURCE, function)}"
    if function == "stack_overflow":
        assert fault.backtrace[0].startswith("deep (")
        assert fault.backtrace[-2].startswith("stack_overflow (")
        assert all(call.startswith("deep (") for call in fault.backtrace[1:-2])
        assert len(fault.backtrace) > 10
    else:
        assert fault.backtrace[0] == f"{function} ({line})"
        assert len(fault.backtrace) == 2
    assert fault.backtrace[-1].startswith("start (start.c:")
    assert f"pc {fault.pc:#010x} in {fault.backtrace[0]}, called from" in str(fault)
    with pytest.raises(FirmwareFault) as again:
        board.run(1)
    assert again.value is fault


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        (
            "microbit",
            "unaligned_read",
            "an unaligned access at 0x20000[0-9a-f]{2}[159d], which a Cortex-M0",
        ),
        ("microbit", "not_on_this_core", "an undefined instruction: a Cortex-M0 has no 'cbz r0, "),
        ("microbit2", "fpu_off", "'vadd.f32 s0, s0, s1' while SCB.CPACR does not enable the FPU"),
    ],
)
def test_what_only_one_core_does_not_forgive(name: str, function: str, message: str) -> None:
    board = booted(name)
    with pytest.raises(FirmwareFault, match=message) as caught:
        board.call(function)
    assert caught.value.backtrace[0] == f"{function} ({SOURCE}:{line_of(SOURCE, function)})"
    other = booted(next(n for n in BOTH if n != name))
    if function != "fpu_off":
        other.call(function, returns=None)


@pytest.mark.parametrize("function", ["stack_overflow", "unaligned_several", "not_on_this_core"])
def test_without_checks_these_pass_unseen_as_the_documents_say(function: str) -> None:
    name = "microbit2" if function == "unaligned_several" else "microbit"
    board = booted(name, checks=False)
    if function == "stack_overflow":
        with pytest.raises(FirmwareFault) as caught:  # much later, when the stack has left RAM
            board.call(function)
        assert "below RAM" in str(caught.value)
    else:
        board.call(function, returns=None)
    assert len(board.backtrace()) == 1
