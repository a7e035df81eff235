"""Tells when the firmware only waits, so that simulated time may jump to whatever it waits for.

It waits when, between two looks at the same unset flag, no register of the core and no byte of RAM has changed and
nothing else happened on the bus: then it will do the same again until a peripheral gives another answer.
"""

from __future__ import annotations

from numba import carray, njit

from firmware_sim.cpu.bridge import pointer, reg_read_batch
from firmware_sim.cpu.slots import (
    BATCH,
    BATCH_COUNT,
    BATCH_NAMES,
    BATCH_POINTERS,
    BEFORE,
    NEXT,
    OTHERS,
    PLACE,
    RAM_ADDRESS,
    RAM_COPY,
    RAM_KEPT,
    RAM_WORDS,
    WAITING,
)

__all__ = ["FLAGS_MOST", "looked"]

#: flags that one waiting loop may look at; after so many others the loop is looked for anew
FLAGS_MOST = 8
_BLOCK = 64  # words compared at once


@njit
def _same(one, other):  # type: ignore[no-untyped-def]
    for start in range(0, one.size, _BLOCK):
        different = 0
        for n in range(start, min(start + _BLOCK, one.size)):
            different |= one[n] ^ other[n]
        if different != 0:
            return False
    return True


@njit
def looked(engine, slots):  # type: ignore[no-untyped-def]
    """The firmware looked at a flag and found it unset. Returns whether it waits.

    Parameters
    ----------
    engine : Unicorn's handle, a void pointer.
    slots : see `firmware_sim.cpu.slots`.
    """
    place = slots[NEXT]
    if place != slots[PLACE] and slots[OTHERS] < FLAGS_MOST:
        slots[OTHERS] += 1
        return slots[WAITING]
    count = slots[BATCH_COUNT]
    reg_read_batch(engine, slots[BATCH_NAMES], slots[BATCH_POINTERS], count)
    now, before = slots[BATCH : BATCH + count], slots[BEFORE : BEFORE + count]
    if slots[OTHERS] >= FLAGS_MOST or not _same(now, before):
        slots[WAITING] = 0
        slots[RAM_KEPT] = 0  # copied once the registers have come back: most loops that work never get there
    else:
        ram = carray(pointer(slots[RAM_ADDRESS]), (slots[RAM_WORDS],))
        copy = carray(pointer(slots[RAM_COPY]), (slots[RAM_WORDS],))
        slots[WAITING] = 1 if slots[RAM_KEPT] and _same(ram, copy) else 0
        if not slots[WAITING]:
            copy[:] = ram
            slots[RAM_KEPT] = 1
    before[:] = now
    slots[PLACE], slots[OTHERS] = place, 0
    return slots[WAITING]
