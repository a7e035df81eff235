"""`train`: epochs, batches, shuffling, validation; the arithmetic is in `nnlite.kernels`.

The same arguments give the same bits everywhere: with `shuffle=False` these are the steps that a device
takes when the same samples come in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.checks import check_batch_size, check_integer
from nnlite.errors import DataError, DivergedError, UsageError
from nnlite.network import Floats, Label, Network, as_array, as_samples, check_labels, check_network

__all__ = [
    "OPTIMIZERS",
    "Epoch",
    "History",
    "TrainingArguments",
    "check_training_arguments",
    "encode_labels",
    "encode_targets",
    "train",
]

OPTIMIZERS = ("sgd",)

#: called after each epoch with its number (from 1), the number of epochs, and what came out
Progress = Callable[[int, int, "Epoch"], None]


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes
    ----------
    loss : mean loss of the training samples, each before the step it took part in.
    accuracy : share of the validation samples (without validation: of the training samples, after the
        epoch) classified right; None for a linear network.
    validation_loss : mean loss of the validation samples after the epoch, or None.
    """

    loss: float
    accuracy: float | None
    validation_loss: float | None


@dataclass(frozen=True)
class History:
    """What `train` came to, one entry an epoch."""

    epochs: tuple[Epoch, ...]

    @property
    def loss(self) -> tuple[float, ...]:
        """Mean training loss of each epoch."""
        return tuple(epoch.loss for epoch in self.epochs)

    @property
    def accuracy(self) -> tuple[float | None, ...]:
        """Accuracy of each epoch."""
        return tuple(epoch.accuracy for epoch in self.epochs)


@dataclass(frozen=True)
class TrainingArguments:
    """How a laptop or a device is to train, as `check_training_arguments` found it good.

    Attributes
    ----------
    epochs, batch_size, learning_rate, optimizer : as in `train`.
    """

    epochs: int
    batch_size: int
    learning_rate: np.float32
    optimizer: str


def check_training_arguments(epochs: Any, batch_size: Any, learning_rate: Any, optimizer: Any) -> TrainingArguments:
    """The arguments that `train` and `Device.learn` share, from outside. NumPy's numbers count as numbers.

    Raises
    ------
    UsageError : one of another type or out of its range.
    """
    epochs = check_integer("epochs", epochs, 1)
    batch_size = check_batch_size(batch_size)
    number = isinstance(learning_rate, int | float | np.integer | np.floating) and not isinstance(learning_rate, bool)
    try:
        with np.errstate(over="ignore", under="ignore"):
            rate = np.float32(learning_rate if number else np.nan)
    except OverflowError:  # an int of more digits than any float
        rate = np.float32(np.inf)
    if not 0 < rate < np.inf:
        raise UsageError(f"the learning rate must be a positive finite float32, not {learning_rate!r}")
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        raise UsageError(f"the optimizer must be {', '.join(OPTIMIZERS)}, not {optimizer!r}")
    return TrainingArguments(epochs, batch_size, rate, optimizer)


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


def encode_targets(y: npt.ArrayLike, outputs: int) -> Floats:
    """Targets of a linear network as (samples, outputs) float32; one output may come as (samples,)."""
    given = as_array(y, "the targets are not a table of numbers")
    names = ["target"] * outputs  # so that a message about a value says that it is one
    return as_samples(given[:, None] if given.ndim == 1 and outputs == 1 else given, outputs, names, "targets")


def _new_labels(y: npt.ArrayLike, outputs: int) -> tuple[Label, ...]:
    """Labels for a network that has none: the sorted values of y, which must be as many as outputs."""
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


