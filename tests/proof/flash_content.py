"""What a cut of the power leaves in flash, for every operation of an undertaking and each outcome.

A cut leaves nothing but flash: RAM is noise and every counter starts anew. So an undertaking is carried out once, its
flash operations are recorded, and each cut's content follows from the record by the simulator's own rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from firmware_sim import Board
from firmware_sim.peripherals.nvmc import FlashOperation, Outcome
from tests.proof.judge import Violation

__all__ = ["OUTCOMES", "Content", "Cut", "Region", "cuts"]

OUTCOMES: tuple[Outcome, ...] = ("nothing", "torn", "half-erased", "all")


class Region:
    """The first pages of both slots: all that an undertaking may touch.

    Parameters
    ----------
    pages : of each slot, the record page included.
    """

    def __init__(self, board: Board, pages: int) -> None:
        profile = board.profile
        self.page_bytes = profile.page_bytes
        self._bytes = pages * profile.page_bytes
        self._starts = [profile.slot_address(slot) for slot in range(2)]
        self._words = [(start - profile.flash_start) // 4 for start in self._starts]

    def place(self, operation: FlashOperation) -> int:
        """Where in a `Content` the operation's first word is."""
        for slot, first in enumerate(self._words):
            at = operation.word - first
            if at >= 0 and at + operation.after.size <= self._bytes // 4:
                return slot * (self._bytes // 4) + at
        raise Violation(f"an operation on word {operation.word:#x} of flash, outside of the pages of the models")

    def read(self, board: Board) -> Content:
        """What a board holds there."""
        words = b"".join(board.read_memory(start, self._bytes) for start in self._starts)
        programmed = [board.chip.nvmc.programmed[first : first + self._bytes // 4] for first in self._words]
        return Content(np.frombuffer(words, "<u4").copy(), np.concatenate(programmed))

    def write(self, board: Board, content: Content) -> None:
        """Let a board hold it, as if its power had just come back."""
        count = self._bytes // 4
        for slot, (start, first) in enumerate(zip(self._starts, self._words, strict=True)):
            part = slice(slot * count, (slot + 1) * count)
            board.write_memory(start, content.words[part].tobytes())
            board.chip.nvmc.programmed[first : first + count] = content.programmed[part]
        board.boot()


@dataclass(frozen=True, eq=False)
class Content:
    """Of a region: its words (uint32), and how often each was programmed since its page was erased (uint8)."""

    words: npt.NDArray[np.uint32]
    programmed: npt.NDArray[np.uint8]

    @property
    def key(self) -> bytes:
        """Equal for equal contents."""
        return blake2b(self.words.tobytes() + self.programmed.tobytes(), digest_size=16).digest()

    def copy(self) -> Content:
        """One that can be changed."""
        return Content(self.words.copy(), self.programmed.copy())

    def change(self, at: int, operation: FlashOperation, outcome: Outcome, seed: int) -> None:
        """Carry out so much of an operation, whose first word is at `at`."""
        place = slice(at, at + operation.after.size)
        self.words[place] = operation.left(outcome, seed)
        if operation.erases and outcome == "all":
            self.programmed[place] = 0
        elif not operation.erases:
            self.programmed[place] += outcome != "nothing"


@dataclass(frozen=True)
class Cut:
    """A cut of the power at the `number`-th flash operation, counted from 1, and what flash holds then."""

    number: int
    outcome: Outcome
    content: Content


def seed_of(number: int, outcome: Outcome) -> int:
    """A word has no halves, so there a half-erased page is a second tear, by other chances."""
    return 2 * number + (outcome == "half-erased")


def cuts(region: Region, start: Content, record: Sequence[FlashOperation]) -> Iterator[Cut]:
    """Every cut: four at each operation."""
    content = start.copy()
    for number, operation in enumerate(record, start=1):
        at = region.place(operation)
        for outcome in OUTCOMES:
            left = content.copy()
            left.change(at, operation, outcome, seed_of(number, outcome))
            yield Cut(number, outcome, left)
        content.change(at, operation, "all", 0)
