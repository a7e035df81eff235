"""`train`: epochs, batches, shuffling, validation; the arithmetic is in `nnlite.kernels`.

The same arguments give the same bits everywhere: with `shuffle=False` these are the steps that a device
takes when the same samples come in the same order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.checks import check_integer
from nnlite.errors import DataError, DivergedError, UsageError
from nnlite.network import Floats, Network, as_samples, check_network
from nnlite.planner import plan
from nnlite.profile import Profile
from nnlite.recipe import Recipe, check_recipe
from nnlite.rows import Rows, fit_standardiser, is_mapped, rows_of
from nnlite.targets import encode_truth, new_labels, sample_weights

if TYPE_CHECKING:
    from nnlite.fast.beside import Beside
    from nnlite.fast.engine import Engine

__all__ = [
    "EarlyStopping",
    "Epoch",
    "History",
    "check_patience",
    "encode_validation",
    "mean_loss",
    "train",
]

#: weights times samples that the plain kernels are given at a time while others are being compiled: about 0.1 s
_STRETCH = 30_000_000
#: the loss that goes with each output
_LOSSES = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy", "linear": "mse"}

#: called after each epoch with its number (from 1), the number of epochs, and what came out
Progress = Callable[[int, int, "Epoch"], None]


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes
    ----------
    loss : mean loss of the training samples, each before the step it took part in.
    accuracy : share of the validation samples (without validation: of the training samples, after the
        epoch) classified right; None where the output is not softmax, or it was not to be measured.
    validation_loss : mean loss of the validation samples after the epoch, or None.
    """

    loss: float
    accuracy: float | None
    validation_loss: float | None


