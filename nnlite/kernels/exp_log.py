"""Own exp and log, since every C library's differ in their last bits. Mirror of runtime/exp_log.c.

Both reduce the argument with ln 2 in two parts, the high one short enough that a multiple of it is
exact, and end in a polynomial fitted by scripts/fit_polynomials.
"""

from __future__ import annotations

import numpy as np

from nnlite.kernels.bits import bits_of_float, float_of_bits
from nnlite.kernels.jit import kernel

__all__ = ["exp_f32", "is_finite", "log_f32"]

_LN2_HIGH = np.float32(float.fromhex("0x1.62e4p-1"))
_LN2_LOW = np.float32(float.fromhex("0x1.7f7d1cp-20"))
_LOG2_E = np.float32(float.fromhex("0x1.715476p+0"))
_EXP_LARGEST = np.float32(float.fromhex("0x1.62e42ep+6"))
_EXP_SMALLEST = np.float32(float.fromhex("-0x1.9fe368p+6"))
_P1 = np.float32(float.fromhex("0x1.5554dcp-3"))
_P2 = np.float32(float.fromhex("0x1.5554b8p-5"))
_P3 = np.float32(float.fromhex("0x1.120c04p-7"))
_P4 = np.float32(float.fromhex("0x1.6d7612p-10"))
_Q0 = np.float32(float.fromhex("0x1.55555cp-1"))
_Q1 = np.float32(float.fromhex("0x1.997c06p-2"))
_Q2 = np.float32(float.fromhex("0x1.2eeb9p-2"))
_SMALLEST_NORMAL = np.float32(2.0**-126)
_TWO_25 = np.float32(2.0**25)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_INF = np.float32(np.inf)
_NAN = np.float32(np.nan)
_EXPONENT_MASK = 0x7F800000
#: moves the exponent's rollover from a mantissa of 1 to one of sqrt(1/2)
_TO_SQRT_HALF = 0x3F800000 - 0x3F3504F3


@kernel
def is_finite(x: np.float32) -> bool:
    """Whether a float32 is neither NaN nor infinite, by its bits."""
    return (bits_of_float(x) & _EXPONENT_MASK) != _EXPONENT_MASK


@kernel
def _power_of_two(k: np.int64) -> np.float32:
    """2^k as a float32; -126 <= k <= 127."""
    return float_of_bits(np.int32((k + 127) << 23))


@kernel
def exp_f32(x: np.float32) -> np.float32:
    """e^x of a float32, off by less than 1 ulp (docs/NUMERICS.md).

    e^x = 2^k e^r with k the integer nearest to x / ln 2, and e^r = 1 + (r + r^2 P(r)).
    """
    if x != x:  # noqa: PLR0124  NaN
        return x
    if x > _EXP_LARGEST:
        return _INF
    if x < _EXP_SMALLEST:
        return _ZERO
    n = x * _LOG2_E
    k = np.int64(n - _HALF if n < _ZERO else n + _HALF)
    t = np.float32(k)
    r = (x - t * _LN2_HIGH) - t * _LN2_LOW
    p = _P3 + r * _P4
    p = _P2 + r * p
    p = _P1 + r * p
    p = _HALF + r * p
    # 1 + r loses the low bits of r; they are got back and added with the small rest.
    s = _ONE + r
    lost = r - (s - _ONE)
    y = s + (lost + (r * r) * p)
    # In two factors: k may be 128, and a subnormal result must be rounded only once.
    half = k // 2 if k >= 0 else -(-k // 2)
    return (y * _power_of_two(half)) * _power_of_two(k - half)


@kernel
def log_f32(x: np.float32) -> np.float32:
    """Natural logarithm of a float32, off by less than 1 ulp (docs/NUMERICS.md).

    log x = k ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); with s = f / (2 + f) the latter
    is f - (f^2 / 2 - s (f^2 / 2 + z Q(z))), z = s^2. -inf at 0, NaN below.
    """
    k = np.int64(0)
    if x != x or x == _INF:  # noqa: PLR0124  NaN
        return x
    if x == _ZERO:
        return -_INF
    if x < _ZERO:
        return _NAN
    if x < _SMALLEST_NORMAL:
        x = x * _TWO_25
        k = np.int64(-25)
    bits = np.int64(bits_of_float(x))
    e = ((bits + _TO_SQRT_HALF) >> 23) - 127
    k = k + e
    f = float_of_bits(np.int32(bits - (e << 23))) - _ONE
    t = np.float32(k)
    s = f / (_TWO + f)
    z = s * s
    q = _Q1 + z * _Q2
    q = z * (_Q0 + z * q)
    half_square = (_HALF * f) * f
    return t * _LN2_HIGH - ((half_square - (s * (half_square + q) + t * _LN2_LOW)) - f)
