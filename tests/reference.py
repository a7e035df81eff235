"""The float64 oracle: loops written straight from the equations of math-for-dnn, for tests only.

Slow and plain on purpose. The derivation steps that no kernel needs (eqs 1, 2, 5, 6, 9 to 16) are here too.
Lists of floats throughout: x[i], W[i][j], b[j]; a network is a list of (W, b), one a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Vector = Sequence[float]
Matrix = Sequence[Vector]
Layer = tuple[Matrix, Vector]


def accumulate(x: Vector, W: Matrix, b: Vector) -> list[float]:
    """Eq. 8: a_j = sum_i w_ij x_i + b_j."""
    return [sum(W[i][j] * x[i] for i in range(len(x))) + b[j] for j in range(len(b))]


def relu(a: Vector) -> list[float]:
    """Eq. 20: x_j = max(0, a_j)."""
    return [max(0.0, value) for value in a]


def softmax(a: Vector) -> list[float]:
    """Eq. 4: y_j = e^a_j / sum e^a_j, with the maximum subtracted."""
    largest = max(a)
    powers = [math.exp(value - largest) for value in a]
    return [power / math.fsum(powers) for power in powers]


def softmax_derivative(y: Vector, j1: int, j2: int) -> float:
    """Eqs 5 and 6: dy_j1 / da_j2 = y_j2 (delta - y_j1)."""
    return y[j2] * ((1.0 if j1 == j2 else 0.0) - y[j1])


def cross_entropy(y: Vector, y_hat: Vector) -> float:
    """Eq. 2: L = - sum_j y_hat_j log y_j."""
    return -math.fsum(y_hat[j] * math.log(y[j]) for j in range(len(y)) if y_hat[j] != 0.0)


def batch_cross_entropy(Y: Matrix, Y_hat: Matrix) -> float:
    """Eq. 1 without its constant 1 / M: the mean of eq. 2 over the S samples of a batch."""
    return math.fsum(cross_entropy(y, y_hat) for y, y_hat in zip(Y, Y_hat, strict=True)) / len(Y)


def logits_gradient_by_chain(y: Vector, y_hat: Vector, j1: int) -> float:
    """Eqs 11 and 12: dL / da_j1 = - sum_j y_hat_j / y_j * (y_j1 (delta_j1,j - y_j))."""
    return -math.fsum(y_hat[j] / y[j] * softmax_derivative(y, j, j1) for j in range(len(y)))


def logits_gradient_split(y: Vector, y_hat: Vector, j1: int) -> float:
    """Eqs 13 and 14, the term j = j1 apart: - y_hat_j1 + y_hat_j1 y_j1 + sum_{j != j1} y_hat_j y_j1."""
    rest = math.fsum(y_hat[j] * y[j1] for j in range(len(y)) if j != j1)
    return -y_hat[j1] + y_hat[j1] * y[j1] + rest


def logits_gradient(y: Vector, y_hat: Vector) -> list[float]:
    """Eqs 15 to 17: dA_j = y_j sum y_hat - y_hat_j = y_j - y_hat_j, for targets that sum to 1."""
    return [y[j] - y_hat[j] for j in range(len(y))]


def squared_error(y: Vector, y_hat: Vector) -> float:
    """1/2 sum_j (y_j - y_hat_j)^2, the loss of a linear network."""
    return 0.5 * math.fsum((p - q) ** 2 for p, q in zip(y, y_hat, strict=True))


def forward(layers: Sequence[Layer], x: Vector) -> list[list[float]]:
    """Every x^0 .. x^N; the last one holds the logits, which have no activation."""
    outputs = [list(x)]
    for n, (W, b) in enumerate(layers, start=1):
        a = accumulate(outputs[-1], W, b)
        outputs.append(a if n == len(layers) else relu(a))
    return outputs


def loss(layers: Sequence[Layer], x: Vector, y_hat: Vector, linear: bool) -> float:
    """Loss of one sample."""
    logits = forward(layers, x)[-1]
    return squared_error(logits, y_hat) if linear else cross_entropy(softmax(logits), y_hat)


def backward(layers: Sequence[Layer], x: Vector, y_hat: Vector, linear: bool) -> list[list[float]]:
    """Every dA^1 .. dA^N of one sample: eq. 17, then the general gradients with eq. 21."""
    outputs = forward(layers, x)
    y = outputs[-1] if linear else softmax(outputs[-1])
    dA = [logits_gradient(y, y_hat)]
    for n in range(len(layers) - 1, 0, -1):
        W = layers[n][0]
        active = outputs[n]
        dA.insert(
            0,
            [sum(dA[0][j] * W[i][j] for j in range(len(dA[0]))) if active[i] > 0 else 0.0 for i in range(len(active))],
        )
    return dA


def gradients(layers: Sequence[Layer], x: Vector, y_hat: Vector, linear: bool) -> list[Layer]:
    """Eqs 18 and 19 with 9 and 10: dW_ij = dA_j x_i, db_j = dA_j * 1, of one sample."""
    outputs = forward(layers, x)
    dA = backward(layers, x, y_hat, linear)
    return [([[da * value for da in dA[n]] for value in outputs[n]], list(dA[n])) for n in range(len(layers))]


def step(
    layers: Sequence[Layer], X: Matrix, Y_hat: Matrix, linear: bool, learning_rate: float
) -> tuple[list[Layer], list[float]]:
    """One step of gradient descent over a batch, averaged over its samples: the layers after it, and each loss."""
    each = [gradients(layers, x, y_hat, linear) for x, y_hat in zip(X, Y_hat, strict=True)]
    losses = [loss(layers, x, y_hat, linear) for x, y_hat in zip(X, Y_hat, strict=True)]
    after = []
    for n, (W, b) in enumerate(layers):
        dW = [[sum(g[n][0][i][j] for g in each) / len(X) for j in range(len(b))] for i in range(len(W))]
        db = [sum(g[n][1][j] for g in each) / len(X) for j in range(len(b))]
        new_W = [[W[i][j] - learning_rate * dW[i][j] for j in range(len(b))] for i in range(len(W))]
        after.append((new_W, [b[j] - learning_rate * db[j] for j in range(len(b))]))
    return after, losses


def unflatten(sizes: Sequence[int], parameters: Sequence[float]) -> list[Layer]:
    """Layers from one flat vector: layer by layer W row-major [in][out], then b."""
    layers, at = [], 0
    values = [float(value) for value in parameters]
    for inputs, outputs in pairwise(sizes):
        W = [values[at + i * outputs : at + (i + 1) * outputs] for i in range(inputs)]
        at += inputs * outputs
        layers.append((W, values[at : at + outputs]))
        at += outputs
    return layers


def flatten(layers: Sequence[Layer]) -> list[float]:
    """Inverse of `unflatten`."""
    return [value for W, b in layers for row in [*W, b] for value in row]
