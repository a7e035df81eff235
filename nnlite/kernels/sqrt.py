"""Square root, correctly rounded. Mirror of runtime/sqrt.c, which also finds it digit by digit for cores without it."""

from __future__ import annotations

import numpy as np

from nnlite.kernels.jit import kernel

__all__ = ["sqrt_f32"]

_ZERO = np.float32(0.0)
_NAN = np.float32(np.nan)


@kernel
def sqrt_f32(x: np.float32) -> np.float32:
    """Square root of a float32, correctly rounded: the CPU's instruction. -0 stays -0; NaN below."""
    if x != x:  # noqa: PLR0124  NaN
        return x
    if x < _ZERO:
        return _NAN
    return np.float32(np.sqrt(x))
