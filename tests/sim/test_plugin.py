"""The pytest plugin as somebody else's tests meet it."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from firmware_sim import board as boards
from tests.serving import served

pytest_plugins = ["pytester"]

#: somebody's tests: for any board, for some boards, for simulated ones only
TESTS = """
    import numpy as np
    import pytest
    from nnlite import Network

    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def test_any(device):
        net = Network([4, 6, 3], seed=1)
        device.flash(net)
        assert (device.decision_function(X) == net.decision_function(X)).all()

    @pytest.mark.board("microbit", "microbit2")
    def test_both(device, request):
        assert f"[{device.info().board}]" in request.node.name

    def test_board(device, board):
        assert board.cycles > 0

    def test_line(device, line):
        line.drop("to_board", 5)
        device.info()
        assert line.damaged["to_board"] == 1
"""


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


def test_the_same_tests_run_on_a_simulated_board_and_on_one_behind_a_port(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.runpytest_subprocess().assert_outcomes(passed=5)
    with served("--board", "microbit2", "--fast") as port:
        result = pytester.runpytest_subprocess("-v", "-rs", "--board-port", port)
    result.assert_outcomes(passed=2, skipped=3)
    result.stdout.fnmatch_lines([f"boards: the one at {port}", "*test_both?microbit2? PASSED*"])
    result.stdout.fnmatch_lines_random(
        [
            f"*is for microbit, and the board at {port} is a microbit2",
            f"SKIPPED*needs a simulated board, and --board-port is {port}",
        ]
    )


def test_the_port_may_be_named_by_the_boards_id(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile("def test_id(device): assert device.info().unique_id == '00000000000000a7'")
    with served("--id", "00000000000000a7", "--fast") as port:
        monkeypatch.setenv("NNLITE_PORTS", port)
        pytester.runpytest_inprocess("--board-port", "id:00000000000000a7").assert_outcomes(passed=1)


def test_a_port_that_does_not_open_ends_the_session_with_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("--board-port", "no/such/port")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.parseoutcomes() == {}
    assert str(result.stdout).count("there is no port no/such/port") == 1
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("* def *")


def test_tests_without_a_device_do_not_open_the_port(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_plain(): pass")
    pytester.runpytest_inprocess("--board-port", "no/such/port").assert_outcomes(passed=1)


def test_with_a_port_another_projects_board_still_is_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from firmware_sim import open_board

        @pytest.fixture
        def board():
            with open_board("microbit2") as board:
                yield board
        """
    )
    pytester.makepyfile("def test_line(board, line): assert line is board.line")
    pytester.runpytest_inprocess("--board-port", "no/such/port").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--board-port=P --board-faults=flip=0.1", "ERROR: --board-faults is for simulated boards: leave it out*"),
        ("--board-port=P -n 2", "ERROR: the one board at --board-port cannot serve several workers: leave out -n*"),
        ("--board-faults=flop=0.1", "*'flop=0.1': there is no fault 'flop'; those are *; write it as flip=0.0005,*"),
        ("--board-faults=flip", "*'flip': '' is no number; write it as flip=0.0005,*"),
        ("--board-faults=flip=0.1,drop=2", "*'drop=2': drop is the chance of each byte, from 0 to 1, not 2;*"),
        ("--board=microbit --board-port=P", "ERROR: --board is for simulated boards: leave it out*"),
        ("--board=microbit,nosuch", "ERROR: --board microbit,nosuch: there is no board 'nosuch'*"),
        ("--fault-seed=x", "*argument --fault-seed: invalid int value: 'x'"),
    ],
)
def test_options_that_cannot_be_are_refused(pytester: pytest.Pytester, options: str, message: str) -> None:
    pytester.makepyfile("def test_plain(): pass")
    result = pytester.runpytest_inprocess("-p", "xdist", *options.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_the_option_makes_every_boards_line_noisy(pytester: pytest.Pytester) -> None:
    """By the seed; and a test that fails says how to have the same again."""
    pytester.makepyfile(
        """
        def test_first(line, record_property):
            record_property("arrives", line.carry("to_board", bytes(200)).hex())
            assert False

        def test_second(line, record_property):
            record_property("arrives", line.carry("to_board", bytes(200)).hex())

        def test_no_line():
            assert False
        """
    )
    options = ["--board-faults", "flip=0.05,double=0.01", "--fault-seed"]

    def arrived(seed: str) -> str:
        result = pytester.inline_run(*options, seed)
        first, second = (
            [dict(r.user_properties)["arrives"] for r in result.getreports() if r.when == "call" and name in r.nodeid]
            for name in ("first", "second")
        )
        assert first == second
        return str(first[0])

    assert arrived("7") == arrived("7")
    assert arrived("7") != arrived("8") != bytes(200).hex()
    result = pytester.runpytest_inprocess(*options, "7")
    said = "--board-faults flip=0.05,double=0.01 --fault-seed 7"
    result.stdout.fnmatch_lines(
        [f"boards: simulated, {said}", f"faults     {said}", "damaged    * of 200 bytes to the*"]
    )
    assert str(result.stdout).count("damaged ") == 1
    quiet = pytester.runpytest_inprocess()
    quiet.stdout.fnmatch_lines(["faults     --fault-seed 0", "damaged    0 of 200 bytes to the*"])
    quiet.stdout.no_fnmatch_line("boards:*")


def test_the_workers_of_xdist_have_the_noise_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.board("microbit", "microbit2")
        def test_damage(line):
            line.carry("to_board", bytes(100))
            assert line.damaged["to_board"] == 100
        """
    )
    result = pytester.runpytest_subprocess("-p", "xdist", "-n", "2", "--board-faults=flip=1")
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("board", "message"),
    [("pico", "there is no firmware for the board 'pico' yet*"), ("microbot", "there is no board 'microbot'*")],
)
def test_a_board_that_cannot_be_simulated_is_one_line(pytester: pytest.Pytester, board: str, message: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.board("{board}")
        def test_board(device):
            pass
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("* def *")
    result.stdout.no_fnmatch_line("During handling *")
