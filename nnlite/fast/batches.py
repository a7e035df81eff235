"""An epoch in batches: `train_rows` of the kernels, with as many samples side by side as a batch has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.jit import fast_kernel, inlined
from nnlite.fast.lanes import LANES, ahead, load, pointer, splat, store
from nnlite.fast.layers import backward, filled, forward, gradient, scale_rows, transpose_rows
from nnlite.fast.optimizers import adam_row, decay_row, gradient_norm_square, momentum_row
from nnlite.fast.outputs import hits_of_16, losses_of_16
from nnlite.fast.plan import Plan
from nnlite.fast.sums import STORE, SUBTRACT
from nnlite.fast.team import meet, share
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.step import ADAM, MOMENTUM, SGD, SOFTMAX, Rule

__all__ = ["Buffers", "measure_rows", "train_batches"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class Buffers(NamedTuple):
    """What a training in batches computes in. All (n,) float32 but for `arrived`.

    Attributes
    ----------
    parameters : as `Plan` lays them out.
    gradient : of each parameter; empty where SGD needs none.
    first, second : what the optimiser keeps of each parameter: the velocity, or mean and square.
    columns, rows : of every layer, the inputs too, what its units gave: by unit, and by sample.
    slopes : dA, laid out as `columns`.
    goals, goal_rows : the targets, laid out as the outputs are in `columns` and `rows`.
    labels, weights, losses, hits : of each sample.
    poison : 16 of each thread.
    zero : a 0.
    arrived : (1,) int64, how often the threads have met.
    """

    parameters: Vector
    gradient: Vector
    first: Vector
    second: Vector
    columns: Vector
    rows: Vector
    slopes: Vector
    goals: Vector
    goal_rows: Vector
    labels: Vector
    weights: Vector
    losses: Vector
    hits: Vector
    poison: Vector
    zero: Vector
    arrived: Indices


@inlined
def _fetch(
    source: Matrix,
    size: int,
    order: Indices,
    at: int,
    low: int,
    high: int,
    rows: Vector,
    width: int,
    columns: Vector,
    stride: int,
    poison: Any,
) -> None:
    """Rows order[at + low] to order[at + high] of a matrix of so many columns: to rows, and turned around to columns.

    The last one once more for each lane that fills up. Poison as of `poison_of_rows`: where layers are frozen, what
    they make of a sample need not be finite.
    """
    whole, lanes = size // LANES * LANES, filled(high - low)
    target, found, rest = pointer(rows, 0), load(poison, 0), _ZERO
    for k in range(low, low + lanes):
        row = order[at + min(k, high - 1)]
        given = pointer(source, row * size)
        for i in range(0, whole, LANES):
            a = load(given, i)
            found = found + (a - a)
            store(a, target, k * width + i)
        for i in range(whole, size):
            rest = rest + (source[row, i] - source[row, i])
            rows[k * width + i] = source[row, i]
    store(found + splat(rest), poison, 0)
    transpose_rows(pointer(rows, low * width), width, pointer(columns, low), stride, lanes, filled(size))


@inlined
def _logits(
    plan: Plan,
    b: Buffers,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    order: Indices,
    at: int,
    low: int,
    high: int,
    thread: int,
) -> int:
    """Samples low to high of a batch that begins at order[at], as far as their logits. Returns how many lanes."""
    last, stride, lanes = plan.sizes.size - 1, plan.samples, filled(high - low)
    rows, columns, poison = pointer(b.rows, 0), pointer(b.columns, 0), pointer(b.poison, thread * LANES)
    _fetch(X, plan.sizes[0], order, at, low, high, b.rows, plan.width[0], b.columns, stride, poison)
    forward(plan, b.parameters, rows, columns, poison, low, lanes)
    if plan.output == SOFTMAX:
        for k in range(low, low + lanes):
            b.labels[k] = np.float32(labels[order[at + min(k, high - 1)]])
    else:
        width = plan.width[last]
        _fetch(targets, plan.sizes[last], order, at, low, high, b.goal_rows, width, b.goals, stride, poison)
    return lanes


@inlined
def _losses(plan: Plan, b: Buffers, low: int, lanes: int) -> None:
    """Loss and dA of the outputs of samples from low on, 16 at a time."""
    last, stride = plan.sizes.size - 1, plan.samples
    outputs, first = plan.sizes[last], plan.units[last] * plan.samples
    for k in range(low, low + lanes, LANES):
        losses_of_16(
            plan.output,
            outputs,
            pointer(b.columns, first + k),
            stride,
            pointer(b.goals, k),
            pointer(b.labels, k),
            pointer(b.weights, k),
            pointer(b.losses, k),
            pointer(b.slopes, first + k),
        )


@inlined
def _gradient(plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, out: Any, subtract: bool) -> None:
    rows, slopes = pointer(b.rows, 0), pointer(b.slopes, 0)
    gradient(plan, n, pointer(b.zero, 0), rows, slopes, first, end, samples, out, subtract)


@inlined
def _update_layer(
    plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, rule: Rule, scale: np.float32, powers: Vector
) -> None:
    """The update of outputs first to end of a layer: their weights and biases."""
    width, block, decay = plan.width[n - 1], plan.blocks[n], rule.learning_rate * rule.weight_decay
    w, g = pointer(b.parameters, block), pointer(b.gradient, block)
    low, high = first * width, end * width
    if decay > _ZERO:
        for at in range(block + low, block + high, width):
            # no bias decays
            bias = b.parameters[at + plan.sizes[n - 1]]
            decay_row(pointer(b.parameters, at), 0, width, decay)
            b.parameters[at + plan.sizes[n - 1]] = bias
    if rule.optimizer == MOMENTUM:
        velocity = pointer(b.first, block)
        momentum_row(w, g, velocity, low, high, scale, rule.learning_rate, rule.betas[0])
    elif rule.optimizer == ADAM:
        mean, square = pointer(b.first, block), pointer(b.second, block)
        adam_row(w, g, mean, square, low, high, scale, rule.learning_rate, rule.betas, powers, rule.epsilon)
    else:
        _gradient(plan, b, n, first, end, samples, w, SUBTRACT)


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

    What is not finite of inputs, inner layers and logits leaves a NaN in the thread's lanes of poison, and a parameter
    that is not stays so.
    """
    last, stride, met = plan.sizes.size - 1, plan.samples, 0
    clips = rule.clip_norm > _ZERO
    for at in range(0, order.size, batch):
        samples = min(batch, order.size - at)
        divisor, scale = np.float32(samples), _ONE
        low, high = share(samples, LANES, thread, threads)
        lanes = _logits(plan, b, X, labels, targets, order, at, low, high, thread)
        for k in range(low, low + lanes):
            # a lane that fills up weighs nothing
            b.weights[k] = _ZERO if k >= high else weights[order[at + k]] if weights.size != 0 else _ONE
        _losses(plan, b, low, lanes)
        for k in range(low, high):
            losses[at + k] = b.losses[k]
        slopes = pointer(b.slopes, 0)
        zero, columns = pointer(b.zero, 0), pointer(b.columns, 0)
        backward(plan, b.parameters, zero, columns, slopes, low, lanes)
        if rule.optimizer != SGD or clips:
            met += threads
            meet(b.arrived, met)
            for n in range(1, last + 1):
                first, end = share(plan.sizes[n], 1, thread, threads)
                _gradient(plan, b, n, first, end, samples, pointer(b.gradient, plan.blocks[n]), STORE)
        if clips:
            met += threads
            meet(b.arrived, met)
            norm = sqrt_f32(gradient_norm_square(plan, b.gradient)) / divisor
            # norm - norm is 0, or NaN where the norm is not finite, and with it every parameter
            scale = (rule.clip_norm / norm if norm > rule.clip_norm else _ONE) + (norm - norm)
        if rule.optimizer == SGD:
            rate = (rule.learning_rate / divisor) * scale
            for n in range(1, last + 1):
                scale_rows(ahead(slopes, plan.units[n] * stride + low), stride, plan.sizes[n], lanes, rate)
            met += threads
            meet(b.arrived, met)
        if rule.optimizer == ADAM:
            powers[0] = powers[0] * rule.betas[0]
            powers[1] = powers[1] * rule.betas[1]
        for n in range(1, last + 1):
            first, end = share(plan.sizes[n], 1, thread, threads)
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
    order: Indices,
    losses: Vector,
) -> int:
    """Losses (where there is room for them) and the number of right answers; nothing is learned."""
    right, last = 0, plan.sizes.size - 1
    for at in range(0, order.size, batch):
        samples = min(batch, order.size - at)
        lanes = _logits(plan, b, X, labels, targets, order, at, 0, samples, 0)
        if plan.output == SOFTMAX:
            for k in range(0, lanes, LANES):
                logits = pointer(b.columns, plan.units[last] * plan.samples + k)
                hits_of_16(logits, plan.samples, plan.sizes[last], pointer(b.labels, k), pointer(b.hits, k))
            found = _ZERO
            for k in range(samples):
                found = found + b.hits[k]
            right += int(found)
        if losses.size != 0:
            for k in range(samples):
                b.weights[k] = _ONE
            _losses(plan, b, 0, lanes)
            for k in range(samples):
                losses[at + k] = b.losses[k]
    return right