@dataclass(frozen=True)
class History:
    """What `train` came to, one entry an epoch.

    Attributes
    ----------
    epochs : those that were trained; fewer than asked for when it stopped early.
    best : the one whose parameters were kept, counted from 0: the last, or with `patience` the best.
    """

    epochs: tuple[Epoch, ...]
    best: int

    @property
    def loss(self) -> tuple[float, ...]:
        """Mean training loss of each epoch."""
        return tuple(epoch.loss for epoch in self.epochs)

    @property
    def accuracy(self) -> tuple[float | None, ...]:
        """Accuracy of each epoch."""
        return tuple(epoch.accuracy for epoch in self.epochs)


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
    *,
    momentum: float | None = None,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    schedule: str = "constant",
    last_layers: int | None = None,
    sample_weight: npt.ArrayLike | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
    patience: int | None = None,
    profile: Profile | None = None,
    accuracy: bool = True,
    threads: int | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    net : a standardiser is fitted, and labels are taken from y, only where it has none.
    X : (samples, inputs), raw. Samples in a file, as `numpy.load(path, mmap_mode="r")` gives them, stay there: a few
        thousand at a time are in memory. So do targets beside them.
    y : (samples,) labels for softmax; (samples, outputs) targets for linear, and from 0 to 1 for sigmoid.
    epochs, batch_size, learning_rate : a last, smaller batch divides by its own number of samples.
    optimizer : "sgd", "momentum" or "adam" (beta1 0.9, beta2 0.999, epsilon 1e-7); what they keep lives for this call.
    loss : None, or the one that goes with the output: "cross_entropy" (softmax), "binary_cross_entropy" (sigmoid),
        "mse" (linear).
    shuffle, seed : a new seeded order each epoch; without, the order given.
    validation : a pair (X, y) of the same kind, measured after each epoch.
    progress : True for a bar on a terminal, False for none, or a function of the epoch's number, how many there are,
        and its `Epoch`.
    standardize : False to do without a standardiser.
    momentum : of the optimizer "momentum", 0.9 by default.
    weight_decay : share of each weight, not of a bias, that a step takes away, times the learning rate.
    clip_norm : longest gradient of a step, by its norm over all parameters that are trained.
    schedule : learning rate by epoch: "constant"; "step", a tenth from half of the epochs on and a hundredth from three
        quarters on; "cosine", from the full rate towards 0.
    last_layers : train only so many layers, counted from the output.
    sample_weight : (samples,), multiplies each sample's loss and gradient.
    class_weight : the same by label, or "balanced".
    patience : stop after so many epochs without a lower validation loss; the best epoch's parameters are kept.
    accuracy : False spares measuring it on the training samples after each epoch, which takes a look at all of them.
        Validation data are measured all the same.
    threads : how many share each layer, of which one takes 16 units or more; None for as many as there are processors
        (and NUMBA_NUM_THREADS allows) where batches are large enough for that to be faster. The bits are the same for
        any number.
    profile : of the board that the network is for: what could never be flashed there is not trained.

    Raises
    ------
    UsageError : an argument out of its range.
    DoesNotFitError : the network does not fit the board of `profile`, or, for one without firmware, nobody knows.
    IncompatibleError : another library has changed how this thread computes.
    DataError : data that cannot be used, with row and column; the message says so if it is the validation data.
    DivergedError : a value that is not finite, with its layer. The network is then as it was before the call, as with
        every error.
    """
    check_network(net)
    how = check_recipe(
        epochs,
        batch_size,
        learning_rate,
        optimizer,
        momentum=momentum,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        schedule=schedule,
        last_layers=last_layers,
    )
    seed = check_integer("the seed", seed, 0)
    threads = None if threads is None else check_integer("threads", threads, 1)
    patience = check_patience(patience, validation)
    if loss not in (None, _LOSSES[net.output]):
        raise UsageError(f"the loss of a {net.output} network is {_LOSSES[net.output]}, not '{loss}'")
    frozen = how.frozen_layers(len(net.sizes) - 1)
    raw: Any = X if is_mapped(X, net.sizes[0]) else as_samples(X, net.sizes[0], net.features)
    count = int(raw.shape[0])
    if count == 0:
        raise DataError("there are no samples to train on")
    work = net.checked()
    if net.output == "softmax" and work.labels is None:
        work.labels = new_labels(y, net.sizes[-1])
    if standardize and work.mean is None:
        work.mean, work.scale = fit_standardiser(raw, net.features)
    if profile is not None:
        plan(work, profile).require("nothing was trained")
    rows = rows_of(work, raw, y, lambda samples: _features(work, samples, frozen))
    rows.weights = sample_weights(sample_weight, class_weight, rows.classes, work.labels, count)
    held_out = None if validation is None else _held_out(work, validation, frozen)
    measured = rows if accuracy and held_out is None else held_out

    run = _Run(work, how, frozen, rows, threads)
    order = np.arange(count)
    generator = np.random.Generator(np.random.PCG64(seed))
    done: list[Epoch] = []
    watch = None if patience is None else EarlyStopping(patience)
    kept = run.trained.copy()
    with _Shown(progress, how.epochs) as show, run:
        run.get_ready(show.note, held_out is not None or (measured is not None and work.output == "softmax"))
        for number in range(1, how.epochs + 1):
            if shuffle:
                order = generator.permutation(count)
            run.epoch(number - 1, order)
            validation_loss = None if held_out is None else run.mean_loss(held_out)
            share = run.accuracy(measured) if measured is not None and work.output == "softmax" else None
            done.append(Epoch(_mean(run.losses), share, validation_loss))
            show(number, how.epochs, done[-1])
            if watch is not None and watch.is_better(validation_loss):
                kept[:] = run.trained
            elif watch is not None and watch.is_over:
                break
    best = len(done) - 1 if watch is None else watch.best
    if watch is not None:
        run.trained[:] = kept
    work.training_record = {
        **how.record(),
        "epochs": len(done),
        "kept_epoch": best + 1,
        "seed": seed if shuffle else None,
        "samples": count,
        "loss": done[best].loss if np.isfinite(done[best].loss) else None,
    }
    net.parameters[:] = work.parameters
    net.mean, net.scale, net.labels, net.training_record = work.mean, work.scale, work.labels, work.training_record
    return History(tuple(done), best)


class _Run:
    """The buffers of one training, allocated once, and its epochs.

    The layers that are trained are a network of their own, and what the others make of a sample is its input.
    The fast kernels take over where that pays, in the middle of an epoch where they must be compiled first; they give
    the plain ones' bits, and whatever is not finite is left to the plain ones to find.

    Attributes
    ----------
    trained : view of the parameters that change.
    losses : (samples,), of the last epoch in its order.
    """

    def __init__(self, net: Network, how: Recipe, frozen: int, rows: Rows, threads: int | None) -> None:
        from nnlite.kernels.step import activation_count, begin_state, gradient_count, state_count

        self._net, self._how, self._frozen, self._rows, self._threads = net, how, frozen, rows, threads
        self._shape = net.kernel_shape(frozen)
        self.trained = net.parameters[layout.parameter_count(net.sizes[: frozen + 1]) :]
        batch = min(how.batch_size, rows.count)
        self._records = np.zeros((batch, activation_count(self._shape)), np.float32)
        self._gradients = np.empty((batch, gradient_count(self._shape)), np.float32)
        self._state = np.empty(state_count(self._shape, how.optimizer_number), np.float32)
        begin_state(self._state, how.optimizer_number)
        self.losses = np.empty(rows.count, np.float32)
        self._engine: Engine | None = None
        self._beside: Beside | None = None
        self._beside_begins = ""
        self._announcing = ExitStack()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._announcing.close()
        if self._beside is not None and kind is not None and not issubclass(kind, Exception):
            self._beside.stop()  # Ctrl-C is meant for all; otherwise it goes on, for trainings to come

    def get_ready(self, note: Callable[[str], None], measures: bool) -> None:
        """Decide for the fast kernels or against them.

        Parameters
        ----------
        note : called with a line for the user before something that takes long, or when it failed.
        measures : whether `accuracy` or `mean_loss` will be asked for.
        """
        from nnlite import fast
        from nnlite.fast.beside import Beside
        from nnlite.fast.jit import fast_kernel
        from nnlite.kernels.jit import kernel

        def announce() -> None:
            note(_compiling("the kernels", "networks and optimizers like these", kernel.keeps_code))

        self._note = note
        self._announcing.enter_context(kernel.announced(announce))
        one_by_one = self._records.shape[0] == 1 and self._how.is_plain_sgd
        samples = self.losses.size * self._how.epochs
        choice = fast.choose(self.trained.size * samples, samples, self._shape, one_by_one, measures)
        self._tiny = choice is not None and choice.tiny
        is_missing = choice is not None and choice.where == "nowhere"
        beside = is_missing and fast_kernel.keeps_code
        whom = "networks like this one" if self._tiny else "later, whatever the network"
        if beside:
            self._beside = Beside(self._shape, one_by_one, measures, self._tiny)
            self._beside_begins = _compiling("the fast kernels meanwhile", whom, True)
        elif choice is not None:
            if is_missing:
                note(_compiling("the fast kernels", whom, False))
            self._take_fast()

    def epoch(self, number: int, order: npt.NDArray[np.int64]) -> None:
        """One pass over the rows, counted from 0.

        Raises
        ------
        DivergedError : a value is no longer finite.
        """
        done = 0
        while done < order.size:
            if self._engine is not None and self._train_fast(number, order, done):
                return
            # or they say what is not finite, and where
            done = self._train_plainly(number, order, done)
            self._look_beside()

    def _take_fast(self) -> None:
        from nnlite.fast.engine import Engine

        batch, rule = self._records.shape[0], self._how.rule(0)
        self._engine = Engine(self._shape, batch, rule, self.trained, self._state, self._threads, self._tiny)

    def _look_beside(self) -> None:
        """Have the fast kernels compiled, and go over to them when they are."""
        if self._beside_begins:
            self._note(self._beside_begins)
            self._beside_begins = ""
        are_there = None if self._beside is None else self._beside.poll()
        if are_there is None:
            return
        self._beside = None
        if are_there:
            self._take_fast()
        else:
            self._note("compiling the fast kernels failed; the plain ones go on, slower, to the same network")

    def _train_fast(self, number: int, order: npt.NDArray[np.int64], done: int) -> bool:
        """The rest of an epoch. False if a value was not finite: nothing has changed then."""
        assert self._engine is not None
        rule = self._how.rule(number)
        for part in self._rows.parts(order[done:], self._records.shape[0]):
            if not self._engine.train(*part[1:], rule, self.losses[done + part.first :]):
                return False
        self._engine.store()
        return True

    def _train_plainly(self, number: int, order: npt.NDArray[np.int64], done: int) -> int:
        """The rest of an epoch, or some of it while the fast kernels are being compiled. Returns what is done then."""
        from nnlite.kernels.step import train_rows_for

        rule, batch = self._how.rule(number), self._records.shape[0]
        train_rows = train_rows_for(self._shape, rule)
        end = order.size
        if self._beside is not None:
            end = min(end, done + max(1, _STRETCH // (self.trained.size * batch)) * batch)
        buffers = self._state, self._records, self._gradients
        for part in self._rows.parts(order[done:end], batch):
            seen = train_rows(self._shape, self.trained, *part[1:], rule, *buffers, self.losses[done + part.first :])
            if seen >= 0:
                sample = order[done + part.first + seen]
                raise DivergedError(
                    f"epoch {number + 1}, sample {sample}: {self._what_diverged()}; the network is as it was before. "
                    f"A learning rate below {self._how.learning_rate:g} may help, or standardised inputs"
                )
        if self._engine is not None:
            self._engine.load()
        return end

    def mean_loss(self, rows: Rows) -> float:
        """Mean loss over rows, without their weights."""
        from nnlite.kernels.step import loss_rows_for, scratch

        losses = np.empty(rows.count, np.float32)
        for part in rows.parts(np.arange(rows.count), 1):
            given, found = (part.X, part.classes, part.targets), losses[part.first : part.first + part.order.size]
            if self._engine is None or self._engine.measure(*given, found) is None:
                loss_rows_for(self._shape)(self._shape, self.trained, *given, found, scratch(self._shape))
        return _mean(losses)

    def accuracy(self, rows: Rows) -> float:
        """Share of rows that a softmax network classifies right."""
        from nnlite.kernels.step import forward_rows_for, scratch

        total = 0
        for part in rows.parts(np.arange(rows.count), 1):
            right, nothing = None, np.empty(0, np.float32)
            if self._engine is not None:
                right = self._engine.measure(part.X, part.classes, part.targets, nothing)
            if right is None:
                logits = np.empty((part.order.size, self._net.sizes[-1]), np.float32)
                forward_rows_for(self._shape)(self._shape, self.trained, part.X, logits, scratch(self._shape))
                right = int(np.count_nonzero(np.argmax(logits, axis=1) == part.classes))
            total += right
        return total / rows.count

    def _what_diverged(self) -> str:
        """The first parameter that is not finite, else the first value of a sample, else what clipping goes by."""
        lost = np.flatnonzero(~np.isfinite(self.trained))
        if lost.size:
            return f"{self._name(int(lost[0]))} became {self.trained[lost[0]]}"
        first, last = 0, len(self._net.sizes) - 1
        for n in range(self._frozen, last + 1):
            values = self._records[:, first : first + self._net.sizes[n]]
            first += self._net.sizes[n]
            bad = np.argwhere(~np.isfinite(values))
            if bad.size:
                what = f"output {bad[0][1]}" if n == last else f"value {bad[0][1]} of layer {n}"
                return f"{what} became {values[tuple(bad[0])]}"
        return "the norm of the gradient over all layers is no longer finite"

    def _name(self, at: int) -> str:
        """Of a parameter, by its place among those that are trained."""
        for n in range(self._frozen + 1, len(self._net.sizes)):
            inputs, outputs = self._net.sizes[n - 1 : n + 1]
            if at < inputs * outputs:
                return f"weight {at // outputs}, {at % outputs} of layer {n}"
            at -= inputs * outputs
            if at < outputs:
                return f"bias {at} of layer {n}"
            at -= outputs
        raise AssertionError("no such parameter")


def _compiling(what: str, whom: str, is_kept: bool) -> str:
    return f"compiling {what}" + (f"; this computer keeps them for {whom}" if is_kept else "")


def _features(net: Network, samples: Floats, layers: int) -> Floats:
    """What the first layers make of standardised samples: (samples, sizes[layers])."""
    from nnlite.kernels.step import feature_rows

    if not layers:
        return samples
    out = np.empty((samples.shape[0], net.sizes[layers]), np.float32)
    buffers = np.empty((2, max(net.sizes)), np.float32)
    feature_rows(net.kernel_shape(), net.parameters, samples, out, layers, buffers)
    return out


def check_patience(patience: Any, validation: Any) -> int | None:
    """Patience from outside, which needs something to watch.

    Raises
    ------
    UsageError : it is no integer above 0, or there is no validation data.
    """
    if patience is None:
        return None
    if validation is None:
        raise UsageError("patience needs validation data to watch; give validation=(X, y)")
    return check_integer("the patience", patience, 1)


class EarlyStopping:
    """Which epoch was the best, and whether the last good one is long ago.

    Attributes
    ----------
    best : the epoch with the lowest validation loss, counted from 0; of equals the first.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._lowest = np.inf
        self._epochs = 0
        self.best = 0

    def is_better(self, loss: float | None) -> bool:
        """Note the loss of one more epoch. A loss that left float32 is the worst."""
        self._epochs += 1
        worth = loss if loss is not None and np.isfinite(loss) else np.inf
        if self._epochs > 1 and worth >= self._lowest:
            return False
        self._lowest, self.best = worth, self._epochs - 1
        return True

    @property
    def is_over(self) -> bool:
        """Whether so many epochs as patience lasts were no better."""
        return self._epochs - 1 - self.best >= self._patience


