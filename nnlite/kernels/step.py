"""The whole network: forward, backward, update. Mirror of runtime/step.c.

A sample's record X is x0 | x1 | ... | xN (xN the logits), its dA is dA1 | ... | dAN; parameters lie layer by
layer, W row-major [in][out], then b: one flat vector each, the same in flash, on the wire and here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.kernels.activation import activate
from nnlite.kernels.constants import Constants, with_constants
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.exp_log import is_finite
from nnlite.kernels.inside import light_kernel
from nnlite.kernels.jit import kernel
from nnlite.kernels.loss import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import adam_update, decay_weights, gradient_square, momentum_update, sgd_update
from nnlite.kernels.sqrt import sqrt_f32

__all__ = [
    "ADAM",
    "LINEAR",
    "MOMENTUM",
    "SGD",
    "SIGMOID_OUTPUT",
    "SOFTMAX",
    "Rule",
    "Shape",
    "activation_count",
    "apply",
    "backward",
    "begin_state",
    "feature_rows",
    "features",
    "forward",
    "forward_record",
    "forward_rows",
    "forward_rows_for",
    "gradient_count",
    "loss_rows",
    "loss_rows_for",
    "parameter_count",
    "scratch",
    "state_count",
    "train_rows",
    "train_rows_for",
]

#: OutputFunction of layout.py and Optimizer of link/wire.py; tests/kernels hold them together
LINEAR, SOFTMAX, SIGMOID_OUTPUT = 0, 1, 2
SGD, MOMENTUM, ADAM = 0, 1, 2
#: floats of Adam's state in front of its two moments: beta1^t and beta2^t
_POWERS = 2
_ZERO = np.float32(0.0)

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class Shape(NamedTuple):
    """What a network is apart from its parameters.

    Attributes
    ----------
    sizes : (layers + 1,) int64, inputs, hidden..., outputs.
    hidden : activation of the hidden layers, a number of `activation`.
    output : LINEAR with squared error, SOFTMAX with cross-entropy, SIGMOID_OUTPUT with binary cross-entropy.
    """

    sizes: Indices
    hidden: int
    output: int


class Rule(NamedTuple):
    """How a step changes the parameters.

    Attributes
    ----------
    optimizer : SGD, MOMENTUM or ADAM.
    learning_rate : of this step.
    betas : (2,); momentum and nothing of MOMENTUM, beta1 and beta2 of ADAM.
    epsilon : of ADAM.
    weight_decay : share of each weight that a step takes away, times the learning rate; 0 for none.
    clip_norm : longest gradient, as the norm over all parameters that are trained; 0 for any.
    """

    optimizer: int
    learning_rate: np.float32
    betas: Vector
    epsilon: np.float32
    weight_decay: np.float32
    clip_norm: np.float32


@light_kernel
def parameter_count(shape: Shape) -> int:
    """Weights and biases."""
    count = 0
    for n in range(1, shape.sizes.size):
        count += shape.sizes[n - 1] * shape.sizes[n] + shape.sizes[n]
    return count


@light_kernel
def activation_count(shape: Shape) -> int:
    """Floats of one sample's record X."""
    count: int = shape.sizes[0] + gradient_count(shape)
    return count


@light_kernel
def gradient_count(shape: Shape) -> int:
    """Floats of one sample's dA."""
    count = 0
    for n in range(1, shape.sizes.size):
        count += shape.sizes[n]
    return count


def state_count(shape: Shape, optimizer: int) -> int:
    """Floats that an optimiser keeps between steps."""
    count = 0
    if optimizer == MOMENTUM:
        count = parameter_count(shape)
    elif optimizer == ADAM:
        count = _POWERS + 2 * parameter_count(shape)
    return count


def begin_state(state: Vector, optimizer: int) -> None:
    """What an optimiser keeps before its first step: nothing yet, and beta^0."""
    state[:] = np.float32(0.0)
    if optimizer == ADAM:
        state[:_POWERS] = np.float32(1.0)


