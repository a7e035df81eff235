"""`train`: reproducible, exact in its orders and batches, and without a trace when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nnlite import Network, train
from nnlite.errors import DataError, DivergedError, UsageError
from nnlite.recipe import check_recipe
from nnlite.targets import encode_labels, encode_targets
from nnlite.training import EarlyStopping, Epoch

Floats = npt.NDArray[np.float32]


def _blobs(rows: int = 60, seed: int = 0) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Three separable groups of points, far from mean 0 and deviation 1."""
    generator = np.random.default_rng(seed)
    classes = np.arange(rows) % 3
    centres = np.array([[100, 0], [110, 40], [90, -30]])
    X = (centres[classes] + generator.normal(size=(rows, 2)) * [2, 5]).astype(np.float32)
    return X, np.array(["red", "green", "blue"])[classes]


def _state(net: Network) -> tuple[Any, ...]:
    arrays = [None if a is None else a.tobytes() for a in (net.parameters, net.mean, net.scale)]
    return (*arrays, net.labels, net.features, net.training_record)


def test_it_learns() -> None:
    X, y = _blobs()
    net = Network([2, 8, 3], seed=1)
    history = train(net, X, y, epochs=20, progress=False)
    assert net.labels == ("blue", "green", "red")
    assert len(history.epochs) == 20
    assert history.loss[-1] < 0.1 < history.loss[0]
    assert history.accuracy[-1] == 1.0
    assert list(net.predict(X)) == list(y)
    assert net.training_record is not None
    assert net.training_record["epochs"] == 20


def test_regression_learns() -> None:
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = X @ [1.0, -2.0, 0.5] + 3.0
    net = Network([3, 1], output="linear", seed=0)
    history = train(net, X, y, epochs=40, progress=False)
    assert history.loss[-1] < 1e-6
    assert history.accuracy == (None,) * 40
    np.testing.assert_allclose(net.predict(X)[:, 0], y, atol=1e-2)


