"""Updates of one layer's parameters. Mirror of runtime/optimizer.c.

Everywhere g_ij = sum_k dA_jk x_ik over the samples k of a batch in ascending order, eq. 18 and 19; a bias has x = 1.
weights (inputs, outputs), bias (outputs,), X (samples, inputs), dA (samples, outputs). State that an optimiser keeps
lies as the parameters do, W row-major, then b: (inputs * outputs + outputs,).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.exp_log import is_finite
from nnlite.kernels.jit import kernel
from nnlite.kernels.sqrt import sqrt_f32

__all__ = ["adam_update", "decay_weights", "gradient_square", "momentum_update", "sgd_update"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


@kernel
def sgd_update(weights: Matrix, bias: Vector, X: Matrix, dA: Matrix, rate: np.float32) -> bool:
    """Update rule: u_jk = dA_jk * rate, g_ij = sum_k u_jk x_ik over ascending k, w_ij = w_ij - g_ij.

    dA becomes u in place. Returns whether every new value is finite.
    g starts from its first product instead of from +0 + product: that differs in the sign of a zero only, and
    w - (+0) and w - (-0) are the same bits, since no w is -0 (docs/NUMERICS.md, "Zeros").
    """
    samples = X.shape[0]
    finite = True
    for k in range(samples):
        for j in range(bias.size):
            dA[k, j] = dA[k, j] * rate
    for i in range(weights.shape[0]):
        for j in range(bias.size):
            g = dA[0, j] * X[0, i]
            for k in range(1, samples):
                g = g + dA[k, j] * X[k, i]
            weights[i, j] = weights[i, j] - g
            finite = finite and is_finite(weights[i, j])
    for j in range(bias.size):
        g = dA[0, j]
        for k in range(1, samples):
            g = g + dA[k, j]
        bias[j] = bias[j] - g
        finite = finite and is_finite(bias[j])
    return finite


@kernel
def _weight_gradient(X: Matrix, dA: Matrix, i: int, j: int) -> np.float32:
    g = np.float32(0.0)
    for k in range(X.shape[0]):
        g = g + dA[k, j] * X[k, i]
    return g


@kernel
def _bias_gradient(dA: Matrix, j: int) -> np.float32:
    g = np.float32(0.0)
    for k in range(dA.shape[0]):
        g = g + dA[k, j]
    return g


@kernel
def gradient_square(X: Matrix, dA: Matrix, total: np.float32) -> np.float32:
    """total + sum g^2 of one layer, over its weights in their order, then its biases."""
    for i in range(X.shape[1]):
        for j in range(dA.shape[1]):
            g = _weight_gradient(X, dA, i, j)
            total = total + g * g
    for j in range(dA.shape[1]):
        g = _bias_gradient(dA, j)
        total = total + g * g
    return total


@kernel
def decay_weights(weights: Matrix, rate: np.float32) -> None:
    """Weight decay apart from the gradient (Loshchilov and Hutter, 2019): w_ij = w_ij - w_ij * rate. No bias decays."""
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            weights[i, j] = weights[i, j] - weights[i, j] * rate


@kernel
def _momentum_step(
    w: np.float32, g: np.float32, velocity: Vector, at: int, rate: np.float32, momentum: np.float32
) -> np.float32:
    velocity[at] = momentum * velocity[at] + g
    stepped: np.float32 = w - rate * velocity[at]
    return stepped


@kernel
def momentum_update(
    weights: Matrix,
    bias: Vector,
    X: Matrix,
    dA: Matrix,
    velocity: Vector,
    scale: np.float32,
    rate: np.float32,
    momentum: np.float32,
) -> bool:
    """Momentum (Polyak): v = momentum * v + g * scale; w = w - rate * v.

    `scale` is 1 / samples, and less where the gradient is clipped. Returns whether every new value is finite.
    """
    finite = True
    at = 0
    for i in range(weights.shape[0]):
        for j in range(bias.size):
            g = _weight_gradient(X, dA, i, j) * scale
            weights[i, j] = _momentum_step(weights[i, j], g, velocity, at, rate, momentum)
            finite = finite and is_finite(weights[i, j])
            at += 1
    for j in range(bias.size):
        g = _bias_gradient(dA, j) * scale
        bias[j] = _momentum_step(bias[j], g, velocity, at, rate, momentum)
        finite = finite and is_finite(bias[j])
        at += 1
    return finite


@kernel
def _adam_step(
    w: np.float32,
    g: np.float32,
    mean: Vector,
    square: Vector,
    at: int,
    rate: np.float32,
    betas: Vector,
    powers: Vector,
    epsilon: np.float32,
) -> np.float32:
    one = np.float32(1.0)
    mean[at] = betas[0] * mean[at] + (one - betas[0]) * g
    square[at] = betas[1] * square[at] + ((one - betas[1]) * g) * g
    corrected: np.float32 = square[at] / (one - powers[1])
    if not is_finite(corrected):
        return corrected  # w would only stand still, and nobody would know
    stepped: np.float32 = w - (rate * (mean[at] / (one - powers[0]))) / (sqrt_f32(corrected) + epsilon)
    return stepped


@kernel
def adam_update(
    weights: Matrix,
    bias: Vector,
    X: Matrix,
    dA: Matrix,
    mean: Vector,
    square: Vector,
    scale: np.float32,
    rate: np.float32,
    betas: Vector,
    powers: Vector,
    epsilon: np.float32,
) -> bool:
    """Adam (Kingma and Ba, 2015, algorithm 1): with h = g * scale,

    m = beta1 * m + (1 - beta1) * h; v = beta2 * v + ((1 - beta2) * h) * h;
    w = w - (rate * (m / (1 - beta1^t))) / (sqrt(v / (1 - beta2^t)) + epsilon).

    betas (2,); powers (2,) holds beta1^t and beta2^t, this step's included. A parameter whose v / (1 - beta2^t) is not
    finite takes that value itself. Returns whether every new value is finite.
    """
    finite = True
    at = 0
    for i in range(weights.shape[0]):
        for j in range(bias.size):
            g = _weight_gradient(X, dA, i, j) * scale
            weights[i, j] = _adam_step(weights[i, j], g, mean, square, at, rate, betas, powers, epsilon)
            finite = finite and is_finite(weights[i, j])
            at += 1
    for j in range(bias.size):
        g = _bias_gradient(dA, j) * scale
        bias[j] = _adam_step(bias[j], g, mean, square, at, rate, betas, powers, epsilon)
        finite = finite and is_finite(bias[j])
        at += 1
    return finite
