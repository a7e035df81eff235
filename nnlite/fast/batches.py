"""An epoch in batches: `train_rows` of the kernels, with as many samples side by side as a batch has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.jit import fast_kernel, inlined, part
from nnlite.fast.lanes import LANES, ahead, load, pointer, store
from nnlite.fast.layers import PANEL, backward_rows, forward_rows, scale_rows, transpose_rows
from nnlite.fast.optimizers import adam_row, decay_row, gradient_norm_square, momentum_row
from nnlite.fast.outputs import hits_of_16, losses_of_16, poison_of_rows, to_rows
from nnlite.fast.plan import Plan
from nnlite.fast.sums import ADJACENT, SAME, STORE, SUBTRACT, sums_of_products
from nnlite.fast.team import meet, share
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.step import ADAM, MOMENTUM, SGD, SOFTMAX, Rule

__all__ = ["LANE_ROWS", "POISON", "Buffers", "measure_rows", "train_batches"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

#: what `lanes` of `Buffers` has of each thread, and how many rows of 16 these are
LABELS, WEIGHTS, LOSSES, HITS, POISON, LANE_ROWS = range(6)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class Buffers(NamedTuple):
    """What a training computes in. All (n,) float32 but for `arrived`.

    Attributes
    ----------
    parameters : as `Plan` lays them out.
    transposed : the same for W by columns; empty where a step has more than one sample.
    gradient : of each parameter; empty where SGD needs none.
    first, second : what the optimiser keeps of each parameter: the velocity, or mean and square.
    records, gradients : of a batch filled up to whole vectors, sample after sample.
    panels : of each thread, as `backward_rows` takes one.
    columns, goals, goal_rows : of each thread, 16 samples' logits and targets: columns, columns, rows.
    lanes : of each thread, 16 floats each: labels, weights, losses, hits and poison.
    zeros, ones : zeros as many as the widest layer takes; a 1.
    arrived : (1,) int64, how often the threads have met.
    """

    parameters: Vector
    transposed: Vector
    gradient: Vector
    first: Vector
    second: Vector
    records: Vector
    gradients: Vector
    panels: Vector
    columns: Vector
    goals: Vector
    goal_rows: Vector
    lanes: Vector
    zeros: Vector
    ones: Vector
    arrived: Indices


@inlined
def _fetch(plan: Plan, b: Buffers, X: Matrix, order: Indices, at: int, low: int, high: int) -> None:
    """Samples low to high of a batch that begins at order[at] to the front of their records."""
    inputs = plan.sizes[0]
    whole = inputs // LANES * LANES
    for k in range(low, high):
        row, record = order[at + k], k * plan.record
        source, target = pointer(X, row * inputs), pointer(b.records, record)
        for i in range(0, whole, LANES):
            store(load(source, i), target, i)
        for i in range(whole, inputs):
            b.records[record + i] = X[row, i]


@inlined
def _losses(
    plan: Plan,
    b: Buffers,
    labels: Indices,
    targets: Matrix,
    weights: Vector,
    order: Indices,
    at: int,
    low: int,
    high: int,
    losses: Vector,
    thread: int,
    measure: bool,
) -> np.float32:
    """Loss and dA of the outputs of samples low to high, 16 at a time; how many are right where `measure` asks."""
    last = plan.sizes.size - 1
    outputs, width = plan.sizes[last], plan.width[last]
    lanes = thread * LANE_ROWS * LANES
    columns, goals = pointer(b.columns, thread * width * LANES), pointer(b.goals, thread * width * LANES)
    goal_rows = thread * width * LANES
    right = _ZERO
    for first in range(low, high, LANES):
        count = min(LANES, high - first)
        logits = pointer(b.records, first * plan.record + plan.values[last])
        poison_of_rows(pointer(b.lanes, lanes + POISON * LANES), logits, plan.record, count, width)
        transpose_rows(logits, plan.record, columns, LANES, width)
        for k in range(count):
            row = order[at + first + k]
            if plan.output == SOFTMAX:
                b.lanes[lanes + LABELS * LANES + k] = np.float32(labels[row])
            else:
                for j in range(outputs):
                    b.goal_rows[goal_rows + k * width + j] = targets[row, j]
            b.lanes[lanes + WEIGHTS * LANES + k] = weights[row] if weights.size != 0 else _ONE
        if measure and plan.output == SOFTMAX:
            hits_of_16(
                columns, outputs, pointer(b.lanes, lanes + LABELS * LANES), pointer(b.lanes, lanes + HITS * LANES)
            )
            for k in range(count):
                right = right + b.lanes[lanes + HITS * LANES + k]
        if losses.size != 0:
            if plan.output != SOFTMAX:
                transpose_rows(pointer(b.goal_rows, goal_rows), width, goals, LANES, width)
            losses_of_16(
                plan.output,
                outputs,
                width,
                columns,
                goals,
                pointer(b.lanes, lanes + LABELS * LANES),
                pointer(b.lanes, lanes + WEIGHTS * LANES),
                pointer(b.lanes, lanes + LOSSES * LANES),
            )
            if not measure:
                dA = pointer(b.gradients, first * plan.gradient + plan.slopes[last])
                to_rows(columns, dA, plan.gradient, width)
            for k in range(count):
                losses[at + first + k] = b.lanes[lanes + LOSSES * LANES + k]
    return right


@part
def _layer_gradient(
    zeros: Any,
    ones: Any,
    dA: Any,
    dA_stride: int,
    x: Any,
    x_stride: int,
    samples: int,
    first: int,
    end: int,
    out: Any,
    width: int,
    subtract: bool,
) -> None:
    """eq. 18 and 19 of rows first to end of W, with the first row also of the biases.

    dA, x : of a layer, of all samples of the batch. out : a block as the layer's.
    """
    if first == 0:
        sums_of_products(zeros, SAME, ones, SAME, SAME, dA, dA_stride, samples, out, width, subtract, ADJACENT, width)
    row, target, rows = ahead(x, first), ahead(out, (1 + first) * width), end - first
    sums_of_products(zeros, SAME, row, x_stride, ADJACENT, dA, dA_stride, samples, target, width, subtract, rows, width)


@inlined
def _gradient_of(plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, out: Any, subtract: bool) -> None:
    dA, x = pointer(b.gradients, plan.slopes[n]), pointer(b.records, plan.values[n - 1])
    zeros, ones = pointer(b.zeros, 0), pointer(b.ones, 0)
    _layer_gradient(zeros, ones, dA, plan.gradient, x, plan.record, samples, first, end, out, plan.width[n], subtract)


@inlined
def _update_layer(
    plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, rule: Rule, scale: np.float32, powers: Vector
) -> None:
    """The update of rows first to end of W, and with the first row of the biases."""
    width, block, decay = plan.width[n], plan.blocks[n], rule.learning_rate * rule.weight_decay
    w, g = pointer(b.parameters, block), pointer(b.gradient, block)
    # floats of the block: row 0 are the biases
    low, high = (1 + first) * width, (1 + end) * width
    if decay > _ZERO:
        decay_row(w, low, high, decay)
    if first == 0:
        low = 0
    if rule.optimizer == MOMENTUM:
        velocity = pointer(b.first, block)
        momentum_row(w, g, velocity, low, high, scale, rule.learning_rate, rule.betas[0])
    elif rule.optimizer == ADAM:
        mean, square = pointer(b.first, block), pointer(b.second, block)
        adam_row(w, g, mean, square, low, high, scale, rule.learning_rate, rule.betas, powers, rule.epsilon)
    else:
        _gradient_of(plan, b, n, first, end, samples, w, SUBTRACT)


@fast_kernel
def train_batches(
    plan: Plan,
    b: Buffers,
    batch: int,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    weights: Vector,
    order: Indices,
    rule: Rule,
    powers: Vector,
    losses: Vector,
    thread: int,
    threads: int,
) -> None:
    """One thread's part of an epoch over the rows of X in the order given.

    Forward and backward the threads share the samples of a batch, in the update the rows of each W.

    Parameters
    ----------
    X, labels, targets, weights, order, rule, losses : as of `kernels.step.train_rows`.
    powers : (2,), Adam's; each thread has its own.
    thread, threads : which one this is of how many.

    A logit that is not finite leaves a NaN in the thread's lanes of poison, a parameter that is not stays so.
    """
    layers, met = plan.sizes.size, 0
    clips = rule.clip_norm > _ZERO
    for at in range(0, order.size, batch):
        samples = min(batch, order.size - at)
        divisor, scale = np.float32(samples), _ONE
        low, high = share(samples, thread, threads)
        records, gradients = pointer(b.records, low * plan.record), pointer(b.gradients, low * plan.gradient)
        _fetch(plan, b, X, order, at, low, high)
        forward_rows(plan, b.parameters, records, high - low)
        _losses(plan, b, labels, targets, weights, order, at, low, high, losses, thread, False)
        panel = pointer(b.panels, thread * PANEL * plan.widest)
        backward_rows(plan, b.parameters, pointer(b.zeros, 0), panel, records, gradients, high - low)
        if rule.optimizer != SGD or clips:
            met += threads
            meet(b.arrived, met)
            for n in range(1, layers):
                first, end = share(plan.sizes[n - 1], thread, threads)
                if first < end:
                    _gradient_of(plan, b, n, first, end, samples, pointer(b.gradient, plan.blocks[n]), STORE)
        if clips:
            met += threads
            meet(b.arrived, met)
            norm = sqrt_f32(gradient_norm_square(plan, b.gradient)) / divisor
            # norm - norm is 0, or NaN where the norm is not finite, and with it every parameter
            scale = (rule.clip_norm / norm if norm > rule.clip_norm else _ONE) + (norm - norm)
        if rule.optimizer == SGD:
            scale_rows(gradients, high - low, plan.gradient, (rule.learning_rate / divisor) * scale)
            met += threads
            meet(b.arrived, met)
        if rule.optimizer == ADAM:
            powers[0] = powers[0] * rule.betas[0]
            powers[1] = powers[1] * rule.betas[1]
        for n in range(1, layers):
            first, end = share(plan.sizes[n - 1], thread, threads)
            if first < end:
                _update_layer(plan, b, n, first, end, samples, rule, scale / divisor, powers)
        met += threads
        meet(b.arrived, met)


@fast_kernel
def measure_rows(
    plan: Plan,
    b: Buffers,
    batch: int,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    weights: Vector,
    order: Indices,
    losses: Vector,
) -> int:
    """Losses (where there is room for them) and the number of right answers; nothing is learned."""
    right = 0
    for at in range(0, order.size, batch):
        samples = min(batch, order.size - at)
        _fetch(plan, b, X, order, at, 0, samples)
        forward_rows(plan, b.parameters, pointer(b.records, 0), samples)
        right += int(_losses(plan, b, labels, targets, weights, order, at, 0, samples, losses, 0, True))
    return right
