"""NVMC, the flash controller (nRF51 Reference Manual 6, nRF52833 PS 4.3), and the rules of NOR flash.

Bits only fall; a word may be programmed twice between erases (n_WRITE). An operation takes the time the datasheet
gives, and the nRF51's core stands still meanwhile; the nRF52's only when it executes flash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from firmware_sim.faults.memory import partly
from firmware_sim.peripherals.base import Peripheral, Refused, Reset, Timeline

__all__ = ["FlashOperation", "Nvmc", "Outcome"]

Words = npt.NDArray[np.uint32]
Outcome = Literal["nothing", "torn", "half-erased", "all"]

_READY, _READYNEXT, _CONFIG, _ERASEPAGE = 0x400, 0x408, 0x504, 0x508
_READ, _WRITE, _ERASE = 0, 1, 2
_WRITES_PER_WORD = 2


@dataclass(frozen=True)
class FlashOperation:
    """A page that was erased, or a word that was programmed.

    Attributes
    ----------
    word : the first word of flash that it was about, counted from the start of flash.
    before, after : what the words held and hold, uint32.
    erases : whether it is a page.
    """

    word: int
    before: Words
    after: Words
    erases: bool

    def left(self, outcome: Outcome, seed: int) -> Words:
        """What the words hold when the power went and so much of it was done."""
        if outcome == "nothing":
            return self.before
        if outcome == "all":
            return self.after
        return partly(self.before, self.after, seed, 0.5 if outcome == "half-erased" and self.erases else None)


class Nvmc(Peripheral):
    """The controller with its flash array. UICR, a page of its own, asks it whether and when.

    Parameters
    ----------
    halts : whether the core stands still during an operation also when it executes RAM.

    Attributes
    ----------
    operations : flash operations since power-up.
    cut_at, cut_outcome, cut_seed : the operation that the power goes at, and what of it is done; None for none.
    cut : whether it has gone.
    busy_until : cycle at which the last operation ends or ended.
    busy_from : the operation from which on READY stays 0, however long the firmware waits; None for a good controller.
    programmed : for each word, how often it was programmed since its page was erased.
    record : where every operation on the array is noted from now on; None for nowhere.
    """

    WIRING = Peripheral.WIRING | {"_words", "_halts", "record"}
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
        halts: bool,
    ) -> None:
        super().__init__("NVMC", base, time)
        self._start = flash_start
        self._words = flash.view("<u4")
        self._page_words = page_bytes // 4
        self._erase_cycles, self._write_cycles = erase_cycles, write_cycles
        self._halts = halts
        self.programmed = np.zeros(self._words.size, np.uint8)
        self.cut_at: int | None = None
        self.cut_outcome: Outcome = "nothing"
        self.cut_seed = 0
        self.busy_from: int | None = None
        self.operations = 0
        self.record: list[FlashOperation] | None = None
        self.power_on()

    def power_on(self) -> None:
        self.config = _READ
        self.cut = False
        self.busy_until = 0

    def reset(self, kind: Reset) -> None:
        super().reset(kind)
        if kind == "power":
            self.operations = 0

    def read(self, offset: int) -> int:
        self.register(offset)
        if offset == _CONFIG:
            return self.config
        if self.busy_from is not None and self.operations >= self.busy_from:
            self.time.polled()
            return 0
        if self._busy:
            self.time.polled()
        return int(not self._busy)  # time may have jumped

    @property
    def _busy(self) -> bool:
        return self.time.now < self.busy_until

    def next_event(self) -> int | None:
        return self.busy_until if self._busy else None

    @property
    def constants(self) -> Mapping[int, int]:
        """Registers that read the same until the next operation, by address."""
        return {self.base + _READY: 1} if self.busy_from is None and not self._busy else {}

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        self._refuse_while_busy(f"a write to {self.register(offset)}")
        if offset == _CONFIG:
            self.config = value
        elif offset == _ERASEPAGE:
            self._erase(value)
        else:
            raise Refused(f"{self.register(offset)} is read-only")

    def program(self, before: int, value: int) -> int:
        """Program a word and let the time of it pass. Returns what it holds then."""
        self._refuse_while_busy("a store to UICR")
        return self._program(before, value)[0]

    def _program(self, before: int, value: int) -> tuple[int, Outcome]:
        if not self.cut and self.operations + 1 != self.cut_at:  # nearly always, and arrays take their time
            self.operations += 1
            self._take(self._write_cycles)
            return before & value, "all"
        word = np.array([before], np.uint32)
        after, outcome = self._operate(FlashOperation(0, word, word & np.uint32(value), False), self._write_cycles)
        return int(after[0]), outcome

    def _operate(self, operation: FlashOperation, cycles: int) -> tuple[Words, Outcome]:
        """Count an operation and let its time pass. Returns what the words hold then, and how much of it was done."""
        if self.cut:  # the core stops behind this instruction
            return operation.before, "nothing"
        self.operations += 1
        outcome: Outcome = "all"
        if self.operations == self.cut_at:
            self.cut = True
            self.time.wake_at(0)
            outcome = self.cut_outcome
        if outcome == "all":
            self._take(cycles)
        return operation.left(outcome, self.cut_seed), outcome

    def _take(self, cycles: int) -> None:
        """An operation begins that takes so long."""
        if self._halts:
            self.time.skip_to(self.time.now + cycles)
            return
        self.busy_until = self.time.now + cycles
        self.time.flash_busy(self.busy_until)

    def _refuse_while_busy(self, what: str) -> None:
        if self._busy:
            raise Refused(f"{what} while the flash controller is busy; wait until NVMC.READY reads 1")

    def _erase(self, address: int) -> None:
        word = (address - self._start) // 4
        if self.config != _ERASE:
            raise Refused(f"NVMC.ERASEPAGE for {address:#010x} without CONFIG = EEN")
        if address % (4 * self._page_words) or not 0 <= word < self._words.size:
            raise Refused(f"NVMC.ERASEPAGE for {address:#010x}, which is not the start of a page of flash")
        page = slice(word, word + self._page_words)
        erased = np.full(self._page_words, 0xFFFFFFFF, np.uint32)
        operation = FlashOperation(word, self._words[page].copy(), erased, True)
        self._words[page], outcome = self._operate(operation, self._erase_cycles)
        if self.record is not None:
            self.record.append(operation)
        self.time.flash_changed(address, 4 * self._page_words)
        if outcome == "all":  # a page that is half erased is not erased
            self.programmed[page] = 0

    def store(self, address: int, size: int, value: int) -> None:
        """A store of the core to flash."""
        word = (address - self._start) // 4
        self._refuse_while_busy(f"a store to flash at {address:#010x}")
        if self.config != _WRITE:
            raise Refused(f"a store to flash at {address:#010x} without CONFIG = WEN")
        if size != 4 or address % 4:
            raise Refused(f"a store of {size} bytes to flash at {address:#010x}; only whole words can be programmed")
        if self.programmed[word] >= _WRITES_PER_WORD:
            raise Refused(f"the word at {address:#010x} was programmed a third time since its page was erased")
        before = int(self._words[word])
        self._words[word], outcome = self._program(before, value)
        if self.record is not None:
            held = np.array([before], np.uint32)
            self.record.append(FlashOperation(word, held, held & np.uint32(value), False))
        self.time.flash_changed(address, size)
        self.programmed[word] += outcome != "nothing"
