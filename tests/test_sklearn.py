"""The scikit-learn estimators: scikit-learn's own checks, and that a fit is `Network` and `train`, bit for bit."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, Profile, __version__, load, plan, train
from nnlite.device import Device
from nnlite.errors import DataError, DivergedError, UsageError

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import joblib
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from nnlite.sklearn import NNLiteClassifier, NNLiteRegressor

RNG = np.random.default_rng(5)
CLASSES = RNG.integers(0, 3, 90)
X = (RNG.normal(size=(90, 4)) + 2 * np.eye(3, 4)[CLASSES]) * [1, 50, 0.01, 3]
NAMES = np.array(["rest", "run", "walk"])[CLASSES]
TARGETS = np.stack([X[:, 0] - X[:, 3], X[:, 2] * 50], axis=1)

#: what the estimators do not do, each with its reason (docs/SKLEARN.md has them, too)
EXCEPTIONS = {
    "check_sample_weight_equivalence_on_dense_data": "a weight multiplies a sample's gradient, a repeated sample is a "
    "step of its own (or more room in a batch): by stochastic steps, in another order and in float32, the two cannot "
    "come to the same parameters"
}


def quick(cls: type = NNLiteClassifier, **given: Any) -> Any:
    return cls(**{"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 7} | given)


def same(one: Network, other: Network) -> bool:
    fields = ("sizes", "hidden", "output", "labels", "features")
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("parameters", "mean", "scale")
    )


@parametrize_with_checks([NNLiteClassifier(), NNLiteRegressor()], expected_failed_checks=lambda _: EXCEPTIONS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_check_that_scipy_must_be_told_of_before_it_is_imported() -> None:
    """It is skipped above."""
    code = (
        "from sklearn.utils.estimator_checks import check_array_api_input\n"
        "from nnlite.sklearn import NNLiteClassifier, NNLiteRegressor\n"
        "for cls in NNLiteClassifier, NNLiteRegressor:\n"
        "    check_array_api_input(cls.__name__, cls(), array_namespace='numpy', expect_only_array_outputs=False)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"SCIPY_ARRAY_API": "1"}, check=True)


@pytest.mark.parametrize("how", ["missing", "old"])
def test_without_scikit_learn_one_line_says_what_to_install(how: str, tmp_path: Path) -> None:
    if how == "missing":
        code = "import sys; sys.modules['sklearn'] = None"
    else:
        (tmp_path / "sklearn").mkdir()
        (tmp_path / "sklearn" / "__init__.py").write_text("__version__ = '1.5'", encoding="utf-8")
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import nnlite.sklearn"], capture_output=True, encoding="utf-8", check=False
    )
    message = "nnlite.sklearn needs scikit-learn 1.6 or newer; install it with: pip install 'nnlite-mcu[sklearn]'"
    assert done.stderr.splitlines()[-1] == f"ImportError: {message}"


RECIPES: list[dict[str, Any]] = [
    {},
    {"optimizer": "sgd", "batch_size": 1, "shuffle": False, "standardize": True, "schedule": "step"},
    {"optimizer": "momentum", "momentum": 0.5, "weight_decay": 0.01, "clip_norm": 1.0, "schedule": "cosine"},
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_fit_is_network_and_train(recipe: dict[str, Any]) -> None:
    weights = np.linspace(0, 2, 90)
    named = {"rest": 2.0, "run": 0.5}
    estimator = quick(activation="tanh", learning_rate_init=0.02, class_weight=named, **recipe)
    assert estimator.fit(X, NAMES, weights) is estimator
    net = Network([4, 8, 3], hidden="tanh", seed=7)
    how = {"learning_rate": 0.02, "optimizer": "adam", "batch_size": 32} | recipe
    history = train(net, X, NAMES, 3, seed=7, sample_weight=weights, class_weight=named, progress=False, **how)
    assert same(estimator.network, net)
    assert estimator.network.labels == ("rest", "run", "walk")
    assert estimator.network.training_record == net.training_record
    assert estimator.loss_curve_ == list(history.loss)
    assert (estimator.n_iter_, estimator.n_outputs_, estimator.n_features_in_) == (3, 3, 4)
    assert estimator.loss_ == history.loss[-1]
    assert estimator.best_loss_ == min(history.loss)
    assert np.array_equal(estimator.predict(X), net.predict(X))
    for method in ("predict_proba", "decision_function"):
        assert np.array_equal(getattr(estimator, method)(X), getattr(net, method)(X))
    assert np.array_equal(estimator.predict_log_proba(X), np.log(net.predict_proba(X)))
    assert all(map(np.array_equal, estimator.coefs_ + estimator.intercepts_, net.weights + net.biases))


@pytest.mark.parametrize("targets", [TARGETS, TARGETS[:, :1], TARGETS[:, 0]], ids=["two", "column", "one"])
@pytest.mark.filterwarnings("ignore:A column-vector y")
def test_so_is_a_regression(targets: np.ndarray[Any, Any]) -> None:
    outputs = targets.shape[1] if targets.ndim == 2 else 1
    estimator = quick(NNLiteRegressor, hidden_layer_sizes=5).fit(X, targets)
    net = Network([4, 5, outputs], output="linear", seed=7)
    train(net, X, targets, 3, 32, 0.001, "adam", seed=7, progress=False)
    assert same(estimator.network, net)
    predicted = estimator.predict(X)
    assert (predicted.dtype, predicted.shape) == (np.float64, (90, 2) if outputs == 2 else (90,))
    assert np.array_equal(predicted, net.predict(X).reshape(predicted.shape))
    assert estimator.score(X, targets) == r2_score(targets, net.predict(X))


def test_so_is_one_of_several_labels_a_sample() -> None:
    several = (X / X.std(axis=0) > [0.5, 0.2] * 2).astype(int)[:, :3]
    estimator = quick(max_iter=40, learning_rate_init=0.02).fit(X, several)
    net = Network([4, 8, 3], output="sigmoid", seed=7)
    train(net, X, several, 40, 32, 0.02, "adam", seed=7, progress=False)
    assert same(estimator.network, net)
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert np.array_equal(estimator.predict(X), net.predict(X))
    assert np.array_equal(estimator.decision_function(X), net.decision_function(X))
    assert estimator.score(X, several) > 0.8
    assert same(quick(max_iter=1).partial_fit(X, several).network, quick(max_iter=1).fit(X, several).network)


def test_two_classes_have_one_decision() -> None:
    two = CLASSES > 0
    estimator = quick().fit(X, two)
    logits = estimator.network.decision_function(X)
    decision = estimator.decision_function(X)
    assert np.array_equal(decision, logits[:, 1] - logits[:, 0])
    assert np.array_equal(decision > 0, estimator.predict(X))
    assert estimator.n_outputs_ == 2


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["a", "b", "c"], ("a", "b", "c")),
        (np.array(["a", "b", "c"], object), ("a", "b", "c")),
        ([-3, 5, 900], (-3, 5, 900)),
        (np.array([1, 2, 3], np.uint8), (1, 2, 3)),
        (np.array([1.0, 2.0, 4.0]), (1, 2, 4)),
        (np.array(["rest", "run\0x", "walk"], object), (0, 1, 2)),
        (np.array([2**63, 2**63 + 5, 2**64 - 1], np.uint64), (0, 1, 2)),
    ],
)
def test_labels_of_every_kind(classes: Any, labels: tuple[Any, ...]) -> None:
    y = np.asarray(classes)[CLASSES]
    weights = dict.fromkeys(np.asarray(classes).tolist(), 1.5)
    estimator = quick(max_iter=30, learning_rate_init=0.01, class_weight=weights).fit(X, y)
    assert estimator.network.labels == labels
    predicted = estimator.predict(X)
    assert predicted.dtype == y.dtype
    assert np.mean(predicted == y) > 0.8
    assert set(estimator.network.predict(X)) <= set(labels)


def test_bools_go_by_their_place_and_come_back_as_bools() -> None:
    estimator = quick(max_iter=30).fit(X, CLASSES > 0)
    assert estimator.network.labels == (0, 1)
    assert estimator.predict(X).dtype == bool


def test_partial_fit_is_train_epoch_by_epoch() -> None:
    estimator = quick()
    net = Network([4, 8, 3], seed=7)
    net.labels = ("rest", "run", "walk")
    losses = []
    for n, rows in enumerate([slice(0, 40), slice(0, 10), slice(40, 90)]):
        classes = {} if n else {"classes": ["walk", "rest", "run"]}
        assert estimator.partial_fit(X[rows], NAMES[rows], **classes) is estimator
        losses += train(net, X[rows], NAMES[rows], 1, 32, 0.001, "adam", seed=7 + n, progress=False).loss
        assert estimator.n_iter_ == 1
    assert same(estimator.network, net)
    assert estimator.loss_curve_ == losses
    assert estimator.best_loss_ == min(losses) < losses[-1]
    assert estimator.classes_.tolist() == ["rest", "run", "walk"]


def test_partial_fit_goes_on_after_fit_and_a_fit_begins_anew() -> None:
    estimator = quick().fit(X, NAMES)
    taken, before = estimator.network, estimator.network.parameters.copy()
    estimator.partial_fit(X[:5], ["run"] * 5)
    assert np.array_equal(taken.parameters, before)
    assert not np.array_equal(estimator.network.parameters, before)
    assert len(estimator.loss_curve_) == 4
    assert same(estimator.fit(X, NAMES).network, taken)


def test_warm_start_goes_on() -> None:
    estimator = quick(warm_start=True).fit(X, NAMES).fit(X[:50], NAMES[:50])
    net = Network([4, 8, 3], seed=7)
    for seed, rows in (7, slice(None)), (10, slice(0, 50)):
        train(net, X[rows], NAMES[rows], 3, 32, 0.001, "adam", seed=seed, progress=False)
    assert same(estimator.network, net)
    assert (estimator.n_iter_, len(estimator.loss_curve_)) == (3, 6)


@pytest.mark.parametrize(
    ("parameters", "columns", "classes", "message"),
    [
        ({"hidden_layer_sizes": 9}, 4, NAMES, r"holds Network\(\[4, 8, 3\].* ask for Network\(\[4, 9, 3\]"),
        ({"activation": "tanh"}, 4, NAMES, "hidden='tanh'"),
        ({}, 3, NAMES, "X has 3 features, but NNLiteClassifier is expecting 4"),
        ({}, 4, CLASSES, r"classes \[0 1 2\], the network that warm_start goes on with \['rest' 'run' 'walk'\]"),
    ],
)
def test_warm_start_needs_the_same_network(
    parameters: dict[str, Any], columns: int, classes: Any, message: str
) -> None:
    estimator = quick(warm_start=True).fit(X, NAMES)
    before = dict(vars(estimator)) | parameters
    with pytest.raises(ValueError, match=message):
        estimator.set_params(**parameters).fit(X[:, :columns], classes)
    assert vars(estimator) == before


def test_the_seed() -> None:
    drawn = int(np.random.RandomState(3).randint(2**31 - 1))
    assert same(
        quick(random_state=np.random.RandomState(3)).fit(X, NAMES).network,
        quick(random_state=drawn).fit(X, NAMES).network,
    )
    free = quick(random_state=None)
    first = free.fit(X, NAMES).network
    assert not same(first, free.fit(X, NAMES).network)


def test_early_stopping_watches_what_it_holds_back() -> None:
    estimator = quick(
        early_stopping=True, validation_fraction=0.2, n_iter_no_change=2, max_iter=40, learning_rate_init=0.05
    )
    weights = np.linspace(1, 2, 90)
    estimator.fit(X, NAMES, weights)
    kept = train_test_split(X, NAMES, weights, test_size=0.2, random_state=7, stratify=NAMES)
    net = Network([4, 8, 3], seed=7)
    history = train(
        net,
        kept[0],
        kept[2],
        40,
        32,
        0.05,
        "adam",
        seed=7,
        validation=(kept[1], kept[3]),
        patience=2,
        progress=False,
        sample_weight=kept[4],
    )
    assert same(estimator.network, net)
    assert estimator.n_iter_ == len(history.epochs) < 40
    assert estimator.loss_ == history.loss[history.best]
    assert estimator.loss_curve_ == list(history.loss)
    assert estimator.best_loss_ is None
    assert estimator.validation_scores_ == list(history.accuracy)
    assert estimator.validation_loss_curve_ == [epoch.validation_loss for epoch in history.epochs]
    assert estimator.best_validation_score_ == history.accuracy[history.best] == net_score(net, kept[1], kept[3])
    estimator.set_params(early_stopping=False).fit(X, NAMES)
    assert estimator.validation_scores_ is estimator.validation_loss_curve_ is estimator.best_validation_score_ is None


def net_score(net: Network, samples: Any, labels: Any) -> float:
    return float(np.mean(net.predict(samples) == labels))


def test_early_stopping_of_a_regression() -> None:
    estimator = quick(NNLiteRegressor, early_stopping=True, max_iter=60, learning_rate_init=0.02).fit(X, TARGETS)
    kept = train_test_split(X, TARGETS, test_size=0.1, random_state=7)
    assert estimator.best_validation_score_ == r2_score(kept[3], estimator.network.predict(kept[1]))
    assert estimator.best_validation_score_ > 0.5
    assert estimator.validation_scores_ is None


def test_balanced_weights() -> None:
    net = Network([4, 8, 3], seed=7)
    train(net, X, NAMES, 3, 32, 0.001, "adam", seed=7, class_weight="balanced", progress=False)
    assert same(quick(class_weight="balanced").fit(X, NAMES).network, net)


def test_the_network_goes_to_a_board_and_comes_back(device: Device) -> None:
    estimator = quick(max_iter=20, learning_rate_init=0.01).fit(X[:60], NAMES[:60])
    assert plan(estimator.network, Profile.load("microbit"), learn=True).fits
    device.flash(estimator.network)
    assert np.array_equal(device.decision_function(X), estimator.decision_function(X))
    assert np.array_equal(device.predict(X), estimator.predict(X))
    device.learn(X[60:], NAMES[60:], learning_rate=0.02)
    replay = clone(estimator).set_params(max_iter=20).fit(X[:60], NAMES[:60])
    replay.set_params(optimizer="sgd", batch_size=1, learning_rate_init=0.02, shuffle=False)
    replay.partial_fit(X[60:], NAMES[60:])
    assert np.array_equal(device.pull().parameters, replay.network.parameters)
    assert np.array_equal(device.predict(X), replay.predict(X))


def test_what_changes_the_network_changes_the_estimator() -> None:
    estimator = quick().fit(X, NAMES)
    train(estimator.network, X, NAMES, 30, progress=False)
    assert estimator.score(X, NAMES) == net_score(estimator.network, X, NAMES) > 0.8


def test_names_of_columns_go_along(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame(X, columns=["ax", "ay", "az", "temperature"])
    estimator = quick().fit(table, pandas.Series(NAMES))
    assert estimator.feature_names_in_.tolist() == list(table)
    estimator.network.save(tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").features == ("ax", "ay", "az", "temperature")
    assert np.array_equal(estimator.predict(table), estimator.network.predict(X))
    with pytest.raises(ValueError, match="order as they were in fit"):
        estimator.predict(table[["ay", "ax", "az", "temperature"]])


@pytest.mark.parametrize("estimator", [quick(), quick(NNLiteRegressor)])
def test_a_pickle_gives_the_same_bits_and_calls_nothing_but_constructors(estimator: Any) -> None:
    y = NAMES if isinstance(estimator, NNLiteClassifier) else TARGETS
    estimator.fit(X, y)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        written = pickle.dumps(estimator, protocol)
        again = pickle.loads(written)
        assert same(again.network, estimator.network)
        assert np.array_equal(again.predict(X), estimator.predict(X))
        assert set(vars(again)) == set(vars(estimator))
        again.partial_fit(X, y)
        wanted: set[str] = set()

        class Listed(pickle.Unpickler):
            def find_class(self, module: str, name: str, wanted: set[str] = wanted) -> Any:
                wanted.add(f"{module}.{name}")
                return super().find_class(module, name)

        Listed(io.BytesIO(written)).load()
        assert wanted <= {
            f"nnlite.sklearn.{type(estimator).__name__}",
            "nnlite.network.Network",
            "numpy.ndarray",
            "numpy.dtype",
            "numpy._core.multiarray._reconstruct",
            "numpy._core.numeric._frombuffer",
            "_codecs.encode",
            *("copyreg._reconstructor", "builtins.object", "copyreg.__newobj__"),
        }


def test_a_pickle_of_another_version_says_so() -> None:
    written = pickle.dumps(quick().fit(X, NAMES))
    older = written.replace(__version__.encode(), b"0.0.9")
    with pytest.warns(UserWarning, match=r"NNLiteClassifier was pickled by nnlite 0\.0\.9 and is read by"):
        pickle.loads(older)


def test_joblib_may_map_it_into_memory(tmp_path: Path) -> None:
    estimator = quick(hidden_layer_sizes=(60,)).fit(X, NAMES)
    joblib.dump(estimator, tmp_path / "m.joblib")
    mapped = joblib.load(tmp_path / "m.joblib", mmap_mode="r")
    train(mapped.network, X, NAMES, progress=False)  # in place, which a read-only file would not bear
    assert not same(mapped.network, estimator.network)
    assert same(joblib.load(tmp_path / "m.joblib").network, estimator.network)


def test_a_clone_has_the_parameters_and_nothing_else() -> None:
    estimator = quick(class_weight={"rest": 2.0}).fit(X, NAMES)
    other = clone(estimator)
    assert other.get_params() == estimator.get_params()
    assert not hasattr(other, "network")
    assert not hasattr(other, "coefs_")


def test_pipeline_search_and_validation_over_two_processes() -> None:
    pipeline = make_pipeline(FunctionTransformer(np.abs), quick(max_iter=10, learning_rate_init=0.01))
    grid = {"nnliteclassifier__hidden_layer_sizes": [(), 4, (8, 4)], "nnliteclassifier__optimizer": ["sgd", "adam"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, NAMES)
    alone = GridSearchCV(pipeline, grid, cv=2).fit(X, NAMES)
    scores = "mean_test_score"
    assert np.array_equal(search.cv_results_[scores], alone.cv_results_[scores])
    assert np.isfinite(search.cv_results_[scores]).all()
    assert same(search.best_estimator_[-1].network, alone.best_estimator_[-1].network)
    estimator = quick(max_iter=20, learning_rate_init=0.02)
    assert (
        cross_val_score(estimator, X, NAMES, cv=3, n_jobs=2).tolist()
        == cross_val_score(estimator, X, NAMES, cv=3).tolist()
    )
    apart = [cross_val_predict(estimator, X, NAMES, cv=3, method="decision_function", n_jobs=n) for n in (1, 2)]
    assert np.array_equal(*apart)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, r"hidden_layer_sizes=\(0,\), activation='relu': sizes must be"),
        ({"hidden_layer_sizes": None}, "hidden_layer_sizes=None, activation='relu'"),
        ({"activation": "identity"}, "activation='identity': hidden must be one of relu"),
        ({"optimizer": "lbfgs"}, "the optimizer must be sgd, momentum, adam, not 'lbfgs'"),
        ({"learning_rate_init": -1}, "the learning rate must be a positive finite float32, not -1"),
        ({"batch_size": "auto"}, "the batch size must be an integer from 1 to 65535, not 'auto'"),
        ({"max_iter": 0}, "max_iter must be an integer from 1, not 0"),
        ({"schedule": "adaptive"}, "the schedule must be constant, step, cosine"),
        ({"random_state": -1}, "random_state must be an integer from 0 to 4294967295, not -1"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
        ({"early_stopping": True, "n_iter_no_change": 0}, "n_iter_no_change must be an integer from 1, not 0"),
        ({"early_stopping": True, "validation_fraction": 1.5}, "validation_fraction must be between 0 and 1, not 1.5"),
        (
            {"early_stopping": True, "validation_fraction": 0.01},
            "too few samples for early stopping: .* number of classes",
        ),
        ({"class_weight": "heavy"}, "class_weight must be a dict of labels and weights, or 'balanced', not 'heavy'"),
        ({"class_weight": {"fly": 1}}, r"class_weight names 'fly'; the classes are \['rest' 'run' 'walk'\]"),
    ],
)
def test_a_parameter_out_of_its_range_is_named(parameters: dict[str, Any], message: str) -> None:
    estimator = quick(**parameters)
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, NAMES)
    assert vars(estimator) == before


def changed(row: int, column: int, value: Any, dtype: Any = np.float64) -> Any:
    other = X.astype(dtype)
    other[row, column] = value
    return other


@pytest.mark.parametrize(
    ("samples", "labels", "error", "message"),
    [
        (changed(3, 1, np.nan), NAMES, ValueError, "NaN"),
        (changed(3, 1, 1e300), NAMES, DataError, "row 3, column 1 is 1e.300"),
        (changed(3, 1, "x", object), NAMES, ValueError, "could not convert string to float: 'x'"),
        (X.astype(str), NAMES, ValueError, "dtype='numeric' is not compatible with arrays of bytes/strings"),
        (X, NAMES[:-1], ValueError, "inconsistent numbers of samples"),
        (X, ["run"] * 90, DataError, r"one class only, \['run'\]; two classes are needed"),
        (X, X[:, 0], ValueError, "Unknown label type: continuous"),
        (X, np.array(["run", None] * 45, object), DataError, "the classes must be all text or all numbers"),
        (X, np.stack([CLASSES, CLASSES], axis=1), DataError, "an array of 0 and 1, a label each"),
    ],
)
def test_data_that_cannot_be(samples: Any, labels: Any, error: type[Exception], message: str) -> None:
    for estimator in (quick(), quick().fit(X[:, :3], CLASSES)):
        before = dict(vars(estimator))
        with pytest.raises(error, match=message):
            estimator.fit(samples, labels)
        assert vars(estimator) == before


def test_early_stopping_names_the_row_that_was_given() -> None:
    estimator = quick(NNLiteRegressor, early_stopping=True)
    for row in range(0, 90, 10):
        with pytest.raises(DataError, match=f"^row {row}, column 1 "):
            estimator.fit(changed(row, 1, 1e300), TARGETS)
        targets = TARGETS.copy()
        targets[row, 1] = 1e300
        with pytest.raises(DataError, match=rf"^row {row}, column 1 \('target'\)"):
            estimator.fit(X, targets)


def test_a_fit_that_diverges_leaves_the_estimator_as_it_was() -> None:
    estimator = quick(NNLiteRegressor, optimizer="sgd", learning_rate_init=0.05, batch_size=1).fit(X, TARGETS)
    before = dict(vars(estimator))
    with pytest.raises(DivergedError, match=r"A learning rate below 0\.05 may help"):
        estimator.fit(X[:, :2], TARGETS * 1e6)
    assert vars(estimator) == before


def test_weights_that_cannot_be() -> None:
    for weights, message in [
        (np.zeros(90), "every sample weight is zero"),
        (-np.ones(90), "row 0: its weight is -1"),
        (np.ones(89), "90 samples and 89 sample weights"),
        (CLASSES == 1, "with a weight above zero are of one class"),
    ]:
        with pytest.raises(DataError, match=message):
            quick().fit(X, NAMES, weights)
    quick().partial_fit(X, NAMES, classes=["rest", "run", "walk"], sample_weight=CLASSES == 1)


def test_partial_fit_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="must name every class that will come"):
        quick().partial_fit(X, NAMES)
    with pytest.raises(DataError, match="one class only"):
        quick().partial_fit(X, NAMES, classes=["run"])
    with pytest.raises(DataError, match=r"row 0: 'rest' is not among the classes of the first call, \['run' 'walk'\]"):
        quick().partial_fit(X[CLASSES == 0], NAMES[CLASSES == 0], classes=["walk", "run"])
    with pytest.raises(UsageError, match="class_weight='balanced'"):
        quick(class_weight="balanced").partial_fit(X, NAMES, classes=["rest", "run", "walk"])
    with pytest.raises(UsageError, match="partial_fit has no early stopping"):
        quick(NNLiteRegressor, early_stopping=True).partial_fit(X, TARGETS)
    estimator = quick().partial_fit(X, NAMES, classes=["rest", "run", "walk"])
    before = dict(vars(estimator))
    for samples, labels, classes, message in [
        (X, CLASSES, None, "row 0: [0-2] is not among the classes"),
        (X, ["fly", *NAMES[1:]], None, "row 0: 'fly' is not among the classes"),
        (X, NAMES, ["rest", "run"], r"classes are \['rest' 'run'\], and those of the first call"),
        (X[:, :3], NAMES, None, "X has 3 features, but NNLiteClassifier is expecting 4"),
        (X, CLASSES[:, None] == [0, 1, 2, 3], None, "ask for Network"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(samples, labels, classes=classes)
        assert vars(estimator) == before


def test_nothing_answers_before_a_fit() -> None:
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(quick(), method)(X)
    for name in ("network", "coefs_", "intercepts_"):
        with pytest.raises(NotFittedError):
            getattr(quick(), name)
