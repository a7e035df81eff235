"""A slice of the soak of docs/PROOF.md."""

from __future__ import annotations

import pytest

from nnlite.profile import Profile
from tests.proof.soak import soak

#: of the simulator, Unicorn and what Python keeps, between a tenth of a run and its end
MOST_GROWTH_KB = 40_000


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
def test_nothing_leaks_drifts_or_gets_lost(board: str) -> None:
    found = soak(board, 300, 30, seed=3)
    early, late = found.early, found.late
    assert found.messages >= 300
    assert found.commits >= 30
    assert found.faults > 0
    assert late.memory_kb - early.memory_kb < MOST_GROWTH_KB
    assert late.stack_bytes <= Profile.load(board).firmware.stack_bytes
    assert (late.arena_bytes, late.echo_cycles, late.run_cycles) == (
        early.arena_bytes,
        early.echo_cycles,
        early.run_cycles,
    )
