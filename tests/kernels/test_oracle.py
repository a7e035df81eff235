"""Kernels against the float64 oracle: sums within their rounding bound, networks and gradients closely."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.loss import mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import sgd_update
from nnlite.kernels.softmax import softmax
from nnlite.kernels.standardize import standardize
from nnlite.kernels.step import (
    Shape,
    activation_count,
    apply,
    backward,
    forward,
    forward_record,
    gradient_count,
    parameter_count,
)
from tests import reference

Floats = npt.NDArray[np.float32]
ROUNDING = 2.0**-24
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(1, 8), min_size=2, max_size=5)


def _floats(generator: np.random.Generator, *shape: int, scale: float = 1.0) -> Floats:
    return (generator.normal(size=shape) * scale).astype(np.float32)


def _one_hot(label: int, outputs: int) -> list[float]:
    return [1.0 if j == label else 0.0 for j in range(outputs)]


@given(seed=SEEDS, inputs=st.integers(1, 70), outputs=st.integers(1, 40))
def test_dense_within_the_bound_of_its_sums(seed: int, inputs: int, outputs: int) -> None:
    """A sum of n rounded products in order is off by at most about (n + 1) u sum |terms| (Higham, section 3.1)."""
    generator = np.random.default_rng(seed)
    x, W = _floats(generator, inputs), _floats(generator, inputs, outputs)
    b, dA = _floats(generator, outputs), _floats(generator, outputs)
    a, dX = np.empty(outputs, np.float32), np.empty(inputs, np.float32)
    dense_forward(x, W, b, a)
    dense_backward(dA, W, x, dX)
    wanted = reference.accumulate(x.tolist(), W.tolist(), b.tolist())
    terms = np.abs(x.astype(np.float64)) @ np.abs(W.astype(np.float64)) + np.abs(b)
    assert np.all(np.abs(a - wanted) <= 1.01 * (inputs + 1) * ROUNDING * terms)
    back = np.where(x > 0, W.astype(np.float64) @ dA.astype(np.float64), 0.0)
    terms = np.abs(W.astype(np.float64)) @ np.abs(dA.astype(np.float64))
    assert np.all(np.abs(dX - back) <= 1.01 * (outputs + 1) * ROUNDING * terms)
    assert not np.any(np.signbit(dX[x <= 0]))


@given(seed=SEEDS, outputs=st.integers(1, 30), scale=st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
def test_softmax_and_its_loss(seed: int, outputs: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    a = _floats(generator, outputs, scale=scale)
    label = int(generator.integers(outputs))
    y, dA = np.empty_like(a), np.empty_like(a)
    softmax(a, y)
    loss = softmax_cross_entropy(a, label, dA)
    wanted = reference.softmax(a.tolist())
    tolerance = (outputs + 8) * 2 * ROUNDING * (1 + np.ptp(a))
    np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=1e-44)
    np.testing.assert_allclose(dA, reference.logits_gradient(wanted, _one_hot(label, outputs)), rtol=1e-5, atol=1e-6)
    shifted = a.astype(np.float64) - a.max()
    assert loss == pytest.approx(math.log(math.fsum(np.exp(shifted))) - shifted[label], rel=1e-5, abs=2e-6)


def test_softmax_where_other_forms_fail() -> None:
    """e^200 overflows, and scaling the logits down to 78 would give .980 / .020 instead."""
    y = np.empty(3, np.float32)
    softmax(np.array([200.0, 190.0, -50.0], np.float32), y)
    np.testing.assert_allclose(y, reference.softmax([200.0, 190.0, -50.0]), rtol=1e-6, atol=1e-44)
    dA = np.empty(2, np.float32)
    assert softmax_cross_entropy(np.array([0.0, 1000.0], np.float32), 0, dA) == 1000.0  # log(y) would be -inf
    np.testing.assert_array_equal(dA, [-1.0, 1.0])


@given(seed=SEEDS, outputs=st.integers(2, 6))
def test_the_derivation_of_the_logits_gradient(seed: int, outputs: int) -> None:
    """Eqs 11 to 17 are one value in four forms, and the derivative of eq. 2."""
    generator = np.random.default_rng(seed)
    a = generator.normal(size=outputs)
    y, y_hat = reference.softmax(a.tolist()), _one_hot(int(generator.integers(outputs)), outputs)
    final = reference.logits_gradient(y, y_hat)
    for j in range(outputs):
        assert reference.logits_gradient_by_chain(y, y_hat, j) == pytest.approx(final[j], abs=1e-12)
        assert reference.logits_gradient_split(y, y_hat, j) == pytest.approx(final[j], abs=1e-12)
        h = 1e-6
        up, down = a.copy(), a.copy()
        up[j] += h
        down[j] -= h
        losses = [reference.cross_entropy(reference.softmax(v.tolist()), y_hat) for v in (up, down)]
        assert (losses[0] - losses[1]) / (2 * h) == pytest.approx(final[j], abs=1e-8)
    assert reference.batch_cross_entropy([y, y], [y_hat, y_hat]) == pytest.approx(reference.cross_entropy(y, y_hat))


@given(seed=SEEDS, n=st.integers(1, 20))
def test_squared_error_and_standardising(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    y, y_hat, dA = _floats(generator, n), _floats(generator, n), np.empty(n, np.float32)
    loss = mean_squared_error(y, y_hat, dA)
    assert loss == pytest.approx(reference.squared_error(y.tolist(), y_hat.tolist()), rel=1e-5)
    np.testing.assert_array_equal(dA, y - y_hat)
    out = np.empty(n, np.float32)
    standardize(y, y_hat, dA, out)
    np.testing.assert_array_equal(out, (y - y_hat) * dA)


@pytest.mark.parametrize("linear", [False, True])
@settings(max_examples=40)
@given(seed=SEEDS, sizes=SIZES)
def test_oracle_gradients_against_central_differences(linear: bool, seed: int, sizes: list[int]) -> None:
    generator = np.random.default_rng(seed)
    flat = generator.normal(size=sum(i * o + o for i, o in pairwise(sizes)))
    x = generator.normal(size=sizes[0]).tolist()
    y_hat = (
        generator.normal(size=sizes[-1]).tolist() if linear else _one_hot(int(generator.integers(sizes[-1])), sizes[-1])
    )
    layers = reference.unflatten(sizes, flat)
    hidden = [value for out in reference.forward(layers, x)[1:-1] for value in out]
    if any(0.0 < value < 1e-4 for value in hidden):
        return  # a step across ReLU's corner would compare two slopes
    analytic = reference.flatten(reference.gradients(layers, x, y_hat, linear))
    h = 1e-6
    for n in range(flat.size):
        losses = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[n] += sign * h
            losses.append(reference.loss(reference.unflatten(sizes, moved), x, y_hat, linear))
        numeric = (losses[0] - losses[1]) / (2 * h)
        assert analytic[n] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("linear", [False, True])
@settings(max_examples=60)
@given(seed=SEEDS, sizes=SIZES, samples=st.integers(1, 5))
def test_a_step_of_a_network(linear: bool, seed: int, sizes: list[int], samples: int) -> None:
    generator = np.random.default_rng(seed)
    shape = Shape(np.array(sizes), not linear)
    parameters = _floats(generator, parameter_count(shape), scale=0.5)
    X = _floats(generator, samples, sizes[0])
    labels = generator.integers(0, sizes[-1], samples)
    targets = _floats(generator, samples, sizes[-1])
    wanted = targets.tolist() if linear else [_one_hot(int(label), sizes[-1]) for label in labels]
    layers = reference.unflatten(sizes, parameters)

    records = np.empty((samples, activation_count(shape)), np.float32)
    dA = np.empty((samples, gradient_count(shape)), np.float32)
    a, b = np.empty(max(sizes), np.float32), np.empty(max(sizes), np.float32)
    losses = []
    for k in range(samples):
        records[k, : sizes[0]] = X[k]
        forward_record(shape, parameters, records[k])
        outputs = [value for out in reference.forward(layers, X[k].tolist()) for value in out]
        np.testing.assert_allclose(records[k], outputs, rtol=1e-5, atol=1e-5)
        losses.append(backward(shape, parameters, records[k], int(labels[k]), targets[k], dA[k]))
        expected = [v for layer in reference.backward(layers, X[k].tolist(), wanted[k], linear) for v in layer]
        hidden = np.array(outputs[sizes[0] : len(outputs) - sizes[-1]])
        if not np.any((hidden > 0) & (hidden < 1e-5)):
            np.testing.assert_allclose(dA[k], expected, rtol=1e-4, atol=1e-5)
        a[: sizes[0]] = X[k]
        np.testing.assert_array_equal(forward(shape, parameters, a, b), records[k, -sizes[-1] :])
    before = parameters.copy()
    assert apply(shape, parameters, records, dA, np.float32(0.1))
    after, each = reference.step(layers, X.tolist(), wanted, linear, 0.1)
    np.testing.assert_allclose(losses, each, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(parameters, reference.flatten(after), rtol=1e-3, atol=1e-4)
    assert sizes[-1] == 1 or linear or not np.array_equal(parameters, before)


def _plainly(weights: Floats, bias: Floats, X: Floats, dA: Floats, rate: np.float32) -> tuple[Floats, Floats]:
    """The update as the contract has it: g from +0, nothing skipped, numpy scalars one operation at a time."""
    u = (dA * rate).astype(np.float32)
    weights, bias = weights.copy(), bias.copy()
    for i in range(weights.shape[0]):
        for j in range(bias.size):
            g = np.float32(0.0)
            for k in range(X.shape[0]):
                g = g + u[k, j] * X[k, i]
            weights[i, j] = weights[i, j] - g
    for j in range(bias.size):
        g = np.float32(0.0)
        for k in range(X.shape[0]):
            g = g + u[k, j]
        bias[j] = bias[j] - g
    return weights, bias


@settings(max_examples=100)
@given(seed=SEEDS, inputs=st.integers(1, 6), outputs=st.integers(1, 6), samples=st.integers(1, 4))
def test_zeros_leave_no_trace(seed: int, inputs: int, outputs: int, samples: int) -> None:
    """A sum begun with its first product, and the sums ReLU skips, change no bit, whatever the signs of zeros."""
    generator = np.random.default_rng(seed)
    zeros = np.array([0.0, -0.0], np.float32)

    def with_zeros(*shape: int) -> Floats:
        values = _floats(generator, *shape)
        return np.where(generator.random(shape) < 0.5, generator.choice(zeros, shape), values).astype(np.float32)

    weights, bias = with_zeros(inputs, outputs) + np.float32(0.0), with_zeros(outputs) + np.float32(0.0)
    X, dA, rate = with_zeros(samples, inputs), with_zeros(samples, outputs), np.float32(0.25)
    wanted = _plainly(weights, bias, X, dA, rate)
    assert sgd_update(weights, bias, X, dA.copy(), rate)
    for got, expected in zip((weights, bias), wanted, strict=True):
        np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
        assert not np.any(np.signbit(got) & (got == 0)), "no parameter becomes -0"


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("where", ["X", "dA"])
def test_an_update_reports_what_is_not_finite(bad: float, where: str) -> None:
    weights, bias = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    X, dA = np.ones((2, 3), np.float32), np.ones((2, 2), np.float32)
    (X if where == "X" else dA)[1, 1] = bad
    assert not sgd_update(weights, bias, X, dA, np.float32(0.1))
