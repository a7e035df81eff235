"""Kernels against the float64 oracle: sums within their rounding bound, networks and gradients closely."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlite.kernels.activation import activate, slope
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.loss import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import adam_update, decay_weights, momentum_update, sgd_update
from nnlite.kernels.softmax import softmax
from nnlite.kernels.standardize import standardize, standardize_rows
from nnlite.kernels.step import (
    Rule,
    Shape,
    activation_count,
    apply,
    backward,
    begin_state,
    forward,
    forward_record,
    gradient_count,
    parameter_count,
    state_count,
)
from nnlite.layout import HiddenActivation, OutputFunction
from nnlite.recipe import OPTIMIZERS
from tests import reference
from tests.golden.vectors import Record, agree, compute, words
from tests.gradients import one_hot, relative_error, target
from tests.runtime.native import same_bits

Floats = npt.NDArray[np.float32]
ROUNDING = 2.0**-24
SEEDS = st.integers(0, 2**32 - 1)
OUTPUTS = ["linear", "softmax", "sigmoid"]
SIZES = st.lists(st.integers(1, 8), min_size=2, max_size=5)


def _floats(generator: np.random.Generator, *shape: int, scale: float = 1.0) -> Floats:
    return (generator.normal(size=shape) * scale).astype(np.float32)


@given(seed=SEEDS, inputs=st.integers(1, 70), outputs=st.integers(1, 40))
def test_dense_within_the_bound_of_its_sums(seed: int, inputs: int, outputs: int) -> None:
    """A sum of n rounded products in order is off by at most about (n + 1) u sum |terms| (Higham, section 3.1)."""
    generator = np.random.default_rng(seed)
    x, W = _floats(generator, inputs), _floats(generator, inputs, outputs)
    b, dA = _floats(generator, outputs), _floats(generator, outputs)
    a, dX = np.empty(outputs, np.float32), np.empty(inputs, np.float32)
    dense_forward(x, W, b, a)
    dense_backward(dA, W, x, dX, int(HiddenActivation.RELU))
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
    np.testing.assert_allclose(dA, reference.logits_gradient(wanted, one_hot(label, outputs)), rtol=1e-5, atol=1e-6)
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
    y, y_hat = reference.softmax(a.tolist()), one_hot(int(generator.integers(outputs)), outputs)
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


@given(rows=st.integers(0, 5), inputs=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_many_samples_are_standardised_as_one(rows: int, inputs: int, seed: int) -> None:
    """Any bits: subnormals, infinities and NaN too, and what leaves float32 on the way, without a warning."""
    generator = np.random.default_rng(seed)
    X, (mean, scale) = (
        generator.integers(0, 2**32, (count, inputs), np.uint32).view(np.float32) for count in (rows, 2)
    )
    together, alone = np.empty_like(X), np.empty_like(X)
    with warnings.catch_warnings(action="error"):
        standardize_rows(X, mean, scale, together)
    for x, out in zip(X, alone, strict=True):
        standardize(x, mean, scale, out)
    lost = np.isnan(alone)
    assert (np.isnan(together) == lost).all()
    assert same_bits(together[~lost], alone[~lost])


@given(seed=SEEDS, n=st.integers(1, 20), scale=st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
def test_binary_cross_entropy(seed: int, n: int, scale: float) -> None:
    """Loss and gradient from the logits, also where a sigmoid is 0 or 1 in float32."""
    generator = np.random.default_rng(seed)
    a, y_hat = _floats(generator, n, scale=scale), generator.uniform(size=n).astype(np.float32)
    dA = np.empty(n, np.float32)
    loss = binary_cross_entropy(a, y_hat, dA)
    # max(a, 0) and a y_hat may cancel: what counts is how large they are, not their difference
    bound = (n + 4) * ROUNDING * float(np.sum(2 * np.abs(a.astype(np.float64)) + 1))
    assert abs(loss - reference.binary_cross_entropy_of_logits(a.tolist(), y_hat.tolist())) <= bound
    y = reference.output_of(a.tolist(), "sigmoid")
    np.testing.assert_allclose(dA, reference.logits_gradient(y, y_hat.tolist()), rtol=0, atol=4 * ROUNDING)


@given(seed=SEEDS, n=st.integers(1, 6))
def test_the_gradient_of_binary_cross_entropy(seed: int, n: int) -> None:
    """The form from the logits is the textbook's, and y - y_hat is its derivative."""
    generator = np.random.default_rng(seed)
    a, y_hat = generator.normal(size=n), generator.uniform(size=n).tolist()
    y, h = reference.output_of(a.tolist(), "sigmoid"), 1e-6
    from_logits = reference.binary_cross_entropy_of_logits
    assert reference.binary_cross_entropy(y, y_hat) == pytest.approx(from_logits(a.tolist(), y_hat), rel=1e-12)
    for j in range(n):
        up, down = a.copy(), a.copy()
        up[j] += h
        down[j] -= h
        numeric = (from_logits(up.tolist(), y_hat) - from_logits(down.tolist(), y_hat)) / (2 * h)
        assert numeric == pytest.approx(y[j] - y_hat[j], abs=1e-8)


