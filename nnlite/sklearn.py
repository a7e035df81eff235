"""scikit-learn's estimators around `Network` and `train`: what they learn goes to `plan` and `Device.flash`.

They add no arithmetic: a fit is `Network` and `train` with the same arguments, bit for bit (docs/SKLEARN.md).
"""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnlite import __version__
from nnlite.checks import check_integer
from nnlite.errors import DataError, UsageError
from nnlite.network import Floats, Label, Network, as_samples, check_labels, decide
from nnlite.recipe import check_float32
from nnlite.targets import encode_targets, sample_weights
from nnlite.training import train

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data  # the latter since 1.6
except ImportError as error:
    raise ImportError(
        "nnlite.sklearn needs scikit-learn 1.6 or newer; install it with: pip install 'nnlite-mcu[sklearn]'",
        name="sklearn",
    ) from error

__all__ = ["NNLiteClassifier", "NNLiteRegressor"]

_MAX_SEED = 2**32 - 1  # scikit-learn's


@dataclass(frozen=True)
class _Task:
    """What the targets ask of a network.

    Attributes
    ----------
    output : the network's.
    outputs : how many.
    labels : the network's, in output order; None where it has none.
    truth : y as `train` takes it.
    classes : (samples,) indices of one right class a sample, or None.
    class_weight : as `train` takes it.
    """

    output: str
    outputs: int
    labels: tuple[Label, ...] | None
    truth: npt.NDArray[Any]
    classes: npt.NDArray[np.int64] | None = None
    class_weight: Mapping[Label, float] | str | None = None


