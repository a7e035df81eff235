"""Updates from gradients in memory, 16 parameters at once: the expressions of `kernels.optimizer`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.fast.jit import part
from nnlite.fast.lanes import LANES, load, select, splat, square_root, store
from nnlite.fast.plan import Plan

__all__ = ["adam_row", "decay_row", "gradient_norm_square", "momentum_row"]

Vector = npt.NDArray[np.float32]
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@part
def decay_row(w: Any, first: int, end: int, rate: np.float32) -> None:
    """As `decay_weights`."""
    for at in range(first, end, LANES):
        weights = load(w, at)
        store(weights - weights * splat(rate), w, at)


@part
def momentum_row(
    w: Any, g: Any, velocity: Any, first: int, end: int, scale: np.float32, rate: np.float32, momentum: np.float32
) -> None:
    """As `momentum_update`, of the parameters from `first` to `end`."""
    for at in range(first, end, LANES):
        h = load(g, at) * splat(scale)
        v = splat(momentum) * load(velocity, at) + h
        store(v, velocity, at)
        store(load(w, at) - splat(rate) * v, w, at)


@part
def adam_row(
    w: Any,
    g: Any,
    mean: Any,
    square: Any,
    first: int,
    end: int,
    scale: np.float32,
    rate: np.float32,
    betas: Vector,
    powers: Vector,
    epsilon: np.float32,
) -> None:
    """As `adam_update`, of the parameters from `first` to `end`."""
    beta1, beta2 = splat(betas[0]), splat(betas[1])
    rest1, rest2 = splat(_ONE - betas[0]), splat(_ONE - betas[1])
    share1, share2 = splat(_ONE - powers[0]), splat(_ONE - powers[1])
    for at in range(first, end, LANES):
        h = load(g, at) * splat(scale)
        m = beta1 * load(mean, at) + rest1 * h
        v = beta2 * load(square, at) + (rest2 * h) * h
        store(m, mean, at)
        store(v, square, at)
        corrected = v / share2
        step = (splat(rate) * (m / share1)) / (square_root(corrected) + splat(epsilon))
        # only what is not finite differs from itself less itself; w would only stand still, and nobody would know
        store(select(corrected - corrected == splat(_ZERO), load(w, at) - step, corrected), w, at)


@part
def gradient_norm_square(plan: Plan, g: Vector) -> np.float32:
    """As `gradient_square` over all layers: weights, then biases, one after the other."""
    total = _ZERO
    for n in range(1, plan.sizes.size):
        block, width, inputs = plan.blocks[n], plan.width[n - 1], plan.sizes[n - 1]
        for i in range(inputs + 1):
            for j in range(plan.sizes[n]):
                value = g[block + j * width + i]
                total = total + value * value
    return total
