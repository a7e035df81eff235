"""sqrt: special values. tests/runtime/test_mirror_bits.py has every significand, scripts/ulp_report every input."""

from __future__ import annotations

import numpy as np
import pytest

from nnlite.kernels.sqrt import sqrt_f32

F = np.float32

SQRT = [
    (F(0.0), F(0.0)),
    (F(-0.0), F(-0.0)),
    (F(np.inf), F(np.inf)),
    (F(4.0), F(2.0)),
    (F(2.0), F(2.0**0.5)),
    (F(2.0**-148), F(2.0**-74)),
    (F(1e-45), F((2.0**-149) ** 0.5)),
    (F(3.4028235e38), F(1.8446743e19)),
    (F(-1.0), F(np.nan)),
    (F(-1e-45), F(np.nan)),
    (F(-np.inf), F(np.nan)),
    (F(np.nan), F(np.nan)),
]


@pytest.mark.parametrize(("x", "wanted"), SQRT)
def test_sqrt_at_its_edges(x: np.float32, wanted: np.float32) -> None:
    assert F(sqrt_f32(x)).tobytes() == wanted.tobytes()
