"""Activations of the hidden layers and their slopes. Mirror of runtime/activation.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.jit import kernel
from nnlite.kernels.sigmoid_tanh import sigmoid_f32, tanh_f32

__all__ = ["LEAKY_RELU", "RELU", "SIGMOID", "TANH", "activate", "leaky_relu", "relu", "sigmoid", "slope", "tanh"]

#: HiddenActivation of layout.py; tests/kernels hold them together
RELU, LEAKY_RELU, SIGMOID, TANH = 1, 2, 3, 4
#: slope of leaky_relu below 0
_LEAK = np.float32(0.01)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)

Vector = npt.NDArray[np.float32]


@kernel
def relu(a: Vector, out: Vector) -> None:
    """eq. 20: x_j = max(0, a_j), and +0 for both zeros; NaN stays NaN. Both (n,); `out` may be `a`."""
    for j in range(out.size):
        out[j] = _ZERO if a[j] <= _ZERO else a[j]


@kernel
def leaky_relu(a: Vector, out: Vector) -> None:
    """x_j = a_j above 0, else 0.01 a_j, and +0 for both zeros. Both (n,); `out` may be `a`."""
    for j in range(out.size):
        out[j] = a[j] * _LEAK + _ZERO if a[j] <= _ZERO else a[j]


@kernel
def sigmoid(a: Vector, out: Vector) -> None:
    """x_j = 1 / (1 + e^-a_j). Both (n,); `out` may be `a`."""
    for j in range(out.size):
        out[j] = sigmoid_f32(a[j])


@kernel
def tanh(a: Vector, out: Vector) -> None:
    """x_j = tanh a_j. Both (n,); `out` may be `a`."""
    for j in range(out.size):
        out[j] = tanh_f32(a[j])


@kernel
def activate(a: Vector, out: Vector, activation: int) -> None:
    """One of the above, by its number. Both (n,); `out` may be `a`."""
    if activation == LEAKY_RELU:
        leaky_relu(a, out)
    elif activation == SIGMOID:
        sigmoid(a, out)
    elif activation == TANH:
        tanh(a, out)
    else:
        relu(a, out)


@kernel
def slope(x: np.float32, activation: int) -> np.float32:
    """eq. 21 for each activation: dx / da, from the output x alone.

    ReLU's x is above 0 where a is, and so is leaky ReLU's; sigmoid x (1 - x); tanh 1 - x^2.
    """
    if activation == LEAKY_RELU:
        return _ONE if x > _ZERO else _LEAK
    if activation == SIGMOID:
        return x * (_ONE - x)
    if activation == TANH:
        return _ONE - x * x
    return _ONE if x > _ZERO else _ZERO
