"""Flash and RAM of a board by address, as a test reads and writes them: by no rule but its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from firmware_sim.errors import SimulatorError
from firmware_sim.image import Image
from nnlite.errors import UsageError
from nnlite.profile import Profile

__all__ = ["Memory", "noise"]

Bytes = npt.NDArray[np.uint8]


def noise(address: int, size: int) -> Bytes:
    """What memory from an address on holds that nobody wrote to."""
    out = np.random.Generator(np.random.PCG64(address)).integers(0, 256, size, np.uint8)
    out[3::4] |= 0x7F  # no float below 2^127 ends so: the last byte of the last float written never looks unused
    return out


class Memory:
    """One board's.

    Parameters
    ----------
    profile : where which memory lies.
    changed : told of flash that is not what it was, by address and size.

    Attributes
    ----------
    flash, ram : their bytes.
    """

    def __init__(self, profile: Profile, changed: Callable[[int, int], None]) -> None:
        self.flash = np.full(profile.flash_bytes, 0xFF, np.uint8)
        self.ram = np.zeros(profile.ram_bytes, np.uint8)
        self._board = profile.name
        self._places = {"flash": (profile.flash_start, self.flash), "ram": (profile.ram_start, self.ram)}
        self._changed = changed

    def load(self, image: Image) -> int:
        """Program an image into flash. Returns how many bytes from the start it takes."""
        end, start = 0, self._places["flash"][0]
        for address, data in image.segments:
            at = address - start
            if not 0 <= at <= self.flash.size - len(data):
                raise SimulatorError(f"the firmware has bytes at {address:#010x}, where {self._board} has no flash")
            self.flash[at : at + len(data)] = np.frombuffer(data, np.uint8)
            end = max(end, at + len(data))
        return end

    def place(self, memory: str) -> tuple[int, Bytes]:
        """First address and bytes of "flash" or "ram"."""
        if memory not in self._places:
            raise UsageError(f"there is no memory '{memory}'; those are ram, flash")
        return self._places[memory]

    def find(self, address: int, size: int) -> tuple[Bytes, int]:
        """The memory that some bytes are in, and where."""
        if size < 0:
            raise UsageError(f"a number of bytes is 0 or more, not {size}")
        for start, memory in self._places.values():
            if start <= address and address + size <= start + memory.size:
                return memory, address - start
        raise SimulatorError(f"{size} bytes at {address:#010x} are not in flash or RAM of {self._board}")

    def in_flash(self, address: int) -> bool:
        """Whether that is where code can be."""
        start, flash = self._places["flash"]
        return start <= address < start + flash.size

    def read(self, address: int, size: int) -> bytes:
        """What is there."""
        memory, at = self.find(address, size)
        return memory[at : at + size].tobytes()

    def write(self, address: int, data: bytes) -> None:
        """Let it be this."""
        memory, at = self.find(address, len(data))
        memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
        if memory is self.flash:
            self._changed(address, len(data))

    def flip(self, address: int, bit: int) -> None:
        """Invert a bit."""
        if not 0 <= bit < 8:
            raise UsageError(f"a byte has bits 0 to 7, not {bit}")
        self.write(address, bytes([self.read(address, 1)[0] ^ 1 << bit]))

    def ram_after_power_up(self, stack: tuple[int, int] | None) -> Bytes:
        """Noise; that of the main stack, whose ends are given, is the one that `noise` makes."""
        ram = np.random.Generator(np.random.PCG64(0)).integers(0, 256, self.ram.size, np.uint8)
        if stack is not None:
            low, top = stack
            at = self.find(low, top - low)[1]
            ram[at : at + top - low] = noise(low, top - low)
        return ram
