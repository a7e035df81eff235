"""The selftest on simulated boards that are well, and on some that are not."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import Board
from nnlite.cli import run
from nnlite.device import Device
from nnlite.errors import DeviceTimeoutError, UsageError
from nnlite.network import Network
from nnlite.selftest import Check, checks, hardware_row, load_golden, run_checks
from tests.cli.command import refused

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.board("microbit2")
NET = Network([3, 4, 2], seed=1)
OTHER = Network([3, 5, 2], seed=2)
Capsys = pytest.CaptureFixture[str]


def verdicts(found: list[Check]) -> dict[str, bool | None]:
    return {check.name: check.passed for check in found}


@pytest.mark.board("microbit", "microbit2", "nano33ble")
def test_a_board_that_is_well_passes_and_keeps_its_model(board: Board, device: Device) -> None:
    device.flash(NET)
    before = device.info()
    operations = board.chip.nvmc.operations
    found = list(run_checks(device))
    assert set(verdicts(found).values()) == {True}
    assert len(found) == 9
    assert device.info().serving == before.serving
    assert device.verify(NET).generation == 1
    assert board.chip.nvmc.operations > operations, "it did write"
    measured = [check.figures for check in found if check.name.endswith("cycles")]
    assert all(figures and abs(figures["measured"] / figures["estimated"] - 1) < 0.001 for figures in measured)
    board.boot()
    assert device.info().serving == before.serving


def test_a_board_without_a_model_has_none_afterwards(device: Device) -> None:
    assert set(verdicts(list(run_checks(device))).values()) == {True}
    assert device.info().serving is None


def test_the_model_of_rollback_is_not_lost_unasked(board: Board, device: Device) -> None:
    device.flash(OTHER)
    device.flash(NET)
    operations = board.chip.nvmc.operations
    with pytest.raises(UsageError, match=r"writes over slot 0, whose generation 1 .* --overwrite"):
        list(run_checks(device))
    assert board.chip.nvmc.operations == operations
    assert set(verdicts(list(run_checks(device, overwrite=True))).values()) == {True}
    assert device.verify(NET).generation == 2


@pytest.mark.parametrize(
    ("function", "fails"),
    [
        ("nn_standardize", {"golden vectors", "100 training steps"}),
        ("nn_dense_forward", {"golden vectors", "100 training steps"}),
        ("nn_dense_backward", {"100 training steps"}),
        ("nn_softmax", {"golden vectors"}),
        ("nn_sgd_update", {"100 training steps"}),
    ],
)
def test_a_kernel_that_does_nothing_is_found_by_name(board: Board, function: str, fails: set[str]) -> None:
    """Its first instruction becomes `bx lr`."""
    board.write_memory(board.symbol(function) & ~1, b"\x70\x47")
    with Device.open(board.url) as device:
        found = list(run_checks(device))
    failed = {name for name, passed in verdicts(found).items() if passed is False}
    # What computes less takes fewer cycles, too.
    assert failed - {"inference cycles", "training cycles"} == fails


def test_a_computer_that_computes_something_else_is_told_apart_from_the_board(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slightly(net: Network, golden: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.nextafter(load_golden().learned, np.float32(9))

    monkeypatch.setattr(checks.golden_vectors, "learn", slightly)
    found = verdicts(list(run_checks(device)))
    assert [name for name, passed in found.items() if not passed] == ["arithmetic here"]


def test_a_line_that_changes_a_byte_is_mended_and_said(board: Board, device: Device) -> None:
    board.line.flip("to_board", 1_000)
    echo = next(check for check in run_checks(device) if check.name == "link echo")
    assert echo.passed
    assert echo.figures == {"frames": 9, "sent_again": 1}


def test_a_board_that_falls_silent_is_reported_as_far_as_it_came(board: Board, device: Device) -> None:
    device.flash(NET)
    found: list[Check] = []
    for check in run_checks(device):
        found.append(check)
        if check.name == "flash read-back":
            board.line.silence("from_board")
    said = verdicts(found)
    assert said.pop("golden vectors") is False
    assert [name for name, passed in said.items() if passed is None] == [
        "100 training steps",
        "inference cycles",
        "training cycles",
        "model kept",
    ]
    assert any(isinstance(check.error, DeviceTimeoutError) for check in found)
    board.line.restore()
    assert device.verify(NET).generation == 1


def test_another_model_than_before_is_noticed(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.flash(NET)
    found = list(run_checks(device))
    assert found[-1].seen == "generation 1"
    monkeypatch.setattr(device, "trial", lambda net: _Flashed(device, net))
    assert found[-1].passed
    last = list(run_checks(device))[-1]
    assert (last.passed, last.seen) == (False, "generation 2, which is another one than before")


class _Flashed:
    """A trial that leaves a trace."""

    def __init__(self, device: Device, net: Network) -> None:
        self._device = device
        self._trial = type(device).trial(device, net)

    def __enter__(self) -> object:
        return self._trial.__enter__()

    def __exit__(self, *error: object) -> None:
        self._trial.__exit__(None, None, None)
        self._device.flash(OTHER)


def test_the_row_for_the_list_of_boards(device: Device) -> None:
    found = list(run_checks(device))
    row = hardware_row(device.known, found, date(2026, 11, 25))
    head = (ROOT / "docs" / "HARDWARE.md").read_text(encoding="utf-8")
    columns = next(line for line in head.splitlines() if line.startswith("| board"))
    assert row.count("|") == columns.count("|")
    assert row.startswith("| microbit2 | REVISION ON THE BOARD | 0.1.0 | ")
    assert "YOUR NAME, 2026-11-25 | selftest: 9 of 9 passed; " in row
    assert "\n" not in row


def test_the_files_are_what_the_script_makes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_selftest"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- the command


def test_the_command(board: Board, capsys: Capsys) -> None:
    assert run(["selftest", "--port", board.url]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["pass"] * 9
    assert "This board is simulated" in err
    assert run(["selftest", "--port", board.url, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["simulated"], report["board"]) == (True, True, "microbit2")
    assert len(report["checks"]) == 9


def test_the_command_on_a_board_that_is_not_marked_as_simulated(board: Board, capsys: Capsys) -> None:
    board.chip.uicr.values[0x0FC] = 0xFFFFFFFF
    assert run(["selftest", "--port", board.url]) == 0
    out, err = capsys.readouterr()
    assert "fill in what stands in capitals" in err
    assert out.splitlines()[-1].startswith("| microbit2 | REVISION")


def test_the_command_on_a_board_that_computes_something_else(board: Board, capsys: Capsys) -> None:
    board.write_memory(board.symbol("nn_softmax") & ~1, b"\x70\x47")
    assert run(["selftest", "--port", board.url]) == 6
    out, err = capsys.readouterr()
    assert "FAIL  golden vectors" in out
    assert "nnlite: the board failed 1 of 9 checks (golden vectors)" in err.splitlines()[-1]


def test_the_command_without_leave_to_overwrite(board: Board, capsys: Capsys) -> None:
    with Device.open(board.url) as device:
        device.flash(OTHER)
        device.flash(NET)
    code, line = refused(capsys, "selftest", "--port", board.url)
    assert code == 2
    assert "with --overwrite" in line
    assert run(["selftest", "--port", board.url, "--overwrite", "-q"]) == 0


def test_every_message_of_a_selftest_may_be_lost_once(board: Board) -> None:
    """The requests of the trial are repeated like all others, and a step is taken once."""
    with Device.open(board.url) as device:
        for after in range(2_000, 40_000, 4_000):
            board.line.drop("to_board", after)
            board.line.drop("from_board", after + 1_000)
        found = list(run_checks(device))
        assert set(verdicts(found).values()) == {True}
        assert device.statistics.retransmissions >= 5
