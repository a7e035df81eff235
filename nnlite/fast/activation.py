"""Hidden activations of lanes, and gradients times their slopes, as `kernels.activation` and `kernels.dense` have them.

x is what goes in, y what came out. Where the slope is 0 the gradient is +0. Sigmoid and tanh are in `elementary`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.fast.jit import inlined
from nnlite.fast.lanes import select
from nnlite.kernels.activation import _LEAK

__all__ = ["leaky_relu", "leaky_relu_back", "relu", "relu_back", "sigmoid_back", "tanh_back"]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@inlined
def relu(x: Any) -> Any:
    """eq. 20."""
    return select(x <= _ZERO, _ZERO, x)


@inlined
def relu_back(dY: Any, y: Any) -> Any:
    """eq. 21."""
    return select(y > _ZERO, dY, _ZERO)


@inlined
def leaky_relu(x: Any) -> Any:
    """x, or a hundredth of it below 0; +0 at 0."""
    return select(x <= _ZERO, x * _LEAK + _ZERO, x)


@inlined
def leaky_relu_back(dY: Any, y: Any) -> Any:
    """dY times the slope at y."""
    return dY * select(y > _ZERO, _ONE, _LEAK)


@inlined
def sigmoid_back(dY: Any, y: Any) -> Any:
    """dY times the slope at y."""
    slope = y * (_ONE - y)
    return select(slope == _ZERO, _ZERO, dY * slope)


@inlined
def tanh_back(dY: Any, y: Any) -> Any:
    """dY times the slope at y."""
    slope = _ONE - y * y
    return select(slope == _ZERO, _ZERO, dY * slope)
