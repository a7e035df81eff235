"""Kernels that are compiled for numbers they know: the same bits, and no more compiled than they need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite.kernels.step import (
    ADAM,
    LINEAR,
    MOMENTUM,
    SGD,
    SIGMOID_OUTPUT,
    SOFTMAX,
    Rule,
    Shape,
    activation_count,
    begin_state,
    forward_rows,
    forward_rows_for,
    gradient_count,
    loss_rows,
    loss_rows_for,
    parameter_count,
    scratch,
    state_count,
    train_rows,
    train_rows_for,
)
from nnlite.layout import HiddenActivation
from tests.runtime.native import same_bits

RELU, LEAKY_RELU, SIGMOID, TANH = HiddenActivation
SIZES, ROWS, BATCH = [5, 7, 6, 4], 11, 4


@pytest.mark.parametrize(
    ("hidden", "output", "optimizer", "weight_decay", "clip_norm"),
    [
        (RELU, SOFTMAX, SGD, 0.0, 0.0),
        (LEAKY_RELU, LINEAR, MOMENTUM, 0.0, 0.0),
        (SIGMOID, SIGMOID_OUTPUT, ADAM, 0.0, 0.0),
        (TANH, SOFTMAX, ADAM, 0.1, 0.0),
        (TANH, LINEAR, SGD, 0.0, 0.05),
    ],
)
def test_the_bits_are_the_same(
    hidden: HiddenActivation, output: int, optimizer: int, weight_decay: float, clip_norm: float
) -> None:
    generator = np.random.default_rng(5)
    general = Shape(np.array(SIZES), int(hidden), output)
    X = generator.normal(size=(ROWS, SIZES[0])).astype(np.float32)
    softmax = output == SOFTMAX
    labels = generator.integers(SIZES[-1], size=ROWS if softmax else 0)
    targets = generator.uniform(0, 1, (1 if softmax else ROWS, SIZES[-1])).astype(np.float32)
    rate, betas, epsilon = np.float32(0.05), np.array([0.9, 0.999], np.float32), np.float32(1e-7)
    rule = Rule(optimizer, rate, betas, epsilon, np.float32(weight_decay), np.float32(clip_norm))
    start = generator.normal(size=parameter_count(general)).astype(np.float32)

    def everything(
        train_rows: Any, loss_rows: Any, forward_rows: Any
    ) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        parameters, losses = start.copy(), np.empty((2, ROWS), np.float32)
        state = np.empty(state_count(general, optimizer), np.float32)
        begin_state(state, optimizer)
        records = np.zeros((BATCH, activation_count(general)), np.float32)
        gradients = np.empty((BATCH, gradient_count(general)), np.float32)
        data = X, labels, targets, np.zeros(0, np.float32), np.arange(ROWS)
        assert train_rows(general, parameters, *data, rule, state, records, gradients, losses[0]) == -1
        loss_rows(general, parameters, X, labels, targets, losses[1], scratch(general))
        logits = np.empty((ROWS, SIZES[-1]), np.float32)
        forward_rows(general, parameters, X, logits, scratch(general))
        return [parameters, state, losses, logits]

    found = everything(train_rows_for(general, rule), loss_rows_for(general), forward_rows_for(general))
    assert all(map(same_bits, found, everything(train_rows, loss_rows, forward_rows)))
    assert not same_bits(found[0], start)


def test_what_a_network_has_no_use_of_is_not_compiled(tmp_path: Path) -> None:
    """Three kinds of trainings, each with some of what the one before has compiled; then all of them from disk."""
    program = """
import numpy as np
from numba.core import event
from nnlite import Network, train
class Names(event.Listener):
    def on_start(self, event): names.append(event.data["dispatcher"].__name__)
    def on_end(self, event): pass
with event.install_listener("numba:compile", Names()):
    for hidden, decay in ("relu", 0), ("tanh", 0), ("tanh", 0.1):
        names = []
        train(Network([2, 3, 2], hidden=hidden), np.eye(2), [0, 1], epochs=1, accuracy=False, weight_decay=decay)
        print(*names)
"""

    def compiled() -> list[set[str]]:
        command, environment = [sys.executable, "-c", program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        return [set(line.split()) for line in said.splitlines()]

    relu, tanh, decaying = compiled()
    assert {"train_rows", "relu", "softmax_cross_entropy", "sgd_update"} <= relu
    others = {"leaky_relu", "sigmoid", "tanh", "binary_cross_entropy", "mean_squared_error", "momentum_update"}
    assert not relu & (others | {"adam_update", "decay_weights", "gradient_square"})
    assert {"train_rows", "tanh"} <= tanh
    assert not tanh & (others - {"tanh"} | {"relu", "sgd_update"})
    assert {"train_rows", "decay_weights", "gradient_square"} <= decaying
    assert compiled() == [set(), set(), set()]


def test_what_another_thread_compiles_is_not_announced_here(tmp_path: Path) -> None:
    program = """
from threading import Thread
import numpy as np
from nnlite import Network
from nnlite.kernels.jit import kernel
def infer(hidden): Network([2, 3, 2], hidden=hidden).decision_function(np.eye(2))
with kernel.announced(lambda: print("here")):
    other = Thread(target=infer, args=("relu",))
    other.start()
    other.join()
    infer("relu")
    print("then")
    infer("tanh")
    infer("sigmoid")
infer("leaky_relu")
"""
    command, environment = [sys.executable, "-c", program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert subprocess.check_output(command, text=True, env=environment).split() == ["then", "here"]
