"""The power goes in front of a flash operation, and the board boots: the old model serves, or the new one, whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_sim import Board
from nnlite.network import Network
from tests.sim.power_cut import THIRD, Bench, flashing, learning, learning_with_all, outcomes, rolling_back, trying

#: operations at both ends that are all tried: pages are erased first, the record is written last
FIRST, LAST = 4, 16
EVERY = 4


def chosen(operations: int) -> list[int]:
    """All at both ends, where the record page is erased and written; between them, where the image is, every k-th."""
    inner = range(1, operations + 1, EVERY)
    return [n for n in range(1, operations + 1) if n <= FIRST or n > operations - LAST or n in inner]


def test_flash(board: Board) -> None:
    bench, old, new = flashing(board)
    assert bench.operations > 40
    cuts = chosen(bench.operations)
    assert outcomes(bench, old, new, cuts) == {"old": len(cuts), "new": 1}


@pytest.mark.parametrize("undertaking", [learning, learning_with_all])
def test_learning(board: Board, undertaking: Callable[[Board], tuple[Bench, Network, Network]]) -> None:
    bench, old, new = undertaking(board)
    assert bench.operations > 40
    cuts = chosen(bench.operations)
    assert outcomes(bench, old, new, cuts) == {"old": len(cuts), "new": 1}


@pytest.mark.parametrize("undertaking", [flashing, learning])
def test_an_operation_that_the_cut_tears(
    board: Board, undertaking: Callable[[Board], tuple[Bench, Network, Network]]
) -> None:
    """At the last one, the commit word, the new model serves only if all of it was written."""
    bench, old, new = undertaking(board)
    last = bench.operations
    cuts = [1, 2, *range(5, last, 12), *range(last - 4, last + 1)]
    for outcome in ("torn", "half-erased"):
        assert outcomes(bench, old, new, cuts, outcome) == {"old": len(cuts), "new": 1}
    assert outcomes(bench, old, new, cuts, "all") == {"old": len(cuts) - 1, "new": 2}


def test_rollback(board: Board) -> None:
    bench, old, new = rolling_back(board)
    assert bench.operations == 1
    assert outcomes(bench, old, new, [1]) == {"old": 1, "new": 1}


def test_trial(board: Board) -> None:
    bench, old, new = trying(board)
    assert bench.operations > 20
    cuts = chosen(bench.operations)
    assert outcomes(bench, old, new, cuts) == {"old": len(cuts) + 1}


def test_the_first_model(board: Board) -> None:
    """Until it is whole there is none, and the device says so."""
    bench = Bench(board, lambda device: None, lambda device: device.flash(THIRD) and None)
    cuts = chosen(bench.operations)
    assert outcomes(bench, None, THIRD, cuts) == {"old": len(cuts), "new": 1}
