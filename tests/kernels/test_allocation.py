"""Training allocates its buffers once: not one more for a thousand steps than for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.runtime import _nrt_python, rtsys

from nnlite.kernels.step import (
    Shape,
    activation_count,
    begin_state,
    gradient_count,
    parameter_count,
    state_count,
    train_rows,
)
from nnlite.layout import HiddenActivation, OutputFunction
from nnlite.recipe import OPTIMIZERS, check_recipe


def _allocations(optimizer: str, output: OutputFunction, rows: int) -> int:
    shape = Shape(np.array([4, 5, 4, 3]), int(HiddenActivation.TANH), int(output))
    X, labels, targets = np.ones((rows, 4), np.float32), np.zeros(rows, np.int64), np.ones((rows, 3), np.float32)
    state = np.empty(state_count(shape, OPTIMIZERS[optimizer]), np.float32)
    begin_state(state, OPTIMIZERS[optimizer])
    buffers = (np.empty((2, count(shape)), np.float32) for count in (activation_count, gradient_count))
    rule = check_recipe(1, 2, 0.01, optimizer, weight_decay=0.1, clip_norm=1.0).rule(0)
    given = shape, np.zeros(parameter_count(shape), np.float32), X, labels, targets, np.ones(rows, np.float32)
    arguments = *given, np.arange(rows), rule, state, *buffers, np.empty(rows, np.float32)
    train_rows(*arguments)
    before = rtsys.get_allocation_stats()
    assert train_rows(*arguments) == -1
    after = rtsys.get_allocation_stats()
    return int(after.alloc - before.alloc + after.mi_alloc - before.mi_alloc)


@pytest.fixture(autouse=True)
def _counted() -> None:
    _nrt_python.memsys_enable_stats()


@pytest.mark.parametrize("output", OutputFunction)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_allocates_nothing(optimizer: str, output: OutputFunction) -> None:
    assert _allocations(optimizer, output, 2) == _allocations(optimizer, output, 2000)


def test_the_count_sees_an_array() -> None:
    making: Any = njit(lambda n: np.empty(n).size)
    before = rtsys.get_allocation_stats().alloc
    assert making(3) == 3
    assert rtsys.get_allocation_stats().alloc > before
