"""Softmax that cannot overflow. Mirror of runtime/softmax.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.exp_log import exp_f32
from nnlite.kernels.jit import kernel

__all__ = ["softmax"]

Vector = npt.NDArray[np.float32]


@kernel
def softmax(a: Vector, out: Vector) -> None:
    """eq. 4 with the maximum subtracted, which leaves the result as it is and keeps e^x from overflowing.

    y_j = e^(a_j - max) / sum_j e^(a_j - max), the sum from +0 over ascending j. Both (n,); `out` may be `a`.
    """
    largest = a[0]
    for j in range(1, out.size):
        if a[j] > largest:  # noqa: PLR1730  as in C
            largest = a[j]
    total = np.float32(0.0)
    for j in range(out.size):
        out[j] = exp_f32(a[j] - largest)
        total = total + out[j]
    for j in range(out.size):
        out[j] = out[j] / total
