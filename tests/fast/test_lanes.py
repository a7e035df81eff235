"""The vocabulary of the fast kernels, word by word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from nnlite.fast import elementary
from nnlite.fast.lanes import LANES, load, pointer, store, transpose
from nnlite.fast.sums import ADJACENT, CONTINUE, STORE, SUBTRACT, sums_of_products, sums_of_some_products
from nnlite.kernels import exp_log, sigmoid_tanh
from tests.runtime.native import same_bits

FUNCTIONS = {
    "exp": (elementary.exp_lanes, exp_log.exp_f32),
    "log": (elementary.log_lanes, exp_log.log_f32),
    "sigmoid": (elementary.sigmoid_lanes, sigmoid_tanh.sigmoid_f32),
    "tanh": (elementary.tanh_lanes, sigmoid_tanh.tanh_f32),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_sixteen_numbers_are_those_of_one(name: str) -> None:
    """Every 1,009th number, and those next to each power of two; a lane must not see its neighbours."""
    lanes, scalar = FUNCTIONS[name]

    @njit
    def side_by_side(x: Any, out: Any) -> None:
        source, target = pointer(x, 0), pointer(out, 0)
        for n in range(0, x.size, LANES):
            store(lanes(load(source, n)), target, n)

    @njit
    def one_by_one(x: Any, out: Any) -> None:
        for n in range(x.size):
            out[n] = scalar(x[n])

    edges = (np.arange(0, 1 << 32, 1 << 23, np.int64)[:, None] + np.arange(-8, 8)).ravel() % (1 << 32)
    bits = np.concatenate([edges, np.arange(0, 1 << 32, 1009, np.int64)])
    x = bits[: bits.size // LANES * LANES].astype(np.uint32).view(np.float32)
    got, wanted = np.empty_like(x), np.empty_like(x)
    side_by_side(x, got)
    one_by_one(x, wanted)
    number = ~np.isnan(wanted)
    assert np.array_equal(np.isnan(got), ~number)
    assert same_bits(got[number], wanted[number])


def test_a_block_is_transposed() -> None:
    @njit
    def turned(source: Any, target: Any) -> None:
        transpose(pointer(source, 0), 20, pointer(target, 0), 30)

    source, target = np.arange(16 * 20, dtype=np.float32), np.zeros(16 * 30, np.float32)
    turned(source, target)
    assert np.array_equal(target.reshape(16, 30)[:, :16], source.reshape(16, 20)[:, :16].T)
    assert not target.reshape(16, 30)[:, 16:].any()


@njit
def _sums(start: Any, a: Any, b: Any, out: Any, rows: int, columns: int, count: int, use: int) -> None:
    sums_of_products(
        pointer(start, 0),
        ADJACENT,
        pointer(a, 0),
        ADJACENT,
        count,
        pointer(b, 0),
        columns,
        count,
        pointer(out, 0),
        columns,
        use,
        rows,
        columns,
    )


@pytest.mark.parametrize("use", [STORE, SUBTRACT, CONTINUE])
@pytest.mark.parametrize("columns", [16, 32, 48, 96])
def test_sums_of_products_in_their_order(columns: int, use: int) -> None:
    """For every number of rows, so that each kind of tile has its turn; beyond them nothing is written."""
    generator = np.random.default_rng(1)
    for rows in range(1, 35):
        count = int(generator.integers(0, 9))
        a, b = generator.normal(size=(rows, count)).astype("f"), generator.normal(size=(count, columns)).astype("f")
        start, before = (
            generator.normal(size=rows).astype("f"),
            generator.normal(size=(rows + 1, columns)).astype("f"),
        )
        wanted = before[:rows] if use == CONTINUE else np.broadcast_to(start[:, None], (rows, columns))
        for n in range(count):
            wanted = wanted + a[:, n : n + 1] * b[n]
        out = before.copy()
        _sums(start, a.ravel(), b.ravel(), out.ravel(), rows, columns, count, use)
        assert same_bits(out[:rows], before[:rows] - wanted if use == SUBTRACT else np.ascontiguousarray(wanted))
        assert same_bits(out[rows:], before[rows:])


@njit
def _sums_of_some(zero: Any, a: Any, b: Any, out: Any, rows: int, columns: int, count: int, use: int) -> None:
    sums_of_some_products(
        pointer(zero, 0),
        pointer(a, 0),
        count,
        pointer(b, 0),
        columns,
        count,
        pointer(out, 0),
        columns,
        use,
        rows,
        columns,
    )


@pytest.mark.parametrize("use", [STORE, SUBTRACT])
@pytest.mark.parametrize("count", [16, 48, 80, 144])
def test_sums_without_the_terms_that_are_zero(count: int, use: int) -> None:
    """From none to all of the terms, more of them than bits are looked at together, and every number of vectors."""
    generator = np.random.default_rng(2)
    for vectors in range(1, 17):
        rows, columns = 5, 16 * vectors
        a, b = generator.normal(size=(rows, count)).astype("f"), generator.normal(size=(count, columns)).astype("f")
        a[generator.uniform(size=a.shape) < np.array([[1.0], [0.9], [0.5], [0.02], [0.0]])] = 0
        b[:, 0] = -0.0
        before = generator.normal(size=(rows + 1, columns)).astype("f")
        wanted = np.zeros((rows, columns), np.float32)
        for n in range(count):
            wanted = wanted + a[:, n : n + 1] * b[n]
        out = before.copy()
        _sums_of_some(np.zeros(1, "f"), a.ravel(), b.ravel(), out.ravel(), rows, columns, count, use)
        assert same_bits(out[:rows], before[:rows] - wanted if use == SUBTRACT else wanted)
        assert same_bits(out[rows:], before[rows:])
