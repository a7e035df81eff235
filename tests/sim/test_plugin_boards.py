"""The pytest plugin: which boards tests run on, which image they boot, and what a failure tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim import FirmwareFault, open_board
from firmware_sim.failure_report import tell
from firmware_sim.faults import Faults
from nnlite.device import Device
from nnlite.network import Network
from tests.sim.machine_code import HALT, RAM, STACK, bare_board, hex_text, program, store

pytest_plugins = ["pytester"]

MARKED = """
    import pytest

    def test_any(board):
        pass

    @pytest.mark.board("microbit", "microbit2")
    def test_both(device):
        pass

    @pytest.mark.board("microbit2")
    def test_second(board):
        assert board.profile.name == "microbit2"

    def test_none():
        pass
"""


def test_without_the_option_the_marker_decides(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MARKED)
    pytester.runpytest_inprocess().assert_outcomes(passed=5)


def test_a_board_that_is_named_is_the_one_that_tests_run_on(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MARKED)
    result = pytester.runpytest_inprocess("--board", "microbit", "-v", "-rs")
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(
        ["boards: simulated, --board microbit", "*::test_any PASSED*", "*::test_both?microbit? *"]
    )
    result.stdout.fnmatch_lines(["SKIPPED*: is for microbit2, and --board is microbit"])


def test_several_boards_are_gone_through(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MARKED)
    result = pytester.runpytest_inprocess("--board", "microbit2,microbit", "-v")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*::test_any?microbit2? PASSED*", "*::test_any?microbit? PASSED*"])
    result.stdout.fnmatch_lines(["*::test_second?microbit2? PASSED*"])


def test_a_board_may_be_a_profile_of_ones_own(pytester: pytest.Pytester) -> None:
    text = (Path(__file__).resolve().parents[2] / "nnlite" / "profiles" / "microbit2.toml").read_text(encoding="utf-8")
    pytester.path.joinpath("mine.toml").write_text(text, encoding="utf-8")
    pytester.makepyfile(MARKED)
    result = pytester.runpytest_inprocess("--board", "mine.toml", "-rs", "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::test_second?microbit2? PASSED*"])


def test_ones_own_image_is_what_the_board_boots(pytester: pytest.Pytester) -> None:
    image = program(store(RAM, 0xD0E), HALT)
    pytester.path.joinpath("mine.hex").write_text(hex_text(image), encoding="ascii")
    pytester.makeconftest(
        """
        import pathlib
        import pytest

        @pytest.fixture
        def board_image():
            return pathlib.Path(__file__).with_name("mine.hex")
        """
    )
    pytester.makepyfile(
        """
        def test_mine(board):
            board.run(1_000)
            assert board.read_memory(0x20000000, 2) == bytes([0x0E, 0x0D])
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_an_image_that_is_not_there_is_one_line(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef board_image(): return 'nowhere.hex'")
    pytester.makepyfile("def test_mine(board): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["cannot read the firmware nowhere.hex*"])
    result.stdout.no_fnmatch_line("* def *")


FAILING = """
    import numpy as np
    import pytest
    from firmware_sim import FirmwareFault, open_board
    from nnlite import Device

    def test_fixture(device, board):
        device.info()
        board.flip_bits("ram", 1, seed=1)
        assert False

    def test_own():
        with open_board("microbit2") as board, Device.open(board.url):
            assert False

    def test_url():
        with Device.open("sim://microbit2") as device:
            device.info()
            assert False

    def test_passes(device):
        device.info()

    def test_expected():
        with pytest.raises(ZeroDivisionError), open_board("microbit"):
            1 / 0

    def test_no_board():
        assert False
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_failure_tells_of_its_boards(pytester: pytest.Pytester, workers: str) -> None:
    """The fixture's, those that a test opened itself, by name or by URL; nothing of others."""
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_subprocess("-p", "xdist", "-n", workers, "--board-faults=flip=0.0001", "--fault-seed=7")
    result.assert_outcomes(failed=4, passed=2)
    output = str(result.stdout)
    assert output.count("- board microbit (sim://board/") == 1
    assert output.count("- board microbit2 (sim://board/") == 2
    assert output.count("state      closed, while the exception went by") == 2
    section = output.partition("- board microbit (")[2].partition("\n____")[0]
    for line in (
        "state      runs",
        "faults     --board-faults flip=0.0001 --fault-seed 7",
        "damaged    0 of ",
        "injected   cycle ",
        "    = HELLO, session ",
        "    = HELLO OK, session ",
        "backtrace  ",
        "           main (firmware/main.c:",
        "registers  r0 ",
        " bytes at its deepest",
        " cycles, ",
    ):
        assert line in section, line


def test_the_report_tells_of_frames_and_bytes_in_their_order() -> None:
    with open_board("microbit") as board, Device.open(board.url) as device:
        device.flash(Network([4, 6, 3], seed=1))
        told = tell(board).splitlines()
    sent = board.link.record.pieces[-2]
    assert sent.direction == "to_board"
    assert f"  {sent.cycle / 16e6:.6f} s, {len(sent.data)} bytes to the board" in told
    assert f"    {sent.data[:32].hex(' ')}" in told
    frames = [line.split(",")[0].strip(" =") for line in told if line.startswith("    = ")]
    assert frames[-4:] == ["FLASH_DATA", "FLASH_DATA OK", "FLASH_COMMIT", "FLASH_COMMIT OK"]


def test_the_report_tells_of_a_board_that_has_stopped() -> None:
    halted = bare_board(b"\xff\xde")  # udf
    with pytest.raises(FirmwareFault, match="undefined"):
        halted.run(1_000)
    told = tell(halted)
    assert "state      microbit: an undefined instruction; pc 0x00000040" in told
    assert f"  sp {STACK:08x}" in told
    assert "stack      0 bytes at its deepest" in told
    assert "line       nothing went over it" in told
    with open_board("microbit", faults=Faults(interface_chip=True)) as board:
        board.cut_power()
        assert "state      the simulated microbit has no power" in tell(board)
        assert "overflown  0 bytes to the board and 0 from it in the interface chip" in tell(board)


def test_the_record_is_bounded() -> None:
    with open_board("microbit", faults=Faults(drop=0.0)) as board:
        for n in range(300):
            board.write_line(bytes([1 + n % 255]) * 40, 115_200)
            board.run(100_000)
        pieces = board.link.record.pieces
        assert 1_500 < sum(len(piece.data) for piece in pieces) <= 2_048
        assert pieces[-1].data[-1] == 1 + 299 % 255
        assert tell(board).count("\n") < 60
