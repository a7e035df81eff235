"""What samples are to become: labels as indices, targets, weights, all from outside and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.errors import DataError, UsageError
from nnlite.network import Floats, Label, as_array, as_samples, check_labels
from nnlite.recipe import check_float32

__all__ = ["encode_labels", "encode_targets", "encode_truth", "new_labels", "sample_weights"]


def _label_list(y: npt.ArrayLike) -> list[Any]:
    """One label a sample from outside, as plain values; whole floats, as CSV files may give them, as integers."""
    given = as_array(y, "the labels are not a list")
    if given.ndim != 1:
        raise DataError(f"the labels have the shape {given.shape}; one label a sample is needed")
    if isinstance(y, list | tuple):  # not by way of the array, which makes text of 1 next to "a"
        values = [value.item() if isinstance(value, np.generic) else value for value in y]
    else:
        values = given.tolist()
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]


def encode_labels(
    y: npt.ArrayLike,
    labels: tuple[Label, ...] | None,
    outputs: int,
    where: Callable[[int], str] = lambda row: f"row {row}",
) -> npt.NDArray[np.int64]:
    """Class labels as indices, (samples,). Without `labels`, y holds the indices themselves.

    Parameters
    ----------
    where : what a message calls a row.

    Raises
    ------
    DataError : a label the model does not have, with its row.
    """
    quick = _encode_integers(y, labels, outputs)
    if quick is not None:
        return quick
    values = _label_list(y)
    index = {label: n for n, label in enumerate(labels if labels is not None else range(outputs))}
    encoded = np.empty(len(values), np.int64)
    for row, label in enumerate(values):
        if not isinstance(label, str | int) or label not in index:
            known = ", ".join(map(str, index)) if len(index) <= 20 else f"{len(index)} classes"
            raise DataError(
                f"{where(row)}: the model has no label '{label}'; it has {known}. Correct that row or leave it out"
            )
        encoded[row] = index[label]
    return encoded


def _encode_integers(y: npt.ArrayLike, labels: tuple[Label, ...] | None, outputs: int) -> npt.NDArray[np.int64] | None:
    """The indices of an array of integers at once; None where they must be looked at one by one."""
    names = range(outputs) if labels is None else labels
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind != "i" or isinstance(names[0], str):
        return None
    if np.ma.isMaskedArray(y):
        return None
    known = np.array(names, np.int64)
    places = np.argsort(known)
    found = places[np.minimum(np.searchsorted(known, y, sorter=places), known.size - 1)]
    return found if np.array_equal(known[found], y) else None


def encode_targets(y: npt.ArrayLike, outputs: int, first_row: int = 0) -> Floats:
    """Targets of a linear or sigmoid network as (samples, outputs) float32; one output may come as (samples,)."""
    given = as_array(y, "the targets are not a table of numbers")
    names = ["target"] * outputs  # so that a message about a value says that it is one
    return as_samples(
        given[:, None] if given.ndim == 1 and outputs == 1 else given, outputs, names, "targets", first_row=first_row
    )


def new_labels(y: npt.ArrayLike, outputs: int) -> tuple[Label, ...]:
    """Labels for a network that has none: the sorted values of y, which must be as many as outputs."""
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind == "i" and not np.ma.isMaskedArray(y):
        y = np.unique(y)
    given = _label_list(y)
    for row, label in enumerate(given):
        if not isinstance(label, str | int) or isinstance(label, str) != isinstance(given[0], str):
            first = f" and that of row 0 is {given[0]!r}" if row else ""
            raise DataError(f"row {row}: the label is {label!r}{first}; labels must be all text or all integers")
    values = sorted({label if isinstance(label, str) else int(label) for label in given})
    if len(values) < 2:
        raise DataError(f"all samples have the same label ({values[0] if values else 'none'}); two classes are needed")
    if all(isinstance(v, int) and 0 <= v < outputs for v in values):
        return tuple(range(outputs))
    if len(values) != outputs:
        raise DataError(f"the data has {len(values)} labels, the network {outputs} outputs; they must be as many")
    return check_labels(values, outputs)


def encode_truth(
    y: npt.ArrayLike, output: str, labels: tuple[Label, ...] | None, outputs: int, count: int, first_row: int = 0
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Classes and targets as the kernel takes them; of the two, the one a network has no use for is a dummy.

    Parameters
    ----------
    first_row : what a message about targets calls the first row.

    Raises
    ------
    DataError : an unknown label, a target that cannot be, or not as many as `count` samples.
    """
    classes, targets = np.zeros(0, np.int64), np.zeros((1, outputs), np.float32)
    if output == "softmax":
        classes = encode_labels(y, labels, outputs)
    else:
        targets = encode_targets(y, outputs, first_row)
    if output == "sigmoid":
        bad = np.argwhere((targets < 0) | (targets > 1))
        if bad.size:
            row, column = map(int, bad[0])
            raise DataError(
                f"row {first_row + row}: target {column} is {targets[row, column]}; a sigmoid's are from 0 to 1"
            )
    given = classes.size if output == "softmax" else targets.shape[0]
    if given != count:
        raise DataError(f"there are {count} samples and {given} targets; they must be as many")
    return classes, targets


def sample_weights(
    sample_weight: npt.ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
    classes: npt.NDArray[np.int64],
    labels: tuple[Label, ...] | None,
    count: int,
) -> Floats:
    """Weight of each sample, (samples,) float32; empty when all are 1.

    Parameters
    ----------
    sample_weight : (samples,), or None.
    class_weight : label -> weight, the others 1; or "balanced": samples / (classes * samples of the class).
    classes : (samples,) of a softmax network, else empty.
    labels : of a softmax network, else None.
    count : of the samples.

    Raises
    ------
    UsageError, DataError : weights that cannot be.
    """
    if sample_weight is None and class_weight is None:
        return np.zeros(0, np.float32)
    weights = np.ones(count, np.float64)
    if sample_weight is not None:
        given = as_array(sample_weight, "the sample weights are not a list")
        if given.ndim != 1:
            raise DataError(f"the sample weights have the shape {given.shape}; one weight a sample is needed")
        if given.size != count:
            raise DataError(f"there are {count} samples and {given.size} sample weights; they must be as many")
        weights *= as_samples(given[:, None], 1, ["sample weight"], "sample weights")[:, 0]
    if class_weight is not None:
        weights *= _class_weights(class_weight, classes, labels)
    with np.errstate(over="ignore", under="ignore"):
        rounded = weights.astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(rounded) & (rounded >= 0)))
    if bad.size:
        raise DataError(f"row {bad[0]}: its weight is {weights[bad[0]]:g}; weights are finite and not below 0")
    return rounded


def _class_weights(
    class_weight: Mapping[Any, float] | str, classes: npt.NDArray[np.int64], labels: tuple[Label, ...] | None
) -> npt.NDArray[np.float64]:
    if labels is None or not classes.size:
        raise UsageError("class weights go with a softmax output; give sample_weight instead")
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(classes)
        share: npt.NDArray[np.float64] = classes.size / (np.count_nonzero(counts) * counts[classes])
        return share
    if not isinstance(class_weight, Mapping):
        raise UsageError(f"class_weight must be a dict of labels and weights, or 'balanced', not {class_weight!r}")
    unknown = next((label for label in class_weight if label not in labels), None)
    if unknown is not None:
        raise UsageError(f"class_weight names the label {unknown!r}; the model has {', '.join(map(str, labels))}")
    given = {label: check_float32(f"the class weight of {label!r}", weight) for label, weight in class_weight.items()}
    return np.array([given.get(labels[n], 1.0) for n in classes.tolist()], np.float64)
