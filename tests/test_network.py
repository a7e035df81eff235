"""`Network` and the model file: what it computes, what it refuses, and that no file is ever left half written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from nnlite import Network, load
from nnlite.errors import DataError, PathError, UsageError
from nnlite.network import MAX_PARAMETERS, decide
from nnlite.training import train
from tests import reference
from tests.damage import damaged


def _full() -> Network:
    net = Network([4, 5, 3], seed=3)
    net.mean, net.scale = np.arange(4, dtype=np.float32), np.full(4, 0.5, np.float32)
    net.labels, net.features = ("a", "b", "c"), ("p", "q", "r", "s")
    net.training_record = {"epochs": 2, "loss": 0.25}
    return net


def test_parameters_are_one_vector_and_views_into_it() -> None:
    net = Network([3, 4, 2], seed=1)
    assert net.parameters.shape == (3 * 4 + 4 + 4 * 2 + 2,)
    assert [w.shape for w in net.weights] == [(3, 4), (4, 2)]
    assert [b.shape for b in net.biases] == [(4,), (2,)]
    net.weights[0][1, 2] = 7.0
    assert net.parameters[1 * 4 + 2] == 7.0
    net.biases[1][0] = 8.0
    assert net.parameters[-2] == 8.0


def test_he_initialisation() -> None:
    net = Network([200, 300, 10], seed=5)
    assert net.weights[0].std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert abs(float(net.weights[0].mean())) < 0.002
    assert all(not np.any(b) for b in net.biases)
    assert np.array_equal(net.parameters, Network([200, 300, 10], seed=5).parameters)
    assert not np.array_equal(net.parameters, Network([200, 300, 10], seed=6).parameters)


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1], [3, 65_536], [3, 2.5], [True, 2], [2] * 18, 5, None])
def test_sizes_that_cannot_be(sizes: Any) -> None:
    with pytest.raises(UsageError, match="sizes must be"):
        Network(sizes)


@pytest.mark.parametrize(
    "arguments", [{"hidden": "swish"}, {"output": "tanh"}, {"seed": -1}, {"seed": 1.5}, {"seed": None}]
)
def test_arguments_that_cannot_be(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(arguments))):
        Network([2, 2], **arguments)


@pytest.mark.parametrize("sizes", [[65_535, 65_535], [8192, 8192], [65_535] * 17])
def test_a_network_that_would_take_the_memory_of_the_computer(sizes: list[int], monkeypatch: Any) -> None:
    """Refused before anything is allocated: the system would hand out the memory, and then end the process."""
    monkeypatch.setattr(np, "zeros", None)
    with pytest.raises(UsageError, match=f"a network may have {MAX_PARAMETERS:,}"):
        Network(sizes)


def test_predictions_follow_the_oracle() -> None:
    net = _full()
    X = np.random.default_rng(0).normal(size=(20, 4)) * 3
    assert net.mean is not None
    layers = reference.unflatten(net.sizes, net.parameters)
    logits = [reference.forward(layers, ((x - net.mean) * 0.5).tolist())[-1] for x in X]
    np.testing.assert_allclose(net.decision_function(X), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net.predict_proba(X), [reference.softmax(row) for row in logits], rtol=1e-4, atol=1e-5)
    assert net.predict(X).tolist() == [("a", "b", "c")[int(np.argmax(row))] for row in logits]


def test_a_linear_network_predicts_its_outputs() -> None:
    net = Network([3, 2], output="linear", seed=0)
    X = np.ones((2, 3))
    assert np.array_equal(net.predict(X), net.decision_function(X))
    with pytest.raises(UsageError, match="no probabilities"):
        net.predict_proba(X)


def test_equal_logits_give_the_first_label() -> None:
    net = Network([2, 3])
    assert net.decide(np.array([[1, 2, 2]], np.float32)).tolist() == [1]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1, 2, 3, np.nan]], r"row 0, column 3 \('s'\) is nan"),
        ([[1, 2, 3, 4], [1, -np.inf, 3, 4]], r"row 1, column 1 \('q'\) is -inf"),
        ([[1, 2, 1e39, 4]], r"row 0, column 2 \('r'\) is 1e\+39"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        ([1, 2, 3, 4], r"shape \(4,\)"),
        ([[1, 2, 3, "x"]], "not a table of numbers"),
        ([[1, 2, 3, None]], r"row 0, column 3 \('s'\) is None"),
        ([[1, 2, 3, 4], [1, 2]], "not a table of numbers"),
        ([[1, 2, 3, 1j]], "not a table of numbers"),
        (np.ma.array(np.ones((1, 4)), mask=[[0, 0, 1, 0]]), "some are masked"),
    ],
)
def test_samples_that_cannot_be(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _full().predict(X)


def test_values_that_leave_float32_on_the_way_are_refused() -> None:
    net = _full()
    net.scale = np.full(4, 1e30, np.float32)
    with pytest.raises(DataError, match=r"row 1, column 2: .* leaves float32 when it is standardised"):
        net.predict([[0, 0, 0, 0], [0, 0, 1e30, 0]])
    net = Network([1, 1], output="linear")
    net.weights[0][:] = 3e38
    with pytest.raises(DataError, match="row 1: the network's output 0 is inf"):
        net.predict([[0.0], [2.0]])


def test_a_model_file_keeps_everything(tmp_path: Path) -> None:
    net, path = _full(), tmp_path / "model.safetensors"
    net.save(path)
    back = load(path)
    assert back.parameters.tobytes() == net.parameters.tobytes()
    assert back.parameters.flags.writeable
    assert (back.sizes, back.hidden, back.output) == (net.sizes, net.hidden, net.output)
    assert (back.labels, back.features, back.training_record) == (net.labels, net.features, net.training_record)
    X = np.ones((1, 4))
    assert back.decision_function(X).tobytes() == net.decision_function(X).tobytes()
    plain = Network([2, 2], output="linear")
    plain.save(path)
    back = load(path)
    assert back.mean is back.scale is back.labels is back.features is back.training_record is None


def test_a_masked_array_without_a_masked_value_is_an_array() -> None:
    X = np.ones((2, 4), np.float32)
    assert _full().predict(np.ma.array(X)).tolist() == _full().predict(X).tolist()


VECTORS = ("parameters", "mean", "scale")


def test_samples_of_the_right_kind_are_not_copied_and_not_changed() -> None:
    X = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    X[0, 0] = -0.0
    before = X.tobytes()
    net = Network([3, 4, 2])
    assert net.standardize(X) is X
    train(net, X, np.arange(40) % 2, epochs=2, standardize=False, progress=False)
    train(net, X, np.arange(40) % 2, epochs=2, progress=False)
    assert net.standardize(X) is not X
    assert X.tobytes() == before


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_one_kind_of_array_whatever_is_assigned(name: str) -> None:
    """Else the kernels would be compiled for float64 too, and compute other bits than a device."""
    expected = _full()
    values = getattr(expected, name)
    wide = np.repeat(values, 2)[::2]
    frozen = values.copy()
    frozen.flags.writeable = False
    X = np.random.default_rng(0).normal(size=(3, 4))
    for value in (values.astype(np.float64), values.astype(">f4"), values.tolist(), wide, frozen):
        net = _full()
        setattr(net, name, value)
        got = getattr(net, name)
        assert (got.dtype, got.flags.c_contiguous, got.flags.writeable) == (np.dtype(np.float32), True, True)
        assert net.decision_function(X).tobytes() == expected.decision_function(X).tobytes()
        net.weights[0][0, 0] = 7.0
        assert net.parameters[0] == 7.0


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((4, 1)), "text", ["a"] * 4, [[1], [1, 2]], [1j] * 4])
def test_vectors_that_cannot_be_are_refused_where_they_are_given(name: str, values: Any) -> None:
    net = _full()
    before = getattr(net, name)
    with pytest.raises(DataError, match=f"the model's {name} are not|the model's {name} are .* not float32 of shape"):
        setattr(net, name, values)
    assert getattr(net, name) is before
    with pytest.raises(DataError, match="not float32 of shape"):
        net.parameters = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels", ("a", "b"), "not 3 different names"),
        ("labels", ("a", "b", "a"), "not 3 different names"),
        ("labels", "abc", "not 3 different names"),
        ("labels", ("a", "b", 3), "neither all text nor all integers"),
        ("labels", ([1], [2], [3]), "neither all text nor all integers"),
        ("labels", (True, False, 2), "neither all text nor all integers"),
        ("labels", ("a", "b", "\ud800"), r"label '\\ud800' is neither text"),
        ("labels", ("a", "b", "c\0"), r"label 'c\\x00' is neither text"),
        ("labels", (0, 1, 2**63), "9223372036854775808 is neither text in UTF-8 nor an integer of 64 bits"),
        ("features", ("p",), "1 features for 4 inputs"),
        ("features", "pqrs", "not a list of names"),
        ("features", ("p", "q", "r", "r"), "two features 'r'"),
        ("training_record", {"loss": np.float32(1)}, "not a JSON object"),
        ("training_record", {"loss": float("nan")}, "not a JSON object of finite values"),
        ("training_record", [1], "not a JSON object"),
    ],
)
def test_what_no_file_could_hold_is_refused_where_it_is_given(name: str, value: Any, message: str) -> None:
    net = _full()
    before = getattr(net, name)
    with pytest.raises(DataError, match=message):
        setattr(net, name, value)
    assert getattr(net, name) is before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda net: setattr(net, "mean", np.full(4, np.nan)), "the model's mean number 0 is nan"),
        (lambda net: setattr(net, "scale", None), "one of mean and scale"),
        (lambda net: net.training_record.update(loss=np.float32(1)), "training record is not a JSON object"),
    ],
)
def test_nothing_is_written_that_could_not_be_read(change: Any, message: str, tmp_path: Path) -> None:
    net, path = _full(), tmp_path / "model.safetensors"
    net.save(path)
    before = path.read_bytes()
    change(net)
    with pytest.raises(DataError, match=message):
        net.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("labels", [np.array(["x", "y", "z"]), np.array([5, 6, 7]), [np.int64(5), 6, 7]])
def test_labels_from_numpy_are_plain_values(labels: Any, tmp_path: Path) -> None:
    net = _full()
    net.labels = labels
    net.features = np.array(["p", "q", "r", "s"])  # type: ignore[assignment]
    net.save(tmp_path / "m")
    back = load(tmp_path / "m")
    assert back.labels == tuple(np.asarray(labels).tolist())
    assert back.features == ("p", "q", "r", "s")


@pytest.mark.parametrize("labels", [(-1, 2**63 - 1), (-(2**63), 0)])
def test_large_integer_labels_come_back_as_they_are(labels: tuple[int, int]) -> None:
    net = Network([2, 2])
    net.labels = labels
    answers = decide(np.array([[1, 0], [0, 1]], np.float32), "softmax", net.labels)
    assert (answers.dtype.kind, answers.tolist()) == ("i", list(labels))


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "BF16"])
@pytest.mark.parametrize("name", ["extra", "mean"])
def test_tensors_that_numpy_has_no_type_for(kind: str, name: str, tmp_path: Path) -> None:
    """One that is not the model's does not matter."""
    content = save({"parameters": np.zeros(9, np.float32), name: np.zeros(4, np.uint8)}, _metadata())
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header[name] |= {"dtype": kind, "shape": [4] if kind.startswith("F8") else [2]}
    text = json.dumps(header).encode()
    path = tmp_path / "m"
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    if name == "extra":
        assert load(path).sizes == (2, 3)
    else:
        with pytest.raises(DataError):
            load(path)


