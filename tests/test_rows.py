"""Samples in a memory-mapped file: the bits of those in memory, and never all of them in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, fast, rows, train
from nnlite.errors import DataError, DivergedError
from tests.runtime.native import same_bits


def _mapped(path: Path, values: Any) -> Any:
    np.save(path, values)
    return np.load(path, mmap_mode="r")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few rows make many parts."""
    monkeypatch.setattr(rows, "_PART", 64)


@pytest.mark.parametrize("kernels", ["plain", "fast"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("inputs", [1, 2, 3, 17])
@pytest.mark.parametrize("batch_size", [1, 8, 300])
@pytest.mark.usefixtures("small_parts", "fast_kernels")
def test_the_same_bits_as_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: str, dtype: Any, inputs: int, batch_size: int
) -> None:
    monkeypatch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, 0 if kernels == "fast" else np.inf))
    generator = np.random.default_rng(inputs)
    X = (generator.normal(size=(203, inputs)) * 30 + 99).astype(dtype)
    y, weights = generator.integers(3, size=203), generator.uniform(0, 2, 203)
    in_memory, in_file = Network([inputs, 5, 3]), Network([inputs, 5, 3])
    arguments: dict[str, Any] = {"epochs": 3, "batch_size": batch_size, "progress": False, "sample_weight": weights}
    arguments |= {"optimizer": "adam", "learning_rate": 0.01}
    history = train(in_memory, X, y, **arguments)
    assert train(in_file, _mapped(tmp_path / "X.npy", X), y, **arguments) == history
    assert same_bits(in_file.parameters, in_memory.parameters)
    for name in ("mean", "scale"):
        assert same_bits(getattr(in_file, name), getattr(in_memory, name))


@pytest.mark.usefixtures("small_parts")
def test_targets_in_a_file(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    in_memory, in_file = Network([6, 3, 6], output="linear"), Network([6, 3, 6], output="linear")
    mapped = _mapped(tmp_path / "X.npy", X)
    for last_layers in (None, 1):
        arguments: dict[str, Any] = {"epochs": 2, "batch_size": 4, "progress": False, "last_layers": last_layers}
        assert train(in_memory, X, X, **arguments) == train(in_file, mapped, mapped, **arguments)
    assert same_bits(in_file.parameters, in_memory.parameters)


@pytest.mark.usefixtures("small_parts")
def test_messages_name_the_row_in_the_file(tmp_path: Path) -> None:
    X = np.ones((90, 4), np.float32)
    X[71, 2] = np.nan
    with pytest.raises(DataError, match="row 71, column 2 is nan"):
        train(Network([4, 2]), _mapped(tmp_path / "a.npy", X), np.arange(90) % 2, progress=False)
    X[71, 2] = 3e38
    net = Network([4, 2])
    net.mean, net.scale = np.zeros(4, np.float32), np.full(4, 1e3, np.float32)
    with pytest.raises(DataError, match=r"row 71, column 2: .* leaves float32"):
        train(net, _mapped(tmp_path / "b.npy", X), np.arange(90) % 2, progress=False)
    targets = np.ones((90, 2), np.float32)
    targets[80, 1] = 2
    mapped = _mapped(tmp_path / "c.npy", np.ones((90, 4))), _mapped(tmp_path / "t.npy", targets)
    with pytest.raises(DataError, match="row 80: target 1 is 2"):
        train(Network([4, 2], output="sigmoid"), *mapped, progress=False)
    with pytest.raises(DataError, match="90 samples and 40 targets"):
        train(Network([4, 2], output="sigmoid"), mapped[0], mapped[1][:40], progress=False)
    with pytest.raises(DataError, match="takes"):
        train(Network([5, 2]), mapped[0], np.arange(90) % 2, progress=False)


@pytest.mark.parametrize("pays_from", [0, np.inf])
@pytest.mark.usefixtures("small_parts", "fast_kernels")
def test_what_diverges_is_named_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays_from: float) -> None:
    monkeypatch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, pays_from))
    X = np.random.default_rng(1).normal(size=(90, 4)).astype(np.float32)
    X[77] *= 1e38
    told = []
    for samples in (X, _mapped(tmp_path / "X.npy", X)):
        with pytest.raises(DivergedError) as error:
            train(Network([4, 3, 2]), samples, np.arange(90) % 2, progress=False, standardize=False, shuffle=False)
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "epoch 1" in told[0]


@pytest.mark.parametrize("pays_from", [0, np.inf])
@pytest.mark.usefixtures("fast_kernels")
def test_the_data_are_never_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays_from: float) -> None:
    """What is allocated at most, of 6 MB of data in parts of 64 kB."""
    monkeypatch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, pays_from))
    monkeypatch.setattr(rows, "_PART", 1 << 14)
    path = tmp_path / "X.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(60_000, 25))
    X[:] = np.random.default_rng(0).normal(size=X.shape).astype(np.float32)
    y = np.arange(60_000) % 2
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 32, "progress": False}
    train(Network([25, 4, 2]), X[:64], y[:64], **arguments)

    def peak(samples: Any) -> int:
        tracemalloc.start()
        try:
            train(Network([25, 4, 2]), samples, y, **arguments)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    in_memory = peak(np.asarray(X))
    assert in_memory > 6_000_000
    # what there is of each sample: its place in the order, twice, its class, its loss, its label
    assert peak(np.load(path, mmap_mode="r")) < 60_000 * 48
