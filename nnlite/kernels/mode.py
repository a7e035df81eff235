"""Whether this thread's processor computes as IEEE-754 says, which other code in the process may have changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.bits import bits_of_float
from nnlite.kernels.jit import kernel

__all__ = ["PROBES", "keeps_subnormals", "rounds_to_nearest"]

#: the smallest normal number, 1/2, 1 and half a unit in the last place of 1: what the two functions compute with. In an
#: array, so that no compiler computes it beforehand
PROBES = np.array([2.0**-126, 0.5, 1.0, 2.0**-24], np.float32)


@kernel
def keeps_subnormals(probes: npt.NDArray[np.float32]) -> bool:
    """Neither results (flush-to-zero) nor arguments (denormals-are-zero) become 0 when they are subnormal."""
    half = probes[0] * probes[1]
    return bits_of_float(half) != 0 and bits_of_float(half + half) == bits_of_float(probes[0])


@kernel
def rounds_to_nearest(probes: npt.NDArray[np.float32]) -> bool:
    """A half goes to the even neighbour, below 1 and above it, positive and negative."""
    one, half = probes[2], probes[3]
    up = (one + half) + half == one
    down = (-one - half) - half == -one
    odd = one + (half + half)
    rounds: bool = up and down and odd + half == odd + (half + half)
    return rounds