def test_the_standardiser_is_fitted_once() -> None:
    X, y = _blobs()
    net = Network([2, 4, 3])
    train(net, X, y, epochs=1, progress=False)
    assert net.mean is not None
    assert net.scale is not None
    np.testing.assert_allclose(net.mean, X.mean(0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(net.scale, 1 / X.std(0, dtype=np.float64), rtol=1e-6)
    mean = net.mean.copy()
    train(net, X + 50, y, epochs=1, progress=False)
    assert np.array_equal(net.mean, mean)
    bare = Network([2, 4, 3])
    train(bare, X / 100, y, epochs=1, standardize=False, progress=False)
    assert bare.mean is bare.scale is None


def test_a_constant_column_keeps_its_scale() -> None:
    X, y = _blobs()
    X[:, 1] = 7.0
    net = Network([2, 3])
    train(net, X, y, epochs=1, progress=False)
    assert net.scale is not None
    assert net.scale[1] == 1.0


def test_a_column_that_cannot_be_standardised_is_named() -> None:
    X = np.array([[1.0, 0.0], [2.0, 1e-45]], np.float32)
    with pytest.raises(DataError, match="column 1 cannot be standardised"):
        train(Network([2, 2]), X, [0, 1], progress=False)


def test_the_same_call_gives_the_same_bits() -> None:
    X, y = _blobs()
    nets = [Network([2, 5, 3], seed=2) for _ in range(3)]
    for net, seed in zip(nets, (4, 4, 5), strict=True):
        train(net, X, y, epochs=3, seed=seed, progress=False)
    assert _state(nets[0]) == _state(nets[1])
    assert nets[0].parameters.tobytes() != nets[2].parameters.tobytes()


@pytest.mark.parametrize("batch", [1, 4, 7, 60, 100])
def test_epochs_and_calls_add_up(batch: int) -> None:
    """Unshuffled, two epochs are one epoch twice, and rows given in another order are another training."""
    X, y = _blobs()
    whole, halves, turned = (Network([2, 5, 3], seed=2) for _ in range(3))
    arguments: dict[str, Any] = {"batch_size": batch, "shuffle": False, "progress": False}
    train(whole, X, y, epochs=2, **arguments)
    for _ in range(2):
        train(halves, X, y, epochs=1, **arguments)
    train(turned, X[::-1], y[::-1], epochs=2, **arguments)
    assert whole.parameters.tobytes() == halves.parameters.tobytes()
    assert whole.parameters.tobytes() != turned.parameters.tobytes()


def test_a_last_smaller_batch_divides_by_its_own_number() -> None:
    """Batches of 3 and 1 equal a call with the first three rows and a call with the last."""
    X, y = _blobs(4)
    whole, parts = Network([2, 4, 3], seed=0), Network([2, 4, 3], seed=0)
    for net in (whole, parts):
        net.labels = ("blue", "green", "red")
    arguments: dict[str, Any] = {"epochs": 1, "shuffle": False, "standardize": False, "progress": False}
    train(whole, X / 100, y, batch_size=3, **arguments)
    train(parts, X[:3] / 100, y[:3], batch_size=3, **arguments)
    train(parts, X[3:] / 100, y[3:], batch_size=3, **arguments)
    assert whole.parameters.tobytes() == parts.parameters.tobytes()


def test_shuffling_is_a_seeded_permutation_each_epoch() -> None:
    X, y = _blobs(12)
    generator = np.random.Generator(np.random.PCG64(9))
    by_hand, net = Network([2, 3], seed=0), Network([2, 3], seed=0)
    for model in (by_hand, net):
        model.labels = ("blue", "green", "red")
    arguments: dict[str, Any] = {"standardize": False, "progress": False}
    for _ in range(2):
        order = generator.permutation(12)
        train(by_hand, X[order] / 100, y[order], epochs=1, shuffle=False, **arguments)
    train(net, X / 100, y, epochs=2, seed=9, **arguments)
    assert by_hand.parameters.tobytes() == net.parameters.tobytes()


def test_validation_and_progress() -> None:
    X, y = _blobs()
    seen: list[tuple[int, int, Epoch]] = []
    history = train(
        Network([2, 5, 3]),
        X[:40],
        y[:40],
        epochs=3,
        validation=(X[40:], y[40:]),
        progress=lambda number, epochs, epoch: seen.append((number, epochs, epoch)),
    )
    assert [(number, epochs) for number, epochs, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert tuple(epoch for _, _, epoch in seen) == history.epochs
    assert all(epoch.validation_loss is not None and epoch.accuracy is not None for epoch in history.epochs)


def test_no_bar_off_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    X, y = _blobs(6)
    train(Network([2, 3]), X, y, epochs=2)
    assert capfd.readouterr() == ("", "")


def _broken(**changes: Any) -> dict[str, Any]:
    X, y = _blobs(9)
    return {"X": X, "y": y, "progress": False, **changes}


def _with(row: int, column: int, value: float) -> Floats:
    X = _blobs(9)[0]
    X[row, column] = value
    return X


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"X": _with(4, 1, np.nan)}, DataError, "row 4, column 1 is nan"),
        ({"X": _with(2, 0, np.inf)}, DataError, "row 2, column 0 is inf"),
        ({"X": np.zeros((9, 3))}, DataError, r"shape \(9, 3\)"),
        ({"X": np.zeros((0, 2)), "y": []}, DataError, "no samples"),
        ({"y": ["red"] * 9}, DataError, "same label"),
        ({"y": ["red", "green", "blue", "black", *["red"] * 5]}, DataError, "4 labels, the network 3 outputs"),
        ({"y": [0.5, 1.5, 2.5] * 3}, DataError, "row 0: the label is 0.5; labels must be all text or all integers"),
        ({"y": ["red", "green"]}, DataError, "2 labels, the network 3"),
        ({"y": [["red"]] * 9}, DataError, r"labels have the shape \(9, 1\)"),
        ({"y": [0, 1, 2]}, DataError, "9 samples and 3"),
        ({"y": np.array([None, "a", 3] * 3, dtype=object)}, DataError, "all text or all integers"),
        ({"validation": (_with(1, 1, np.nan), ["red"] * 9)}, DataError, "row 1, column 1"),
        (
            {"validation": (_blobs(9)[0], ["pink"] * 9)},
            DataError,
            "validation data: row 0: .* no label 'pink'",
        ),
        ({"y": [["red"], ["red", "green"]] * 4 + [["red"]]}, DataError, "labels are not a list"),
        ({"y": np.array([["red"], ["red", "green"]] * 4 + [["red"]], dtype=object)}, DataError, "label is .'red'."),
        ({"y": [1, "a", 2] * 3}, DataError, "row 1: the label is 'a' and that of row 0 is 1; labels must be all text"),
        ({"y": ["a", 1, "b"] * 3}, DataError, "row 1: the label is 1 and that of row 0 is 'a'"),
        ({"y": [0, -1, 2**63] * 3}, DataError, "9223372036854775808 is neither"),
        ({"y": ["a", "b", "\ud800"] * 3}, DataError, r"'\\ud800' is neither"),
        ({"X": np.ma.array(_blobs(9)[0], mask=_blobs(9)[0] > 95)}, DataError, "samples .* some are masked"),
        ({"y": np.ma.array([0, 1, 2] * 3, mask=[0, 0, 1] * 3)}, DataError, "labels .* some are masked"),
        ({"validation": (_blobs(9)[0][:, :1], ["red"] * 9)}, DataError, "validation data: the samples have the shape"),
        ({"validation": (_blobs(9)[0], ["red"] * 8)}, DataError, "validation data: there are 9 samples and 8"),
        ({"validation": (_blobs(9)[0][:0], [])}, DataError, "validation data: there are no samples"),
        ({"validation": (*_blobs(9), 1)}, UsageError, "validation must be a pair"),
        ({"validation": 5}, UsageError, "validation must be a pair"),
        ({"seed": None}, UsageError, "seed must be an integer from 0, not None"),
        ({"seed": -1}, UsageError, "seed must be"),
        ({"seed": 1.5}, UsageError, "seed must be"),
        ({"epochs": 0}, UsageError, "epochs"),
        ({"batch_size": 0}, UsageError, "batch size"),
        ({"batch_size": 65_536}, UsageError, "batch size"),
        ({"learning_rate": 0.0}, UsageError, "learning rate"),
        ({"learning_rate": np.nan}, UsageError, "learning rate"),
        ({"learning_rate": 1e39}, UsageError, "learning rate"),
        ({"optimizer": "rmsprop"}, UsageError, "optimizer must be sgd, momentum, adam, not 'rmsprop'"),
        ({"loss": "mse"}, UsageError, "loss of a softmax network is cross_entropy"),
        ({"learning_rate": 1e38}, DivergedError, r"epoch 1, sample 8: output 1 became -inf; the network is as it was"),
    ],
)
def test_a_refusal_leaves_the_network_as_it_was(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    net = Network([2, 3], seed=0)
    before = _state(net)
    with pytest.raises(error, match=message):
        train(net, **_broken(**changes))
    assert _state(net) == before


UNUSABLE: list[tuple[str, Any]] = [
    *[("epochs", value) for value in (0, 2.5, "3", None, True, [1])],
    *[("batch_size", value) for value in (0, 65_536, 2.0, 2.5, "x", None, True)],
    *[("learning_rate", value) for value in (0.0, -1.0, np.nan, 1e39, 1e300, 1e-300, "abc", "0.1", [0.1], None, True)],
    ("learning_rate", 10**400),
    *[("optimizer", value) for value in ("Adam", "", None, 2, ["sgd"])],
]


@pytest.mark.parametrize(("name", "value"), UNUSABLE)
def test_arguments_that_cannot_be(name: str, value: Any) -> None:
    """The one rule for laptop and device; tests/test_device.py asks the device's side."""
    good = {"epochs": 1, "batch_size": 1, "learning_rate": 0.05, "optimizer": "sgd"}
    with pytest.raises(UsageError, match=f"{name.replace('_', ' ')} must be"):
        check_recipe(**(good | {name: value}))
    with pytest.raises(UsageError, match=f"{name.replace('_', ' ')} must be"):
        train(Network([2, 3]), **_broken(**{name: value}))


def test_numbers_from_numpy_are_numbers(tmp_path: Path) -> None:
    nets = [Network([2, 3]) for _ in range(2)]
    train(nets[0], **_broken(epochs=2, batch_size=4, learning_rate=0.5, seed=3))
    numbers = {"epochs": np.int64(2), "batch_size": np.uint16(4), "learning_rate": np.float64(0.5), "seed": np.int8(3)}
    train(nets[1], **_broken(**numbers))
    assert _state(nets[0]) == _state(nets[1])
    nets[1].save(tmp_path / "m")


def test_what_is_no_network() -> None:
    with pytest.raises(UsageError, match="a Network is needed"):
        train(None, [[1.0]], [0])  # type: ignore[arg-type]


def test_divergence_late_in_training_restores_everything() -> None:
    X, y = _blobs()
    net = Network([2, 16, 3], seed=0)
    train(net, X, y, epochs=1, progress=False)
    before = _state(net)
    targets = np.zeros((60, 2), np.float32)
    linear = Network([2, 16, 2], output="linear", seed=0)
    with pytest.raises(DivergedError, match=r"epoch \d+, sample \d+"):
        train(linear, X, targets + 100, epochs=50, learning_rate=0.9, progress=False)
    assert linear.mean is None
    with pytest.raises(DivergedError):
        train(net, X, y, epochs=5, learning_rate=3e38, progress=False)
    assert _state(net) == before


def test_an_interrupt_leaves_the_network_as_it_was() -> None:
    X, y = _blobs()
    net = Network([2, 3], seed=0)
    before = _state(net)

    def interrupt(number: int, epochs: int, epoch: Epoch) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(net, X, y, epochs=3, progress=interrupt)
    assert _state(net) == before


def test_a_network_that_is_not_finite_is_refused() -> None:
    X, y = _blobs()
    net = Network([2, 3])
    net.parameters[4] = np.inf
    with pytest.raises(DataError, match="parameters number 4 is inf"):
        train(net, X, y, progress=False)


def test_minus_zero_does_not_survive_training() -> None:
    X, y = _blobs()
    net = Network([2, 8, 3])
    net.parameters[:] = np.float32(-0.0)
    train(net, X, y, epochs=1, progress=False)
    assert not np.any(np.signbit(net.parameters) & (net.parameters == 0))


def test_labels() -> None:
    assert encode_labels(["b", "a"], ("a", "b"), 2).tolist() == [1, 0]
    assert encode_labels([20.0, 10.0], (10, 20), 2).tolist() == [1, 0]
    assert encode_labels([2, 0], None, 3).tolist() == [2, 0]
    with pytest.raises(DataError, match="row 1: the model has no label 'c'; it has a, b"):
        encode_labels(["b", "c"], ("a", "b"), 2)
    with pytest.raises(DataError, match="no label '3'"):
        encode_labels([3], None, 3)
    with pytest.raises(DataError, match="row 1: the model has no label '10'"):
        encode_labels(["10", 10], ("10", "20"), 2)
    with pytest.raises(DataError, match=r"row 0: the model has no label '\[0\]'"):
        encode_labels(np.array([[0], [1, 2]], dtype=object), (0, 1), 2)


def test_integer_labels_that_are_indices_stay_indices() -> None:
    """Ten digits of which the data lacks one still are ten classes."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    net = Network([2, 10])
    train(net, X, np.arange(20) % 9, epochs=1, progress=False)
    assert net.labels == tuple(range(10))


def test_targets() -> None:
    assert encode_targets([1.0, 2.0], 1).tolist() == [[1.0], [2.0]]
    with pytest.raises(DataError, match=r"row 1, column 0 \('target'\) is nan"):
        encode_targets([1.0, np.nan], 1)
    with pytest.raises(DataError, match="the targets have the shape"):
        encode_targets([[1.0, 2.0]], 3)
    with pytest.raises(DataError, match="targets are not a table of numbers"):
        encode_targets([[1.0], [1.0, 2.0]], 2)
    with pytest.raises(DataError, match=r"targets .* some are masked"):
        encode_targets(np.ma.array([1.0, 2.0], mask=[0, 1]), 1)


def test_read_only_and_strided_samples_are_taken() -> None:
    X, y = _blobs()
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    X.flags.writeable = False
    plain, strided = Network([2, 3]), Network([2, 3])
    train(plain, X, y, epochs=1, progress=False)
    train(strided, wide, y, epochs=1, progress=False)
    assert plain.parameters.tobytes() == strided.parameters.tobytes()


# ---- sigmoid outputs, weights, layers that stay, the best epoch


def _answers(rows: int = 60) -> tuple[Floats, Floats]:
    """Two questions with yes or no for an answer, each its own."""
    X = np.random.default_rng(3).normal(size=(rows, 2)).astype(np.float32)
    return X, (X > 0).astype(np.float32)


def test_several_answers_that_may_be_right_at_once_are_learned() -> None:
    X, y = _answers()
    net = Network([2, 6, 2], hidden="tanh", output="sigmoid", seed=1)
    history = train(net, X, y, epochs=60, learning_rate=0.1, progress=False)
    assert history.loss[-1] < 0.2 < history.loss[0]
    assert history.accuracy == (None,) * 60
    assert net.labels is None
    probabilities, answers = net.predict_proba(X), net.predict(X)
    assert np.mean(answers == y) > 0.97
    assert answers.dtype == np.int64
    assert np.array_equal(answers, probabilities > 0.5)
    assert np.all((probabilities > 0) & (probabilities < 1))
    assert np.array_equal(net.decide(net.decision_function(X)), answers)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0, 1], [1, 2]], r"row 1: target 1 is 2.0; a sigmoid's are from 0 to 1"),
        ([[0, 1], [-0.5, 2]], "row 1: target 0 is -0.5"),
        ([[0, 1], [np.nan, 1]], "row 1, column 0 .'target'. is nan"),
        ([0, 1], "targets have the shape"),
        ([["a", "b"], ["c", "d"]], "targets are not a table of numbers"),
        ([[0, 1]], "2 samples and 1 targets"),
    ],
)
def test_targets_that_a_sigmoid_cannot_have(y: Any, message: str) -> None:
    net = Network([2, 2], output="sigmoid", seed=0)
    before = _state(net)
    with pytest.raises(DataError, match=message):
        train(net, [[0.0, 1.0], [1.0, 0.0]], y, progress=False)
    assert _state(net) == before


@pytest.mark.parametrize(
    ("output", "loss"), [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("linear", "mse")]
)
def test_each_output_has_its_own_loss(output: str, loss: str) -> None:
    X, answers = _answers(9)
    y: Any = answers[:, 0].astype(int) if output == "softmax" else answers
    train(Network([2, 2], output=output), X, y, epochs=1, loss=loss, progress=False)
    for other in ({"cross_entropy", "binary_cross_entropy", "mse"} - {loss}) | {"mae"}:
        with pytest.raises(UsageError, match=f"the loss of a {output} network is {loss}, not '{other}'"):
            train(Network([2, 2], output=output), X, y, epochs=1, loss=other, progress=False)


def _trained(X: Any, y: Any, **how: Any) -> bytes:
    net = Network([2, 5, 3], seed=2)
    net.labels = ("blue", "green", "red")
    train(net, X, y, **({"epochs": 2, "shuffle": False, "standardize": False, "progress": False} | how))
    return net.parameters.tobytes()


def test_weights_of_one_change_nothing_and_others_do() -> None:
    X, y = _blobs(12)
    X /= 100
    plain = _trained(X, y)
    assert _trained(X, y, sample_weight=np.ones(12)) == plain
    assert _trained(X, y, class_weight={"red": 1.0}) == plain
    assert _trained(X, y, class_weight="balanced") == plain, "there are four of each"
    assert _trained(X, y, class_weight={"red": 2.0}) == _trained(X, y, sample_weight=np.where(y == "red", 2.0, 1.0))
    assert _trained(X, y, class_weight={"red": 2.0}) != plain


def test_balanced_weights_are_samples_over_classes_times_their_samples() -> None:
    X, y = _blobs(12)
    few = np.arange(12) < 9  # three red, three green, three blue, and two red ones and a green one more
    few[[9, 10]] = True
    X, y = X[few] / 100, y[few]
    counts = {label: int(np.sum(y == label)) for label in ("red", "green", "blue")}
    assert len(set(counts.values())) > 1
    by_hand = [len(y) / (3 * counts[label]) for label in y.tolist()]
    assert _trained(X, y, class_weight="balanced") == _trained(X, y, sample_weight=by_hand)
    both = _trained(X, y, class_weight="balanced", sample_weight=[2.0] * len(y))
    assert both == _trained(X, y, sample_weight=[2.0 * weight for weight in by_hand])


def test_a_sample_of_no_weight_is_not_learned_from() -> None:
    """With batches of 1 its step is of length 0."""
    X, y = _blobs(12)
    X /= 100
    without = np.arange(12) != 5
    assert _trained(X, y, sample_weight=without.astype(float)) == _trained(X[without], y[without])


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"sample_weight": [1.0] * 8}, DataError, "9 samples and 8 sample weights"),
        ({"sample_weight": [[1.0]] * 9}, DataError, r"sample weights have the shape \(9, 1\); one weight a sample"),
        ({"sample_weight": 2.0}, DataError, r"sample weights have the shape \(\)"),
        ({"sample_weight": ["a"] * 9}, DataError, "sample weights are not a table of numbers"),
        ({"sample_weight": [1.0] * 4 + [np.nan] + [1.0] * 4}, DataError, r"row 4, column 0 \('sample weight'\) is nan"),
        ({"sample_weight": [1.0] * 4 + [-1.0] + [1.0] * 4}, DataError, "row 4: its weight is -1; .* not below 0"),
        ({"sample_weight": [1e30] * 9, "class_weight": {"red": 1e30}}, DataError, "row 0: its weight is 1e[+]60"),
        ({"class_weight": {"pink": 1.0}}, UsageError, "names the label 'pink'; the model has blue, green, red"),
        ({"class_weight": {"red": "much"}}, UsageError, "class weight of 'red' must be a number, not 'much'"),
        ({"class_weight": {"red": None}}, UsageError, "class weight of 'red' must be a number, not None"),
        ({"class_weight": {"red": 10**400}}, DataError, "row 0: its weight is inf"),
        ({"class_weight": {"red": -1.0}}, DataError, "row 0: its weight is -1;"),
        ({"class_weight": "even"}, UsageError, "class_weight must be a dict of labels and weights, or 'balanced'"),
        ({"class_weight": [1.0, 2.0]}, UsageError, "class_weight must be a dict"),
        ({"class_weight": np.array([1.0, 2.0])}, UsageError, "class_weight must be a dict"),
        ({"patience": 3}, UsageError, "patience needs validation data to watch"),
        ({"patience": 0, "validation": _blobs(9)}, UsageError, "the patience must be an integer from 1"),
        ({"patience": 1.5, "validation": _blobs(9)}, UsageError, "the patience must be an integer"),
        ({"last_layers": 2}, UsageError, "the last 2 layers cannot be trained: the network has 1"),
    ],
)
def test_weights_and_patience_that_cannot_be(how: dict[str, Any], error: type[Exception], message: str) -> None:
    net = Network([2, 3], seed=0)
    before = _state(net)
    with pytest.raises(error, match=message):
        train(net, **_broken(**how))
    assert _state(net) == before


def test_class_weights_go_with_classes() -> None:
    X, y = _answers(9)
    for output in ("sigmoid", "linear"):
        with pytest.raises(UsageError, match="class weights go with a softmax output"):
            train(Network([2, 2], output=output), X, y, class_weight="balanced", progress=False)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("last_layers", [1, 2, 3])
def test_layers_that_are_not_trained_stay_as_they_are(optimizer: str, last_layers: int) -> None:
    X, y = _blobs()
    net = Network([2, 4, 4, 3], hidden="tanh", seed=1)
    before = net.copy()
    how = {"weight_decay": 0.1, "clip_norm": 1.0, "batch_size": 4}
    train(net, X, y, epochs=2, optimizer=optimizer, last_layers=last_layers, progress=False, **how)  # type: ignore[arg-type]
    for n in range(3):
        same = net.weights[n].tobytes() == before.weights[n].tobytes()
        assert same == (n < 3 - last_layers)
        assert (net.biases[n].tobytes() == before.biases[n].tobytes()) == same
    whole = before.copy()
    train(whole, X, y, epochs=2, optimizer=optimizer, progress=False, **how)  # type: ignore[arg-type]
    assert (whole.parameters.tobytes() == net.parameters.tobytes()) == (last_layers == 3)


def test_the_best_epoch_is_kept_and_training_ends_when_patience_does() -> None:
    """What is kept is what a training of just so many epochs comes to."""
    X, y = _blobs(30)
    how: dict[str, Any] = {"shuffle": False, "learning_rate": 0.3, "optimizer": "adam", "progress": False}
    validation = (X + np.random.default_rng(1).normal(size=X.shape) * 30, np.roll(y, 1))
    net, replay = Network([2, 8, 3], seed=1), Network([2, 8, 3], seed=1)
    history = train(net, X, y, epochs=50, validation=validation, patience=3, **how)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best == losses.index(min(losses)) == len(losses) - 4  # type: ignore[type-var]
    train(replay, X, y, epochs=history.best + 1, **how)
    assert net.parameters.tobytes() == replay.parameters.tobytes()
    assert net.training_record is not None
    assert net.training_record["epochs"] == len(losses) < 50
    assert net.training_record["loss"] == history.loss[history.best]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"optimizer": "adam"}, "weight 1, 0 of layer 2 became inf"),
        ({"optimizer": "adam", "last_layers": 1}, "weight 1, 0 of layer 2 became inf"),
        ({"clip_norm": 1.0}, "the norm of the gradient over all layers is no longer finite"),
    ],
)
def test_a_gradient_too_large_for_what_is_made_of_it_is_named(how: dict[str, Any], says: str) -> None:
    net = Network([1, 2, 2], seed=1)
    net.parameters[:] = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    before = net.parameters.tobytes()
    with pytest.raises(DivergedError, match=f"epoch 1, sample 0: {says}; the network is as it was before"):
        train(net, [[1e30], [0.0]], [0, 1], epochs=1, shuffle=False, standardize=False, progress=False, **how)
    assert net.parameters.tobytes() == before


def test_without_patience_the_last_epoch_is_the_one() -> None:
    X, y = _blobs(30)
    net = Network([2, 4, 3], seed=1)
    history = train(net, X, y, epochs=4, optimizer="momentum", validation=(X, np.roll(y, 1)), progress=False)
    assert (history.best, len(history.epochs)) == (3, 4)
    assert net.training_record is not None
    assert net.training_record | {"loss": None} == {
        "epochs": 4,
        "batch_size": 1,
        "learning_rate": float(np.float32(0.05)),
        "optimizer": "momentum",
        "betas": [float(np.float32(0.9)), 0.0],
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "schedule": "constant",
        "last_layers": None,
        "kept_epoch": 4,
        "seed": 0,
        "samples": 30,
        "loss": None,
    }


@pytest.mark.parametrize(
    ("losses", "better", "over", "best"),
    [
        ([3.0, 2.0, 2.0, 1.0], [1, 1, 0, 1], [0, 0, 0, 0], 3),
        ([3.0, 3.0, 3.0], [1, 0, 0], [0, 0, 1], 0),
        ([np.inf, np.nan, 5.0, np.nan, np.inf], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1], 2),
        ([np.nan, np.inf, np.nan], [1, 0, 0], [0, 0, 1], 0),
    ],
)
def test_early_stopping(losses: list[float], better: list[int], over: list[int], best: int) -> None:
    watch = EarlyStopping(2)
    for loss, is_better, is_over in zip(losses, better, over, strict=True):
        assert watch.is_better(loss) == bool(is_better)
        assert watch.is_over == bool(is_over)
    assert watch.best == best