def _fit_standardiser(samples: Floats) -> tuple[Floats, Floats]:
    """Mean and 1 / standard deviation of each column; a constant column keeps its scale."""
    mean = samples.mean(axis=0, dtype=np.float64)
    deviation = samples.std(axis=0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.ones_like(deviation), where=deviation > 0)
    with np.errstate(over="ignore", under="ignore"):
        pair = mean.astype(np.float32) + np.float32(0.0), scale.astype(np.float32)
    for what, values in zip(("mean", "scale"), pair, strict=True):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            value = values[bad[0]]
            raise DataError(f"column {bad[0]} cannot be standardised in float32: its {what} is {value}; rescale it")
    return pair


def _accuracy(net: Network, samples: Floats, classes: npt.NDArray[np.int64], shape: Any) -> float:
    from nnlite.kernels.step import forward_rows

    logits = np.empty((samples.shape[0], net.sizes[-1]), np.float32)
    forward_rows(shape, net.parameters, samples, logits)
    return float(np.mean(np.argmax(logits, axis=1) == classes))


def train(
    net: Network,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    epochs: int = 30,
    batch_size: int = 1,
    learning_rate: float = 0.05,
    optimizer: str = "sgd",
    loss: str | None = None,
    shuffle: bool = True,
    seed: int = 0,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    progress: bool | Progress = True,
    standardize: bool = True,
) -> History:
    """Train a network in place with stochastic gradient descent.

    Parameters
    ----------
    net : a standardiser is fitted, and labels are taken from y, only where it has none.
    X : (samples, inputs), raw.
    y : (samples,) labels for softmax, (samples, outputs) targets for linear.
    epochs, batch_size, learning_rate : a last, smaller batch divides by its own number of samples.
    optimizer : "sgd".
    loss : None, or the one that goes with the output: "cross_entropy" (softmax), "mse" (linear).
    shuffle, seed : a new seeded order each epoch; without, the order given.
    validation : a pair (X, y) of the same kind, measured after each epoch.
    progress : True for a bar on a terminal, False for none, or a function of the epoch's number, how many there are,
        and its `Epoch`.
    standardize : False to do without a standardiser.

    Raises
    ------
    UsageError : an argument out of its range.
    DataError : data that cannot be used, with row and column; the message says so if it is the validation data.
    DivergedError : a value that is not finite. The network is then as it was before the call, as with every error.
    """
    from nnlite.kernels.step import Shape, activation_count, gradient_count, train_rows

    check_network(net)
    how = check_training_arguments(epochs, batch_size, learning_rate, optimizer)
    seed = check_integer("the seed", seed, 0)
    softmax = net.output == "softmax"
    own_loss = "cross_entropy" if softmax else "mse"
    if loss not in (None, own_loss):
        raise UsageError(f"the loss of a {net.output} network is {own_loss}, not '{loss}'")
    raw = as_samples(X, net.sizes[0], net.features)
    if raw.shape[0] == 0:
        raise DataError("there are no samples to train on")
    work = net.checked()
    if softmax and work.labels is None:
        work.labels = _new_labels(y, net.sizes[-1])
    if standardize and work.mean is None:
        work.mean, work.scale = _fit_standardiser(raw)
    samples = work.standardize(raw)
    classes, targets = _encode(work, y, samples.shape[0])
    held_out = None if validation is None else _validation(work, validation)

    shape = Shape(np.array(net.sizes, np.int64), softmax)
    batch = min(how.batch_size, samples.shape[0])
    records = np.empty((batch, activation_count(shape)), np.float32)
    gradients = np.empty((batch, gradient_count(shape)), np.float32)
    losses = np.empty(samples.shape[0], np.float32)
    order = np.arange(samples.shape[0])
    generator = np.random.Generator(np.random.PCG64(seed))
    done: list[Epoch] = []
    with _Shown(progress, how.epochs) as show:
        for number in range(1, how.epochs + 1):
            if shuffle:
                order = generator.permutation(samples.shape[0])
            rows = samples, classes, targets, order
            seen = train_rows(shape, work.parameters, *rows, how.learning_rate, records, gradients, losses)
            if seen >= 0:
                raise DivergedError(
                    f"epoch {number}, sample {seen}: a value is no longer finite; the network is as it was before. "
                    f"A learning rate below {how.learning_rate:g} may help, or standardised inputs"
                )
            accuracy = validation_loss = None
            if held_out is not None:
                validation_loss = _mean_loss(work, shape, *held_out)
            if softmax:
                against, truth = (samples, classes) if held_out is None else held_out[:2]
                accuracy = _accuracy(work, against, truth, shape)
            done.append(Epoch(float(np.mean(losses, dtype=np.float64)), accuracy, validation_loss))
            show(number, how.epochs, done[-1])
    work.training_record = {
        "epochs": how.epochs,
        "batch_size": how.batch_size,
        "learning_rate": float(how.learning_rate),
        "optimizer": how.optimizer,
        "seed": seed if shuffle else None,
        "samples": int(samples.shape[0]),
        "loss": done[-1].loss if np.isfinite(done[-1].loss) else None,
    }
    net.parameters[:] = work.parameters
    net.mean, net.scale, net.labels, net.training_record = work.mean, work.scale, work.labels, work.training_record
    return History(tuple(done))


