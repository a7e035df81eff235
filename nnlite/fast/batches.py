"""An epoch in batches: `train_rows` of the kernels, with as many samples side by side as a batch has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.jit import fast_kernel, inlined, part
from nnlite.fast.lanes import LANES, ahead, fetch_block, pointer
from nnlite.fast.layers import backward, filled, forward, gradient, poison_of_rows, scale_rows, transpose_rows
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
#: floats of a sample from which on it pays to fetch the next batch meanwhile, and of a batch up to which it does: more
#: would drive out what is in use
_LONG_SAMPLE, _SHORT_BATCH = 256, 1 << 16


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
    starts : (threads * 2 * samples,) int64, where each sample begins, and each of the next batch.
    arrived : (1,) int64, how often threads have come to where they meet.
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
    starts: Indices
    arrived: Indices


@inlined
def _fetch(
    source: Matrix,
    size: int,
    starts: Any,
    lanes: int,
    rows: Any,
    width: int,
    columns: Any,
    stride: int,
) -> None:
    """Rows of a matrix of so many columns that begin at starts[0] and so on: to rows, and turned around to columns."""
    given, whole = pointer(source, 0), size // LANES * LANES
    for k in range(0, lanes, LANES):
        for i in range(0, whole, LANES):
            fetch_block(
                given, ahead(starts, k), i, ahead(rows, k * width + i), width, ahead(columns, i * stride + k), stride
            )
    if whole < size:
        for k in range(lanes):
            for i in range(whole, size):
                rows[k * width + i] = given[starts[k] + i]
        transpose_rows(ahead(rows, whole), width, ahead(columns, whole * stride), stride, lanes, LANES)


@part
def _logits(
    plan: Plan,
    b: Buffers,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    order: Indices,
    at: int,
    samples: int,
    thread: int,
    threads: int,
) -> None:
    """A batch that begins at order[at], as far as its logits."""
    last, stride, size, lanes = plan.sizes.size - 1, plan.samples, plan.sizes[0], filled(samples)
    rows, columns, poison = pointer(b.rows, 0), pointer(b.columns, 0), pointer(b.poison, thread * LANES)
    starts, coming = pointer(b.starts, 2 * thread * stride), pointer(b.starts, (2 * thread + 1) * stride)
    low, high = share(samples, LANES, thread, threads)
    own, count = filled(high - low), 0
    for k in range(own):
        # the last one once more for each lane that fills up
        row = order[at + min(low + k, high - 1)]
        starts[k] = row * size
        if plan.output == SOFTMAX:
            b.labels[low + k] = np.float32(labels[row])
    _fetch(X, size, starts, own, ahead(rows, low * plan.width[0]), plan.width[0], ahead(columns, low), stride)
    if plan.output != SOFTMAX:
        width, goals = plan.width[last], pointer(b.goal_rows, low * plan.width[last])
        for k in range(own):
            starts[k] = order[at + min(low + k, high - 1)] * plan.sizes[last]
        _fetch(targets, plan.sizes[last], starts, own, goals, width, pointer(b.goals, low), stride)
        poison_of_rows(poison, goals, width, own, width)
    if size >= _LONG_SAMPLE and lanes * size <= _SHORT_BATCH:
        for k in range(at + samples + low, min(at + samples + high, order.size)):
            coming[count] = order[k] * size
            count += 1
    meet(b.arrived, threads)
    for n in range(1, last + 1):
        first, end = share(plan.sizes[n], LANES, thread, threads)
        forward(plan, n, b.parameters, rows, columns, poison, first, end, lanes, pointer(X, 0), coming, count)
        meet(b.arrived, threads)


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

    Parameters
    ----------
    X, labels, targets, weights, order, rule, losses : as of `kernels.step.train_rows`.
    powers : (2,), Adam's; each thread has its own.
    thread, threads : which one this is of how many.

    What is not finite of inputs, inner layers and logits leaves a NaN in the thread's lanes of poison, and a parameter
    that is not stays so.
    """
    last, stride = plan.sizes.size - 1, plan.samples
    clips = rule.clip_norm > _ZERO
    slopes, zero, columns = pointer(b.slopes, 0), pointer(b.zero, 0), pointer(b.columns, 0)
    for at in range(0, order.size, batch):
        samples = min(batch, order.size - at)
        divisor, scale, lanes = np.float32(samples), _ONE, filled(samples)
        _logits(plan, b, X, labels, targets, order, at, samples, thread, threads)
        low, high = share(samples, LANES, thread, threads)
        for k in range(low, low + filled(high - low)):
            # a lane that fills up weighs nothing
            b.weights[k] = _ZERO if k >= high else weights[order[at + k]] if weights.size != 0 else _ONE
        _losses(plan, b, low, filled(high - low))
        for k in range(low, high):
            losses[at + k] = b.losses[k]
        meet(b.arrived, threads)
        for n in range(last, 1, -1):
            first, end = share(plan.sizes[n - 1], LANES, thread, threads)
            backward(plan, n, b.parameters, zero, columns, slopes, first, end, lanes)
            meet(b.arrived, threads)
        if rule.optimizer != SGD or clips:
            for n in range(1, last + 1):
                first, end = share(plan.sizes[n], LANES, thread, threads)
                _gradient(plan, b, n, first, end, samples, pointer(b.gradient, plan.blocks[n]), STORE)
        if clips:
            meet(b.arrived, threads)
            norm = sqrt_f32(gradient_norm_square(plan, b.gradient)) / divisor
            # norm - norm is 0, or NaN where the norm is not finite, and with it every parameter
            scale = (rule.clip_norm / norm if norm > rule.clip_norm else _ONE) + (norm - norm)
        if rule.optimizer == ADAM:
            powers[0] = powers[0] * rule.betas[0]
            powers[1] = powers[1] * rule.betas[1]
        rate = (rule.learning_rate / divisor) * scale
        for n in range(1, last + 1):
            first, end = share(plan.sizes[n], LANES, thread, threads)
            if rule.optimizer == SGD:
                scale_rows(ahead(slopes, (plan.units[n] + first) * stride), stride, end - first, lanes, rate)
            _update_layer(plan, b, n, first, end, samples, rule, scale / divisor, powers)
        meet(b.arrived, threads)


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
        lanes = filled(samples)
        _logits(plan, b, X, labels, targets, order, at, samples, 0, 1)
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
