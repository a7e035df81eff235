"""Losses and gradients of 16 samples side by side: a lane is a sample, so that each sum runs over ascending j."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.elementary import exp_lanes, log_lanes, sigmoid_lanes
from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import load, select, splat, store
from nnlite.kernels.step import SIGMOID_OUTPUT, SOFTMAX

__all__ = ["hits_of_16", "losses_of_16"]

_ZERO, _HALF, _ONE, _MINUS_ZERO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(-0.0)


@inlined
def _softmax(a: Any, stride: int, labels: Any, outputs: int, dA: Any) -> Any:
    """eq. 2 and 17, as `softmax_cross_entropy`."""
    largest = load(a, 0)
    for j in range(1, outputs):
        value = load(a, j * stride)
        largest = select(value > largest, value, largest)
    # of each lane its own logit: the label is a float, exact below 2^24
    label, chosen = load(labels, 0), largest
    total = splat(_ZERO)
    for j in range(outputs):
        value = load(a, j * stride)
        chosen = select(label == splat(np.float32(j)), value, chosen)
        power = exp_lanes(value - largest)
        total = total + power
        store(power, dA, j * stride)
    for j in range(outputs):
        y = load(dA, j * stride) / total
        store(select(label == splat(np.float32(j)), y - splat(_ONE), y), dA, j * stride)
    return log_lanes(total) - (chosen - largest)


@inlined
def _binary(a: Any, stride: int, goals: Any, outputs: int, dA: Any) -> Any:
    """As `binary_cross_entropy`."""
    total, zero = splat(_ZERO), splat(_ZERO)
    for j in range(outputs):
        value, y_hat = load(a, j * stride), load(goals, j * stride)
        above = value > zero
        power = exp_lanes(select(above, splat(_MINUS_ZERO) - value, value))
        positive = select(above, value, zero)
        total = total + ((positive - value * y_hat) + log_lanes(splat(_ONE) + power))
        store(sigmoid_lanes(value) - y_hat, dA, j * stride)
    return total


@inlined
def _squared(a: Any, stride: int, goals: Any, outputs: int, dA: Any) -> Any:
    """As `mean_squared_error`."""
    total = splat(_ZERO)
    for j in range(outputs):
        error = load(a, j * stride) - load(goals, j * stride)
        total = total + error * error
        store(error, dA, j * stride)
    return splat(_HALF) * total


@part
def losses_of_16(
    output: int, outputs: int, a: Any, stride: int, goals: Any, labels: Any, weights: Any, losses: Any, dA: Any
) -> None:
    """Losses and dA of the logits a. a, goals, dA: rows of 16, one an output, `stride` apart. The others: 16 floats."""
    weight = load(weights, 0)
    if output == SOFTMAX:
        loss = _softmax(a, stride, labels, outputs, dA)
    elif output == SIGMOID_OUTPUT:
        loss = _binary(a, stride, goals, outputs, dA)
    else:
        loss = _squared(a, stride, goals, outputs, dA)
    store(loss * weight, losses, 0)
    for j in range(outputs):
        store(load(dA, j * stride) * weight, dA, j * stride)


@part
def hits_of_16(a: Any, stride: int, outputs: int, labels: Any, hits: Any) -> None:
    """hits, 16 floats: 1 in each lane whose largest logit, the first of equals, is that of its label, else 0."""
    largest, best = load(a, 0), splat(_ZERO)
    for j in range(1, outputs):
        value = load(a, j * stride)
        best = select(value > largest, splat(np.float32(j)), best)
        largest = select(value > largest, value, largest)
    store(select(best == load(labels, 0), splat(_ONE), splat(_ZERO)), hits, 0)
