"""Sigmoid and tanh from our own exp. Mirror of runtime/sigmoid_tanh.c.

Next to 0 tanh has a polynomial of its own, fitted by scripts/fit_polynomials.
"""

from __future__ import annotations

import numpy as np

from nnlite.kernels.exp_log import exp_f32
from nnlite.kernels.jit import kernel

__all__ = ["sigmoid_f32", "tanh_f32"]

_TANH_IS_X = np.float32(2.0**-12)
_POLYNOMIAL_LIMIT = np.float32(float.fromhex("0x1.666666p-1"))
_T0 = np.float32(float.fromhex("-0x1.555554p-2"))
_T1 = np.float32(float.fromhex("0x1.1110a8p-3"))
_T2 = np.float32(float.fromhex("-0x1.b9f328p-5"))
_T3 = np.float32(float.fromhex("0x1.636eb4p-6"))
_T4 = np.float32(float.fromhex("-0x1.0a3434p-7"))
_T5 = np.float32(float.fromhex("0x1.0f32fep-9"))
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)


@kernel
def sigmoid_f32(x: np.float32) -> np.float32:
    """1 / (1 + e^-x) of a float32, off by less than 2 ulp (docs/NUMERICS.md).

    With t = e^-|x| it is t / (1 + t) where x is negative, and 1 less that elsewhere; so it is never above 1.
    """
    if x != x:  # noqa: PLR0124  NaN
        return x
    t = exp_f32(x if x < _ZERO else -x)
    # 1 + t loses the low bits of t, up to half a unit in the last place of the quotient; to first order they
    # make it smaller by themselves.
    s = _ONE + t
    lost = t - (s - _ONE)
    y = t / s
    y = y - y * lost
    return y if x < _ZERO else _ONE - y


@kernel
def tanh_f32(x: np.float32) -> np.float32:
    """Hyperbolic tangent of a float32, off by less than 1.1 ulp (docs/NUMERICS.md); odd to the last bit.

    x below 2^-12, x + x (z T(z)) with z = x^2 below 0.7, then 1 - 2 / (e^2|x| + 1) with the sign of x.
    """
    magnitude = -x if x < _ZERO else x
    if x != x or magnitude < _TANH_IS_X:  # noqa: PLR0124  NaN
        return x
    if magnitude < _POLYNOMIAL_LIMIT:
        z = x * x
        p = _T4 + z * _T5
        p = _T3 + z * p
        p = _T2 + z * p
        p = _T1 + z * p
        p = _T0 + z * p
        return x + x * (z * p)
    y = _ONE - _TWO / (exp_f32(magnitude + magnitude) + _ONE)
    return -y if x < _ZERO else y
