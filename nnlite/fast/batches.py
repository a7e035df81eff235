"""An epoch in batches: `train_rows` of the kernels, with as many samples side by side as a batch has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.jit import fast_kernel, inlined, part
from nnlite.fast.lanes import LANES, ahead, fetch_block, pointer
from nnlite.fast.layers import backward, filled, forward, gradient, poison_of_rows, scale_rows, transpose_rows
from nnlite.fast.optimizers import adam_row, decay_row, gradient_norm_square, momentum_row
from nnlite.fast.outputs import add_losses, errors, finish_losses, hits_of_16, softmax_of_16
from nnlite.fast.plan import Plan
from nnlite.fast.sums import STORE, SUBTRACT
from nnlite.fast.team import finish, follow, is_stopped, meet, share, wait_for_last
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.step import ADAM, MOMENTUM, SGD, SOFTMAX, Rule

__all__ = ["Buffers", "measure_rows", "train_batches"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
#: floats of a sample from which on it pays to fetch the next batch meanwhile, and of a batch up to which it does: more
#: would drive out what is in use
_LONG_SAMPLE, _SHORT_BATCH = 64, 1 << 16


class Buffers(NamedTuple):
    """What a training in batches computes in. All (n,) float32 but for `starts` and `progress`.

    Attributes
    ----------
    parameters : as `Plan` lays them out.
    gradient : of each parameter; empty where SGD needs none.
    first, second : what the optimiser keeps of each parameter: the velocity, or mean and square.
    columns, rows : of every layer, the inputs too, what its units gave: by unit, and by sample. Each thread has inputs
        of its own, see `Plan`.
    slopes : dA, laid out as `columns`.
    goals, goal_rows : the targets, laid out as the outputs are in `columns` and `rows`.
    labels, losses, hits : of each sample.
    weights : of each sample, for each thread.
    poison : 16 of each thread.
    zero : a 0.
    starts : (threads * 2 * samples,) int64, where each sample begins, and each of the next batch.
    progress : (threads * APART,) int64, how many parts each thread has finished, and whether all shall leave, see
        `team`.
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
    progress: Indices


@inlined
def _fetch(
    source: Any,
    size: int,
    starts: Any,
    lanes: int,
    rows: Any,
    width: int,
    columns: Any,
    stride: int,
) -> None:
    """So many floats from source[starts[0]] on, and so on: to rows, and turned around to columns."""
    whole = size // LANES * LANES
    for k in range(0, lanes, LANES):
        for i in range(0, whole, LANES):
            fetch_block(
                source, ahead(starts, k), i, ahead(rows, k * width + i), width, ahead(columns, i * stride + k), stride
            )
    if whole < size:
        for k in range(lanes):
            for i in range(whole, size):
                rows[k * width + i] = source[starts[k] + i]
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
    inputs, count = plan.units[0] * stride, 0
    low, high = share(samples, LANES, thread, threads)
    for k in range(lanes):
        # the last one once more for each lane that fills up
        row = order[at + min(k, samples - 1)]
        starts[k] = row * size
        if plan.output == SOFTMAX and low <= k < high:
            b.labels[k] = np.float32(labels[row])
    _fetch(pointer(X, 0), size, starts, lanes, ahead(rows, inputs), plan.width[0], ahead(columns, inputs), stride)
    if plan.output != SOFTMAX:
        first, end = share(plan.sizes[last], LANES, thread, threads)
        width, goals = plan.width[last], pointer(b.goal_rows, first)
        for k in range(lanes):
            starts[k] = order[at + min(k, samples - 1)] * plan.sizes[last]
        _fetch(
            pointer(targets, first), end - first, starts, lanes, goals, width, pointer(b.goals, first * stride), stride
        )
        poison_of_rows(poison, goals, width, lanes, filled(end - first))
    if size >= _LONG_SAMPLE and lanes * size <= _SHORT_BATCH:
        for k in range(at + samples, min(at + 2 * samples, order.size)):
            coming[count] = order[k] * size
            count += 1
    for n in range(1, last + 1):
        if n > 1:
            meet(b.progress, thread, threads)
        first, end = share(plan.sizes[n], LANES, thread, threads)
        forward(plan, n, b.parameters, rows, columns, poison, first, end, lanes, pointer(X, 0), coming, count)


