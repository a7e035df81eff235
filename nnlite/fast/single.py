"""An epoch of SGD with one sample a step: `train_rows` of the kernels, each weight read and written once a sample.

The update of a sample waits until the next one comes by: w_ij = w_ij - u_j x_i and, with the new w,
a_j = a_j + w_ij x'_i are one pass over a layer. The sums of the backward pass need W by columns; a transposed copy
takes the same updates when its turn comes, so both hold the weights of the same step whenever they are read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.elementary import exp_lanes, log_lanes, sigmoid_lanes
from nnlite.fast.jit import fast_kernel, inlined, part
from nnlite.fast.lanes import (
    LANES,
    WIDE_REGISTERS,
    ahead,
    largest_of,
    load,
    minus_scaled,
    plus_scaled,
    pointer,
    select,
    splat,
    store,
    store_tile,
    tile_at,
    tile_like,
)
from nnlite.fast.layers import activate_rows, poison_of_rows, slope_rows, transpose_rows
from nnlite.fast.plan import SinglePlan
from nnlite.kernels.step import SIGMOID_OUTPUT, SOFTMAX

__all__ = ["SingleBuffers", "finish", "train_singly"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

#: vectors of columns side by side
BROAD, MEDIUM = (8, 4) if WIDE_REGISTERS else (3, 2)
_ZERO, _HALF, _ONE, _MINUS_ZERO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(-0.0)


class SingleBuffers(NamedTuple):
    """What a training with one sample a step computes in: (n,) float32 each.

    Attributes
    ----------
    parameters, transposed : as `SinglePlan` lays them out.
    records : of two samples.
    slopes : dA of one, and that of the one before times the rate.
    terms, goal, numbers : as many as the last layer takes: room, room, and the numbers from 0 on.
    totals, rests, weights, finished : of the last 16 samples, what becomes their losses.
    zeros : as many as the widest layer takes.
    poison : 16.
    """

    parameters: Vector
    transposed: Vector
    records: Vector
    slopes: Vector
    terms: Vector
    goal: Vector
    numbers: Vector
    totals: Vector
    rests: Vector
    weights: Vector
    finished: Vector
    zeros: Vector
    poison: Vector


@inlined
def _one_pass(total: Any, u: Any, before: Any, x: Any, w: Any, stride: int, rows: int) -> Any:
    """Update a strip of W and add its products, row by row."""
    for i in range(rows):
        row = ahead(w, i * stride)
        weights = minus_scaled(tile_like(row, u), u, before[i])
        store_tile(weights, row, 0)
        total = plus_scaled(total, weights, x[i])
    return total


@part
def _update_and_sum(w: Any, rows: int, width: int, u: Any, before: Any, start: Any, x: Any, out: Any) -> None:
    """w[i, j] = w[i, j] - u[j] * before[i], then out[j] = start[j] + sum_i w[i, j] * x[i] over ascending i.

    As many vectors of columns side by side as registers hold with their u, so that no sum waits for itself.
    """
    j = 0
    while j + BROAD * LANES <= width:
        s, strip = ahead(start, j), ahead(w, j)
        broad = _one_pass(tile_at(s, 0, 1, BROAD), tile_at(ahead(u, j), 0, 1, BROAD), before, x, strip, width, rows)
        store_tile(broad, ahead(out, j), 0)
        j += BROAD * LANES
    while j + MEDIUM * LANES <= width:
        s, strip = ahead(start, j), ahead(w, j)
        medium = _one_pass(tile_at(s, 0, 1, MEDIUM), tile_at(ahead(u, j), 0, 1, MEDIUM), before, x, strip, width, rows)
        store_tile(medium, ahead(out, j), 0)
        j += MEDIUM * LANES
    while j + 2 * LANES <= width:
        s, strip = ahead(start, j), ahead(w, j)
        two = _one_pass(tile_at(s, 0, 1, 2), tile_at(ahead(u, j), 0, 1, 2), before, x, strip, width, rows)
        store_tile(two, ahead(out, j), 0)
        j += 2 * LANES
    while j < width:
        s, strip = ahead(start, j), ahead(w, j)
        one = _one_pass(tile_at(s, 0, 1, 1), tile_at(ahead(u, j), 0, 1, 1), before, x, strip, width, rows)
        store_tile(one, ahead(out, j), 0)
        j += LANES


@inlined
def _update_bias(b: Any, u: Any, width: int) -> None:
    for j in range(0, width, LANES):
        store(load(b, j) - load(u, j), b, j)


@inlined
def _loss(
    output: int,
    outputs: int,
    width: int,
    a: Any,
    dA: Any,
    terms: Any,
    goal: Any,
    numbers: Any,
    label: int,
    weight: np.float32,
) -> tuple[np.float32, np.float32]:
    """Total, rest and dA of the logits a of one sample, lanes along j; sums go through `terms` one by one.

    The loss is log(total) - rest for softmax, and else the total.
    """
    total, rest = _ZERO, _ZERO
    if output == SOFTMAX:
        # what fills up is below every logit
        highest = splat(a[0])
        for j in range(0, width, LANES):
            value = load(a, j) + load(goal, j)
            highest = select(value > highest, value, highest)
        largest = largest_of(highest, LANES)
        for j in range(0, width, LANES):
            store(exp_lanes((load(a, j) + load(goal, j)) - splat(largest)), terms, j)
        for j in range(outputs):
            total = total + terms[j]
        own = splat(np.float32(label))
        for j in range(0, width, LANES):
            y = load(terms, j) / splat(total)
            store(select(load(numbers, j) == own, y - splat(_ONE), y) * splat(weight), dA, j)
        rest = a[label] - largest
    elif output == SIGMOID_OUTPUT:
        zero = splat(_ZERO)
        for j in range(0, width, LANES):
            value, y_hat = load(a, j), load(goal, j)
            above = value > zero
            power = exp_lanes(select(above, splat(_MINUS_ZERO) - value, value))
            positive = select(above, value, zero)
            store((positive - value * y_hat) + log_lanes(splat(_ONE) + power), terms, j)
            store((sigmoid_lanes(value) - y_hat) * splat(weight), dA, j)
        for j in range(outputs):
            total = total + terms[j]
    else:
        for j in range(0, width, LANES):
            error = load(a, j) - load(goal, j)
            store(error * splat(weight), dA, j)
            store(error * error, terms, j)
        for j in range(outputs):
            total = total + terms[j]
        total = _HALF * total
    return total, rest


@inlined
def finish(is_log: bool, b: Any, losses: Vector, first: int, count: int) -> None:
    """Losses of up to 16 samples at once: nobody waits for them."""
    total, weights = load(pointer(b.totals, 0), 0), load(pointer(b.weights, 0), 0)
    loss = log_lanes(total) - load(pointer(b.rests, 0), 0) if is_log else total
    store(loss * weights, pointer(b.finished, 0), 0)
    for k in range(count):
        losses[first + k] = b.finished[k]


@fast_kernel
def train_singly(
    plan: SinglePlan,
    b: SingleBuffers,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    weights: Vector,
    order: Indices,
    rate: np.float32,
    losses: Vector,
) -> None:
    """One epoch over the rows of X in the order given, by plain SGD: no weight decay, no clipping.

    X, labels, targets, weights, order, losses : as of `kernels.step.train_rows`; X has at least one row.
    """
    last = plan.sizes.size - 1
    inputs, outputs, out_width = plan.sizes[0], plan.sizes[last], plan.width[last]
    zeros, poison = pointer(b.zeros, 0), pointer(b.poison, 0)
    goal, terms, numbers = pointer(b.goal, 0), pointer(b.terms, 0), pointer(b.numbers, 0)
    dA, u = pointer(b.slopes, 0), pointer(b.slopes, plan.gradient)
    if plan.output == SOFTMAX:
        for j in range(out_width):
            b.goal[j] = _ZERO if j < outputs else np.float32(-np.inf)
    else:
        for j in range(out_width):
            b.goal[j] = _ZERO
    for n in range(plan.gradient):
        b.slopes[plan.gradient + n] = _ZERO
    for n in range(plan.record):
        b.records[plan.record + n] = _ZERO
    for n in range(2, last + 1):
        width, height = plan.width[n], plan.width[n - 1]
        w, target = pointer(b.parameters, plan.blocks[n] + width), pointer(b.transposed, plan.transposed[n])
        transpose_rows(w, width, target, height, height, width)
    row = order[0]
    for t in range(order.size + 1):
        # the last turn only brings the last update; what it makes of a sample is nobody's
        before = row
        if t < order.size:
            row = order[t]
        now, earlier = pointer(b.records, t % 2 * plan.record), pointer(b.records, (1 - t % 2) * plan.record)
        x, x_before = pointer(X, row * inputs), pointer(X, before * inputs)
        for n in range(1, last + 1):
            width, bias = plan.width[n], pointer(b.parameters, plan.blocks[n])
            layer_u, out = ahead(u, plan.slopes[n]), ahead(now, plan.values[n])
            _update_bias(bias, layer_u, width)
            _update_and_sum(ahead(bias, width), plan.sizes[n - 1], width, layer_u, x_before, bias, x, out)
            if n < last:
                activate_rows(out, 0, 1, width, plan.hidden)
            x, x_before = out, ahead(earlier, plan.values[n])
        if t == order.size:
            break
        poison_of_rows(poison, x, 0, 1, out_width)
        label = 0
        if plan.output == SOFTMAX:
            label = labels[row]
        else:
            for j in range(outputs):
                b.goal[j] = targets[row, j]
        weight = weights[row] if weights.size != 0 else _ONE
        lane = t % LANES
        b.totals[lane], b.rests[lane] = _loss(
            plan.output, outputs, out_width, x, ahead(dA, plan.slopes[last]), terms, goal, numbers, label, weight
        )
        b.weights[lane] = weight
        if lane == LANES - 1 or t == order.size - 1:
            finish(plan.output == SOFTMAX, b, losses, t - lane, lane + 1)
        for n in range(last, 1, -1):
            width, x_before = plan.width[n - 1], ahead(earlier, plan.values[n - 1])
            layer_dA, dX = ahead(dA, plan.slopes[n]), ahead(dA, plan.slopes[n - 1])
            columns = pointer(b.transposed, plan.transposed[n])
            layer_u = ahead(u, plan.slopes[n])
            _update_and_sum(columns, plan.sizes[n], width, x_before, layer_u, zeros, layer_dA, dX)
            slope_rows(dX, ahead(now, plan.values[n - 1]), 0, 1, width, plan.hidden)
        for n in range(0, plan.gradient, LANES):
            store(load(dA, n) * splat(rate), u, n)
