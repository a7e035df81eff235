"""Whether this thread's processor computes as IEEE-754 says, which other code in the process may have changed."""

from __future__ import annotations

import numpy as np

__all__ = ["keeps_subnormals", "rounds_to_nearest"]

#: the smallest normal number, 1/2, 1 and half a unit in the last place of 1. NumPy computes with them in this thread,
#: one operation at a time
_SMALLEST, _HALF, _ONE, _HALF_UNIT = np.array([2.0**-126, 0.5, 1.0, 2.0**-24], np.float32)


def keeps_subnormals() -> bool:
    """Neither results (flush-to-zero) nor arguments (denormals-are-zero) become 0 when they are subnormal."""
    with np.errstate(all="ignore"):
        half = _SMALLEST * _HALF
        whole = half + half
    # their bits: a comparison would take a subnormal number for 0, too
    return bool(half.view(np.int32) != 0 and whole.view(np.int32) == _SMALLEST.view(np.int32))


def rounds_to_nearest() -> bool:
    """A half goes to the even neighbour, below 1 and above it, positive and negative."""
    with np.errstate(all="ignore"):
        up = (_ONE + _HALF_UNIT) + _HALF_UNIT == _ONE
        down = (-_ONE - _HALF_UNIT) - _HALF_UNIT == -_ONE
        odd = _ONE + (_HALF_UNIT + _HALF_UNIT)
        return bool(up and down and odd + _HALF_UNIT == odd + (_HALF_UNIT + _HALF_UNIT))
