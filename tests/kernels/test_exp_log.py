"""exp and log: special values, subnormal results, order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnlite.kernels.exp_log import exp_f32, is_finite, log_f32

F = np.float32
LARGEST = F(3.4028235e38)
SMALLEST = F(1e-45)

EXP = [
    (F(0.0), F(1.0)),
    (F(-0.0), F(1.0)),
    (F(-np.inf), F(0.0)),
    (F(np.inf), F(np.inf)),
    (LARGEST, F(np.inf)),
    (-LARGEST, F(0.0)),
    (F(88.72284), F(np.inf)),
    (F(-103.97209), F(0.0)),
    (F(-103.97208), SMALLEST),
    (SMALLEST, F(1.0)),
    (F(1e-10), F(1.0)),
]
LOG = [
    (F(1.0), F(0.0)),
    (F(0.0), F(-np.inf)),
    (F(-0.0), F(-np.inf)),
    (F(np.inf), F(np.inf)),
    (SMALLEST, F(math.log(2.0**-149))),
    (LARGEST, F(math.log(float(LARGEST)))),
    (F(2.0), F(math.log(2.0))),
]


@pytest.mark.parametrize(("x", "wanted"), EXP)
def test_exp_at_its_edges(x: np.float32, wanted: np.float32) -> None:
    assert F(exp_f32(x)).tobytes() == wanted.tobytes()


@pytest.mark.parametrize(("x", "wanted"), LOG)
def test_log_at_its_edges(x: np.float32, wanted: np.float32) -> None:
    assert F(log_f32(x)).tobytes() == wanted.tobytes()


def test_no_number_gives_no_number() -> None:
    assert math.isnan(exp_f32(F(np.nan)))
    for x in (np.nan, -1.0, -1e-45, -np.inf):
        assert math.isnan(log_f32(F(x)))


def test_subnormal_results_are_rounded_once() -> None:
    for x in np.arange(-103.9, -87.4, 0.37, np.float32):
        assert abs(float(exp_f32(x)) - math.exp(float(x))) < 2.0**-149


def test_exp_rises() -> None:
    """Neighbouring inputs never give results in the wrong order by more than the last place."""
    x = np.linspace(-20, 20, 20_001, dtype=np.float32)
    y = np.array([exp_f32(value) for value in x], np.float32)
    assert np.all(np.diff(y) > 0)


@pytest.mark.parametrize("x", [0.0, -0.0, 1e-45, 3.4028235e38, -3.4028235e38])
def test_finite(x: float) -> None:
    assert is_finite(F(x))


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_not_finite(x: float) -> None:
    assert not is_finite(F(x))
