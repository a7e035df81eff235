"""What is done to a board on purpose, now or at a cycle, and the record of it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import get_args

import numpy as np

from firmware_sim.cpu import Cpu
from firmware_sim.faults.memory import chosen_bits, decayed
from firmware_sim.memory import Bytes, Memory
from firmware_sim.peripherals.nvmc import Nvmc, Outcome
from nnlite.errors import UsageError

__all__ = ["Injection"]


class Injection:
    """One board's.

    Attributes
    ----------
    damage : what was done to its memories and its power so far, in words, with the cycle.
    """

    def __init__(self, cpu: Cpu, memory: Memory, nvmc: Nvmc) -> None:
        self.damage: list[str] = []
        self._cpu, self._memory, self._nvmc = cpu, memory, nvmc
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()  # of two at the same cycle the first one comes first

    def note(self, what: str) -> None:
        """Write down what happened now."""
        self.damage.append(f"cycle {self._cpu.cycles:,}: {what}")

    # ---- at a cycle ----

    def plan(self, cycle: int, action: Callable[[], None]) -> None:
        """Something is to be done then."""
        heapq.heappush(self._planned, (cycle, next(self._numbers), action))

    def next(self, limit: int) -> int:
        """The cycle of what comes next, or `limit` if that is earlier."""
        return min(limit, self._planned[0][0]) if self._planned else limit

    def act(self) -> None:
        """Do what is due by now."""
        while self._planned and self._planned[0][0] <= self._cpu.cycles:
            heapq.heappop(self._planned)[2]()

    # ---- memory ----

    def flip(self, address: int, bit: int) -> None:
        """Invert a bit of flash or RAM."""
        self._memory.flip(address, bit)
        self._cpu.disturbed()
        self.note(f"bit {bit} of {address:#010x} flipped")

    def flip_some(self, memory: str, count: int, seed: int) -> list[tuple[int, int]]:
        """Invert bits that chance chooses: address and number of each."""
        start, content = self._memory.place(memory)
        if not 0 <= count <= 8 * content.size:
            raise UsageError(f"{memory} has {8 * content.size:,} bits, {count:,} of them cannot flip")
        flipped = [(start + offset, bit) for offset, bit in chosen_bits(content.size, count, seed)]
        for address, bit in flipped:
            self.flip(address, bit)
        return flipped

    # ---- the supply ----

    def decay(self, powered_up: Bytes, chance: float, seed: int) -> Bytes:
        """What RAM holds after a dip in which each bit has become that of `powered_up` with a chance."""
        if not 0 <= chance <= 1:
            raise UsageError(f"decay is the chance of each bit of RAM, from 0 to 1, not {chance:g}")
        _check_seed(seed)
        after = decayed(self._memory.ram, powered_up, chance, seed)
        changed = int(np.unpackbits(self._memory.ram ^ after).sum())
        self.note(f"brown-out, {changed:,} bits of RAM changed")
        return after

    def cut_at_flash_operation(self, number: int, outcome: Outcome, seed: int) -> None:
        """Let the power go at an operation of flash."""
        if outcome not in get_args(Outcome):
            raise UsageError(f"there is no outcome '{outcome}'; those are {', '.join(get_args(Outcome))}")
        if number < 1:
            raise UsageError(f"flash operations are counted from 1 on, there is none with the number {number}")
        _check_seed(seed)
        self._nvmc.cut_at, self._nvmc.cut_outcome, self._nvmc.cut_seed = number, outcome, seed

    def cut(self) -> bool:
        """Whether the power has gone there; asked once."""
        nvmc = self._nvmc
        if not nvmc.cut:
            return False
        self.note(f"power cut at flash operation {nvmc.operations:,}, of which was done: {nvmc.cut_outcome}")
        nvmc.cut_at = None
        return True


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise UsageError(f"a seed is 0 or more, not {seed}")
