"""The one loop in which nearly all of the time goes: many sums of products side by side, each in its own order.

out[r, c] = start[r, c] + sum_n a[r, n] * b[n, c] over ascending n, one accumulator a sum. A tile of them stays in
registers from the first term to the last: no term waits for memory, and none for the one before it in another sum.
Forward (eq. 8), backward (general gradients) and the gradient (eq. 18) are this loop with other strides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, WIDE_REGISTERS, add_products, ahead, store_difference, store_tile, tile_at

__all__ = ["ADJACENT", "SAME", "STORE", "SUBTRACT", "sums_of_products"]

#: strides, and what becomes of the sums. Numba compiles a function anew for each number that is written where it is
#: called, but not for those of NumPy
ADJACENT, SAME = cast(int, np.int64(1)), cast(int, np.int64(0))
STORE, SUBTRACT = cast(bool, np.bool_(False)), cast(bool, np.bool_(True))


def _tiles(columns: int, height: int) -> Callable[..., int]:
    """`sums_of_products` for so many vectors of columns, `height` rows at a time from row r. Returns the row behind."""

    @inlined
    def tiles(
        start: Any,
        start_stride: int,
        a: Any,
        a_step: int,
        a_stride: int,
        b: Any,
        b_step: int,
        count: int,
        out: Any,
        out_stride: int,
        subtract: bool,
        rows: int,
        r: int,
    ) -> int:
        while r + height <= rows:
            tile = tile_at(ahead(start, r * start_stride), start_stride, height, columns)
            row, target = ahead(a, r * a_stride), ahead(out, r * out_stride)
            for n in range(count):
                tile = add_products(tile, ahead(row, n * a_step), a_stride, ahead(b, n * b_step))
            if subtract:
                store_difference(tile, target, out_stride)
            else:
                store_tile(tile, target, out_stride)
            r += height
        return r

    return tiles


def _strip(columns: int, tall: int, short: int) -> Callable[..., None]:
    """`sums_of_products` for so many vectors of columns, in tiles of `tall` rows, then `short`, then one."""
    tall_tiles, short_tiles, rows_left = _tiles(columns, tall), _tiles(columns, short), _tiles(columns, 1)

    @part
    def strip(s: Any, s_stride: int, a: Any, a_step: int, a_stride: int, b: Any, b_step: int, count: int,
              out: Any, out_stride: int, subtract: bool, rows: int) -> None:  # fmt: skip
        r = tall_tiles(s, s_stride, a, a_step, a_stride, b, b_step, count, out, out_stride, subtract, rows, 0)
        r = short_tiles(s, s_stride, a, a_step, a_stride, b, b_step, count, out, out_stride, subtract, rows, r)
        rows_left(s, s_stride, a, a_step, a_stride, b, b_step, count, out, out_stride, subtract, rows, r)

    return strip


#: vectors of columns of the broadest tiles: with more of them, each float of `a` is fetched for more sums
BROAD = 4 if WIDE_REGISTERS else 2
_broad_strip = _strip(4, 6, 2) if WIDE_REGISTERS else _strip(2, 2, 1)
_wide_strip = _strip(2, 8, 4) if WIDE_REGISTERS else _broad_strip
_narrow_strip = _strip(1, 16, 4) if WIDE_REGISTERS else _strip(1, 4, 1)


@part
def sums_of_products(
    start: Any,
    start_stride: int,
    a: Any,
    a_step: int,
    a_stride: int,
    b: Any,
    b_step: int,
    count: int,
    out: Any,
    out_stride: int,
    subtract: bool,
    rows: int,
    columns: int,
) -> None:
    """out[r, c] = start[r, c] + sum_n a[r, n] * b[n, c]; with `subtract` out[r, c] = out[r, c] - that.

    Parameters
    ----------
    start : start[r, c] is at r * start_stride + c; the same row for all (`SAME`) where it is biases or zeros.
    a : a[r, n] is at r * a_stride + n * a_step.
    b : b[n, c] is at n * b_step + c.
    count : of the terms.
    out : out[r, c] is at r * out_stride + c.
    rows, columns : of out; columns a multiple of 16.
    """
    c = 0
    while c + BROAD * LANES <= columns:
        s, o = ahead(start, c), ahead(out, c)
        _broad_strip(s, start_stride, a, a_step, a_stride, ahead(b, c), b_step, count, o, out_stride, subtract, rows)
        c += BROAD * LANES
    while c + 2 * LANES <= columns:
        s, o = ahead(start, c), ahead(out, c)
        _wide_strip(s, start_stride, a, a_step, a_stride, ahead(b, c), b_step, count, o, out_stride, subtract, rows)
        c += 2 * LANES
    if c < columns:
        s, o = ahead(start, c), ahead(out, c)
        _narrow_strip(s, start_stride, a, a_step, a_stride, ahead(b, c), b_step, count, o, out_stride, subtract, rows)
