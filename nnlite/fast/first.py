"""The first layer's sums, during which the next batch is fetched.

Samples come from memory that is far, and more of them than any cache holds. The sums here keep the processor busy for
long and ask for little; so this is the time to have what comes next brought near.
"""

from __future__ import annotations

from typing import Any

from nnlite.fast.jit import inlined, part
from nnlite.fast.lanes import LANES, add_products, ahead, prefetch, store_tile, tile_of
from nnlite.fast.sums import ADJACENT, STORE, sums_of_products
from nnlite.fast.team import share

__all__ = ["first_sums"]

#: outputs whose sums are computed side by side
TALL = 8


@inlined
def _plain_sums(w: Any, height: int, size: int, x: Any, out: Any, stride: int, outputs: int, lanes: int) -> None:
    sums_of_products(ahead(w, size), height, w, ADJACENT, height, x, stride, size, out, stride, STORE, outputs, lanes)


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
    tall, wide = outputs // TALL * TALL, lanes // (2 * LANES) * (2 * LANES)
    slot, slots = 0, wide // (2 * LANES) * (tall // TALL)
    for c in range(0, wide, 2 * LANES):
        for r in range(0, tall, TALL):
            row = ahead(w, r * height)
            tile = tile_of(ahead(row, size), height, TALL, 2)
            low, high = share(count, 1, slot, slots)
            for m in range(0, size, LANES):
                for k in range(low, high):
                    prefetch(samples, coming[k] + m)
                for n in range(m, min(m + LANES, size)):
                    tile = add_products(tile, ahead(row, n), height, ahead(x, n * stride + c))
            store_tile(tile, ahead(out, r * stride + c), stride)
            slot += 1
    rest, target = ahead(w, tall * height), ahead(out, tall * stride)
    _plain_sums(rest, height, size, x, target, stride, outputs - tall, wide)
    _plain_sums(w, height, size, ahead(x, wide), ahead(out, wide), stride, outputs, lanes - wide)
