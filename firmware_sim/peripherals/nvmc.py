"""NVMC, the flash controller (nRF51 Reference Manual 6, nRF52833 PS 4.3), and the rules of NOR flash.

Bits only fall; a word may be programmed twice between erases (n_WRITE); an operation stalls the core for the
time the datasheet gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from firmware_sim.peripherals.base import Peripheral, Refused, Timeline

__all__ = ["Nvmc"]

_READY, _READYNEXT, _CONFIG, _ERASEPAGE = 0x400, 0x408, 0x504, 0x508
_READ, _WRITE, _ERASE = 0, 1, 2
_WRITES_PER_WORD = 2


class Nvmc(Peripheral):
    """The controller with its flash array. UICR, a page of its own, asks it whether and when.

    Attributes
    ----------
    operations : flash operations since power-up; a test may cut the power at a given one (`cut_at`).
    programmed : for each word, how often it was programmed since its page was erased.
    """

    NAMES: Mapping[int, str] = {_READY: "READY", _READYNEXT: "READYNEXT", _CONFIG: "CONFIG", _ERASEPAGE: "ERASEPAGE"}

    def __init__(
        self,
        base: int,
        time: Timeline,
        flash_start: int,
        flash: npt.NDArray[np.uint8],
        page_bytes: int,
        erase_cycles: int,
        write_cycles: int,
    ) -> None:
        super().__init__("NVMC", base, time)
        self._start = flash_start
        self._words = flash.view("<u4")
        self._page_words = page_bytes // 4
        self._erase_cycles, self._write_cycles = erase_cycles, write_cycles
        self.programmed = np.zeros(self._words.size, np.uint8)
        self.cut_at: int | None = None
        self.cut = False
        self.power_on()

    def power_on(self) -> None:
        self.config = _READ
        self.operations = 0
        self.cut = False

    def read(self, offset: int) -> int:
        self.register(offset)
        return self.config if offset == _CONFIG else 1  # the core stalls meanwhile: it never sees a busy controller

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        if offset == _CONFIG:
            self.config = value
        elif offset == _ERASEPAGE:
            self._erase(value)
        else:
            raise Refused(f"{self.register(offset)} is read-only")

    def program(self) -> bool:
        """Count the programming of a word and let its time pass. False when the power goes before it does anything."""
        return self._begin(self._write_cycles)

    def _begin(self, cycles: int) -> bool:
        self.operations += 1
        if self.cut or self.operations == self.cut_at:
            self.cut = True
            self.time.wake_at(0)
            return False
        self.time.skip_to(self.time.now + cycles)
        return True

    def _erase(self, address: int) -> None:
        word = (address - self._start) // 4
        if self.config != _ERASE:
            raise Refused(f"NVMC.ERASEPAGE for {address:#010x} without CONFIG = EEN")
        if address % (4 * self._page_words) or not 0 <= word < self._words.size:
            raise Refused(f"NVMC.ERASEPAGE for {address:#010x}, which is not the start of a page of flash")
        if self._begin(self._erase_cycles):
            self._words[word : word + self._page_words] = 0xFFFFFFFF
            self.programmed[word : word + self._page_words] = 0

    def store(self, address: int, size: int, value: int) -> None:
        """A store of the core to flash."""
        word = (address - self._start) // 4
        if self.config != _WRITE:
            raise Refused(f"a store to flash at {address:#010x} without CONFIG = WEN")
        if size != 4 or address % 4:
            raise Refused(f"a store of {size} bytes to flash at {address:#010x}; only whole words can be programmed")
        if self.programmed[word] >= _WRITES_PER_WORD:
            raise Refused(f"the word at {address:#010x} was programmed a third time since its page was erased")
        if self.program():
            self._words[word] &= np.uint32(value)
            self.programmed[word] += 1
