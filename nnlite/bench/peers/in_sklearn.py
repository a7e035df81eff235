"""scikit-learn's MLPClassifier and MLPRegressor: `partial_fit`, which goes over its samples once, in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from nnlite.bench.peers.task import Floats, Task

__all__ = ["Sklearn", "version", "ways"]


def version() -> str:
    """Of what the speed depends on."""
    return f"scikit-learn {sklearn.__version__}"


def ways(task: Task) -> list[str]:
    """There is one."""
    return ["partial_fit"]


class Sklearn:
    """See `Trainer`."""

    takes_all_rows = False
    threads = 1

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        kind = MLPRegressor if task.output == "linear" else MLPClassifier
        self._model: Any = kind(
            hidden_layer_sizes=task.sizes[1:-1],
            activation="relu",
            solver="sgd",
            alpha=0.0,
            batch_size=task.batch_size,
            learning_rate_init=task.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        classes = {} if task.output == "linear" else {"classes": np.arange(task.sizes[-1])}
        first = slice(task.batch_size)
        self._model.partial_fit(task.X[first], task.truth[first], **classes)
        self._rows = 0

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        self._rows = rows
        few = min(rows, 8 * self._task.batch_size)
        self._model.partial_fit(self._task.X[:few], self._task.truth[:few])

    def reset(self) -> None:
        """See `Trainer`."""
        for n, (weights, bias) in enumerate(self._task.layers()):
            self._model.coefs_[n][...] = weights
            self._model.intercepts_[n][...] = bias

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        X, truth = self._task.X[: self._rows], self._task.truth[: self._rows]
        for _ in range(epochs):
            self._model.partial_fit(X, truth)

    def parameters(self) -> Floats:
        """See `Trainer`."""
        parts = [part for layer in zip(self._model.coefs_, self._model.intercepts_, strict=True) for part in layer]
        return np.concatenate([part.ravel() for part in parts])
