"""sigmoid and tanh: special values, symmetry and bounds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from nnlite.kernels.sigmoid_tanh import sigmoid_f32, tanh_f32

F = np.float32
LARGEST = F(3.4028235e38)
SMALLEST = F(1e-45)

SIGMOID = [
    (F(0.0), F(0.5)),
    (F(-0.0), F(0.5)),
    (F(np.inf), F(1.0)),
    (F(-np.inf), F(0.0)),
    (LARGEST, F(1.0)),
    (-LARGEST, F(0.0)),
    (SMALLEST, F(0.5)),
    (F(17.3287), F(1.0)),
    (F(17.32), F(1.0 - 2.0**-24)),
    (F(-103.97208), SMALLEST),
    (F(-103.97209), F(0.0)),
]
TANH = [
    (F(0.0), F(0.0)),
    (F(-0.0), F(-0.0)),
    (F(np.inf), F(1.0)),
    (F(-np.inf), F(-1.0)),
    (LARGEST, F(1.0)),
    (-LARGEST, F(-1.0)),
    (SMALLEST, SMALLEST),
    (F(-1e-40), F(-1e-40)),
    (F(1e-8), F(1e-8)),
    (F(0.7), F(math.tanh(F(0.7)))),
    (F(9.1), F(1.0)),
]


@pytest.mark.parametrize(("x", "wanted"), SIGMOID)
def test_sigmoid_at_its_edges(x: np.float32, wanted: np.float32) -> None:
    assert F(sigmoid_f32(x)).tobytes() == wanted.tobytes()


@pytest.mark.parametrize(("x", "wanted"), TANH)
def test_tanh_at_its_edges(x: np.float32, wanted: np.float32) -> None:
    assert F(tanh_f32(x)).tobytes() == wanted.tobytes()


def test_no_number_gives_no_number() -> None:
    assert math.isnan(sigmoid_f32(F(np.nan)))
    assert math.isnan(tanh_f32(F(np.nan)))


def test_subnormal_results_of_sigmoid_are_rounded_once() -> None:
    for x in np.arange(-103.9, -87.4, 0.37, np.float32):
        assert abs(float(sigmoid_f32(x)) - math.exp(float(x))) < 2.0**-149


def _numbers() -> npt.NDArray[np.float32]:
    """Every 40,009th float32 that is not below 0."""
    return np.arange(0, 0x7F800001, 40_009, dtype=np.uint32).view(np.float32)


def test_tanh_is_odd_to_the_last_bit() -> None:
    for x in _numbers():
        assert F(tanh_f32(-x)).tobytes() == F(-F(tanh_f32(x))).tobytes()


def test_sigmoid_and_the_one_of_the_opposite_are_one() -> None:
    for x in _numbers():
        y, rest = F(sigmoid_f32(x)), F(sigmoid_f32(-x))
        assert 0.0 <= rest <= 0.5 <= y <= 1.0
        assert y == F(1.0) - rest
