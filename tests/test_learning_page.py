"""docs/LEARNING.md: what ways of learning cost is what the plan says and what boards take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_sim import Board
from nnlite import Network
from nnlite.device import Device
from nnlite.planner import Learning, learning_bytes
from nnlite.recipe import OPTIMIZERS

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "LEARNING.md").read_text(encoding="utf-8")


def test_the_table_of_memory_is_the_plans() -> None:
    for optimizer in OPTIMIZERS:
        ways = [Learning(1, optimizer), Learning(1, optimizer, 1), Learning(1, optimizer, 1, keep=True)]
        row = [f"{sum(learning_bytes((64, 32, 10), 'softmax', way).values()):,}" for way in ways]
        assert f"| {optimizer} | {' | '.join(row)} |\n" in PAGE


@pytest.mark.board("microbit", "microbit2")
def test_steps_take_as_much_longer_as_it_says(board: Board, device: Device) -> None:
    said = {"microbit": (4.7, 17), "microbit2": (4.2, 12)}[board.profile.name]
    assert {"microbit": "about 4.7 times as long and Adam 17;", "microbit2": "on the v2 4.2 and 12."}[
        board.profile.name
    ] in PAGE
    net = Network([20, 20, 3], seed=1)
    device.flash(net)
    X, y = np.random.default_rng(0).normal(size=(6, 20)), [0, 1, 2] * 2
    cycles = []
    for optimizer in OPTIMIZERS:
        with board.measure("model_train_row") as measured:
            device.learn(X, y, optimizer=optimizer)
        cycles.append(measured.cycles)
    assert [cycles[1] / cycles[0], cycles[2] / cycles[0]] == pytest.approx(said, rel=0.1)
