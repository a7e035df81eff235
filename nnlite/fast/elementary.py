"""exp, log, sigmoid and tanh of 16 floats: the expressions of `nnlite.kernels`, every branch a choice between lanes.

A lane whose branch is another one computes something useless beside it, which `select` drops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.jit import inlined
from nnlite.fast.lanes import (
    bits_of,
    floats_of_bits,
    nearest_floats,
    select,
    splat,
    splat_whole,
    truncated,
)
from nnlite.kernels import exp_log, sigmoid_tanh

__all__ = ["exp_lanes", "log_lanes", "sigmoid_lanes", "tanh_lanes"]

_LN2_HIGH, _LN2_LOW, _LOG2_E = exp_log._LN2_HIGH, exp_log._LN2_LOW, exp_log._LOG2_E
_EXP_LARGEST, _EXP_SMALLEST = exp_log._EXP_LARGEST, exp_log._EXP_SMALLEST
_P1, _P2, _P3, _P4 = exp_log._P1, exp_log._P2, exp_log._P3, exp_log._P4
_Q0, _Q1, _Q2 = exp_log._Q0, exp_log._Q1, exp_log._Q2
_SMALLEST_NORMAL, _TWO_25, _TO_SQRT_HALF = exp_log._SMALLEST_NORMAL, exp_log._TWO_25, exp_log._TO_SQRT_HALF
_TANH_IS_X, _POLYNOMIAL_LIMIT = sigmoid_tanh._TANH_IS_X, sigmoid_tanh._POLYNOMIAL_LIMIT
_T0, _T1, _T2 = sigmoid_tanh._T0, sigmoid_tanh._T1, sigmoid_tanh._T2
_T3, _T4, _T5 = sigmoid_tanh._T3, sigmoid_tanh._T4, sigmoid_tanh._T5
_ZERO, _HALF, _ONE, _TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
_MINUS_ZERO, _INF, _NAN = np.float32(-0.0), np.float32(np.inf), np.float32(np.nan)


@inlined
def _negative(x: Any) -> Any:
    """-x: -0 - x would lose the sign of a NaN only."""
    return splat(_MINUS_ZERO) - x


@inlined
def _power_of_two(k: Any) -> Any:
    return floats_of_bits((k + splat_whole(127)) << splat_whole(23))


@inlined
def exp_lanes(x: Any) -> Any:
    """`exp_f32` of each lane."""
    n = x * splat(_LOG2_E)
    k = truncated(select(n < splat(_ZERO), n - splat(_HALF), n + splat(_HALF)))
    t = nearest_floats(k)
    r = (x - t * splat(_LN2_HIGH)) - t * splat(_LN2_LOW)
    p = splat(_P3) + r * splat(_P4)
    p = splat(_P2) + r * p
    p = splat(_P1) + r * p
    p = splat(_HALF) + r * p
    s = splat(_ONE) + r
    lost = r - (s - splat(_ONE))
    y = s + (lost + (r * r) * p)
    # k / 2 towards 0: an arithmetic shift after adding 1 to what is negative
    half = (k - (k >> splat_whole(31))) >> splat_whole(1)
    y = (y * _power_of_two(half)) * _power_of_two(k - half)
    y = select(x < splat(_EXP_SMALLEST), splat(_ZERO), y)
    y = select(x > splat(_EXP_LARGEST), splat(_INF), y)
    return select(x != x, x, y)  # noqa: PLR0124  NaN


@inlined
def log_lanes(x: Any) -> Any:
    """`log_f32` of each lane."""
    small = x < splat(_SMALLEST_NORMAL)
    bits = bits_of(select(small, x * splat(_TWO_25), x))
    e = ((bits + splat_whole(_TO_SQRT_HALF)) >> splat_whole(23)) - splat_whole(127)
    t = nearest_floats(select(small, splat_whole(-25), splat_whole(0)) + e)
    f = floats_of_bits(bits - (e << splat_whole(23))) - splat(_ONE)
    s = f / (splat(_TWO) + f)
    z = s * s
    q = splat(_Q1) + z * splat(_Q2)
    q = z * (splat(_Q0) + z * q)
    half_square = (splat(_HALF) * f) * f
    y = t * splat(_LN2_HIGH) - ((half_square - (s * (half_square + q) + t * splat(_LN2_LOW))) - f)
    y = select(x < splat(_ZERO), splat(_NAN), y)
    y = select(x == splat(_ZERO), splat(-_INF), y)
    return select((x != x) | (x == splat(_INF)), x, y)  # noqa: PLR0124  NaN


@inlined
def sigmoid_lanes(x: Any) -> Any:
    """`sigmoid_f32` of each lane."""
    below = x < splat(_ZERO)
    t = exp_lanes(select(below, x, _negative(x)))
    s = splat(_ONE) + t
    lost = t - (s - splat(_ONE))
    y = t / s
    y = y - y * lost
    y = select(below, y, splat(_ONE) - y)
    return select(x != x, x, y)  # noqa: PLR0124  NaN


@inlined
def tanh_lanes(x: Any) -> Any:
    """`tanh_f32` of each lane."""
    below = x < splat(_ZERO)
    magnitude = select(below, _negative(x), x)
    z = x * x
    p = splat(_T4) + z * splat(_T5)
    p = splat(_T3) + z * p
    p = splat(_T2) + z * p
    p = splat(_T1) + z * p
    p = splat(_T0) + z * p
    near = x + x * (z * p)
    y = splat(_ONE) - splat(_TWO) / (exp_lanes(magnitude + magnitude) + splat(_ONE))
    y = select(magnitude < splat(_POLYNOMIAL_LIMIT), near, select(below, _negative(y), y))
    return select((x != x) | (magnitude < splat(_TANH_IS_X)), x, y)  # noqa: PLR0124  NaN
