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
from nnlite.training import Epoch, encode_labels, encode_targets

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
        ({"learning_rate": 1e38}, DivergedError, r"epoch 1, sample 5: output 1 became -inf; the network is as it was"),
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
