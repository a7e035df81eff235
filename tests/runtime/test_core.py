"""The inner loops of every core against the kernels: sizes that no block divides, and numbers of every kind.

What is no number has nobody's bits, so NaN is as good as NaN; where the update leaves float32 it must say so.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlite.kernels.activation import LEAKY_RELU, RELU, SIGMOID, TANH
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.optimizer import sgd_update
from tests.runtime.emulated import BUILDS, core_of
from tests.runtime.native import Floats, Layer, LayerResult, Runtime

NAMED = np.array([0.0, 1e-45, -1e-45, 1e-38, -1.1754944e-38, 1.0, -1.0, 1e20, -1e20, 3.4028235e38], np.float32)
ENDLESS = np.array([np.inf, -np.inf, np.nan], np.float32)
#: scales of ordinary numbers: next to 1, where products are subnormal, and where they overflow
SCALES = (1.0, 1.0, 1e-20, 1e-38, 1e10, 1e19)


class Computes(Protocol):
    """A library or a core."""

    def layer(self, layer: Layer) -> LayerResult:
        """What `one_layer` makes of it."""
        ...


@pytest.fixture(scope="module", params=["native", *BUILDS])
def computer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Computes:
    if request.param == "native":
        runtime = request.getfixturevalue("runtime")
        assert isinstance(runtime, Runtime)
        return runtime
    return core_of(request.param, tmp_path_factory.mktemp("core"))


def _numbers(generator: np.random.Generator, shape: tuple[int, ...], special: float, endless: bool) -> Floats:
    """Ordinary numbers of one scale, with a share of named ones, and of what is not finite."""
    with np.errstate(over="ignore"):
        numbers = (generator.normal(size=shape) * generator.choice(SCALES)).astype(np.float32)
    named = np.concatenate([NAMED, ENDLESS]) if endless else NAMED
    chosen = generator.random(shape) < special
    numbers[chosen] = generator.choice(named, int(chosen.sum()))
    return numbers


def _expected(layer: Layer) -> LayerResult:
    """By the kernels."""
    weights, bias, X, dA, _ = layer.arrays()
    out, dX = np.empty(layer.outputs, np.float32), np.empty(layer.inputs, np.float32)
    dense_forward(X[0], weights, bias, out)
    dense_backward(dA[0], weights, X[0], dX, layer.activation)
    return LayerResult(sgd_update(weights, bias, X, dA, layer.rate), out, dX, weights.ravel(), bias)


def _same(left: Floats, right: Floats) -> bool:
    """Every bit, but of what is no number."""
    return bool(np.all((left.view(np.uint32) == right.view(np.uint32)) | (np.isnan(left) & np.isnan(right))))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inputs=st.integers(1, 19),
    outputs=st.integers(1, 19),
    samples=st.sampled_from([1, 1, 1, 3]),
    activation=st.sampled_from([RELU, LEAKY_RELU, SIGMOID, TANH]),
    seed=st.integers(0, 2**32 - 1),
    special=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    endless=st.booleans(),
)
def test_a_layer_has_the_kernels_bits(
    computer: Computes,
    inputs: int,
    outputs: int,
    samples: int,
    activation: int,
    seed: int,
    special: float,
    endless: bool,
) -> None:
    generator = np.random.default_rng(seed)
    layer = Layer(
        weights=_numbers(generator, (inputs, outputs), special, False),  # parameters are finite before every step
        bias=_numbers(generator, (outputs,), special, False),
        X=_numbers(generator, (samples, inputs), special, endless),
        da=_numbers(generator, (samples, outputs), special, endless),
        rate=np.float32(generator.choice([0.05, 1e-30, 1e10])),
        activation=activation,
    )
    layer.weights[layer.weights == 0], layer.bias[layer.bias == 0] = 0.0, 0.0  # no parameter is -0
    got, wanted = computer.layer(layer), _expected(layer)
    assert _same(got.out, wanted.out)
    assert _same(got.dx, wanted.dx)
    assert got.finite == wanted.finite
    if wanted.finite:
        assert _same(got.weights, wanted.weights)
        assert _same(got.bias, wanted.bias)


@pytest.mark.parametrize("where", ["X", "dA"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("outputs", range(1, 16))
def test_one_value_that_is_not_finite_is_seen(computer: Computes, where: str, value: float, outputs: int) -> None:
    """Wherever it stands, in every width of a block."""
    generator = np.random.default_rng(outputs)
    inputs = 7
    shapes = {"weights": (inputs, outputs), "bias": (outputs,), "X": (1, inputs), "dA": (1, outputs)}
    for at in range(int(np.prod(shapes[where]))):
        arrays = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        arrays[where].flat[at] = value
        layer = Layer(arrays["weights"], arrays["bias"], arrays["X"], arrays["dA"], np.float32(0.05), RELU)
        assert not computer.layer(layer).finite, f"{where}[{at}]"


@pytest.mark.parametrize("outputs", range(1, 16))
def test_one_value_that_overflows_is_seen(computer: Computes, outputs: int) -> None:
    inputs, largest = 7, np.finfo(np.float32).max
    for at in range(inputs * outputs + outputs):
        parameters = np.zeros(inputs * outputs + outputs, np.float32)
        parameters[at] = -largest
        layer = Layer(
            weights=parameters[: inputs * outputs].reshape(inputs, outputs),
            bias=parameters[inputs * outputs :],
            X=np.ones((1, inputs), np.float32),
            da=np.full((1, outputs), largest, np.float32),
            rate=np.float32(1.0),
            activation=RELU,
        )
        assert not computer.layer(layer).finite, f"parameter {at}"


@pytest.mark.parametrize("outputs", range(1, 16))
def test_one_value_that_is_rounded_to_infinity_is_seen(computer: Computes, outputs: int) -> None:
    """Half a unit beyond the largest number."""
    inputs, largest = 7, np.finfo(np.float32).max
    for at in range(inputs * outputs + outputs):
        parameters = np.zeros(inputs * outputs + outputs, np.float32)
        parameters[at] = largest
        layer = Layer(
            weights=parameters[: inputs * outputs].reshape(inputs, outputs),
            bias=parameters[inputs * outputs :],
            X=np.ones((1, inputs), np.float32),
            da=np.full((1, outputs), -(2.0**103), np.float32),
            rate=np.float32(1.0),
            activation=RELU,
        )
        assert not computer.layer(layer).finite, f"parameter {at}"
