"""exp, log, sigmoid and tanh of lanes: the expressions of `nnlite.kernels`, every branch a choice between lanes.

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
#: bits of -0 and of 0.5
_SIGN, _HALF_BITS = 0x80000000, 0x3F000000
_MINUS_ZERO, _INF, _NAN = np.float32(-0.0), np.float32(np.inf), np.float32(np.nan)


@inlined
def _negative(x: Any) -> Any:
    """-x: -0 - x would lose the sign of a NaN only."""
    return _MINUS_ZERO - x


@inlined
def exp_lanes(x: Any) -> Any:
    """`exp_f32` of each lane."""
    k = truncated(x * _LOG2_E + floats_of_bits((bits_of(x) & _SIGN) | _HALF_BITS))
    t = nearest_floats(k)
    r = (x - t * _LN2_HIGH) - t * _LN2_LOW
    p = _P3 + r * _P4
    p = _P2 + r * p
    p = _P1 + r * p
    p = _HALF + r * p
    s = _ONE + r
    lost = r - (s - _ONE)
    y = s + (lost + (r * r) * p)
    # k / 2 towards 0: an arithmetic shift after adding 1 to what is negative
    half = (k - (k >> 31)) >> 1
    # y is next to 1, so that 2^(k - half) may as well be added to its exponent
    y = floats_of_bits(bits_of(y) + ((k - half) << 23)) * floats_of_bits((half + 127) << 23)
    y = select(x < _EXP_SMALLEST, _ZERO, y)
    y = select(x > _EXP_LARGEST, _INF, y)
    return select(x != x, x, y)  # noqa: PLR0124  NaN


@inlined
def log_lanes(x: Any) -> Any:
    """`log_f32` of each lane."""
    small = x < _SMALLEST_NORMAL
    bits = bits_of(select(small, x * _TWO_25, x))
    e = ((bits + _TO_SQRT_HALF) >> 23) - 127
    t = nearest_floats(select(small, -25, 0) + e)
    f = floats_of_bits(bits - (e << 23)) - _ONE
    s = f / (_TWO + f)
    z = s * s
    q = _Q1 + z * _Q2
    q = z * (_Q0 + z * q)
    half_square = (_HALF * f) * f
    y = t * _LN2_HIGH - ((half_square - (s * (half_square + q) + t * _LN2_LOW)) - f)
    y = select(x < _ZERO, _NAN, y)
    y = select(x == _ZERO, -_INF, y)
    return select((x != x) | (x == _INF), x, y)  # noqa: PLR0124  NaN


@inlined
def sigmoid_lanes(x: Any) -> Any:
    """`sigmoid_f32` of each lane."""
    below = x < _ZERO
    t = exp_lanes(select(below, x, _negative(x)))
    s = _ONE + t
    lost = t - (s - _ONE)
    y = t / s
    y = y - y * lost
    y = select(below, y, _ONE - y)
    return select(x != x, x, y)  # noqa: PLR0124  NaN


@inlined
def tanh_lanes(x: Any) -> Any:
    """`tanh_f32` of each lane."""
    below = x < _ZERO
    magnitude = select(below, _negative(x), x)
    z = x * x
    p = _T4 + z * _T5
    p = _T3 + z * p
    p = _T2 + z * p
    p = _T1 + z * p
    p = _T0 + z * p
    near = x + x * (z * p)
    y = _ONE - _TWO / (exp_lanes(magnitude + magnitude) + _ONE)
    y = select(magnitude < _POLYNOMIAL_LIMIT, near, select(below, _negative(y), y))
    return select((x != x) | (magnitude < _TANH_IS_X), x, y)  # noqa: PLR0124  NaN
