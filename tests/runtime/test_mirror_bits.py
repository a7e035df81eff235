"""Python and C give the same bits: functions of one number, inference and training over random networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnlite import Network, train
from nnlite.errors import DivergedError
from tests.golden.vectors import ELEMENTARY, compute, words
from tests.runtime.native import Runtime, same_bits

SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=5)


@pytest.mark.parametrize("name", ELEMENTARY)
def test_functions_of_one_number_agree_with_c(runtime: Runtime, name: str) -> None:
    x = np.arange(0, 1 << 32, 40_009, np.uint64).astype(np.uint32).view(np.float32)
    x = x[~np.isnan(x)]
    assert same_bits(runtime.sweep(name, x), compute(name, (words(x),))[0].view(np.float32))


def test_the_root_found_digit_by_digit_is_the_instruction_s(runtime: Runtime) -> None:
    """Every significand at an odd and an even exponent; all other exponents only shift the result."""
    x = np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32)
    assert same_bits(runtime.sweep("sqrt_f32", x), np.sqrt(x))


@settings(max_examples=60)
@given(
    sizes=SIZES, linear=st.booleans(), seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 12), batch=st.integers(1, 14)
)
@example(sizes=[15, 16, 7], linear=False, seed=0, rows=12, batch=1)
@example(sizes=[3, 2], linear=True, seed=1, rows=7, batch=3)  # a last batch of one
@example(sizes=[3, 4, 4, 4, 2], linear=False, seed=2, rows=5, batch=4)
def test_inference_and_training_agree_with_c(
    runtime: Runtime, sizes: list[int], linear: bool, seed: int, rows: int, batch: int
) -> None:
    generator = np.random.default_rng(seed)
    net = Network(sizes, output="linear" if linear else "softmax", seed=seed)
    net.labels = None if linear else tuple(range(sizes[-1]))
    X = generator.normal(size=(rows, sizes[0])).astype(np.float32)
    X[generator.random(X.shape) < 0.2] = 0.0
    labels = generator.integers(0, sizes[-1], rows)
    targets = generator.normal(size=(rows, sizes[-1])).astype(np.float32)
    parameters = net.parameters.copy()
    assert same_bits(net.decision_function(X), runtime.infer(sizes, parameters, X))

    epochs, rate = 3, 0.02
    wanted = targets if linear else labels
    history = train(
        net,
        X,
        wanted,
        epochs=epochs,
        batch_size=batch,
        learning_rate=rate,
        shuffle=False,
        progress=False,
        standardize=False,
    )
    for epoch in range(epochs):
        finite, losses = runtime.learn(sizes, not linear, parameters, X, labels, targets, batch, rate)
        assert finite
        assert history.loss[epoch] == float(np.mean(losses, dtype=np.float64))
    assert same_bits(net.parameters, parameters)
    assert same_bits(net.decision_function(X), runtime.infer(sizes, parameters, X))


@pytest.mark.parametrize("batch", [1, 3])
def test_both_refuse_a_step_that_leaves_float32(runtime: Runtime, batch: int) -> None:
    net = Network([3, 2], output="linear", seed=0)
    X, targets = np.full((4, 3), 1e20, np.float32), np.zeros((4, 2), np.float32)
    before = net.parameters.copy()
    finite, _ = runtime.learn([3, 2], False, before.copy(), X, np.zeros(4, np.int64), targets, batch, 1e20)
    assert not finite
    with pytest.raises(DivergedError, match="epoch 1, sample"):
        train(net, X, targets, batch_size=batch, learning_rate=1e20, progress=False, standardize=False)
    assert same_bits(net.parameters, before)
