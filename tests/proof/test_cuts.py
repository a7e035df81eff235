"""Seeded slices of the power cuts of docs/PROOF.md; `scripts/power_cuts` tries all of them."""

from __future__ import annotations

from random import Random

import pytest

from firmware_sim import Board, PowerCutError
from nnlite.device import Device
from tests.proof.cuts import Bench
from tests.proof.flash_content import OUTCOMES, seed_of
from tests.proof.undertakings import UNDERTAKINGS, of_board


@pytest.mark.board("microbit", "microbit2")
@pytest.mark.parametrize("name", UNDERTAKINGS)
def test_the_old_model_serves_or_the_new_one(board: Board, name: str) -> None:
    undertaking = of_board(name, board.profile)
    bench = Bench(board, undertaking)
    chance = Random(name)
    cuts = bench.some_cuts(chance)
    found = bench.sweep(cuts, chance)
    assert found.first.total() == found.second.total() == len(cuts)
    assert cuts[-1].outcome == "all"
    # only when all of the last operation is done, or so much of it that nothing is missing
    assert (found.first["new"] >= 1) == (name != "trial")
    assert found.first["new"] <= len(OUTCOMES)


@pytest.mark.board("microbit", "microbit2")
def test_the_content_of_a_cut_is_what_the_cut_itself_leaves(board: Board) -> None:
    """Derived from a record on the one side, cut on the other."""
    undertaking = of_board("flash", board.profile)
    bench = Bench(board, undertaking)
    every = list(bench.cuts())
    chosen = [cut for cut in every if cut.number in {1, 2, 9, bench.operations - 1, bench.operations}]
    assert len({cut.content.key for cut in chosen}) > len(OUTCOMES) * 3
    for cut in chosen:
        bench.region.write(board, bench.start)
        board.cut_power_at_flash_operation(cut.number, cut.outcome, seed_of(cut.number, cut.outcome))
        board.boot()
        with Device.open(board.url) as device, pytest.raises(PowerCutError):
            undertaking.undertake(device)
        assert bench.region.read(board).key == cut.content.key, (cut.number, cut.outcome)