def test_integer_labels_stay_integers(tmp_path: Path) -> None:
    net = Network([2, 3])
    net.labels = (10, 20, 30)
    net.save(tmp_path / "m")
    assert load(tmp_path / "m").labels == (10, 20, 30)


def test_minus_zero_becomes_plus_zero(tmp_path: Path) -> None:
    net = Network([2, 2])
    net.parameters[:] = np.float32(-0.0)
    net.save(tmp_path / "m")
    assert not np.any(np.signbit(load(tmp_path / "m").parameters))


def test_a_copy_is_independent() -> None:
    net = _full()
    other = net.copy()
    other.parameters[0] = 99.0
    other.labels = None
    assert net.parameters[0] != 99.0
    assert net.labels is not None
    assert other.weights[0][0, 0] == 99.0


def _tensors(**changes: Any) -> dict[str, Any]:
    return {"parameters": np.zeros(9, np.float32), **changes}


def _metadata(**changes: str) -> dict[str, str]:
    fields = {"nnlite_format": "1", "sizes": "[2, 3]", "hidden": "relu", "output": "softmax", **changes}
    return {key: value for key, value in fields.items() if value != "absent"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        (_tensors(), {}, "not written by nnlite"),
        (_tensors(), _metadata(nnlite_format="2"), "format is 2"),
        (_tensors(), _metadata(sizes="absent"), "no 'sizes'"),
        (_tensors(), _metadata(sizes="7"), "sizes are not a list"),
        (_tensors(), _metadata(sizes="[2, 0]"), "sizes must be"),
        (_tensors(), _metadata(sizes="[2, 3.5]"), "sizes must be"),
        (_tensors(), _metadata(sizes="[2,"), "cannot be used"),
        (_tensors(), _metadata(sizes="[" * 100_000), "cannot be used"),
        (_tensors(), _metadata(hidden="swish"), "hidden must be"),
        (_tensors(), _metadata(output="absent"), "no 'output'"),
        ({"other": np.zeros(9, np.float32)}, _metadata(), "no 'parameters'"),
        (_tensors(parameters=np.zeros(8, np.float32)), _metadata(), r"not float32 of shape \(9,\)"),
        (_tensors(parameters=np.zeros(9, np.float64)), _metadata(), "are float64"),
        (_tensors(parameters=np.full(9, np.nan, np.float32)), _metadata(), "number 0.* is nan"),
        (_tensors(mean=np.zeros(2, np.float32)), _metadata(), "one of mean and scale"),
        (_tensors(mean=np.zeros(3, np.float32), scale=np.zeros(2, np.float32)), _metadata(), r"shape \(2,\)"),
        (_tensors(), _metadata(labels='["a", "b"]'), "not 3 different names"),
        (_tensors(), _metadata(labels='["a", "b", "b"]'), "not 3 different names"),
        (_tensors(), _metadata(labels='["a", "b", 3]'), "neither all text nor all integers"),
        (_tensors(), _metadata(labels="[[1], [2], [3]]"), "cannot be used"),
        (_tensors(), _metadata(features='["a"]'), "1 features for 2 inputs"),
        (_tensors(), _metadata(features="3"), "not a list of names"),
        (_tensors(), _metadata(features='"ab"'), "not a list of names"),
        (_tensors(), _metadata(features='{"a": 1, "b": 2}'), "not a list of names"),
        (_tensors(), _metadata(features="[1, 2]"), "not a list of names"),
        (_tensors(), _metadata(features='["a", "a"]'), "two features 'a'"),
        (_tensors(), _metadata(labels='["a", "b", "\\ud800"]'), "neither text in UTF-8"),
        (_tensors(), _metadata(labels="[1, 2, 9223372036854775808]"), "integer of 64 bits"),
        (_tensors(), _metadata(sizes="[65535, 65535]"), "a network may have"),
        (_tensors(), _metadata(training="3"), "cannot be used"),
    ],
)
def test_foreign_and_contradictory_files(
    tensors: dict[str, Any], metadata: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(tensors, metadata))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_data_error(tmp_path: Path, data: st.DataObject) -> None:
    """Cut or changed anywhere, a file gives a model of finite values or a DataError, nothing else."""
    path = tmp_path / "model.safetensors"
    _full().save(path)
    path.write_bytes(damaged(path.read_bytes(), data))
    try:
        net = load(path)
    except DataError:
        return
    assert np.all(np.isfinite(net.parameters))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"missing\.safetensors"):
        load(tmp_path / "missing.safetensors")
    with pytest.raises(PathError):
        load(tmp_path)


def test_saving_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    net = _full()
    net.save(path)
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    net.parameters[0] = 5.0
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(PathError, match="No space left"):
            net.save(path)
    net.parameters[0] = np.nan
    with pytest.raises(DataError, match="number 0"):
        net.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_who_may_read_a_file_may_read_the_one_that_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    _full().save(path)
    for mode in (0o600, 0o640):
        path.chmod(mode)
        _full().save(path)
        assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("where", ["", "missing/model.safetensors"])
def test_paths_that_cannot_be_written(where: str, tmp_path: Path) -> None:
    with pytest.raises(PathError, match="nothing was changed"):
        _full().save(tmp_path / where)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_what_format_md_says(tmp_path: Path) -> None:
    """Read without safetensors: 8 bytes of length, the JSON header, then the tensors."""
    path = tmp_path / "model.safetensors"
    net = _full()
    net.save(path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"]["nnlite_format"] == "1"
    assert json.loads(header["__metadata__"]["sizes"]) == [4, 5, 3]
    assert json.loads(header["__metadata__"]["labels"]) == ["a", "b", "c"]
    start, end = header["parameters"]["data_offsets"]
    assert content[8 + length + start : 8 + length + end] == net.parameters.astype("<f4").tobytes()
