"""What holds for every test: Hypothesis sets no limit on wall time, which a busy machine would break."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("nnlite", deadline=None)  # on top of Hypothesis' own, which differs under CI
# tests/test_extremes.py; the same ones each time, so that docs/NUMERICS.md can say what became of them
settings.register_profile("extremes", deadline=None, max_examples=10_000, derandomize=True)
# tests/fast: networks of hundreds of sizes
settings.register_profile("fast", deadline=None, max_examples=2_000)
settings.load_profile("nnlite")
