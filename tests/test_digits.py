"""Handwritten digits, as scikit-learn has them: 8 by 8 pixels from 0 to 16, ten classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nnlite import Network, train


@pytest.mark.parametrize("seed", range(3))
def test_digits_of_a_held_out_quarter(seed: int) -> None:
    X, y = load_digits(return_X_y=True)
    rows = np.random.Generator(np.random.PCG64(seed)).permutation(y.size)
    held_out, kept = np.split(rows, [y.size // 4])
    net = Network([64, 32, 10], seed=seed)
    # without a standardiser: some pixels are dark in nearly all pictures, and it would make much of the others
    train(net, X[kept] / 16, y[kept], epochs=30, progress=False, standardize=False)
    assert np.mean(net.predict(X[held_out] / 16) == y[held_out]) >= 0.96
