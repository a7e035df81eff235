"""Python and C give the same bits: functions of one number, inference and training over random networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, train
from nnlite.errors import DivergedError
from nnlite.kernels.step import (
    Shape,
    activation_count,
    begin_state,
    feature_rows,
    gradient_count,
    state_count,
    train_rows,
)
from nnlite.layout import HiddenActivation, OutputFunction, parameter_count
from nnlite.recipe import OPTIMIZERS, SCHEDULES, check_recipe
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


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """How to train: what `train` takes."""
    optimizer = draw(st.sampled_from(list(OPTIMIZERS)))
    return {
        "epochs": 3,
        "batch_size": draw(st.integers(1, 14)),
        "learning_rate": draw(st.sampled_from([0.02, 0.001])),
        "optimizer": optimizer,
        "momentum": draw(st.sampled_from([None, 0.0, 0.5])) if optimizer == "momentum" else None,
        "weight_decay": draw(st.sampled_from([0.0, 0.1])),
        "clip_norm": draw(st.sampled_from([None, 0.05, 2.0])),
        "schedule": draw(st.sampled_from(SCHEDULES)),
    }


@settings(max_examples=150)
@given(
    sizes=SIZES,
    hidden=st.sampled_from([*HiddenActivation]),
    output=st.sampled_from([*OutputFunction]),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 12),
    weighted=st.booleans(),
    frozen=st.integers(0, 3),
    recipe=recipes(),
)
def test_inference_and_training_agree_with_c(
    runtime: Runtime,
    sizes: list[int],
    hidden: HiddenActivation,
    output: OutputFunction,
    seed: int,
    rows: int,
    weighted: bool,
    frozen: int,
    recipe: dict[str, Any],
) -> None:
    generator = np.random.default_rng(seed)
    net = Network(sizes, hidden=hidden.name.lower(), output=output.name.lower(), seed=seed)
    X = generator.normal(size=(rows, sizes[0])).astype(np.float32)
    X[generator.random(X.shape) < 0.2] = 0.0
    labels, targets = np.zeros(0, np.int64), np.zeros((1, sizes[-1]), np.float32)
    if output == OutputFunction.SOFTMAX:
        net.labels = tuple(range(sizes[-1]))
        labels = generator.integers(0, sizes[-1], rows)
    else:
        targets = generator.uniform(0.0, 1.0, (rows, sizes[-1])).astype(np.float32)
    weights = generator.uniform(0.0, 2.0, rows).astype(np.float32) if weighted else np.zeros(0, np.float32)
    parameters = net.parameters.copy()
    assert same_bits(net.decision_function(X), runtime.infer_rows(net.kernel_shape(), parameters, X))

    frozen = min(frozen, len(sizes) - 2)
    history = train(
        net,
        X,
        labels if output == OutputFunction.SOFTMAX else targets,
        shuffle=False,
        progress=False,
        standardize=False,
        sample_weight=weights if weighted else None,
        last_layers=len(sizes) - 1 - frozen,
        **recipe,
    )
    how, shape = check_recipe(**recipe), net.kernel_shape(frozen)
    first = parameter_count(sizes[: frozen + 1])
    rows_in = X
    if frozen:
        rows_in = np.empty((rows, sizes[frozen]), np.float32)
        buffers = np.empty((2, max(sizes)), np.float32)
        feature_rows(net.kernel_shape(), parameters, X, rows_in, frozen, buffers)
    state = np.empty(state_count(shape, how.optimizer_number), np.float32)
    begin_state(state, how.optimizer_number)
    for epoch in range(how.epochs):
        seen, losses = runtime.train_rows(
            shape, parameters[first:], rows_in, labels, targets, weights, how.rule(epoch), state, how.batch_size
        )
        assert seen == -1
        assert history.loss[epoch] == float(np.mean(losses, dtype=np.float64))
    assert same_bits(net.parameters, parameters)
    assert same_bits(net.decision_function(X), runtime.infer_rows(net.kernel_shape(), parameters, X))


@settings(max_examples=150)
@given(
    hidden=st.sampled_from([*HiddenActivation]),
    output=st.sampled_from([*OutputFunction]),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-40, 1e-20, 1e5, 1e15, 1e20, 1e30, 3e38]),
    recipe=recipes(),
)
def test_both_stop_at_the_same_sample(
    runtime: Runtime, hidden: int, output: OutputFunction, seed: int, scale: float, recipe: dict[str, Any]
) -> None:
    """What leaves float32 does so on both sides at once; of what does not, the bits are the same."""
    generator = np.random.default_rng(seed)
    shape, rows, batch = Shape(np.array([3, 4, 2]), int(hidden), int(output)), 6, min(recipe["batch_size"], 6)
    X = (generator.uniform(-1.0, 1.0, (rows, 3)) * scale).astype(np.float32)
    parameters = generator.normal(size=26).astype(np.float32)
    labels = generator.integers(0, 2, rows) if output == OutputFunction.SOFTMAX else np.zeros(0, np.int64)
    targets = generator.uniform(0.0, 1.0, (rows, 2)).astype(np.float32)
    weights, rule = np.zeros(0, np.float32), check_recipe(**recipe).rule(0)
    state = np.empty(state_count(shape, rule.optimizer), np.float32)
    begin_state(state, rule.optimizer)
    mine, kept, losses = parameters.copy(), state.copy(), np.empty(rows, np.float32)
    records = np.empty((batch, activation_count(shape)), np.float32)
    gradients = np.empty((batch, gradient_count(shape)), np.float32)
    order = np.arange(rows)
    given = X, labels, targets, weights
    seen = train_rows(shape, mine, *given, order, rule, kept, records, gradients, losses)
    in_c, losses_in_c = runtime.train_rows(shape, parameters, *given, rule, state, batch)
    assert seen == in_c
    if seen < 0:
        assert same_bits(mine, parameters)
        assert same_bits(kept, state)
        assert same_bits(losses, losses_in_c)


@pytest.mark.parametrize("batch", [1, 3])
def test_both_refuse_a_step_that_leaves_float32(runtime: Runtime, batch: int) -> None:
    net = Network([3, 2], output="linear", seed=0)
    X, targets = np.full((4, 3), 1e20, np.float32), np.zeros((4, 2), np.float32)
    before, rule = net.parameters.copy(), check_recipe(1, batch, 1e20, "sgd").rule(0)
    nothing = np.zeros(0, np.int64), targets, np.zeros(0, np.float32)
    seen, _ = runtime.train_rows(net.kernel_shape(), before.copy(), X, *nothing, rule, np.zeros(0, np.float32), batch)
    assert seen == batch - 1
    with pytest.raises(DivergedError, match=f"epoch 1, sample {batch - 1}:"):
        train(net, X, targets, 1, batch, 1e20, shuffle=False, progress=False, standardize=False)
    assert same_bits(net.parameters, before)
