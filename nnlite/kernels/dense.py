"""The dense layer, forward and backward. Mirror of runtime/dense.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.activation import slope
from nnlite.kernels.jit import kernel

__all__ = ["dense_backward", "dense_forward"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


@kernel
def dense_forward(x: Vector, weights: Matrix, bias: Vector, out: Vector) -> None:
    """eq. 8: a_j = b_j + sum_i w_ij x_i, from b_j over ascending i.

    x (inputs,), weights (inputs, outputs), bias and out (outputs,). The sums of all j advance side by side.
    """
    for j in range(out.size):
        out[j] = bias[j]
    for i in range(x.size):
        for j in range(out.size):
            out[j] = out[j] + weights[i, j] * x[i]


@kernel
def dense_backward(dA: Vector, weights: Matrix, x: Vector, dX: Vector, activation: int) -> None:
    """General gradients and eq. 21: dX_i = (sum_j dA_j w_ij) * slope_i, the sum from +0 over ascending j.

    dA (outputs,), weights (inputs, outputs), x and dX (inputs,). x is the activation's output, which tells its slope;
    where that is 0 the sum is not computed and dX_i is +0 (the paper's neat trick).
    """
    for i in range(x.size):
        total = np.float32(0.0)
        steepness = slope(x[i], activation)
        if steepness != np.float32(0.0):
            for j in range(dA.size):
                total = total + dA[j] * weights[i, j]
            total = total * steepness
        dX[i] = total