@kernel
def features(shape: Shape, parameters: Vector, a: Vector, b: Vector, layers: int) -> int:
    """What the first `layers` layers make of a sample, all of them with their activation.

    `a` holds the sample; x0, x2, ... lie in `a`, x1, x3, ... in `b`. Returns where the last one is, 0 for a, 1 for b.
    """
    at = 0
    for n in range(1, layers + 1):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        at += inputs * outputs
        dense_forward(a[:inputs], weights, parameters[at : at + outputs], b[:outputs])
        at += outputs
        activate(b[:outputs], b[:outputs], shape.hidden)
        a, b = b, a
    return layers % 2


@kernel
def forward(shape: Shape, parameters: Vector, a: Vector, b: Vector) -> int:
    """Inference: `a` holds the sample; `a` and `b` take turns, each of its widest layer's size.

    Returns where the logits are, 0 for a, 1 for b.
    """
    last = shape.sizes.size - 1
    inputs, outputs = shape.sizes[last - 1], shape.sizes[last]
    at = parameter_count(shape) - (inputs * outputs + outputs)
    place = features(shape, parameters, a, b, last - 1)
    x, out = (a, b) if place == 0 else (b, a)
    weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
    dense_forward(x[:inputs], weights, parameters[at + inputs * outputs :], out[:outputs])
    return 1 - place


@kernel
def forward_record(shape: Shape, parameters: Vector, X: Vector) -> None:
    """The same with every layer kept: X begins with the sample, the rest of the record is filled."""
    at = 0
    x = 0
    for n in range(1, shape.sizes.size):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        at += inputs * outputs
        out = X[x + inputs : x + inputs + outputs]
        dense_forward(X[x : x + inputs], weights, parameters[at : at + outputs], out)
        at += outputs
        if n < shape.sizes.size - 1:
            activate(out, out, shape.hidden)
        x += inputs


@kernel
def backward(
    shape: Shape, parameters: Vector, X: Vector, label: int, targets: Vector, weight: np.float32, dA: Vector
) -> np.float32:
    """Loss of one sample and all its dA, from the last layer down, with the parameters of before the step.

    `label` counts for softmax, `targets` (outputs,) for the others; `weight` is the sample's, and multiplies both its
    loss and the dA of the outputs. dA of the inputs is never computed: nothing needs it.
    """
    last = shape.sizes.size - 1
    outputs = shape.sizes[last]
    at = parameter_count(shape)
    x = activation_count(shape) - outputs
    da = gradient_count(shape) - outputs
    y = X[x : x + outputs]
    if shape.output == SOFTMAX:
        loss = softmax_cross_entropy(y, label, dA[da : da + outputs])
    elif shape.output == SIGMOID_OUTPUT:
        loss = binary_cross_entropy(y, targets, dA[da : da + outputs])
    else:
        loss = mean_squared_error(y, targets, dA[da : da + outputs])
    for j in range(da, da + outputs):
        dA[j] = dA[j] * weight
    for n in range(last, 1, -1):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        at -= inputs * outputs + outputs
        x -= inputs
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        dense_backward(dA[da : da + outputs], weights, X[x : x + inputs], dA[da - inputs : da], shape.hidden)
        da -= inputs
    return loss * weight


@kernel
def _clipping(shape: Shape, X: Matrix, dA: Matrix, clip_norm: np.float32) -> np.float32:
    """What the gradient of a batch is to be multiplied with; NaN when its norm leaves float32."""
    total = np.float32(0.0)
    x = 0
    da = 0
    for n in range(1, shape.sizes.size):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        total = gradient_square(X[:, x : x + inputs], dA[:, da : da + outputs], total)
        x += inputs
        da += outputs
    norm = sqrt_f32(total) / np.float32(X.shape[0])
    if not is_finite(norm):
        return norm - norm
    return clip_norm / norm if norm > clip_norm else np.float32(1.0)