@inlined
def _losses(
    plan: Plan, b: Buffers, at: int, samples: int, losses: Vector, trains: bool, thread: int, threads: int
) -> None:
    """Losses of a batch, from losses[at] on, and dA of its outputs, which measuring does without where it can.

    Softmax needs all outputs of a sample, so threads share the samples. Otherwise each goes on with its own outputs.
    """
    last, stride, lanes = plan.sizes.size - 1, plan.samples, filled(samples)
    outputs, begin, weights = plan.sizes[last], plan.units[last] * stride, pointer(b.weights, thread * stride)
    low, high = share(samples, LANES, thread, threads)
    if plan.output == SOFTMAX:
        meet(b.progress, thread, threads)
        for k in range(low, high, LANES):
            logits, dA, own = pointer(b.columns, begin + k), pointer(b.slopes, begin + k), ahead(weights, k)
            softmax_of_16(outputs, logits, stride, pointer(b.labels, k), own, pointer(b.losses, k), dA)
        meet(b.progress, thread, threads)
    else:
        first, end = share(outputs, LANES, thread, threads)
        here = begin + first * stride
        logits, goals, dA = pointer(b.columns, here), pointer(b.goals, first * stride), pointer(b.slopes, here)
        if trains:
            errors(plan.output, logits, goals, weights, dA, stride, end - first, lanes)
        follow(b.progress, thread)
        if thread == 0:
            for k in range(lanes):
                b.losses[k] = _ZERO
        add_losses(plan.output, logits, goals, stride, end - first, lanes, pointer(b.losses, 0))
        if thread == threads - 1:
            finish_losses(plan.output, weights, pointer(b.losses, 0), lanes)
            low, high = 0, samples
        else:
            high = low
        finish(b.progress, thread)
    for k in range(low, high):
        losses[at + k] = b.losses[k]


@inlined
def _gradient(plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, out: Any, use: int) -> None:
    rows, slopes = pointer(b.rows, 0), pointer(b.slopes, 0)
    gradient(plan, n, pointer(b.zero, 0), rows, slopes, first, end, samples, out, use)


@inlined
def _update_layer(
    plan: Plan, b: Buffers, n: int, first: int, end: int, samples: int, rule: Rule, scale: np.float32, powers: Vector
) -> None:
    """The update of outputs first to end of a layer: their weights and biases."""
    width, block, decay = plan.width[n - 1], plan.blocks[n], rule.learning_rate * rule.weight_decay
    w, g = pointer(b.parameters, block), pointer(b.gradient, block)
    low, high = first * width, end * width
    if rule.weight_decay > _ZERO:
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
    slopes, zero, columns, own = pointer(b.slopes, 0), pointer(b.zero, 0), pointer(b.columns, 0), thread * stride
    for at in range(0, order.size, batch):
        if is_stopped(b.progress):
            break
        samples = min(batch, order.size - at)
        divisor, scale, lanes = np.float32(samples), _ONE, filled(samples)
        _logits(plan, b, X, labels, targets, order, at, samples, thread, threads)
        for k in range(lanes):
            # a lane that fills up weighs nothing
            b.weights[own + k] = _ZERO if k >= samples else weights[order[at + k]] if weights.size != 0 else _ONE
        _losses(plan, b, at, samples, losses, True, thread, threads)
        if rule.optimizer == ADAM:
            powers[0] = powers[0] * rule.betas[0]
            powers[1] = powers[1] * rule.betas[1]
        # the norm of all gradients must be known before any of the parameters changes
        for learns in range(0 if clips else 1, 2):
            for n in range(last, 0, -1):
                first, end = share(plan.sizes[n], LANES, thread, threads)
                if not (clips and learns):
                    if n < last:
                        wait_for_last(b.progress, thread, threads)
                    if n > 1:
                        backward(
                            plan, n, b.parameters, zero, columns, slopes, first, end, lanes, b.progress, thread, threads
                        )  # fmt: skip
                    if clips or rule.optimizer != SGD:
                        _gradient(plan, b, n, first, end, samples, pointer(b.gradient, plan.blocks[n]), STORE)
                if learns:
                    if rule.optimizer == SGD:
                        rate = (rule.learning_rate / divisor) * scale
                        scale_rows(ahead(slopes, (plan.units[n] + first) * stride), stride, end - first, lanes, rate)
                    _update_layer(plan, b, n, first, end, samples, rule, scale / divisor, powers)
            meet(b.progress, thread, threads)
            if not learns:
                norm = sqrt_f32(gradient_norm_square(plan, b.gradient)) / divisor
                # norm - norm is 0, or NaN where the norm is not finite, and with it every parameter
                scale = (rule.clip_norm / norm if norm > rule.clip_norm else _ONE) + (norm - norm)


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
            for k in range(lanes):
                b.weights[k] = _ONE
            _losses(plan, b, at, samples, losses, False, 0, 1)
    return right