def _validation(net: Network, validation: Any) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Samples, classes and targets to measure on."""
    if not isinstance(validation, list | tuple) or len(validation) != 2:
        raise UsageError("validation must be a pair (X, y) of samples and their labels or targets")
    try:
        samples = net.standardize(validation[0])
        if samples.shape[0] == 0:
            raise DataError("there are no samples")
        return (samples, *_encode(net, validation[1], samples.shape[0]))
    except DataError as error:
        raise DataError(f"validation data: {error}") from error


def _encode(net: Network, y: npt.ArrayLike, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Classes and targets as the kernel takes them; of the two, the one the network has no use for is a dummy."""
    outputs = net.sizes[-1]
    classes, targets = np.zeros(0, np.int64), np.zeros((1, outputs), np.float32)
    if net.output == "softmax":
        classes = encode_labels(y, net.labels, outputs)
    else:
        targets = encode_targets(y, outputs)
    given = classes.size if net.output == "softmax" else targets.shape[0]
    if given != count:
        raise DataError(f"there are {count} samples and {given} targets; they must be as many")
    return classes, targets


def _mean_loss(net: Network, shape: Any, samples: Floats, classes: npt.NDArray[np.int64], targets: Floats) -> float:
    from nnlite.kernels.loss import mean_squared_error, softmax_cross_entropy
    from nnlite.kernels.step import forward_rows

    logits = np.empty((samples.shape[0], net.sizes[-1]), np.float32)
    forward_rows(shape, net.parameters, samples, logits)
    scratch = np.empty(net.sizes[-1], np.float32)
    if shape.softmax:
        each = [softmax_cross_entropy(row, label, scratch) for row, label in zip(logits, classes.tolist(), strict=True)]
    else:
        each = [mean_squared_error(row, target, scratch) for row, target in zip(logits, targets, strict=True)]
    return float(np.mean(each, dtype=np.float64))


class _Shown:
    """Shows epochs as `progress` asks: a bar on a terminal, nothing, or whatever the caller's function does."""

    def __init__(self, progress: bool | Progress, epochs: int) -> None:
        self._progress = progress
        self._epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if callable(self._progress):
            return self._progress
        if self._progress:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            console = Console(stderr=True)
            if console.is_terminal:
                columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
                self._bar = Progress(*columns, console=console, transient=True)
                self._bar.start()
                self._task = self._bar.add_task("", total=self._epochs)
        return self._show

    def _show(self, number: int, epochs: int, epoch: Epoch) -> None:
        if self._bar is not None:
            accuracy = "" if epoch.accuracy is None else f", accuracy {epoch.accuracy:.3f}"
            self._bar.update(self._task, completed=number, description=f"loss {epoch.loss:.4f}{accuracy}")

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
