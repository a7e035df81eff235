"""What cannot be asked of a board is refused with one message that says what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from firmware_sim import Board, PowerCutError, SimulatorError, open_board
from firmware_sim.failure_report import tell
from firmware_sim.faults import Faults
from nnlite.errors import UsageError
from nnlite.profile import Profile
from tests.sim.built import elf
from tests.sim.machine_code import HALT, hex_text, program


def opened() -> Board:
    return open_board("microbit", elf("microbit", "callable.c"))


def measured(board: Board, *functions: str) -> None:
    with board.measure(functions[0]):
        if functions[1:]:
            measured(board, *functions[1:])


REFUSED: list[tuple[Callable[[Board], object], type[Exception], str]] = [
    (lambda b: b.run_until("rounds"), SimulatorError, r"rounds lies at 0x2000\w+, which is not in flash: it is no fun"),
    (lambda b: b.call("rounds"), SimulatorError, "rounds lies at .* it is no function"),
    (lambda b: measured(b, "rounds"), SimulatorError, "rounds lies at .* it is no function"),
    (lambda b: measured(b, "leaf", "add"), SimulatorError, r"leaf is being measured: .*profile_functions\(\) counts"),
    (lambda b: b.run_until(1e6), UsageError, r"run_until takes bytes, the name .* or a condition, not 1000000\.0"),  # type: ignore[arg-type]
    (lambda b: b.run_until(None), UsageError, "or a condition, not None"),  # type: ignore[arg-type]
    (lambda b: b.write_line(b"a", 0), UsageError, "a rate is in bits per second, 1 or more, not 0"),
    (lambda b: b.set_rate(-1), UsageError, "a rate is in bits per second, 1 or more, not -1"),
    (lambda b: b.read_memory(0x20000000, -4), UsageError, "a number of bytes is 0 or more, not -4"),
    (lambda b: b.line.drop("up", 0), UsageError, "no direction 'up'; those are to_board, from_board"),  # type: ignore[arg-type]
    (lambda b: b.line.noise("up"), UsageError, "there is no direction 'up'"),  # type: ignore[arg-type]
    (lambda b: b.line.double("to_board", -1), UsageError, "before the damage, 0 or more, not -1"),
    (lambda b: b.line.flip("to_board", 0, 256), UsageError, "a mask has a bit for each .* 1 to 255, not 256"),
    (lambda b: b.brown_out(seed=-1), UsageError, "a seed is 0 or more, not -1"),
    (lambda b: b.cut_power_at_flash_operation(1, seed=-1), UsageError, "a seed is 0 or more, not -1"),
    (lambda b: b.load_flash(b"abc"), UsageError, "the flash of microbit has 262,144 bytes, not 3"),
    (lambda b: b.poison("main"), SimulatorError, r"main is no object in RAM: \d+ bytes at 0x0000"),
    (lambda b: b.touched("rounds"), SimulatorError, "not followed how far rounds is used: nothing was poisoned"),
]


@pytest.mark.parametrize(("what", "kind", "message"), REFUSED)
def test_it_is_refused_and_the_board_runs_on(
    what: Callable[[Board], object], kind: type[Exception], message: str
) -> None:
    board = opened()
    with pytest.raises(kind, match=message):
        what(board)
    assert board.run_until(b"ready\n") == b"ready\n"


def test_only_what_was_poisoned_last_is_followed() -> None:
    board = open_board("microbit", elf("microbit", "interrupts.c"))
    board.poison("notes")
    board.poison("ticks")
    assert board.touched("ticks") == 0
    with pytest.raises(SimulatorError, match="how far notes is used: ticks was poisoned last"):
        board.touched("notes")


def test_measuring_goes_on_after_a_second_one_was_refused() -> None:
    board = opened()
    board.run_until("main")
    with board.measure("leaf") as cost:
        with pytest.raises(SimulatorError, match="is being measured"), board.measure("add"):
            pass
        board.call("leaf", 1)
    assert cost.calls == 1
    with board.measure("add") as cost:
        board.call("add", 1, 2)
    assert cost.calls == 1


def test_bytes_to_wait_for_may_be_in_a_bytearray() -> None:
    assert opened().run_until(bytearray(b"ready\n")) == b"ready\n"


def test_a_condition_is_asked_once_more_at_the_end() -> None:
    board = opened()
    until = board.seconds + 15e-6  # between two looks
    assert board.run_until(lambda b: b.seconds >= until, timeout=15e-6) == b""


def test_timeouts_are_by_the_boards_seconds() -> None:
    with open_board("microbit", elf("microbit", "callable.c"), faults=Faults(clock_ppm=100_000)) as board:
        board.run_until("main")
        for wait in (
            lambda: board.run_until(b"never", timeout=0.01),
            lambda: board.run_until(lambda b: False, timeout=0.01),
            lambda: board.call("forever", timeout=0.01),
        ):
            start = board.seconds
            with pytest.raises(SimulatorError, match=r"within 0\.01 simulated seconds"):
                wait()
            assert board.seconds - start == pytest.approx(0.01, abs=1e-5)


def test_a_report_has_the_boards_seconds() -> None:
    with open_board("microbit", elf("microbit", "callable.c"), faults=Faults(clock_ppm=100_000)) as board:
        board.run_until(b"r")
        line = next(line for line in tell(board).splitlines() if line.endswith("1 bytes from the board"))
        assert float(line.split()[0]) == pytest.approx(board.seconds, abs=1e-6)


def test_a_hex_file_has_no_names(tmp_path: Path) -> None:
    path = tmp_path / "firmware.hex"
    path.write_text(hex_text(program(HALT)), encoding="ascii")
    board = open_board("microbit", path)
    with pytest.raises(SimulatorError, match="is a HEX file, which has no names such as 'main'; give open_board the"):
        board.symbol("main")


def test_a_chip_that_is_not_simulated_is_named_when_an_image_is_given() -> None:
    image = elf("microbit", "callable.c")
    with pytest.raises(SimulatorError, match="the chip of uno, atmega328p, is not simulated; those are nrf51822"):
        open_board("uno", image)
    bare = msgspec.structs.replace(Profile.load("microbit"), firmware_limits=None, status="datasheet only")
    with pytest.raises(SimulatorError, match=r"the profile of microbit has no table \[firmware\]"):
        open_board(bare, image)


def test_a_closed_board_does_not_come_back() -> None:
    with opened() as board:
        state = board.snapshot()
        board.cut_power()
        with pytest.raises(PowerCutError, match=r"has no power; boot\(\) gives it back"):
            board.run(1)
    for what in (lambda: board.run(1), board.boot, board.reset, lambda: board.restore(state)):
        with pytest.raises(SimulatorError, match="the simulated microbit is closed; open_board opens another one"):
            what()


def test_a_snapshot_of_another_kind_of_board_is_refused() -> None:
    state = open_board("microbit2", elf("microbit2", "callable.c")).snapshot()
    with pytest.raises(SimulatorError, match="the snapshot is of a microbit2, and this is a microbit"):
        opened().restore(state)


def test_code_that_an_earlier_session_left_is_executed_as_it_is() -> None:
    board = opened()
    reserve = board.profile.firmware_reserve_bytes
    board.write_memory(board.symbol("add"), b"\x00\x4b\x18\x47" + (reserve | 1).to_bytes(4, "little"))  # jumps there
    for code, result in ((b"\x01\x20\x70\x47\0\0", 1), (b"\x02\x20\x40\x43\x70\x47", 4)):  # 1, and 2 by 2
        board.load_flash(board.flash[:reserve] + code + board.flash[reserve + 6 :])
        board.run_until("main")
        before = board.instructions
        assert board.call("add", 1, 2) == result
        assert board.instructions - before == 2 + len(code.rstrip(b"\0")) // 2
