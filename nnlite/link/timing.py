"""How long a device may take before its silence means something (docs/PROTOCOL.md, Timeouts).

Upper bounds, not estimates: a request that is still being carried out must not be sent again.
"""

from __future__ import annotations

from dataclasses import dataclass

from nnlite.link.protocol import Hello

__all__ = [
    "ATTEMPTS",
    "BAUD",
    "BITS_PER_BYTE",
    "PATIENCE_SECONDS",
    "SILENCE_SECONDS",
    "Timing",
    "is_worth_a_faster_rate",
    "line_seconds",
]

#: how long an answer may take beyond the work and the line
PATIENCE_SECONDS = 0.5
#: after so long a silence a device is back at the rate of HELLO: its half second, and a tenth for what is on its way
SILENCE_SECONDS = 0.6
#: how often a request is sent in all
ATTEMPTS = 5

#: of HELLO, 8N1
BAUD = 115_200
BITS_PER_BYTE = 10
#: of line time at the rate of HELLO: below it asking for another rate takes longer than it saves
_WORTH_SECONDS = 1.0
#: flash words of both chip families take 41 to 46 us; HELLO does not tell
_PROGRAM_WORD_SECONDS = 100e-6
#: BLAKE2s with the reading of both slots' records, per byte of image
_DIGEST_CYCLES_PER_BYTE = 250
#: CRC-32 of a page
_CRC_CYCLES_PER_BYTE = 100
_CYCLES_PER_MULTIPLY_ACCUMULATE = 700
_CYCLES_PER_ROW = 20_000


def line_seconds(count: int) -> float:
    """Time that `count` bytes take on the line."""
    return count * BITS_PER_BYTE / BAUD


def is_worth_a_faster_rate(count: int) -> bool:
    """Whether a client asks for a higher rate before it sends so many bytes."""
    return line_seconds(count) >= _WORTH_SECONDS


@dataclass(frozen=True)
class Timing:
    """Upper bounds for one device.

    Attributes
    ----------
    clock_hz, page_bytes, erase_page_us : as HELLO gives them.
    slot_bytes : longest image in either slot.
    tick_hz : of the counter that the device measures itself with, as HELLO gives it.
    """

    clock_hz: int
    page_bytes: int
    erase_page_us: int
    slot_bytes: int
    tick_hz: int

    @classmethod
    def of(cls, hello: Hello) -> Timing:
        """From what a device says about itself."""
        longest = max((slot.length for slot in hello.slots), default=0)
        return cls(hello.clock_hz, hello.page_bytes, hello.erase_page_us, longest, hello.tick_hz)

    def pages_seconds(self, pages: int) -> float:
        """CRC-32 of pages."""
        return pages * self.page_bytes * _CRC_CYCLES_PER_BYTE / self.clock_hz

    def erase_seconds(self, pages: int) -> float:
        """The record page and pages of an image."""
        return (1 + pages) * self.erase_page_us * 1e-6

    def program_seconds(self, count: int) -> float:
        """Programming `count` bytes."""
        return count / 4 * _PROGRAM_WORD_SECONDS

    def verify_seconds(self) -> float:
        """Both slots digested."""
        return 2 * self._digest_seconds(self.slot_bytes)

    def commit_seconds(self, image_bytes: int) -> float:
        """The new image digested and checked, and the record written."""
        return self._digest_seconds(image_bytes) + self.program_seconds(256)

    def learn_commit_seconds(self, image_bytes: int) -> float:
        """A commit with all the erasing, programming and comparing before it."""
        return (
            self.erase_seconds(-(-image_bytes // self.page_bytes))
            + self.program_seconds(image_bytes)
            + self._digest_seconds(image_bytes)
            + self.commit_seconds(image_bytes)
        )

    def compute_seconds(self, rows: int, multiply_accumulates: int) -> float:
        """`rows` rows of so many multiply-accumulates each."""
        return rows * (_CYCLES_PER_ROW + _CYCLES_PER_MULTIPLY_ACCUMULATE * multiply_accumulates) / self.clock_hz

    def _digest_seconds(self, count: int) -> float:
        return count * _DIGEST_CYCLES_PER_BYTE / self.clock_hz
