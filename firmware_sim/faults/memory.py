"""What chance does to bits: which flip, which decay, how far an operation of flash came before the power went.

Plain functions over arrays, each with the seed that it goes by. Where the bits lie is the board's business.
"""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt

__all__ = ["chosen_bits", "decayed", "partly"]

Words = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]


def chosen_bits(memory_bytes: int, count: int, seed: int) -> list[tuple[int, int]]:
    """`count` different bits of a memory, as offset of the byte and number of the bit."""
    return [divmod(n, 8) for n in Random(f"{seed} flip").sample(range(8 * memory_bytes), count)]


def decayed(before: Bytes, after: Bytes, chance: float, seed: int) -> Bytes:
    """RAM after a dip of the supply: each bit becomes, by chance, what it is after power-up (`after`)."""
    bits = np.random.Generator(np.random.PCG64(seed)).random(8 * before.size) < chance
    mask = np.packbits(bits)
    return np.asarray(before & ~mask | after & mask, np.uint8)


def partly(before: Words, after: Words, seed: int, share: float | None = None) -> Words:
    """Words between two states: each bit that would change has changed with the chance `share`.

    Without a share that is drawn, too, so that seeds cover operations that had hardly begun and such that were nearly
    done.
    """
    chance = np.random.Generator(np.random.PCG64(seed))
    share = chance.random() if share is None else share
    bits = chance.random((before.size, 32)) < share
    mask = np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0]
    return np.asarray(before ^ ((before ^ after) & mask), np.uint32)
