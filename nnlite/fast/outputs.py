"""Losses and their gradients: a lane is a sample, so that each sum runs over ascending j.

Of softmax both need all of a sample's logits, but of the other outputs dA needs only its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.elementary import exp_lanes, log_lanes, sigmoid_lanes
from nnlite.fast.jit import part
from nnlite.fast.lanes import LANES, ahead, load, select, splat, store
from nnlite.kernels.step import SIGMOID_OUTPUT

__all__ = ["add_losses", "errors", "finish_losses", "hits_of_16", "softmax_of_16"]

_ZERO, _HALF, _ONE, _MINUS_ZERO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(-0.0)


@part
def softmax_of_16(outputs: int, a: Any, stride: int, labels: Any, weights: Any, losses: Any, dA: Any) -> None:
    """eq. 2 and 17, as `softmax_cross_entropy`: losses and dA of the logits a.

    a, dA : rows of 16 samples, one an output, `stride` apart. The others: 16 floats.
    """
    weight, largest = load(weights, 0), load(a, 0)
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
        store(select(label == splat(np.float32(j)), y - splat(_ONE), y) * weight, dA, j * stride)
    store((log_lanes(total) - (chosen - largest)) * weight, losses, 0)


@part
def errors(output: int, a: Any, goals: Any, weights: Any, dA: Any, stride: int, rows: int, width: int) -> None:
    """dA of the logits a of other outputs, as `binary_cross_entropy` and `mean_squared_error`.

    a, goals, dA : a row of `width` samples for each of so many outputs, `stride` apart. weights : of the samples.
    """
    for r in range(rows):
        row, goal, out = ahead(a, r * stride), ahead(goals, r * stride), ahead(dA, r * stride)
        if output == SIGMOID_OUTPUT:
            for k in range(0, width, LANES):
                store((sigmoid_lanes(load(row, k)) - load(goal, k)) * load(weights, k), out, k)
        else:
            for k in range(0, width, LANES):
                store((load(row, k) - load(goal, k)) * load(weights, k), out, k)


@part
def add_losses(output: int, a: Any, goals: Any, stride: int, rows: int, width: int, totals: Any) -> None:
    """To the total of each sample, what each output adds to it, in their order; a, goals : as of `errors`."""
    zero = splat(_ZERO)
    for k in range(0, width, LANES):
        total = load(totals, k)
        for r in range(rows):
            value, goal = load(a, r * stride + k), load(goals, r * stride + k)
            if output == SIGMOID_OUTPUT:
                above = value > zero
                power = exp_lanes(select(above, splat(_MINUS_ZERO) - value, value))
                total = total + ((select(above, value, zero) - value * goal) + log_lanes(splat(_ONE) + power))
            else:
                error = value - goal
                total = total + error * error
        store(total, totals, k)


@part
def finish_losses(output: int, weights: Any, totals: Any, width: int) -> None:
    """The losses of samples from their totals, in place."""
    for k in range(0, width, LANES):
        total = load(totals, k)
        loss = total if output == SIGMOID_OUTPUT else splat(_HALF) * total
        store(loss * load(weights, k), totals, k)


@part
def hits_of_16(a: Any, stride: int, outputs: int, labels: Any, hits: Any) -> None:
    """hits, 16 floats: 1 in each lane whose largest logit, the first of equals, is that of its label, else 0."""
    largest, best = load(a, 0), splat(_ZERO)
    for j in range(1, outputs):
        value = load(a, j * stride)
        best = select(value > largest, splat(np.float32(j)), best)
        largest = select(value > largest, value, largest)
    store(select(best == load(labels, 0), splat(_ONE), splat(_ZERO)), hits, 0)
