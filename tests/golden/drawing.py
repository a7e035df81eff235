"""Inputs of golden vectors, from a generator of our own, so that they do not change with a library."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.layout import OutputFunction, parameter_count
from nnlite.recipe import OPTIMIZERS

__all__ = ["Array", "Call", "Source", "training"]

Array = npt.NDArray[Any]
#: a kernel's name and its inputs
Call = tuple[str, list[Array]]


class Source:
    """Numbers from a linear congruential generator modulo 2^64 (Knuth's MMIX multiplier), its high 24 bits."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def _next(self) -> int:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self._state >> 40

    def floats(self, count: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        """Uniform in [-scale, scale), exact in float32 where scale is a power of two."""
        return np.array([(self._next() / 2**23 - 1.0) * scale for _ in range(count)], np.float32)

    def integers(self, count: int, below: int) -> npt.NDArray[np.int64]:
        """Uniform in 0 .. below - 1."""
        return np.array([self._next() % below for _ in range(count)], np.int64)


def training(
    source: Source,
    sizes: tuple[int, ...],
    hidden: int,
    output: int,
    optimizer: str,
    batch: int,
    extras: bool,
    rows: int = 11,
    epochs: int = 3,
) -> list[Array]:
    """Inputs of a training; `extras`: sample weights, weight decay and clipping."""
    outputs = sizes[-1]
    parameters = source.floats(parameter_count(sizes))
    labels, targets, weights = np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    if output == OutputFunction.SOFTMAX:
        labels = source.integers(rows, outputs)
    else:
        targets = source.floats(rows * outputs)
    if output == OutputFunction.SIGMOID:
        targets = np.abs(targets)
    if extras:
        weights = np.abs(source.floats(rows, 2.0))
    rates = {"sgd": 0.05, "momentum": 0.01, "adam": 0.005}
    betas = {"sgd": (0.0, 0.0), "momentum": (0.9, 0.0), "adam": (0.9, 0.999)}[optimizer]
    numbers = [rates[optimizer], *betas, 1e-7, *((0.1, 0.5) if extras else (0.0, 0.0))]
    settings = np.array([hidden, output, OPTIMIZERS[optimizer], batch, epochs])
    X = source.floats(rows * sizes[0], 2.0)
    return [np.array(sizes), settings, np.array(numbers, np.float32), parameters, X, labels, targets, weights]