class _Estimator(BaseEstimator, metaclass=ABCMeta):
    """What both estimators share: parameters, training, the network, pickling. `NNLiteClassifier` documents it."""

    _network: Network
    loss_curve_: list[float]
    _measure: Callable[[Any, Any], float]

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (32,),
        activation: str = "relu",
        *,
        optimizer: str = "adam",
        learning_rate_init: float = 0.001,
        batch_size: int = 32,
        max_iter: int = 200,
        schedule: str = "constant",
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        standardize: bool = True,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.standardize = standardize
        self.shuffle = shuffle
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.verbose = verbose

    @abstractmethod
    def _task(self, y: npt.NDArray[Any], announced: Any, fresh: bool, whole: bool) -> _Task:
        """What y asks for; sets the attributes that come of it when the estimator is `fresh`.

        Parameters
        ----------
        announced : classes given to the first `partial_fit`, or None.
        whole : y is all there is, as for `fit`; a part of it otherwise.
        """

    @abstractmethod
    def _answers(self, logits: Floats) -> npt.NDArray[Any]:
        """Predictions made of the network's logits, (samples, outputs)."""

    @property
    def network(self) -> Network:
        """The estimator's own network, not a copy: what changes it changes the predictions.

        It goes to `plan`, `Device.flash`, `Network.save` as it is, with standardiser, labels and names of features.
        Each `fit` and `partial_fit` makes a new one, so one that was taken earlier stays as it is.
        """
        check_is_fitted(self)
        return self._network

    @property
    def coefs_(self) -> list[Floats]:
        """Weights of each layer, (in, out): views into the network."""
        return self.network.weights

    @property
    def intercepts_(self) -> list[Floats]:
        """Biases of each layer, (out,): views into the network."""
        return self.network.biases

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_nnlite_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_nnlite_version", "?")
        if version != __version__:
            warnings.warn(
                f"this {type(self).__name__} was pickled by nnlite {version} and is read by {__version__}, which may "
                "take it for another; what is to last is estimator.network.save(FILE)",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
        if "_network" in state:
            self._network = self._network.checked()  # arrays of its own: joblib may have mapped a file, read-only

    @contextmanager
    def _whole_or_not(self) -> Iterator[None]:
        """Whatever goes wrong inside, the estimator is as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _seed(self) -> int:
        if self.random_state is None or not isinstance(self.random_state, Integral):
            return int(check_random_state(self.random_state).randint(2**31 - 1))
        return check_integer("random_state", self.random_state, 0, _MAX_SEED)

    def _untrained(self, task: _Task, seed: int) -> Network:
        """The network that parameters and task ask for.

        Raises
        ------
        UsageError, DataError : there is none such.
        """
        widths: Any = self.hidden_layer_sizes
        hidden = "sigmoid" if self.activation == "logistic" else self.activation
        try:
            inner = (widths,) if isinstance(widths, Integral) else tuple(widths)
            net = Network((self.n_features_in_, *inner, task.outputs), hidden, task.output, seed)
        except (UsageError, TypeError) as error:
            given = f"hidden_layer_sizes={self.hidden_layer_sizes!r}, activation={self.activation!r}"
            raise UsageError(f"{given}: {error}") from error
        net.labels = task.labels
        if hasattr(self, "feature_names_in_"):
            net.features = tuple(self.feature_names_in_)
        return net

    def _split(self, task: _Task, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows to train on and rows to watch, by scikit-learn's `train_test_split`.

        Raises
        ------
        UsageError : a share that cannot be.
        DataError : too few samples for it.
        """
        share = check_float32("validation_fraction", self.validation_fraction)
        if not 0 < share < 1:
            raise UsageError(f"validation_fraction must be between 0 and 1, not {self.validation_fraction!r}")
        rows = np.arange(len(task.truth))
        try:
            kept, held = train_test_split(
                rows, test_size=float(self.validation_fraction), random_state=seed, stratify=task.classes
            )
            if held.size < 2:
                raise ValueError(f"of {rows.size}, {held.size} would be held back, and two are needed")
        except ValueError as error:
            raise DataError(
                f"too few samples for early stopping: {error}. Give more, or a larger validation_fraction"
            ) from error
        return kept, held

    def _fit(self, X: Any, y: Any, sample_weight: Any, announced: Any = None, whole: bool = True) -> Self:
        """Train: `whole` for `fit`, else one epoch for `partial_fit`."""
        with self._whole_or_not():
            fresh = not self.__sklearn_is_fitted__() or (whole and not self.warm_start)
            X, y = validate_data(self, X, y, multi_output=True, reset=fresh)
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            task = self._task(y, announced, fresh, whole)
            weights = self._weights(sample_weight, task, whole)
            seed = self._seed()
            net = self._untrained(task, seed)
            if not fresh:
                if repr(net) != repr(self._network):
                    raise UsageError(
                        f"the estimator holds {self._network!r}, its parameters and y ask for {net!r}; "
                        "fit with warm_start=False begins anew"
                    )
                net = self._network.copy()
            before = [] if fresh else self.loss_curve_
            epochs = check_integer("max_iter", self.max_iter, 1) if whole else 1
            kept: Any = slice(None)
            validation = patience = None
            if self.early_stopping and not whole:
                raise UsageError("partial_fit has no early stopping; use fit, or early_stopping=False")
            if self.early_stopping:
                patience = check_integer("n_iter_no_change", self.n_iter_no_change, 1)
                X = as_samples(X, self.n_features_in_, net.features)  # here, where a message has the caller's rows
                kept, held = self._split(task, seed)
                validation = X[held], task.truth[held]
            history = train(
                net,
                X[kept],
                task.truth[kept],
                epochs,
                self.batch_size,
                self.learning_rate_init,
                self.optimizer,
                shuffle=self.shuffle,
                seed=seed + len(before),
                validation=validation,
                progress=bool(self.verbose),
                standardize=self.standardize,
                momentum=self.momentum if self.optimizer == "momentum" else None,
                weight_decay=self.weight_decay,
                clip_norm=self.clip_norm,
                schedule=self.schedule,
                sample_weight=None if weights is None else weights[kept],
                class_weight=task.class_weight,
                patience=patience,
            )
            self._network = net
            self.n_outputs_ = task.outputs
            self.n_iter_ = len(history.epochs)
            self.loss_ = history.loss[history.best]
            self.loss_curve_ = [*before, *history.loss]
            self.best_loss_ = self.best_validation_score_ = self.validation_scores_ = self.validation_loss_curve_ = None
            if validation is None:
                self.best_loss_ = min(self.loss_curve_)
            else:
                self.validation_loss_curve_ = [epoch.validation_loss for epoch in history.epochs]
                if task.output == "softmax":
                    self.validation_scores_ = list(history.accuracy)
                answers = self._answers(net.decision_function(X[held]))
                self.best_validation_score_ = float(self._measure(y[held], answers))
        return self

    def _weights(self, sample_weight: Any, task: _Task, whole: bool) -> Floats | None:
        """Weights from outside, (samples,), or None.

        Raises
        ------
        DataError : they cannot be; or what has a weight is of one class only, though it is the whole of the data.
        """
        if sample_weight is None:
            return None
        weights = sample_weights(sample_weight, None, np.zeros(0, np.int64), None, len(task.truth))
        if not weights.any():
            raise DataError("every sample weight is zero; at least one must be above")
        if whole and task.classes is not None and np.unique(task.classes[weights > 0]).size < 2:
            raise DataError("the samples with a weight above zero are of one class; two classes are needed")
        return weights

    def _samples(self, X: Any) -> npt.NDArray[Any]:
        """X as `Network` takes it.

        Raises
        ------
        ValueError : X is not like what the estimator was fitted to.
        """
        samples: npt.NDArray[Any] = validate_data(self, X, reset=False)
        return samples

    def _logits(self, X: Any) -> Floats:
        return self.network.decision_function(self._samples(X))


class NNLiteClassifier(ClassifierMixin, _Estimator):
    """A dense network with softmax output, or with sigmoid outputs for several labels a sample, for scikit-learn.

    A parameter has scikit-learn's name where it means what it means in `MLPClassifier`, and nnlite's where it does not.

    Parameters
    ----------
    hidden_layer_sizes : sizes of the hidden layers; () for none.
    activation : of the hidden layers: "relu", "leaky_relu", "tanh" or "sigmoid", which may be called "logistic".
    optimizer : "sgd", "momentum" or "adam". Not `solver`, whose "sgd" has Nesterov's momentum.
    learning_rate_init : learning rate of the first epoch. There is no `learning_rate`: it is a number in `train`, and
        the name of a schedule in scikit-learn.
    batch_size : samples a step; 1 is what a device does by default.
    max_iter : epochs. All are trained unless `early_stopping` ends them: there is no `tol`.
    schedule : learning rate by epoch: "constant", "step" or "cosine", as in `train`.
    momentum : of the optimizer "momentum"; the others do without.
    weight_decay : share of each weight that a step takes away, times the learning rate. Not `alpha`, which is a term of
        the loss.
    clip_norm : longest gradient of a step, or None.
    standardize : fit a standardiser that travels with the network, so that a device takes raw samples too.
    shuffle : a new order each epoch; without, the order given.
    random_state : an integer is the seed of `Network` and `train`; otherwise one is drawn for each call.
    early_stopping : hold `validation_fraction` of the samples back (by class, where each has one), stop after
        `n_iter_no_change` epochs without a lower loss on them, and keep the best epoch's parameters.
    validation_fraction, n_iter_no_change : of early stopping.
    warm_start : `fit` goes on with the network that there is.
    verbose : a progress bar on a terminal.
    class_weight : class -> weight, the others 1; or "balanced", which `partial_fit` refuses.

    Attributes
    ----------
    network : the estimator's own `Network`.
    classes_ : (classes,), in the network's output order. Its labels are the same where they are all text or all whole
        numbers; otherwise (bools, fractions) they are the places in `classes_`.
    coefs_, intercepts_ : views of the network's weights and biases.
    loss_ : training loss of the epoch whose parameters were kept.
    loss_curve_ : training loss of every epoch since the network began, over `warm_start` and `partial_fit`.
    best_loss_ : the lowest of it; None with early stopping.
    n_iter_ : epochs of the last call.
    n_outputs_ : of the network: one for each class, two for two.
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn; the names go into the network, too.
    validation_loss_curve_, best_validation_score_ : of the last call's early stopping, else None.
    validation_scores_ : accuracy by epoch, likewise; None for several labels a sample.
    """

    _measure = staticmethod(accuracy_score)

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (32,),
        activation: str = "relu",
        *,
        optimizer: str = "adam",
        learning_rate_init: float = 0.001,
        batch_size: int = 32,
        max_iter: int = 200,
        schedule: str = "constant",
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        standardize: bool = True,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        verbose: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            optimizer=optimizer,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
            schedule=schedule,
            momentum=momentum,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            standardize=standardize,
            shuffle=shuffle,
            random_state=random_state,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all there is.

        Parameters
        ----------
        X : (samples, features), raw.
        y : (samples,) classes of any type; or (samples, labels) of 0 and 1, several of which may be 1.
        sample_weight : (samples,), multiplies each sample's loss and gradient.

        Raises
        ------
        UsageError : a parameter out of its range.
        DataError, ValueError : data that cannot be used.
        DivergedError : a value that is not finite. The estimator is then as it was before, as with every error.
        """
        return self._fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, *, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch more. The optimiser begins anew; a standardiser is fitted by the first call and then stays.

        Parameters
        ----------
        X, y, sample_weight : as of `fit`.
        classes : every class that will ever come; the first call needs them, unless y is a table of 0 and 1.

        Raises
        ------
        UsageError, DataError, ValueError, DivergedError : as `fit`; and a class that was not announced.
        """
        return self._fit(X, y, sample_weight, classes, whole=False)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Classes, (samples,), the first of equally likely ones; or (samples, labels) of 0 and 1."""
        return self._answers(self._logits(X))

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities, (samples, classes) in the order of `classes_`; or (samples, labels), each by itself."""
        return self.network.predict_proba(self._samples(X))

    def predict_log_proba(self, X: Any) -> Floats:
        """Logarithms of `predict_proba`; of 0 minus infinity."""
        with np.errstate(divide="ignore"):
            logarithms: Floats = np.log(self.predict_proba(X))
        return logarithms

    def decision_function(self, X: Any) -> Floats:
        """Logits, (samples, classes) or (samples, labels). For two classes (samples,), as everywhere in scikit-learn:
        the second's less the first's; `network.decision_function` gives both."""
        logits = self._logits(X)
        if self._network.output == "sigmoid" or self.n_outputs_ > 2:
            return logits
        with np.errstate(over="ignore"):  # infinitely sure is an answer
            difference: Floats = logits[:, 1] - logits[:, 0]
        return difference

    def _answers(self, logits: Floats) -> npt.NDArray[Any]:
        answers = decide(logits, self._network.output, None)
        if self._network.output == "softmax":
            answers = self.classes_[answers]
        return answers

    def _task(self, y: npt.NDArray[Any], announced: Any, fresh: bool, whole: bool) -> _Task:
        if not whole and isinstance(self.class_weight, str):
            raise UsageError(
                f"partial_fit cannot tell what class_weight={self.class_weight!r} is from a part of the data; "
                "give a dict of classes and weights"
            )
        present = _classes(y)
        check_classification_targets(y)
        if y.ndim == 2:
            return self._task_of_several(y, fresh)
        self._settle_classes(present, announced, fresh, whole)
        place = {value: n for n, value in enumerate(self.classes_.tolist())}
        classes = np.empty(len(y), np.int64)
        for row, value in enumerate(y.tolist()):
            if value not in place:
                raise DataError(f"row {row}: {value!r} is not among the classes of the first call, {self.classes_}")
            classes[row] = place[value]
        labels = _labels(self.classes_)
        weight = self.class_weight
        if isinstance(weight, Mapping):
            unknown = next((key for key in weight if key not in place), None)
            if unknown is not None:
                raise UsageError(f"class_weight names {unknown!r}; the classes are {self.classes_}")
            weight = {labels[place[key]]: value for key, value in weight.items()}
        return _Task("softmax", len(labels), labels, np.array(labels)[classes], classes, weight)

    def _settle_classes(self, present: npt.NDArray[Any], announced: Any, fresh: bool, whole: bool) -> None:
        """Set `classes_` when `fresh`; otherwise they must be the same as ever.

        Parameters
        ----------
        present : what y has, sorted.
        announced, fresh, whole : as of `_task`.

        Raises
        ------
        UsageError : the first call of `partial_fit` announces none, a later one others.
        DataError : there is only one class; a `fit` that goes on has others.
        """
        if fresh and announced is None and not whole:
            raise UsageError("the first call of partial_fit must name every class that will come: classes=[...]")
        classes = present if announced is None else _classes(announced)
        if fresh:
            if classes.size < 2:
                raise DataError(f"there is one class only, {classes.tolist()}; two classes are needed")
            self.classes_ = classes
        elif announced is not None and not _same(classes, self.classes_):
            raise UsageError(f"classes are {classes}, and those of the first call {self.classes_}")
        elif whole and not _same(classes, self.classes_):
            raise DataError(
                f"y has the classes {classes}, the network that warm_start goes on with {self.classes_}; "
                "use warm_start=False to begin anew"
            )

    def _task_of_several(self, y: npt.NDArray[Any], fresh: bool) -> _Task:
        """Of y (samples, labels), any of which may be right."""
        if not isinstance(y, np.ndarray) or type_of_target(y) != "multilabel-indicator":
            raise DataError("y has several columns, so it must be an array of 0 and 1, a label each")
        if fresh:
            self.classes_ = np.arange(y.shape[1])
        return _Task("sigmoid", y.shape[1], None, y, class_weight=self.class_weight)


class NNLiteRegressor(RegressorMixin, _Estimator):
    """A dense network with linear output, for scikit-learn.

    Parameters and attributes are those of `NNLiteClassifier`, less what is about classes. Targets are not scaled: where
    they are far from 1, scale them, or choose `learning_rate_init` by them.

    Attributes
    ----------
    n_outputs_ : columns of y, 1 for (samples,).
    best_validation_score_ : R^2 on what early stopping held back.
    """

    _measure = staticmethod(r2_score)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all there is.

        Parameters
        ----------
        X : (samples, features), raw.
        y : (samples,) or (samples, outputs) numbers.
        sample_weight : (samples,), multiplies each sample's loss and gradient.

        Raises
        ------
        UsageError, DataError, ValueError, DivergedError : as of `NNLiteClassifier`.
        """
        return self._fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """One epoch more. The optimiser begins anew; a standardiser is fitted by the first call and then stays.

        X, y, sample_weight and errors as of `fit`.
        """
        return self._fit(X, y, sample_weight, whole=False)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Outputs, (samples,) or (samples, outputs): the network's float32 as float64, which scikit-learn asks for."""
        return self._answers(self._logits(X))

    def _answers(self, logits: Floats) -> npt.NDArray[np.float64]:
        outputs = logits.astype(np.float64)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def _task(self, y: npt.NDArray[Any], announced: Any, fresh: bool, whole: bool) -> _Task:
        outputs = 1 if y.ndim == 1 else y.shape[1]
        return _Task("linear", outputs, None, encode_targets(y, outputs))


def _same(some: npt.NDArray[Any], others: npt.NDArray[Any]) -> bool:
    return bool(some.tolist() == others.tolist())


def _classes(labels: Any) -> npt.NDArray[Any]:
    """The classes that there are, sorted.

    Raises
    ------
    DataError : they have no order.
    """
    try:
        classes: npt.NDArray[Any] = np.unique(labels)
    except TypeError as error:
        raise DataError(f"the classes must be all text or all numbers: {error}") from error
    return classes


def _labels(classes: npt.NDArray[Any]) -> tuple[Label, ...]:
    """What the network calls the classes: as they are called, else by their places."""
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in classes.tolist()]
    try:
        return check_labels(values, len(values))
    except DataError:
        return tuple(range(len(values)))