@kernel
def apply(shape: Shape, parameters: Vector, X: Matrix, dA: Matrix, rule: Rule, state: Vector) -> bool:
    """Every layer's update from the records of a batch: X (samples, activations), dA (samples, gradients).

    state (state_count,) is the optimiser's. Returns whether every new value is finite; if the gradient's norm is
    not, nothing has changed. dA may be overwritten.
    """
    finite = True
    scale = np.float32(1.0)
    if rule.clip_norm > _ZERO:
        scale = _clipping(shape, X, dA, rule.clip_norm)
        if not is_finite(scale):
            return False
    samples = np.float32(X.shape[0])
    rate = (rule.learning_rate / samples) * scale
    scale = scale / samples
    decay = rule.learning_rate * rule.weight_decay
    if rule.optimizer == ADAM:
        for n in range(_POWERS):
            state[n] = state[n] * rule.betas[n]
    count = parameter_count(shape)
    at = 0
    x = 0
    da = 0
    for n in range(1, shape.sizes.size):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        first, size = at, inputs * outputs + outputs
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        at += inputs * outputs
        bias = parameters[at : at + outputs]
        at += outputs
        layer_X, layer_dA = X[:, x : x + inputs], dA[:, da : da + outputs]
        if rule.weight_decay > _ZERO:
            decay_weights(weights, decay)
        if rule.optimizer == MOMENTUM:
            velocity = state[first : first + size]
            layer = momentum_update(
                weights, bias, layer_X, layer_dA, velocity, scale, rule.learning_rate, rule.betas[0]
            )
        elif rule.optimizer == ADAM:
            mean = state[_POWERS + first : _POWERS + first + size]
            square = state[_POWERS + count + first : _POWERS + count + first + size]
            layer = adam_update(
                weights,
                bias,
                layer_X,
                layer_dA,
                mean,
                square,
                scale,
                rule.learning_rate,
                rule.betas,
                state[:_POWERS],
                rule.epsilon,
            )
        else:
            layer = sgd_update(weights, bias, layer_X, layer_dA, rate)
        finite = finite and layer
        x += inputs
        da += outputs
    return finite


def scratch(shape: Shape) -> Vector:
    """What `forward_rows` and `loss_rows` compute in: a sample's record, and dA of its outputs."""
    return np.empty(shape.sizes.sum() + shape.sizes[-1], np.float32)


@kernel
def forward_rows(shape: Shape, parameters: Vector, X: Matrix, out: Matrix, buffer: Vector) -> None:
    """Logits of many standardised samples: X (samples, inputs), out (samples, outputs), buffer from `scratch`.

    By `forward_record`, which a process that has just compiled `train_rows` need not compile again.
    """
    record = buffer[: activation_count(shape)]
    first = record.size - out.shape[1]
    for k in range(X.shape[0]):
        for i in range(X.shape[1]):
            record[i] = X[k, i]
        forward_record(shape, parameters, record)
        for j in range(out.shape[1]):
            out[k, j] = record[first + j]


@kernel
def feature_rows(shape: Shape, parameters: Vector, X: Matrix, out: Matrix, layers: int, buffers: Matrix) -> None:
    """`features` of many standardised samples: X (samples, inputs), out (samples, sizes[layers]), buffers (2, widest
    layer)."""
    for k in range(X.shape[0]):
        for i in range(X.shape[1]):
            buffers[0, i] = X[k, i]
        x = buffers[features(shape, parameters, buffers[0], buffers[1], layers)]
        for j in range(out.shape[1]):
            out[k, j] = x[j]


@kernel
def loss_rows(
    shape: Shape, parameters: Vector, X: Matrix, labels: Indices, targets: Matrix, losses: Vector, buffer: Vector
) -> None:
    """Losses of many standardised samples, as `train_rows` takes them, buffer from `scratch`; nothing is learned."""
    count = activation_count(shape)
    record, dA = buffer[:count], buffer[count:]
    logits = record[count - dA.size :]
    for k in range(X.shape[0]):
        for i in range(X.shape[1]):
            record[i] = X[k, i]
        forward_record(shape, parameters, record)
        if shape.output == SOFTMAX:
            losses[k] = softmax_cross_entropy(logits, labels[k], dA)
        elif shape.output == SIGMOID_OUTPUT:
            losses[k] = binary_cross_entropy(logits, targets[k], dA)
        else:
            losses[k] = mean_squared_error(logits, targets[k], dA)


