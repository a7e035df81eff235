"""What a board's functions cost, and how much of stack and objects they use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from firmware_sim.cpu import Cpu
from firmware_sim.errors import SimulatorError
from firmware_sim.function_profile import FunctionCost, function_costs
from firmware_sim.image import Image
from firmware_sim.memory import Memory, noise
from nnlite.profile import Profile

__all__ = ["Measurement", "Measuring"]


@dataclass
class Measurement:
    """What the calls of one function cost, its callees included.

    Attributes
    ----------
    calls : how many returned.
    instructions : exact; a condition-failed one inside an IT block is counted.
    cycles : estimated.
    """

    calls: int = 0
    instructions: int = 0
    cycles: int = 0


class Measuring:
    """One board's.

    Parameters
    ----------
    checks : whether its core counts by function and follows its stack.

    Attributes
    ----------
    stack_content : what the main stack held when RAM was new.
    """

    def __init__(self, cpu: Cpu, image: Image, memory: Memory, checks: bool) -> None:
        self._cpu, self._image, self._memory, self._checks = cpu, image, memory, checks
        self._measured: str | None = None
        self._poisoned: str | None = None
        self.stack_content = b""

    @contextmanager
    def measure(self, function: str, address: int) -> Iterator[Measurement]:
        """Count what one function costs."""
        if self._measured is not None:
            raise SimulatorError(
                f"{self._measured} is being measured: one function at a time; profile_functions() counts all of them"
            )
        result = Measurement()
        self._cpu.measure(address)
        self._measured = function
        try:
            yield result
        finally:
            self._measured = None
            result.calls, result.instructions, result.cycles = self._cpu.measured(address)

    @contextmanager
    def profile(self, chip: Profile) -> Iterator[list[FunctionCost]]:
        """Count what each function costs."""
        if not self._checks:
            raise SimulatorError("functions are counted while checks are on: open the board with checks=True")
        rows: list[FunctionCost] = []
        before = self._cpu.executed()
        try:
            yield rows
        finally:
            rows += function_costs(before, self._cpu.executed(), self._image, chip)

    def poison(self, name: str, address: int, size: int) -> None:
        """Fill an object with noise and follow it from now on."""
        memory, _ = self._memory.find(address, size)
        if memory is not self._memory.ram or not size:
            raise SimulatorError(f"{name} is no object in RAM: {size} bytes at {address:#010x}")
        self._memory.write(address, noise(address, size).tobytes())
        self._cpu.watch(address, address + size)
        self._poisoned = name

    def touched(self, name: str, address: int) -> int:
        """How far the object was used that is followed."""
        if name != self._poisoned:
            last = "nothing was poisoned" if self._poisoned is None else f"{self._poisoned} was poisoned last"
            raise SimulatorError(f"it is not followed how far {name} is used: {last}")
        return self._cpu.watched - address

    def ram_is_new(self) -> None:
        """What the main stack holds now is what it held before it was used."""
        if self._image.stack is not None:
            low, top = self._image.stack
            self.stack_content = self._memory.read(low, top - low)

    @property
    def stack_high_water(self) -> int:
        """Bytes of the deepest main stack."""
        if self._checks:
            return self._cpu.stack_depth
        if self._image.stack is None:
            raise SimulatorError(
                "the image does not tell where its stack is, and without checks=True sp is not followed"
            )
        low, top = self._image.stack
        now, then = (np.frombuffer(data, np.uint8) for data in (self._memory.read(low, top - low), self.stack_content))
        changed = np.flatnonzero(now != then)
        return top - low - int(changed[0]) if changed.size else 0
