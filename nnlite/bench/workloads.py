"""The networks that are measured, with numbers that anybody can draw again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.kernels import step
from nnlite.kernels.activation import RELU

__all__ = ["WORKLOADS", "Workload"]

Floats = npt.NDArray[np.float32]
_OUTPUTS = {"linear": step.LINEAR, "softmax": step.SOFTMAX}


@dataclass(frozen=True)
class Workload:
    """A network with ReLU hidden layers.

    Attributes
    ----------
    name : a letter.
    sizes : inputs, hidden..., outputs.
    output : "softmax" with cross-entropy, or "linear" with squared error.
    learning_rate : of its training step.
    """

    name: str
    sizes: tuple[int, ...]
    output: str = "softmax"
    learning_rate: float = 0.05

    #: what a plan asks of a network beyond its sizes
    hidden = "relu"
    mean = None
    labels = None

    def draw(self) -> tuple[Floats, Floats]:
        """Parameters (P,) and one sample (inputs,): the first one of `draw_rows`."""
        parameters, samples, _ = self.draw_rows(1)
        return parameters, samples[0]

    def draw_rows(self, count: int) -> tuple[Floats, Floats, npt.NDArray[Any]]:
        """Parameters (P,), samples (count, inputs), and what they are to become.

        From `numpy.random.default_rng(0)`: of each layer the weights, normal * sqrt(2 / inputs), then the biases,
        0.1 * normal; then the samples, uniform in [0, 1). Linear outputs are to be the samples again; else the classes
        (count,) int64 are drawn last, each as likely as any. They cannot be learned, so that probabilities stay away
        from the smallest floats, which take a CPU many times as long.
        """
        generator = np.random.default_rng(0)
        parts = []
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            parts.append((generator.normal(size=inputs * outputs) * np.sqrt(2 / inputs)).astype(np.float32))
            parts.append((0.1 * generator.normal(size=outputs)).astype(np.float32))
        X = generator.uniform(0.0, 1.0, (count, self.sizes[0])).astype(np.float32)
        if self.output == "linear":
            return np.concatenate(parts), X, X
        return np.concatenate(parts), X, generator.integers(0, self.sizes[-1], count)

    def shape(self) -> step.Shape:
        """As the kernels take it."""
        return step.Shape(np.array(self.sizes, np.int64), RELU, _OUTPUTS[self.output])


#: C is MLPerf Tiny's autoencoder for anomaly detection
WORKLOADS = (
    Workload("A", (64, 32, 10)),
    Workload("B", (784, 32, 10)),
    Workload("C", (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640), "linear", 0.05 / 640),
    Workload("D", (4, 8, 3)),
    Workload("E", (784, 128, 10)),
)