@kernel
def train_rows(
    shape: Shape,
    parameters: Vector,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    weights: Vector,
    order: Indices,
    rule: Rule,
    state: Vector,
    records: Matrix,
    gradients: Matrix,
    losses: Vector,
) -> int:
    """One epoch over the rows of X in the order given, in batches of as many samples as `records` has rows.

    Parameters
    ----------
    X : (samples, inputs), standardised.
    labels : (samples,) for softmax, else empty.
    targets : (samples, outputs) for the other outputs, else of one row.
    weights : (samples,), of each sample; empty when all are 1.
    order : (samples,) row indices.
    rule, state : of every step.
    records, gradients : (batch, activations) and (batch, gradients), buffers.
    losses : (samples,), the loss of each row in the order trained.

    Returns
    -------
    Where in the order the sample is at which a value was not finite, or -1 when all were.
    """
    outputs = shape.sizes[-1]
    filled = 0
    for t in range(order.size):
        row = order[t]
        record = records[filled]
        for i in range(X.shape[1]):
            record[i] = X[row, i]
        forward_record(shape, parameters, record)
        for j in range(record.size - outputs, record.size):
            if not is_finite(record[j]):
                return t
        label = labels[row] if shape.output == SOFTMAX else 0
        target = targets[0] if shape.output == SOFTMAX else targets[row]
        weight = weights[row] if weights.size != 0 else np.float32(1.0)
        losses[t] = backward(shape, parameters, record, label, target, weight, gradients[filled])
        filled += 1
        if filled == records.shape[0] or t == order.size - 1:
            if not apply(shape, parameters, records[:filled], gradients[:filled], rule, state):
                return t
            filled = 0
    return -1


def forward_rows_for(shape: Shape) -> Callable[..., None]:
    """`forward_rows` that is compiled for a network's activation and output alone."""
    return _forward_rows_for(shape.hidden, shape.output)


@cache
def _forward_rows_for(hidden: int, output: int) -> Callable[..., None]:
    network = Constants(hidden=hidden, output=output)

    def special(shape: Shape, *others: Any) -> None:
        forward_rows(with_constants(shape, network), *others)

    return kernel.named(special, "forward_rows", hidden, output)


def loss_rows_for(shape: Shape) -> Callable[..., None]:
    """`loss_rows` that is compiled for a network's activation and output alone."""
    return _loss_rows_for(shape.hidden, shape.output)


@cache
def _loss_rows_for(hidden: int, output: int) -> Callable[..., None]:
    # not one text for this and the one above: a kernel in a closure has another key on disk in each process
    network = Constants(hidden=hidden, output=output)

    def special(shape: Shape, *others: Any) -> None:
        loss_rows(with_constants(shape, network), *others)

    return kernel.named(special, "loss_rows", hidden, output)


def train_rows_for(shape: Shape, rule: Rule) -> Callable[..., int]:
    """`train_rows` that is compiled for a network's activation and output and a rule's optimizer alone, and without
    decay and clipping if the rule has neither."""
    is_plain = not rule.weight_decay and not rule.clip_norm
    return _train_rows_for(shape.hidden, shape.output, rule.optimizer, is_plain)


@cache
def _train_rows_for(hidden: int, output: int, optimizer: int, is_plain: bool) -> Callable[..., int]:
    network, step = Constants(hidden=hidden, output=output), Constants(optimizer=optimizer)
    if is_plain:
        step = Constants(optimizer=optimizer, weight_decay=_ZERO, clip_norm=_ZERO)

    def special(
        shape: Shape,
        parameters: Vector,
        X: Matrix,
        labels: Indices,
        targets: Matrix,
        weights: Vector,
        order: Indices,
        rule: Rule,
        *buffers: Any,
    ) -> int:
        data = X, labels, targets, weights, order
        return train_rows(with_constants(shape, network), parameters, *data, with_constants(rule, step), *buffers)

    return kernel.named(special, "train_rows", hidden, output, optimizer, int(is_plain))
