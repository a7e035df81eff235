"""Losses and gradients of 16 samples side by side: a lane is a sample, so that each sum runs over ascending j.

The logits of the samples are turned to columns first, and their gradients back to rows afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.elementary import exp_lanes, log_lanes, sigmoid_lanes
from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, ahead, load, select, splat, store, transpose
from nnlite.kernels.step import SIGMOID_OUTPUT, SOFTMAX

__all__ = ["hits_of_16", "losses_of_16", "poison_of_rows", "to_rows"]

_ZERO, _HALF, _ONE, _MINUS_ZERO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(-0.0)


@part
def to_rows(columns: Any, rows: Any, stride: int, width: int) -> None:
    """`width` rows of 16 floats, as `transpose_rows` makes them, back to 16 rows `stride` apart."""
    for j in range(0, width, LANES):
        transpose(ahead(columns, j * LANES), LANES, ahead(rows, j), stride)


@part
def poison_of_rows(poison: Any, rows: Any, stride: int, count: int, width: int) -> None:
    """Make poison, 16 floats, NaN in a lane where a value of the rows is not finite: only such less itself is not 0."""
    found = load(poison, 0)
    for k in range(count):
        for j in range(0, width, LANES):
            a = load(rows, k * stride + j)
            found = found + (a - a)
    store(found, poison, 0)


@inlined
def _softmax(columns: Any, labels: Any, outputs: int) -> Any:
    """eq. 2 and 17, as `softmax_cross_entropy`; columns hold the logits, then dA."""
    largest = load(columns, 0)
    for j in range(1, outputs):
        a = load(columns, j * LANES)
        largest = select(a > largest, a, largest)
    # of each lane its own logit: the label is a float, exact below 2^24
    label, chosen = load(labels, 0), largest
    total = splat(_ZERO)
    for j in range(outputs):
        a = load(columns, j * LANES)
        chosen = select(label == splat(np.float32(j)), a, chosen)
        power = exp_lanes(a - largest)
        total = total + power
        store(power, columns, j * LANES)
    for j in range(outputs):
        y = load(columns, j * LANES) / total
        store(select(label == splat(np.float32(j)), y - splat(_ONE), y), columns, j * LANES)
    return log_lanes(total) - (chosen - largest)


@inlined
def _binary(columns: Any, goals: Any, outputs: int) -> Any:
    """As `binary_cross_entropy`."""
    total, zero = splat(_ZERO), splat(_ZERO)
    for j in range(outputs):
        a, y_hat = load(columns, j * LANES), load(goals, j * LANES)
        above = a > zero
        power = exp_lanes(select(above, splat(_MINUS_ZERO) - a, a))
        positive = select(above, a, zero)
        total = total + ((positive - a * y_hat) + log_lanes(splat(_ONE) + power))
        store(sigmoid_lanes(a) - y_hat, columns, j * LANES)
    return total


@inlined
def _squared(columns: Any, goals: Any, outputs: int) -> Any:
    """As `mean_squared_error`."""
    total = splat(_ZERO)
    for j in range(outputs):
        error = load(columns, j * LANES) - load(goals, j * LANES)
        total = total + error * error
        store(error, columns, j * LANES)
    return splat(_HALF) * total


@part
def losses_of_16(
    output: int, outputs: int, width: int, columns: Any, goals: Any, labels: Any, weights: Any, losses: Any
) -> None:
    """columns: (width, 16) logits on the way in, dA on the way out. goals: (width, 16). The others: 16 floats."""
    weight = load(weights, 0)
    if output == SOFTMAX:
        loss = _softmax(columns, labels, outputs)
    elif output == SIGMOID_OUTPUT:
        loss = _binary(columns, goals, outputs)
    else:
        loss = _squared(columns, goals, outputs)
    store(loss * weight, losses, 0)
    for j in range(outputs):
        store(load(columns, j * LANES) * weight, columns, j * LANES)
    for j in range(outputs, width):
        store(splat(_ZERO), columns, j * LANES)


@part
def hits_of_16(columns: Any, outputs: int, labels: Any, hits: Any) -> None:
    """hits, 16 floats: 1 in each lane whose largest logit, the first of equals, is that of its label, else 0."""
    largest, best = load(columns, 0), splat(_ZERO)
    for j in range(1, outputs):
        a = load(columns, j * LANES)
        best = select(a > largest, splat(np.float32(j)), best)
        largest = select(a > largest, a, largest)
    store(select(best == load(labels, 0), splat(_ONE), splat(_ZERO)), hits, 0)
