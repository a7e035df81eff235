"""The one loop in which nearly all of the time goes: many sums of products side by side, each in its own order.

out[r, c] = start[r] + sum_n a[r, n] * b[n, c] over ascending n, one accumulator a sum. A tile of them stays in
registers from the first term to the last: no term waits for memory, and none for the one before it in another sum.
Forward (eq. 8), backward (general gradients) and the gradient (eq. 18) are this loop with other strides.

Where many a[r, n] are 0, `sums_of_some_products` computes the others only: each product with 0 that it leaves out would
have been +0 or -0, which changes no sum that began at +0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import (
    LANES,
    WIDE_REGISTERS,
    add_products,
    ahead,
    load,
    lowest_bit,
    not_zero,
    store_difference,
    store_tile,
    tile_at,
    tile_of,
)

__all__ = ["ADJACENT", "CONTINUE", "SAME", "STORE", "SUBTRACT", "sums_of_products", "sums_of_some_products"]

#: strides, and what becomes of the sums
ADJACENT, SAME = 1, 0
STORE, SUBTRACT, CONTINUE = 0, 1, 2


def _tiles(columns: int, height: int) -> Callable[..., int]:
    """`sums_of_products` for so many vectors of columns, `height` rows at a time. Returns the row behind them."""

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
        use: int,
        rows: int,
        first: int,
    ) -> int:
        end = first + (rows - first) // height * height
        for r in range(first, end, height):
            row, target = ahead(a, r * a_stride), ahead(out, r * out_stride)
            if use == CONTINUE:
                tile = tile_at(target, out_stride, height, columns)
            else:
                tile = tile_of(ahead(start, r * start_stride), start_stride, height, columns)
            for n in range(count):
                tile = add_products(tile, ahead(row, n * a_step), a_stride, ahead(b, n * b_step))
            if use == SUBTRACT:
                store_difference(tile, target, out_stride)
            else:
                store_tile(tile, target, out_stride)
        return end

    return tiles


def _strip(columns: int, tall: int, *shorter: int) -> Callable[..., int]:
    """`_tiles` of so many rows as long as they fit, then of fewer."""
    tall_tiles = _tiles(columns, tall)
    if not shorter:
        return tall_tiles
    rest = _strip(columns, *shorter)

    @inlined
    def strip(s: Any, s_stride: int, a: Any, a_step: int, a_stride: int, b: Any, b_step: int, count: int,
              out: Any, out_stride: int, use: int, rows: int, r: int) -> int:  # fmt: skip
        r = tall_tiles(s, s_stride, a, a_step, a_stride, b, b_step, count, out, out_stride, use, rows, r)
        return rest(s, s_stride, a, a_step, a_stride, b, b_step, count, out, out_stride, use, rows, r)

    return strip


#: vectors of columns of the broadest tiles: with more of them, each float of `a` is fetched for more sums
BROAD = 4 if WIDE_REGISTERS else 2
_broad_strip = _strip(4, 6, 2, 1) if WIDE_REGISTERS else _strip(2, 2, 1)
_wide_strip = _strip(2, 8, 2, 1) if WIDE_REGISTERS else _broad_strip
_narrow_strip = _strip(1, 16, 4, 2, 1) if WIDE_REGISTERS else _strip(1, 4, 2, 1)


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
    use: int,
    rows: int,
    columns: int,
) -> None:
    """out[r, c] = start[r] + sum_n a[r, n] * b[n, c], or what else is to become of the sum.

    Parameters
    ----------
    start : start[r] is at r * start_stride.
    a : a[r, n] is at r * a_stride + n * a_step.
    b : b[n, c] is at n * b_step + c.
    count : of the terms.
    out : out[r, c] is at r * out_stride + c.
    use : STORE, or SUBTRACT it from out, or CONTINUE from out instead of start.
    rows, columns : of out; columns a multiple of 16.
    """
    broad, wide = columns // (BROAD * LANES) * (BROAD * LANES), columns // (2 * LANES) * (2 * LANES)
    for c in range(0, broad, BROAD * LANES):
        p, o = ahead(b, c), ahead(out, c)
        _broad_strip(start, start_stride, a, a_step, a_stride, p, b_step, count, o, out_stride, use, rows, 0)
    for c in range(broad, wide, 2 * LANES):
        p, o = ahead(b, c), ahead(out, c)
        _wide_strip(start, start_stride, a, a_step, a_stride, p, b_step, count, o, out_stride, use, rows, 0)
    if wide < columns:
        p, o = ahead(b, wide), ahead(out, wide)
        _narrow_strip(start, start_stride, a, a_step, a_stride, p, b_step, count, o, out_stride, use, rows, 0)


#: terms whose zeros are looked for at a time, a bit each; far from the sign of an int64, whose overflow is undefined
WORD = 32


@inlined
def _live(a: Any, first: int, count: int) -> int:
    """A bit for each term from `first` on, as many as a word has, whose a is not 0."""
    bits = 0
    for n in range(first, min(first + WORD, count), LANES):
        bits |= not_zero(load(a, n)) << (n - first)
    return bits


def _some(columns: int) -> Callable[..., int]:
    """`sums_of_some_products`, so many vectors at a time from the first column on. Returns the column behind."""

    @inlined
    def some(
        zero: Any,
        a: Any,
        a_stride: int,
        b: Any,
        b_step: int,
        count: int,
        out: Any,
        out_stride: int,
        use: int,
        rows: int,
        width: int,
        first: int,
    ) -> int:
        end = first + (width - first) // (columns * LANES) * (columns * LANES)
        for c in range(first, end, columns * LANES):
            column = ahead(b, c)
            for r in range(rows):
                row, target = ahead(a, r * a_stride), ahead(out, r * out_stride + c)
                tile, seen = tile_of(zero, SAME, 1, columns), 0
                for n in range(0, count, WORD):
                    bits = _live(row, n, count)
                    seen |= bits
                    while bits != 0:
                        k = n + lowest_bit(bits)
                        tile = add_products(tile, ahead(row, k), SAME, ahead(column, k * b_step))
                        bits &= bits - 1
                if use == STORE:
                    store_tile(tile, target, SAME)
                elif seen != 0:
                    store_difference(tile, target, SAME)
        return end

    return some


_some_broad, _some_wide, _some_narrow = map(_some, (9, 5, 1) if WIDE_REGISTERS else (5, 2, 1))


@part
def sums_of_some_products(
    zero: Any,
    a: Any,
    a_stride: int,
    b: Any,
    b_step: int,
    count: int,
    out: Any,
    out_stride: int,
    use: int,
    rows: int,
    columns: int,
) -> None:
    """As `sums_of_products` with `start` 0 and a_step 1, without the terms whose a[r, n] is 0.

    count : a multiple of 16, with zeros for a[r, n] where b[n] does not count.
    use : STORE or SUBTRACT.
    """
    c = _some_broad(zero, a, a_stride, b, b_step, count, out, out_stride, use, rows, columns, 0)
    c = _some_wide(zero, a, a_stride, b, b_step, count, out, out_stride, use, rows, columns, c)
    _some_narrow(zero, a, a_stride, b, b_step, count, out, out_stride, use, rows, columns, c)
