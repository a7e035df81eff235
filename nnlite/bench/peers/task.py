"""What every trainer is given, and what it must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Task", "Trainer"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """A network to train with plain SGD, samples in order: ReLU, then softmax and cross-entropy or, where the output is
    linear, half the squared error; averaged over a batch.

    Attributes
    ----------
    sizes : inputs, hidden..., outputs.
    output : "softmax" or "linear".
    parameters : (P,) to begin with, as `Network.parameters`.
    X : (samples, inputs).
    truth : classes (samples,) int64, or targets (samples, outputs) float32.
    """

    sizes: tuple[int, ...]
    output: str
    learning_rate: float
    batch_size: int
    parameters: Floats
    X: Floats
    truth: npt.NDArray[Any]

    def layers(self) -> list[tuple[Floats, Floats]]:
        """Weights (inputs, outputs) and bias (outputs,) of each layer, views into `parameters`."""
        found, at = [], 0
        for inputs, outputs in pairwise(self.sizes):
            weights = self.parameters[at : at + inputs * outputs].reshape(inputs, outputs)
            at += inputs * outputs
            found.append((weights, self.parameters[at : at + outputs]))
            at += outputs
        return found

    def one_hot(self) -> Floats:
        """What the outputs are to become, (samples, outputs)."""
        if self.output == "linear":
            return np.asarray(self.truth, np.float32)
        hot: Floats = np.eye(self.sizes[-1], dtype=np.float32)[self.truth]
        return hot


class Trainer(Protocol):
    """One way to train. Nothing is timed but `train`.

    Attributes
    ----------
    takes_all_rows : that each number of rows is compiled anew, so that it is best not to look for one.
    threads : that it computes with.
    """

    takes_all_rows: bool
    threads: int

    def __init__(self, task: Task, way: str) -> None: ...

    def prepare(self, rows: int) -> None:
        """Make ready to train with the first rows, a whole number of batches: convert, compile, call once."""

    def reset(self) -> None:
        """Go back to the parameters of the task."""

    def train(self, epochs: int) -> None:
        """Go over the rows so many times, and be done with it on return."""

    def parameters(self) -> Floats:
        """As `Task.parameters`."""
