"""A batch through the layers, forward and backward, and what is done to each value on the way.

Lanes are samples. Of each layer there are `columns`, a row of samples for each unit, which the sums forward and
backward run over, and `rows`, a row of units for each sample, from which the gradient is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.activation import leaky_relu, leaky_relu_back, relu, relu_back, sigmoid_back, tanh_back
from nnlite.fast.elementary import sigmoid_lanes, tanh_lanes
from nnlite.fast.first import first_sums
from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, ahead, load, pointer, splat, store, transpose
from nnlite.fast.plan import Plan
from nnlite.fast.sums import ADJACENT, CONTINUE, SAME, STORE, sums_of_products, sums_of_some_products
from nnlite.fast.team import finish, follow
from nnlite.kernels.activation import LEAKY_RELU, RELU, SIGMOID, TANH

__all__ = [
    "activate_rows",
    "backward",
    "filled",
    "forward",
    "gradient",
    "poison_of_rows",
    "scale_rows",
    "slope_rows",
    "transpose_rows",
]

#: floats of a row of W from which on it pays to look for units that are silent
_SPARSE_FROM = 4 * LANES
#: inputs whose sums one thread hands to the next at a time: whole tiles of 32 samples and more
_TOGETHER = 24


@inlined
def filled(count: int) -> int:
    """Up to whole vectors, as `plan.padded`."""
    return (count + LANES - 1) // LANES * LANES


@part
def activate_rows(a: Any, stride: int, rows: int, width: int, activation: int) -> None:
    """eq. 20 and the other activations, in place, as `kernels.activation.activate`; rows are `stride` apart."""
    for r in range(rows):
        row = ahead(a, r * stride)
        if activation == LEAKY_RELU:
            for j in range(0, width, LANES):
                store(leaky_relu(load(row, j)), row, j)
        elif activation == SIGMOID:
            for j in range(0, width, LANES):
                store(sigmoid_lanes(load(row, j)), row, j)
        elif activation == TANH:
            for j in range(0, width, LANES):
                store(tanh_lanes(load(row, j)), row, j)
        else:
            for j in range(0, width, LANES):
                store(relu(load(row, j)), row, j)


@part
def slope_rows(dX: Any, x: Any, stride: int, rows: int, width: int, activation: int) -> None:
    """dX_i = dX_i * slope_i (eq. 21) in place, and +0 where the slope is 0, as in `kernels.dense.dense_backward`."""
    for r in range(rows):
        row, values = ahead(dX, r * stride), ahead(x, r * stride)
        if activation == LEAKY_RELU:
            for i in range(0, width, LANES):
                store(leaky_relu_back(load(row, i), load(values, i)), row, i)
        elif activation == SIGMOID:
            for i in range(0, width, LANES):
                store(sigmoid_back(load(row, i), load(values, i)), row, i)
        elif activation == TANH:
            for i in range(0, width, LANES):
                store(tanh_back(load(row, i), load(values, i)), row, i)
        else:
            for i in range(0, width, LANES):
                store(relu_back(load(row, i), load(values, i)), row, i)


@part
def scale_rows(a: Any, stride: int, rows: int, width: int, factor: np.float32) -> None:
    """a = a * factor; rows are `stride` apart."""
    for r in range(rows):
        for j in range(r * stride, r * stride + width, LANES):
            store(load(a, j) * splat(factor), a, j)


@part
def transpose_rows(rows: Any, stride: int, target: Any, target_stride: int, height: int, width: int) -> None:
    """`height` rows of `width` floats to `width` rows; both numbers are of whole vectors."""
    for j in range(0, width, LANES):
        for k in range(0, height, LANES):
            transpose(ahead(rows, k * stride + j), stride, ahead(target, j * target_stride + k), target_stride)


@inlined
def poison_of_rows(poison: Any, rows: Any, stride: int, count: int, width: int) -> None:
    """Make poison, 16 floats, NaN in a lane where a value of the rows is not finite: only such less itself is not 0."""
    whole = count // 4 * 4
    for j in range(0, width, LANES):
        column, found = ahead(rows, j), load(poison, 0)
        for k in range(0, whole, 4):
            # four at a time: few of the sums wait for the one before
            some = ahead(column, k * stride)
            a, b, c, d = load(some, 0), load(some, stride), load(some, 2 * stride), load(some, 3 * stride)
            found = found + (((a - a) + (b - b)) + ((c - c) + (d - d)))
        for k in range(whole, count):
            a = load(column, k * stride)
            found = found + (a - a)
        store(found, poison, 0)


@inlined
def forward(
    plan: Plan, n: int, parameters: Any, rows: Any, columns: Any, poison: Any, first: int, end: int, lanes: int,
    samples: Any, coming: Any, count: int,
) -> None:  # fmt: skip
    """eq. 8 and 20 of outputs first to end of layer n; first and `lanes` are multiples of 16.

    samples, coming, count : as of `first_sums`.
    """
    stride, last, height, width = plan.samples, plan.sizes.size - 1, plan.width[n - 1], plan.width[n]
    inputs, outputs, begin = plan.sizes[n - 1], end - first, plan.units[n] * stride
    w, out = pointer(parameters, plan.blocks[n] + first * height), ahead(columns, begin + first * stride)
    x = ahead(columns, plan.units[n - 1] * stride)
    bias = ahead(w, inputs)
    if n == 1 and count > 0:
        first_sums(w, height, inputs, x, out, stride, outputs, lanes, samples, coming, count)
    else:
        sums_of_products(bias, height, w, ADJACENT, height, x, stride, inputs, out, stride, STORE, outputs, lanes)
    if n == 1:
        # what is not finite in a sample is not in any of its sums, either, and may then be silenced
        poison_of_rows(poison, out, stride, outputs, lanes)
    if n < last:
        activate_rows(out, stride, outputs, lanes, plan.hidden)
        # without the vector that has nothing but the 1 behind the layer
        transpose_rows(out, stride, ahead(rows, begin + first), width, filled(outputs), lanes)
    if n > 1 and n != last - 1:
        # what the last hidden layer gives shows in the logits; what one before it gives may be silenced
        poison_of_rows(poison, out, stride, outputs, lanes)


@inlined
def backward(
    plan: Plan, n: int, parameters: Any, zero: Any, columns: Any, slopes: Any, first: int, end: int, lanes: int,
    progress: Any, thread: int, threads: int,
) -> None:  # fmt: skip
    """General gradients: dX_i = (sum_j dA_j w_ij) * slope_i, as far as outputs first to end of layer n enter the sums.

    Each thread goes on with what the one before it has got to, a few inputs at a time, and the last one does the
    slopes: so no thread needs weights that another one learns.
    """
    stride, height, inputs, outputs = plan.samples, plan.width[n - 1], plan.sizes[n - 1], end - first
    w, dA = pointer(parameters, plan.blocks[n] + first * height), ahead(slopes, (plan.units[n] + first) * stride)
    together, use = _TOGETHER if threads > 1 else inputs, STORE if thread == 0 else CONTINUE
    for i in range(0, inputs, together):
        begin, count = (plan.units[n - 1] + i) * stride, min(together, inputs - i)
        dX = ahead(slopes, begin)
        follow(progress, thread)
        sums_of_products(zero, SAME, ahead(w, i), height, ADJACENT, dA, stride, outputs, dX, stride, use, count, lanes)
        if thread == threads - 1:
            slope_rows(dX, ahead(columns, begin), stride, count, lanes, plan.hidden)
        finish(progress, thread)


@inlined
def gradient(
    plan: Plan,
    n: int,
    zero: Any,
    rows: Any,
    slopes: Any,
    first: int,
    end: int,
    samples: int,
    out: Any,
    use: int,
) -> None:
    """eq. 18 and 19 for outputs first to end of layer n: of their weights, and behind them of their bias.

    out : a block as the layer's.
    use : of the sums, STORE or SUBTRACT.
    """
    stride, width = plan.samples, plan.width[n - 1]
    dA, x = ahead(slopes, plan.units[n] * stride + first * stride), ahead(rows, plan.units[n - 1] * stride)
    target = ahead(out, first * width)
    if plan.hidden == RELU and n < plan.sizes.size - 1 and width >= _SPARSE_FROM:
        sums_of_some_products(zero, dA, stride, x, width, filled(samples), target, width, use, end - first, width)
    else:
        sums_of_products(
            zero, SAME, dA, ADJACENT, stride, x, width, samples, target, width, use, end - first, width
        )  # fmt: skip
