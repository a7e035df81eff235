"""The first layer's sums, during which the next batch is fetched.

Samples come from memory that is far, and more of them than any cache holds. The sums here keep the processor busy for
long and ask for little; so this is the time to have what comes next brought near.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, add_products, ahead, prefetch, store_tile, tile_of
from nnlite.fast.sums import ADJACENT, STORE, sums_of_products
from nnlite.fast.team import share

__all__ = ["first_sums"]

#: outputs whose sums are computed side by side
TALL = 8


def _strip(columns: int) -> Callable[..., None]:
    """`first_sums` for so many vectors of samples, a tile of 8 outputs at a time."""

    @inlined
    def strip(
        w: Any, height: int, size: int, x: Any, out: Any, stride: int, outputs: int, samples: Any,
        coming: Any, count: int, slot: int, slots: int,
    ) -> None:  # fmt: skip
        for r in range(0, outputs, TALL):
            row = ahead(w, r * height)
            tile = tile_of(ahead(row, size), height, TALL, columns)
            low, high = share(count, 1, slot + r // TALL, slots)
            for m in range(0, size, LANES):
                for k in range(low, high):
                    prefetch(samples, coming[k] + m)
                for n in range(m, min(m + LANES, size)):
                    tile = add_products(tile, ahead(row, n), height, ahead(x, n * stride))
            store_tile(tile, ahead(out, r * stride), stride)

    return strip


_wide_strip, _narrow_strip = _strip(2), _strip(1)


@part
def first_sums(
    w: Any, height: int, size: int, x: Any, out: Any, stride: int, outputs: int, lanes: int,
    samples: Any, coming: Any, count: int,
) -> None:  # fmt: skip
    """eq. 8: out[j, c] = b[j] + sum_n w[j, n] * x[n, c] over ascending n.

    Parameters
    ----------
    w : w[j, n] is at j * height + n, and b[j] at j * height + size.
    x : x[n, c] is at n * stride + c.
    out : out[j, c] is at j * stride + c.
    outputs, lanes : of out; lanes is a multiple of 16.
    samples, coming, count : so many samples that will be asked for, each `size` floats from coming[k] on.
    """
    tall = outputs // TALL * TALL
    slot, slots = 0, (lanes + 2 * LANES - 1) // (2 * LANES) * (tall // TALL)
    for c in range(0, lanes, 2 * LANES):
        column, target = ahead(x, c), ahead(out, c)
        if c + LANES < lanes:
            _wide_strip(w, height, size, column, target, stride, tall, samples, coming, count, slot, slots)
        else:
            _narrow_strip(w, height, size, column, target, stride, tall, samples, coming, count, slot, slots)
        slot += tall // TALL
    rest, bias = ahead(w, tall * height), ahead(w, tall * height + size)
    target = ahead(out, tall * stride)
    sums_of_products(
        bias, height, rest, ADJACENT, height, x, stride, size, target, stride, STORE, outputs - tall, lanes
    )  # fmt: skip
