"""The whole network: forward, backward, update. Mirror of runtime/step.c.

A sample's record X is x0 | x1 | ... | xN (xN the logits), its dA is dA1 | ... | dAN; parameters lie layer by
layer, W row-major [in][out], then b: one flat vector each, the same in flash, on the wire and here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.kernels.activation import relu
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.exp_log import is_finite
from nnlite.kernels.jit import kernel
from nnlite.kernels.loss import mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import sgd_update

__all__ = [
    "Shape",
    "activation_count",
    "apply",
    "backward",
    "forward",
    "forward_record",
    "forward_rows",
    "gradient_count",
    "parameter_count",
    "train_rows",
]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class Shape(NamedTuple):
    """What a network is apart from its parameters.

    Attributes
    ----------
    sizes : (layers + 1,) int64, inputs, hidden..., outputs.
    softmax : whether the output is softmax with cross-entropy; else linear with squared error.
    """

    sizes: Indices
    softmax: bool


@kernel
def parameter_count(shape: Shape) -> int:
    """Weights and biases."""
    count = 0
    for n in range(1, shape.sizes.size):
        count += shape.sizes[n - 1] * shape.sizes[n] + shape.sizes[n]
    return count


@kernel
def activation_count(shape: Shape) -> int:
    """Floats of one sample's record X."""
    count: int = shape.sizes[0] + gradient_count(shape)
    return count


@kernel
def gradient_count(shape: Shape) -> int:
    """Floats of one sample's dA."""
    count = 0
    for n in range(1, shape.sizes.size):
        count += shape.sizes[n]
    return count


@kernel
def forward(shape: Shape, parameters: Vector, a: Vector, b: Vector) -> Vector:
    """Inference: `a` holds the sample; `a` and `b`, of the widest layer's size, take turns. Returns the logits."""
    at = 0
    for n in range(1, shape.sizes.size):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        at += inputs * outputs
        dense_forward(a[:inputs], weights, parameters[at : at + outputs], b[:outputs])
        at += outputs
        if n < shape.sizes.size - 1:
            relu(b[:outputs], b[:outputs])
        a, b = b, a
    return a[: shape.sizes[-1]]


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
            relu(out, out)
        x += inputs


@kernel
def backward(shape: Shape, parameters: Vector, X: Vector, label: int, targets: Vector, dA: Vector) -> np.float32:
    """Loss of one sample and all its dA, from the last layer down, with the parameters of before the step.

    `label` counts for softmax, `targets` (outputs,) for linear. dA of the inputs is never computed: nothing needs it.
    """
    last = shape.sizes.size - 1
    outputs = shape.sizes[last]
    at = parameter_count(shape)
    x = activation_count(shape) - outputs
    da = gradient_count(shape) - outputs
    y = X[x : x + outputs]
    if shape.softmax:
        loss = softmax_cross_entropy(y, label, dA[da : da + outputs])
    else:
        loss = mean_squared_error(y, targets, dA[da : da + outputs])
    for n in range(last, 1, -1):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        at -= inputs * outputs + outputs
        x -= inputs
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        dense_backward(dA[da : da + outputs], weights, X[x : x + inputs], dA[da - inputs : da])
        da -= inputs
    return loss


@kernel
def apply(shape: Shape, parameters: Vector, X: Matrix, dA: Matrix, learning_rate: np.float32) -> bool:
    """Every layer's update from the records of a batch: X (samples, activations), dA (samples, gradients).

    Returns whether every new value is finite. dA becomes u (see `sgd_update`).
    """
    finite = True
    rate = learning_rate / np.float32(X.shape[0])
    at = 0
    x = 0
    da = 0
    for n in range(1, shape.sizes.size):
        inputs, outputs = shape.sizes[n - 1], shape.sizes[n]
        weights = parameters[at : at + inputs * outputs].reshape((inputs, outputs))
        at += inputs * outputs
        bias = parameters[at : at + outputs]
        at += outputs
        layer = sgd_update(weights, bias, X[:, x : x + inputs], dA[:, da : da + outputs], rate)
        finite = finite and layer
        x += inputs
        da += outputs
    return finite


@kernel
def forward_rows(shape: Shape, parameters: Vector, X: Matrix, out: Matrix) -> None:
    """Logits of many standardised samples: X (samples, inputs), out (samples, outputs)."""
    widest = shape.sizes.max()
    a = np.empty(widest, np.float32)
    b = np.empty(widest, np.float32)
    for k in range(X.shape[0]):
        for i in range(X.shape[1]):
            a[i] = X[k, i]
        logits = forward(shape, parameters, a, b)
        for j in range(out.shape[1]):
            out[k, j] = logits[j]


@kernel
def train_rows(
    shape: Shape,
    parameters: Vector,
    X: Matrix,
    labels: Indices,
    targets: Matrix,
    order: Indices,
    learning_rate: np.float32,
    records: Matrix,
    gradients: Matrix,
    losses: Vector,
) -> int:
    """One epoch over the rows of X in the order given, in batches of as many samples as `records` has rows.

    Parameters
    ----------
    X : (samples, inputs), standardised.
    labels : (samples,) for softmax, else empty.
    targets : (samples, outputs) for linear, else of one row.
    order : (samples,) row indices.
    records, gradients : (batch, activations) and (batch, gradients), buffers.
    losses : (samples,), the loss of each row in the order trained.

    Returns
    -------
    The number of samples seen when a value was not finite, or -1 when all were.
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
        label = labels[row] if shape.softmax else 0
        target = targets[0] if shape.softmax else targets[row]
        losses[t] = backward(shape, parameters, record, label, target, gradients[filled])
        filled += 1
        if filled == records.shape[0] or t == order.size - 1:
            if not apply(shape, parameters, records[:filled], gradients[:filled], learning_rate):
                return t + 1
            filled = 0
    return -1
