"""The pytest plugin as somebody else's tests meet it."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from firmware_sim import board as boards

pytest_plugins = ["pytester"]


def test_the_marker_names_the_boards(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_default(board):
            assert board.profile.name == "microbit"

        @pytest.mark.board("microbit2", "microbit")
        def test_marked(board, device):
            assert device.info().board == board.profile.name

        @pytest.mark.board("microbit2")
        class TestClass:
            def test_method(self, device, board):
                assert board.profile.name == "microbit2"

        @pytest.mark.board("microbit2")
        def test_without_a_board():
            pass
        """
    )
    result = pytester.runpytest_inprocess("--strict-markers", "-v")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*test_marked?microbit2? PASSED*", "*test_marked?microbit? PASSED*"])


def test_nothing_stays_open(pytester: pytest.Pytester) -> None:
    """Neither after a test that passes nor after one that fails half way, nor after one that cuts the power."""
    pytester.makepyfile(
        """
        def test_passes(board, device):
            pass

        def test_fails(board, device):
            assert False

        def test_halts(board, device):
            board.cut_power()
        """
    )
    gc.collect()
    before = set(boards._running)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=1)
    assert set(boards._running) - before == set()


def test_faults_are_set_on_the_boards_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from nnlite.errors import DeviceTimeoutError

        def test_silence(board, device):
            board.line.silence("from_board")
            with pytest.raises(DeviceTimeoutError):
                device.info()

        def test_the_next_board_has_a_good_line(board, device):
            device.info()
            assert device.statistics.bad_frames == 0
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_another_projects_board_is_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def board():
            return "chess"

        def test_board(board):
            assert board == "chess"
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_without_the_extra_the_fixture_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        sys.modules["unicorn"] = None

        def test_needs_a_board(device):
            pass

        def test_needs_none():
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*pip install 'nnlite-mcu[[]sim[]]'*"])


def test_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, firmware_sim.pytest_plugin\n"
        "print([m for m in ('unicorn', 'capstone', 'numba', 'numpy', 'msgspec', 'nnlite.device') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
