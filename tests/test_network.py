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
from tests import reference


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


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1], [3, 65_536], [3, 2.5], [True, 2], [2] * 18])
def test_sizes_that_cannot_be(sizes: list[Any]) -> None:
    with pytest.raises(UsageError, match="sizes must be"):
        Network(sizes)


@pytest.mark.parametrize("arguments", [{"hidden": "tanh"}, {"output": "sigmoid"}, {"seed": -1}, {"seed": 1.5}])
def test_arguments_that_cannot_be(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(arguments))):
        Network([2, 2], **arguments)


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
    ],
)
def test_samples_that_cannot_be(X: list[Any], message: str) -> None:
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
        (_tensors(), _metadata(hidden="tanh"), "hidden must be"),
        (_tensors(), _metadata(output="absent"), "no 'output'"),
        ({"other": np.zeros(9, np.float32)}, _metadata(), "no 'parameters'"),
        (_tensors(parameters=np.zeros(8, np.float32)), _metadata(), r"not float32 of shape \(9,\)"),
        (_tensors(parameters=np.zeros(9, np.float64)), _metadata(), "are float64"),
        (_tensors(parameters=np.full(9, np.nan, np.float32)), _metadata(), "number 0.* is nan"),
        (_tensors(mean=np.zeros(2, np.float32)), _metadata(), "no 'scale'"),
        (_tensors(mean=np.zeros(3, np.float32), scale=np.zeros(2, np.float32)), _metadata(), r"shape \(2,\)"),
        (_tensors(), _metadata(labels='["a", "b"]'), "not 3 different names"),
        (_tensors(), _metadata(labels='["a", "b", "b"]'), "not 3 different names"),
        (_tensors(), _metadata(labels='["a", "b", 3]'), "neither all text nor all integers"),
        (_tensors(), _metadata(labels="[[1], [2], [3]]"), "cannot be used"),
        (_tensors(), _metadata(features='["a"]'), "1 features for 2 inputs"),
        (_tensors(), _metadata(features="3"), "cannot be used"),
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
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path.write_bytes(content[:cut])
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
