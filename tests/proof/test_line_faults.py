"""A slice of the line faults of docs/PROOF.md: every transfer is complete and right, or ends with a named error."""

from __future__ import annotations

import pytest

from firmware_sim import open_board
from tests.proof.line_faults import SLICE, slice_of
from tests.proof.talk import talk


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
@pytest.mark.parametrize("case", SLICE)
def test_transfers_are_right_or_end_with_a_named_error(board: str, case: str) -> None:
    """Anything else is a Violation, which `talk` raises."""
    tried = slice_of(case)
    with open_board(board, faults=tried.faults) as opened:
        assert talk(opened, tried.what).keys() == tried.what.steps.keys()
        assert sum(opened.line.damaged.values()) > 0
