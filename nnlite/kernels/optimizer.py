"""Updates of one layer's parameters. Mirror of runtime/optimizer.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.exp_log import is_finite
from nnlite.kernels.jit import kernel

__all__ = ["sgd_update"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


@kernel
def sgd_update(weights: Matrix, bias: Vector, X: Matrix, dA: Matrix, rate: np.float32) -> bool:
    """Update rule with eq. 18 and 19: u_jk = dA_jk * rate, g_ij = sum_k u_jk x_ik over ascending k, w_ij = w_ij - g_ij.

    weights (inputs, outputs), bias (outputs,), X (samples, inputs), dA (samples, outputs), which becomes u in
    place; a bias has x = 1. Returns whether every new value is finite.
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
