"""One training run on a device, epoch by epoch; what becomes of it is the caller's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.errors import DataError
from nnlite.latency import Latency
from nnlite.link.client import Client, Progress
from nnlite.link.protocol import LearnSettings
from nnlite.link.wire import Region
from nnlite.network import Floats, Network, as_samples
from nnlite.recipe import Recipe
from nnlite.streams import Shape, learn_rows, training_rows
from nnlite.targets import encode_truth, sample_weights
from nnlite.training import mean_loss

__all__ = ["HeldOut", "LearningRun", "rows_to_learn"]

_FLOAT_BYTES = 4


def rows_to_learn(
    shape: Shape,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
) -> npt.NDArray[np.uint32]:
    """Rows of a LEARN stream from data from outside.

    Raises
    ------
    UsageError, DataError : data or weights that cannot be used, or no samples at all.
    """
    samples = as_samples(X, shape.sizes[0])
    labels = shape.labels
    if labels is None and shape.output == "softmax":
        labels = tuple(range(shape.sizes[-1]))
    classes, targets = encode_truth(y, shape.output, labels, shape.sizes[-1], len(samples))
    if not samples.size:
        raise DataError("there are no samples to learn from")
    weights = sample_weights(sample_weight, class_weight, classes, labels, len(samples))
    return training_rows(shape, samples, classes, targets, weights)


class LearningRun:
    """A training run of the model that serves. `begin`, then each `epoch`; the caller commits or aborts.

    Parameters
    ----------
    client : of the device.
    shape : of the model that serves.
    how : the recipe.
    rows : of `rows_to_learn`.
    keep : whether parameters will be set aside.
    """

    def __init__(
        self, client: Client, shape: Shape, how: Recipe, rows: npt.NDArray[np.uint32], keep: bool = False
    ) -> None:
        self._client = client
        self._shape = shape
        self._how = how
        self._rows = rows
        self._keep = keep
        self.frozen = how.frozen_layers(len(shape.sizes) - 1)

    def begin(self) -> None:
        """Have the device get ready."""
        how, shape = self._how, self._shape
        plain_words = shape.sizes[0] + (1 if shape.output == "softmax" else shape.sizes[-1])
        self._client.learn_begin(
            LearnSettings(
                learning_rate=float(how.rate(0)),
                batch_size=how.batch_size,
                optimizer=how.optimizer_number,
                betas=(float(how.betas[0]), float(how.betas[1])),
                epsilon=float(how.epsilon),
                weight_decay=float(how.weight_decay),
                clip_norm=float(how.clip_norm),
                last_layers=how.last_layers or 0,
                weighted=self._rows.shape[1] > plain_words,
                keep=self._keep,
            )
        )

    def epoch(self, epoch: int, progress: Progress | None = None) -> tuple[float, Latency]:
        """The next epoch, counted from 0. Returns the mean loss, and what all of it took."""
        rate = self._how.rate(epoch)
        if epoch and rate != self._how.rate(epoch - 1):
            self._client.learn_rate(float(rate))
        return learn_rows(self._client, self._shape, self._rows, self._how, epoch, progress)

    def parameters(self) -> Floats:
        """Of the trained layers, as they are now: flat as of a `Network`, float32."""
        count = layout.parameter_count(self._shape.sizes[self.frozen :])
        return np.frombuffer(self._client.read(Region.LEARNED, 0, count * _FLOAT_BYTES), "<f4").astype(np.float32)


class HeldOut:
    """Validation data, measured with the parameters that a device has learned so far: both compute the same bits.

    Parameters
    ----------
    net : the network that serves.
    data : of `encode_validation`.
    """

    def __init__(self, net: Network, data: tuple[Floats, npt.NDArray[np.int64], Floats]) -> None:
        self._net = net
        self._data = data

    def loss(self, run: LearningRun) -> float:
        """Mean loss now."""
        learned = run.parameters()
        self._net.parameters[self._net.parameters.size - learned.size :] = learned
        return mean_loss(self._net, *self._data)
