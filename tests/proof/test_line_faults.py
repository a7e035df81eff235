"""A slice of the line faults of docs/PROOF.md: every transfer is complete and right, or ends with a named error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim import open_board
from tests.proof.line_faults import CASES
from tests.proof.talk import talk

SLICE = ["bit errors 0.001", "silences of 64 bytes 0.001"]
SLICE += ["interface chip, latency 16 ms, bit errors 0.0001, lost bytes 0.0001", "bit errors 0.0001, the higher rate"]


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
@pytest.mark.parametrize("case", SLICE)
def test_transfers_are_right_or_end_with_a_named_error(board: str, case: str) -> None:
    """Anything else is a Violation, which `talk` raises."""
    tried = CASES[case]
    with open_board(board, faults=replace(tried.faults, seed=11)) as opened:
        assert talk(opened, tried.what).keys() == tried.what.steps.keys()
        assert sum(opened.line.damaged.values()) > 0
