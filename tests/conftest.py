"""What holds for every test: Hypothesis sets no limit on wall time, which a busy machine would break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("nnlite", deadline=None)  # on top of Hypothesis' own, which differs under CI
# tests/test_extremes.py; the same ones each time, so that docs/NUMERICS.md can say what became of them
settings.register_profile("extremes", deadline=None, max_examples=10_000, derandomize=True)
# tests/fast: networks of hundreds of sizes
settings.register_profile("fast", deadline=None, max_examples=2_000)
settings.load_profile("nnlite")


@pytest.fixture(scope="session")
def fast_kernels() -> None:
    """The fast kernels in this process, whatever is on disk: a training that must do without them at first takes the
    plain ones, to the same bits, and a test of the fast ones would not notice.
    """
    from nnlite.fast.beside import compile_for
    from nnlite.kernels.step import Shape

    for one_by_one in (True, False):
        compile_for(Shape(np.array([2, 2]), 1, 1), one_by_one, measures=True, tiny=False)
