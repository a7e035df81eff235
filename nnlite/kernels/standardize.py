"""Standardising raw samples. Mirror of runtime/standardize.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.jit import kernel

__all__ = ["standardize", "standardize_rows"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


@kernel
def standardize(x: Vector, mean: Vector, scale: Vector, out: Vector) -> None:
    """x_i = (raw_i - mean_i) * scale_i with scale = 1 / standard deviation. All (inputs,); `out` may be `x`."""
    for i in range(out.size):
        out[i] = (x[i] - mean[i]) * scale[i]


@kernel
def standardize_rows(X: Matrix, mean: Vector, scale: Vector, out: Matrix) -> None:
    """`standardize` of many samples: X and out (samples, inputs)."""
    for k in range(X.shape[0]):
        standardize(X[k], mean, scale, out[k])
