"""Samples and their truth as a training goes over them: held in memory, or read from a memory-mapped file in parts.

A part has the rows of whole batches in the order of the epoch, so that the steps are the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.errors import DataError
from nnlite.network import Floats, Network, as_samples
from nnlite.targets import encode_truth

__all__ = ["Part", "Rows", "fit_standardiser", "is_mapped", "rows_of"]

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
#: floats that are read from a file at a time: 16 MB
_PART = 1 << 22


class Part(NamedTuple):
    """Rows for the kernels.

    Attributes
    ----------
    first : where in the epoch's order it begins.
    X, classes, targets, weights : as of `kernels.step.train_rows`.
    order : of the part's rows.
    """

    first: int
    X: Floats
    classes: Indices
    targets: Floats
    weights: Floats
    order: Indices


def is_mapped(X: Any, inputs: int) -> bool:
    """Whether samples lie in a file, as `numpy.load(path, mmap_mode="r")` gives them, and can stay there."""
    return isinstance(X, np.memmap) and X.ndim == 2 and X.shape[0] > 0 and X.shape[1] == inputs


def _spans(count: int, width: int, batch: int = 1) -> Iterator[tuple[int, int]]:
    """First and end of parts: whole batches, about `_PART` floats."""
    step = max(1, _PART // (max(1, width) * batch)) * batch
    for first in range(0, count, step):
        yield first, min(first + step, count)


class Rows:
    """What a network is trained or measured on.

    Attributes
    ----------
    count : of the samples.
    classes, targets : as `encode_truth` gives them; of targets that stay in a file one row.
    weights : (samples,), or empty when all are 1.
    """

    def __init__(
        self, X: Any, classes: Indices, targets: Any, from_file: Callable[[Floats], Floats] | None = None
    ) -> None:
        """X : what the trained layers take in; or what `from_file` makes that of, while it and targets are in files."""
        self._X, self._from_file = X, from_file
        self.count: int = X.shape[0]
        self.classes, self.targets = classes, targets
        self.weights: Floats = np.zeros(0, np.float32)

    def parts(self, order: Indices, batch: int) -> Iterator[Part]:
        """The rows in an order, in parts of whole batches."""
        if self._from_file is None:
            yield Part(0, self._X, self.classes, self.targets, self.weights, order)
            return
        for first, end in _spans(order.size, self._X.shape[1], batch):
            chosen = order[first:end]
            yield Part(
                first,
                self._from_file(np.asarray(self._X[chosen])),
                self.classes[chosen] if self.classes.size else self.classes,
                self.targets if self.classes.size else np.ascontiguousarray(self.targets[chosen], np.float32),
                self.weights[chosen] if self.weights.size else self.weights,
                np.arange(chosen.size),
            )


def rows_of(net: Network, X: Any, y: Any, features: Callable[[Floats], Floats]) -> Rows:
    """Check samples and truth, for a network that has its standardiser and its labels.

    Parameters
    ----------
    X : (samples, inputs), raw, as `as_samples` gives them or memory-mapped.
    y : as of `train`; what is memory-mapped beside such samples stays in its file, too.
    features : makes of standardised samples what the trained layers take in.

    Raises
    ------
    DataError : with row and column.
    """
    count, outputs = X.shape[0], net.sizes[-1]
    if not isinstance(X, np.memmap):
        samples = net.standardize_checked(X)
        return Rows(features(samples), *encode_truth(y, net.output, net.labels, outputs, count))
    for first, end in _spans(count, X.shape[1]):
        net.standardize(X[first:end], first)
    if net.output == "softmax" or not isinstance(y, np.memmap):
        classes, targets = encode_truth(y, net.output, net.labels, outputs, count)
    else:
        if y.shape[:1] != (count,):
            raise DataError(f"there are {count} samples and {len(y)} targets; they must be as many")
        classes, targets = np.zeros(0, np.int64), y[:, None] if y.ndim == 1 else y
        for first, end in _spans(count, outputs):
            encode_truth(targets[first:end], net.output, net.labels, outputs, end - first, first)
    return Rows(X, classes, targets, lambda raw: features(net.standardize(raw)))


def fit_standardiser(X: Any, features: Sequence[str] | None) -> tuple[Floats, Floats]:
    """Mean and 1 / standard deviation of each column of raw samples; a constant column keeps its scale.

    Of samples in a file the same bits as of those in memory: NumPy sums columns row by row, and so do the parts. Only a
    single column it sums in another order, so that is read as a whole.

    Raises
    ------
    DataError : a column's mean or scale leaves float32.
    """
    if isinstance(X, np.memmap) and X.shape[1] > 1:
        mean, deviation = _mapped_moments(X, features)
    else:
        samples = as_samples(X, X.shape[1], features) if isinstance(X, np.memmap) else X
        mean, deviation = samples.mean(axis=0, dtype=np.float64), samples.std(axis=0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.ones_like(deviation), where=deviation > 0)
    with np.errstate(over="ignore", under="ignore"):
        pair = mean.astype(np.float32) + np.float32(0.0), scale.astype(np.float32)
    for what, values in zip(("mean", "scale"), pair, strict=True):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            value = values[bad[0]]
            raise DataError(f"column {bad[0]} cannot be standardised in float32: its {what} is {value}; rescale it")
    return pair


def _mapped_moments(X: Any, features: Sequence[str] | None) -> tuple[Doubles, Doubles]:
    """As NumPy's mean and std of float32 samples in float64."""

    def sums(term: Callable[[Floats], Doubles]) -> Doubles:
        total = np.zeros((0, X.shape[1]))
        for first, end in _spans(X.shape[0], X.shape[1]):
            chunk = as_samples(X[first:end], X.shape[1], features, first_row=first)
            total = np.concatenate([total, term(chunk)]).sum(axis=0, keepdims=True)
        whole: Doubles = total[0]
        return whole

    mean = sums(lambda chunk: chunk.astype(np.float64)) / X.shape[0]
    return mean, np.sqrt(sums(lambda chunk: (chunk - mean) ** 2) / X.shape[0])
