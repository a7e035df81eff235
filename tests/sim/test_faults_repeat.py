"""The same seed gives the same cycles, bytes and failure: in another process, and in a worker of pytest-xdist."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

#: everything at once; prints what must be the same in every process
RUN = """
import hashlib
import numpy as np
from firmware_sim import PowerCutError, open_board
from firmware_sim.faults import Faults
from nnlite.device import Device
from nnlite.network import Network

faults = Faults.parse("flip=0.0004,drop=0.0002,burst=0.0001,burst_bytes=3,latency=0.003", seed=SEED)
with open_board("microbit", faults=faults) as board:
    board.at_cycle(40_000_000, lambda: board.flip_bits("ram", 3, seed=SEED))
    board.cut_power_at_flash_operation(30, "torn", seed=SEED)
    board.boot()
    try:
        with Device.open(board.url) as device:
            device.flash(Network([3, 8, 3], seed=0))
    except Exception as error:
        print(type(error).__name__, error)
    print(board.cycles, board.instructions, board.line, board.damage, hashlib.sha256(board.flash).hexdigest())
    print(board.link.record.pieces)
"""


def printed(seed: int) -> str:
    code = RUN.replace("SEED", str(seed))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_two_processes_meet_the_same_faults() -> None:
    first, again, other = printed(7), printed(7), printed(8)
    assert first == again
    assert "PowerCutError" in first
    assert "torn" in first
    assert first.splitlines()[1] != other.splitlines()[1]


def test_workers_of_xdist_meet_the_same_faults(pytester: pytest.Pytester) -> None:
    """Four tests on two workers: each board is the same, alone and among others."""
    pytester.makepyfile(
        """
        import hashlib
        import numpy as np
        import pytest
        from nnlite import Network

        @pytest.mark.parametrize("n", range(4))
        def test_run(device, board, line, n):
            device.flash(Network([3, 8, 3], seed=0))
            digest = hashlib.sha256(board.flash).hexdigest()
            raise AssertionError(f"it was {board.cycles} {board.instructions} {line.damaged} {digest} end")
        """
    )

    def failures(*options: str) -> set[str]:
        arguments = ("--board-faults=flip=0.0005,drop=0.0002,latency=0.002", "--fault-seed=3")
        result = pytester.runpytest_subprocess("-p", "xdist", *options, *arguments)
        result.assert_outcomes(failed=4)
        return {line for line in result.outlines if line.startswith("E ") and "it was" in line}

    alone = failures("-n", "0")
    assert len(alone) == 1
    assert failures("-n", "2") == alone
