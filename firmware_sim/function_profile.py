"""Where a firmware spent its time: instructions and cycles of each function."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_sim.image import Image
from nnlite.profile import Profile

__all__ = ["FunctionCost", "function_costs"]

Executed = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class FunctionCost:
    """One function without its callees.

    Attributes
    ----------
    function : its name, "?" for all that the image has no name for.
    calls : how often its first instruction was executed.
    instructions : exact.
    cycles : estimated; without what the core waited for.
    """

    function: str
    calls: int
    instructions: int
    cycles: int


def function_costs(before: Executed, after: Executed, image: Image, chip: Profile) -> list[FunctionCost]:
    """What was executed between two readings of `Cpu.executed`, the most expensive function first."""
    times, instructions, cycles = (late - early for late, early in zip(after, before, strict=True))
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for at in np.flatnonzero(times).tolist():
        in_ram = 2 * at - chip.flash_bytes
        address = chip.flash_start + 2 * at if in_ram < 0 else chip.ram_start + in_ram
        name = image.function_at(address) or "?"
        row = sums[name]
        if name in image.symbols and image.symbols[name].address == address:
            row[0] += int(times[at])
        row[1] += int(instructions[at])
        row[2] += int(cycles[at])
    rows = [FunctionCost(name, *row) for name, row in sums.items()]
    return sorted(rows, key=lambda row: (-row.cycles, row.function))
