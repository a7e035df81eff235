"""Registers whose content is known for a while, so that the compiled hooks answer for them and Python is not asked.

A firmware on a serial line spends most of its accesses on three registers of the UART: the flag that says that a byte
is there, the byte, and the flag again to clear it. The board tells the core what they are, up to which cycle, and which
bytes will come; what the core did with them is posted, and the board carries it out when it is asked next.
"""

from __future__ import annotations

from numba import carray, njit

from firmware_sim.cpu.idle import FLAGS_MOST, looked
from firmware_sim.cpu.slots import (
    COMING,
    COMING_COUNT,
    COMING_NEXT,
    CYCLES,
    DATA,
    DATA_ADDRESS,
    DEADLINE,
    KNOWN,
    KNOWN_COUNT,
    KNOWN_WORDS,
    OTHERS,
    POSTABLE,
    POSTED,
    POSTED_COUNT,
    POSTED_MOST,
    RECEIVED,
    TABLE,
    WAITING,
)

__all__ = ["NOWHERE", "busy", "clear", "find", "may_post", "take", "wait"]

#: in place of an address: there is no byte
NOWHERE = -1


@njit
def busy(slots):  # type: ignore[no-untyped-def]
    """The core did something else than look at an unset flag."""
    slots[WAITING], slots[OTHERS] = 0, FLAGS_MOST


@njit
def may_post(slots):  # type: ignore[no-untyped-def]
    """Whether the core may change something without asking."""
    return slots[POSTABLE] and slots[POSTED_COUNT] < POSTED_MOST


@njit
def _post(slots, address):  # type: ignore[no-untyped-def]
    slots[POSTED + slots[POSTED_COUNT]] = address
    slots[POSTED_COUNT] += 1
    busy(slots)


@njit
def clear(slots, at):  # type: ignore[no-untyped-def]
    """The core clears a flag."""
    slots[at + 2] = 0
    _post(slots, slots[at])


@njit
def take(slots, at):  # type: ignore[no-untyped-def]
    """The core reads the byte, which is gone then."""
    _post(slots, slots[at])
    slots[at] = NOWHERE


@njit
def _arrive(slots):  # type: ignore[no-untyped-def]
    """Let the next byte come if it is time and the one before was taken, flag and all. Returns whether it did."""
    flag, data, number = slots[RECEIVED], slots[DATA], slots[COMING_NEXT]
    if number >= slots[COMING_COUNT] or slots[flag + 2] or slots[data] != NOWHERE or not may_post(slots):
        return False
    coming = COMING + 2 * number
    if slots[CYCLES] < slots[coming]:
        return False
    for at in range(KNOWN, data + 1, KNOWN_WORDS):
        slots[at + 1] = slots[coming + 2]
    slots[flag + 2] = 1
    slots[data], slots[data + 2] = slots[DATA_ADDRESS], slots[coming + 1]
    slots[COMING_NEXT] = number + 1
    _post(slots, slots[flag] | 1)
    return True


@njit
def find(slots, address):  # type: ignore[no-untyped-def]
    """Where it stands what a register is, or 0 when Python must be asked."""
    for n in range(slots[KNOWN_COUNT]):
        at = KNOWN + KNOWN_WORDS * n
        if slots[at] == address:
            while slots[CYCLES] >= slots[at + 1]:
                if not _arrive(slots):
                    return 0
            return at
    return 0


@njit
def wait(engine, slots):  # type: ignore[no-untyped-def]
    """The core looks at a flag that is unset: if it does nothing but wait, time jumps. Returns whether it did."""
    if not looked(engine, carray(slots, (TABLE,))):
        return False
    event = slots[DEADLINE]
    for n in range(slots[KNOWN_COUNT]):
        event = min(event, slots[KNOWN + KNOWN_WORDS * n + 1])
    slots[CYCLES] = max(slots[CYCLES], event)
    return True