def encode_validation(net: Network, validation: Any) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Samples, classes and targets to measure on.

    Raises
    ------
    UsageError, DataError : they cannot be used; the message says that it is the validation data.
    """
    if not isinstance(validation, list | tuple) or len(validation) != 2:
        raise UsageError("validation must be a pair (X, y) of samples and their labels or targets")
    try:
        samples = net.standardize(validation[0])
        if samples.shape[0] == 0:
            raise DataError("there are no samples")
        return (samples, *encode_truth(validation[1], net.output, net.labels, net.sizes[-1], samples.shape[0]))
    except DataError as error:
        raise DataError(f"validation data: {error}") from error


def _held_out(net: Network, validation: Any, frozen: int) -> Rows:
    samples, classes, targets = encode_validation(net, validation)
    return Rows(_features(net, samples, frozen), classes, targets)


def mean_loss(net: Network, samples: Floats, classes: npt.NDArray[np.int64], targets: Floats) -> float:
    """Mean loss of standardised samples, as `encode_validation` gives them."""
    from nnlite.kernels.step import loss_rows_for, scratch

    losses = np.empty(samples.shape[0], np.float32)
    shape = net.kernel_shape()
    loss_rows_for(shape)(shape, net.parameters, samples, classes, targets, losses, scratch(shape))
    return _mean(losses)


def _mean(losses: Floats) -> float:
    """What `np.mean` gives, in half of its time, which short epochs would notice."""
    return float(np.add.reduce(losses, dtype=np.float64)) / losses.size


class _Shown:
    """Shows epochs as `progress` asks: a bar on a terminal, nothing, or whatever the caller's function does."""

    def __init__(self, progress: bool | Progress, epochs: int) -> None:
        self._progress = progress
        self._epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> _Shown:
        if self._progress is True:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            console = Console(stderr=True)
            if console.is_terminal:
                columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
                self._bar = Progress(*columns, console=console, transient=True)
                self._bar.start()
                self._task = self._bar.add_task("", total=self._epochs)
        return self

    def __call__(self, number: int, epochs: int, epoch: Epoch) -> None:
        """One more epoch is done."""
        if callable(self._progress):
            self._progress(number, epochs, epoch)
        elif self._bar is not None:
            accuracy = "" if epoch.accuracy is None else f", accuracy {epoch.accuracy:.3f}"
            self._bar.update(self._task, completed=number, description=f"loss {epoch.loss:.4f}{accuracy}")

    def note(self, text: str) -> None:
        """A line on stderr where there is a bar or somebody else's display."""
        if self._bar is not None:
            self._bar.console.print(text)
        elif callable(self._progress):
            print(text, file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
