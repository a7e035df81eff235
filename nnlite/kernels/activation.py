"""Activations of the hidden layers. Mirror of runtime/activation.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.jit import kernel

__all__ = ["relu"]

Vector = npt.NDArray[np.float32]


@kernel
def relu(a: Vector, out: Vector) -> None:
    """eq. 20: x_j = max(0, a_j), and +0 for both zeros. Both (n,); `out` may be `a`."""
    for j in range(out.size):
        out[j] = a[j] if a[j] > np.float32(0.0) else np.float32(0.0)
