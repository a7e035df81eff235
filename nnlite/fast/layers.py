"""A batch through the layers: forward, backward, and what is done to each value on the way. Lanes along the outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.elementary import sigmoid_lanes, tanh_lanes
from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, ahead, load, pointer, select, splat, store, transpose
from nnlite.fast.plan import Plan
from nnlite.fast.sums import ADJACENT, SAME, STORE, sums_of_products
from nnlite.kernels.activation import _LEAK, LEAKY_RELU, SIGMOID, TANH

__all__ = ["PANEL", "activate_row", "backward_rows", "forward_rows", "scale_rows", "slope_row", "transpose_rows"]

#: columns of a tile
PANEL = 2 * LANES
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@part
def activate_row(a: Any, width: int, activation: int) -> None:
    """eq. 20 and the other activations, in place, as `kernels.activation.activate`."""
    zero = splat(_ZERO)
    if activation == LEAKY_RELU:
        for j in range(0, width, LANES):
            x = load(a, j)
            store(select(x <= zero, x * splat(_LEAK) + zero, x), a, j)
    elif activation == SIGMOID:
        for j in range(0, width, LANES):
            store(sigmoid_lanes(load(a, j)), a, j)
    elif activation == TANH:
        for j in range(0, width, LANES):
            store(tanh_lanes(load(a, j)), a, j)
    else:
        for j in range(0, width, LANES):
            x = load(a, j)
            store(select(x <= zero, zero, x), a, j)


@part
def slope_row(dX: Any, x: Any, width: int, activation: int) -> None:
    """dX_i = dX_i * slope_i (eq. 21) in place, and +0 where the slope is 0, as in `kernels.dense.dense_backward`."""
    zero, one = splat(_ZERO), splat(_ONE)
    if activation == LEAKY_RELU:
        for i in range(0, width, LANES):
            store(load(dX, i) * select(load(x, i) > zero, one, splat(_LEAK)), dX, i)
    elif activation in (SIGMOID, TANH):
        for i in range(0, width, LANES):
            value = load(x, i)
            slope = value * (one - value) if activation == SIGMOID else one - value * value
            store(select(slope == zero, zero, load(dX, i) * slope), dX, i)
    else:
        for i in range(0, width, LANES):
            store(select(load(x, i) > zero, load(dX, i), zero), dX, i)


@part
def scale_rows(a: Any, rows: int, width: int, factor: np.float32) -> None:
    """a = a * factor, rows one after the other."""
    for n in range(0, rows * width, LANES):
        store(load(a, n) * splat(factor), a, n)


@inlined
def forward_rows(plan: Plan, parameters: Any, records: Any, rows: int) -> None:
    """eq. 8 and 20 for `rows` samples at once: each record begins with its sample, the rest is filled in."""
    last = plan.sizes.size - 1
    for n in range(1, last + 1):
        width = plan.width[n]
        block = pointer(parameters, plan.blocks[n])
        x, out = ahead(records, plan.values[n - 1]), ahead(records, plan.values[n])
        weights, count = ahead(block, width), plan.sizes[n - 1]
        sums_of_products(
            block, SAME, x, ADJACENT, plan.record, weights, width, count, out, plan.record, STORE, rows, width
        )  # fmt: skip
        if n < last:
            for k in range(rows):
                activate_row(ahead(out, k * plan.record), width, plan.hidden)


@part
def _backward_layer(
    zeros: Any,
    panel: Any,
    w: Any,
    width: int,
    dA: Any,
    dX: Any,
    stride: int,
    count: int,
    rows: int,
    height: int,
) -> None:
    """dX_i = sum_j dA_j w_ij. Two vectors of i at a time: their part of W, turned around, stays in the first cache."""
    for first in range(0, height, PANEL):
        columns = min(PANEL, height - first)
        for i in range(0, columns, LANES):
            transpose_rows(ahead(w, (first + i) * width), width, ahead(panel, i), PANEL, width)
        sums_of_products(
            zeros, SAME, dA, ADJACENT, stride, panel, PANEL, count, ahead(dX, first), stride, STORE, rows, columns
        )


@inlined
def backward_rows(plan: Plan, parameters: Any, zeros: Any, panel: Any, records: Any, gradients: Any, rows: int) -> None:
    """General gradients: dX_i = (sum_j dA_j w_ij) * slope_i, from the dA of the outputs down to the first layer's.

    panel : room for `PANEL` floats for each node of the widest layer.
    """
    for n in range(plan.sizes.size - 1, 1, -1):
        width, height, stride = plan.width[n], plan.width[n - 1], plan.gradient
        w = pointer(parameters, plan.blocks[n] + width)
        dA, dX = ahead(gradients, plan.slopes[n]), ahead(gradients, plan.slopes[n - 1])
        _backward_layer(zeros, panel, w, width, dA, dX, stride, plan.sizes[n], rows, height)
        x = ahead(records, plan.values[n - 1])
        for k in range(rows):
            slope_row(ahead(dX, k * stride), ahead(x, k * plan.record), height, plan.hidden)


@part
def transpose_rows(rows: Any, stride: int, target: Any, target_stride: int, width: int) -> None:
    """16 rows of `width` floats, `stride` apart, to `width` rows of 16, `target_stride` apart."""
    for j in range(0, width, LANES):
        transpose(ahead(rows, j), stride, ahead(target, j * target_stride), target_stride)