@pytest.mark.parametrize("activation", HiddenActivation)
@given(seed=SEEDS, scale=st.sampled_from([1e-6, 1.0, 20.0]))
def test_activations_and_their_slopes(activation: HiddenActivation, seed: int, scale: float) -> None:
    """The kernel knows the slope from the output alone, the oracle from the sum."""
    name = activation.name.lower()
    a = _floats(np.random.default_rng(seed), 30, scale=scale)
    x = np.empty_like(a)
    activate(a, x, int(activation))
    np.testing.assert_allclose(x, [reference.ACTIVATIONS[name](value) for value in a.tolist()], rtol=3e-7)
    slopes = [float(slope(value, int(activation))) for value in x]
    # 1 - x cancels where x is near 1; what x is off by there is what the slope is off by
    np.testing.assert_allclose(
        slopes, [reference.SLOPES[name](value) for value in a.tolist()], rtol=1e-6, atol=2.0**-22
    )


@pytest.mark.parametrize("activation", HiddenActivation)
def test_nothing_hides_what_is_no_number(activation: HiddenActivation) -> None:
    a = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf], np.float32)
    activate(a, a, int(activation))
    assert np.isnan(a[0])
    assert a[3] > 0
    assert not np.any(np.isnan(a[1:]))
    if activation in (HiddenActivation.RELU, HiddenActivation.LEAKY_RELU):
        assert not np.any(np.signbit(a[1:3]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", reference.ACTIVATIONS)
@settings(max_examples=25)
@given(seed=SEEDS, sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_oracle_gradients_against_central_differences(
    hidden: str, output: str, weighted: bool, seed: int, sizes: list[int]
) -> None:
    """scripts/oracle_errors has the worst one over many in docs/NUMERICS.md."""
    error = relative_error(np.random.default_rng(seed), sizes, hidden, output, weighted)
    assume(error is not None)
    assert error < 1e-6


RULES = {
    "sgd": reference.Rule("sgd", 0.1),
    "momentum": reference.Rule("momentum", 0.05, (0.9, 0.0)),
    "adam": reference.Rule("adam", 0.01, (0.9, 0.999), 1e-7),
}


def _kernel_rule(rule: reference.Rule) -> Rule:
    numbers = [np.float32(value) for value in (rule.epsilon, rule.weight_decay, rule.clip_norm)]
    return Rule(OPTIMIZERS[rule.optimizer], np.float32(rule.learning_rate), np.array(rule.betas, np.float32), *numbers)


def _near_a_corner(hidden: str, layers: Sequence[reference.Layer], X: list[list[float]]) -> bool:
    """Whether binary32 may see a sum on the other side of ReLU's corner."""
    sums = [value for x in X for a in reference.sums(layers, x, hidden)[0][:-1] for value in a]
    return "relu" in hidden and any(abs(value) < 1e-5 for value in sums)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", reference.ACTIVATIONS)
@settings(max_examples=15)
@given(seed=SEEDS, sizes=SIZES, samples=st.integers(1, 5), extras=st.booleans(), frozen=st.integers(0, 2))
def test_steps_of_a_network(
    hidden: str, output: str, optimizer: str, seed: int, sizes: list[int], samples: int, extras: bool, frozen: int
) -> None:
    """Forward, backward and two updates; `extras` are sample weights, weight decay and clipping."""
    generator = np.random.default_rng(seed)
    frozen = min(frozen, len(sizes) - 2)
    numbers = HiddenActivation[hidden.upper()], OutputFunction[output.upper()]
    shape = Shape(np.array(sizes[frozen:]), *map(int, numbers))
    rule = dataclasses.replace(RULES[optimizer], **({"weight_decay": 0.1, "clip_norm": 0.3} if extras else {}))
    flat = _floats(generator, parameter_count(Shape(np.array(sizes), *map(int, numbers))), scale=0.5)
    trained = flat[flat.size - parameter_count(shape) :]
    X, outputs = _floats(generator, samples, sizes[0]), sizes[-1]
    weights = generator.uniform(0.0, 2.0, samples).astype(np.float32) if extras else np.ones(samples, np.float32)
    wanted = [np.array(target(generator, output, outputs), np.float32) for _ in range(samples)]
    layers, kept = reference.unflatten(sizes, flat), reference.State()
    state = np.empty(state_count(shape, OPTIMIZERS[optimizer]), np.float32)
    begin_state(state, OPTIMIZERS[optimizer])

    records = np.empty((samples, activation_count(shape)), np.float32)
    dA = np.empty((samples, gradient_count(shape)), np.float32)
    a, b = np.empty(max(sizes), np.float32), np.empty(max(sizes), np.float32)
    for _ in range(2):
        assume(not _near_a_corner(hidden, layers, X.tolist()))
        losses = []
        for k, (x, y_hat, weight) in enumerate(zip(X, wanted, weights, strict=True)):
            exact = reference.forward(layers, x.tolist(), hidden)[frozen:]
            records[k, : sizes[frozen]] = exact[0]
            forward_record(shape, trained, records[k])
            flat_exact = [value for out in exact for value in out]
            np.testing.assert_allclose(records[k], flat_exact, rtol=1e-5, atol=1e-5)
            losses.append(backward(shape, trained, records[k], int(np.argmax(y_hat)), y_hat, weight, dA[k]))
            expected = reference.backward(layers, x.tolist(), y_hat.tolist(), hidden, output, float(weight))[frozen:]
            np.testing.assert_allclose(dA[k], [v for layer in expected for v in layer], rtol=1e-4, atol=1e-5)
            a[: sizes[frozen]] = records[k, : sizes[frozen]]
            logits = (a, b)[forward(shape, trained, a, b)][:outputs]
            np.testing.assert_array_equal(logits, records[k, -outputs:])
        assert apply(shape, trained, records, dA, _kernel_rule(rule), state)
        given_to_oracle = X.tolist(), [y.tolist() for y in wanted], weights.tolist()
        layers, each = reference.step(layers, *given_to_oracle, hidden, output, rule, kept, frozen)
        np.testing.assert_allclose(losses, each, rtol=1e-4, atol=1e-5)
        # Adam divides a gradient by its own size, so that of one next to 0 only the direction of the rounding is left
        loose = 2.5 * rule.learning_rate if optimizer == "adam" else 1e-4
        np.testing.assert_allclose(flat, reference.flatten(layers), rtol=1e-4, atol=loose)
        if optimizer == "adam":
            moved = np.abs(np.array(reference.mean_gradient(layers, *given_to_oracle, hidden, output)))
            sure = moved > 1e-3
            np.testing.assert_allclose(flat[sure], np.array(reference.flatten(layers))[sure], rtol=1e-3, atol=1e-3)


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


def _update(name: str, layer: tuple[Floats, Floats, Floats, Floats], kept: Floats) -> bool:
    """One update of a layer that changes `layer` and `kept`."""
    tenth, none = np.float32(0.1), np.float32(1e-7)
    if name == "momentum":
        return momentum_update(*layer, kept, np.float32(1.0), tenth, np.float32(0.9))
    if name == "adam":
        betas = np.array([0.9, 0.999], np.float32)
        return adam_update(*layer, kept, np.abs(kept), np.float32(1.0), tenth, betas, betas, none)
    return sgd_update(*layer, tenth)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@given(seed=SEEDS, inputs=st.integers(1, 5), outputs=st.integers(1, 5), samples=st.integers(1, 3))
def test_no_parameter_becomes_minus_zero(optimizer: str, seed: int, inputs: int, outputs: int, samples: int) -> None:
    """Of zeros, of values that cancel and of subnormal ones, with weight decay in front."""
    generator = np.random.default_rng(seed)
    few = np.array([0.0, 1.0, -1.0, 1e-45, -1e-45, 1e-38, 0.1, -0.1], np.float32)

    def drawn(*shape: int) -> Floats:
        return generator.choice(few, shape).astype(np.float32)

    layer = drawn(inputs, outputs), drawn(outputs), drawn(samples, inputs), -drawn(samples, outputs)
    decay_weights(layer[0], np.float32(generator.choice(np.array([0.9999999, 0.5, 0.1], np.float32))))
    assert not np.any(np.signbit(layer[0]) & (layer[0] == 0))
    assert _update(optimizer, layer, -drawn(inputs * outputs + outputs))
    for values in layer[:2]:
        assert not np.any(np.signbit(values) & (values == 0))


@pytest.mark.parametrize("name", ["sgd_update", "momentum_update", "adam_update", "gradient_square", "decay_weights"])
@given(seed=SEEDS, inputs=st.integers(1, 7), outputs=st.integers(1, 7), samples=st.integers(1, 4))
def test_updates_of_a_layer(name: str, seed: int, inputs: int, outputs: int, samples: int) -> None:
    generator = np.random.default_rng(seed)

    def numbers(*values: float) -> Floats:
        return np.array(values, np.float32)

    count = inputs * outputs + outputs
    X, dA = _floats(generator, samples * inputs), _floats(generator, samples * outputs)
    layer = [_floats(generator, inputs * outputs), _floats(generator, outputs), X, dA]
    kept = [_floats(generator, count), np.abs(_floats(generator, count)) + np.float32(0.01)]
    given_to = {
        "sgd_update": [*layer, numbers(0.1)],
        "momentum_update": [*layer, kept[0], numbers(1 / samples, 0.1, 0.9)],
        "adam_update": [*layer, *kept, numbers(1 / samples, 0.01, 0.9, 0.999, 0.81, 0.998, 1e-7)],
        "gradient_square": [X, dA, numbers(0.5), np.array([samples])],
        "decay_weights": [layer[0], numbers(0.1)],
    }[name]
    inputs_as_words = tuple(words(array) for array in given_to)
    assert agree(Record(name, inputs_as_words, compute(name, inputs_as_words)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("where", ["X", "dA"])
def test_an_update_reports_what_is_not_finite(optimizer: str, bad: float, where: str) -> None:
    weights, bias = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    X, dA = np.ones((2, 3), np.float32), np.ones((2, 2), np.float32)
    (X if where == "X" else dA)[1, 1] = bad
    assert not _update(optimizer, (weights, bias, X, dA), np.ones(8, np.float32))


@pytest.mark.parametrize("gradient", [1e25, 2e19, 6e20])
def test_an_infinite_second_moment_is_told(gradient: float) -> None:
    """Also one that is infinite only when it is corrected; the parameters would stand still, and nobody would know."""
    layer = (
        np.ones((1, 1), np.float32),
        np.ones(1, np.float32),
        np.ones((1, 1), np.float32),
        np.full((1, 1), gradient, np.float32),
    )
    assert not _update("adam", layer, np.zeros(2, np.float32))
    assert np.all(np.isinf(layer[0]))
