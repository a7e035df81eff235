"""How long a flash takes: an estimate, where `nnlite.link.timing` has upper bounds.

Into an empty slot, where every page is sent, over a line that loses nothing. The coefficients were measured on
simulated boards, and a test holds the sum against them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from nnlite.link import wire
from nnlite.link.frame import encoded_frame_bytes
from nnlite.link.protocol import REPLY_HEADER_BYTES
from nnlite.link.timing import BITS_PER_BYTE, is_worth_a_faster_rate

__all__ = ["LATENCY_SECONDS", "FlashTime", "LinkLimits", "flash_time"]

#: each way: what a USB bridge with its default timer of 16 ms takes
LATENCY_SECONDS = 0.016

_WORD_BYTES = 4
#: per byte: the CRC-32 of what lies in the slot, then whether the floats that came are finite
_CHECK_CYCLES_PER_BYTE = 25
#: per word that is programmed, beside the flash's own time: looking at the UART, a round of the digest
_POLL_CYCLES_PER_WORD = 230
#: on the line for one request and its answer, FLASH_DATA apart
_REQUEST_BYTES = 70


class LinkLimits(Protocol):
    """What an estimate needs to know of a board; a profile with firmware has it."""

    @property
    def clock_hz(self) -> int: ...
    @property
    def page_bytes(self) -> int: ...
    @property
    def erase_page_us(self) -> int: ...
    @property
    def write_word_us(self) -> int: ...
    @property
    def uart_baud(self) -> int: ...
    @property
    def uart_fast_baud(self) -> int: ...
    @property
    def payload_bytes(self) -> int: ...


@dataclass(frozen=True)
class FlashTime:
    """Seconds of a flash by what they go for.

    Attributes
    ----------
    baud : the rate of the line that client and device agree on for an image of this size.
    erasing : the record page and the image's pages, by the datasheet's longest time.
    sending : the image's frames on the line, or programming its words where that takes longer; both go on at once.
    asking : the other requests, `LATENCY_SECONDS` each way for each of them, and checking on the device.
    """

    baud: int
    erasing: float
    sending: float
    asking: float

    @property
    def seconds(self) -> float:
        """In all."""
        return self.erasing + self.sending + self.asking


def flash_time(image_bytes: int, board: LinkLimits, latency: float = LATENCY_SECONDS) -> FlashTime:
    """Estimate the time from the first request to the answer that the new model serves.

    Parameters
    ----------
    image_bytes : of the model's image.
    latency : seconds each way.
    """
    fast = board.uart_fast_baud > board.uart_baud and is_worth_a_faster_rate(image_bytes)
    baud = board.uart_fast_baud if fast else board.uart_baud
    pages = -(-image_bytes // board.page_bytes)
    header = struct.calcsize(wire.FLASH_DATA_HEADER)
    block = board.payload_bytes - header
    blocks, rest = divmod(image_bytes, block)
    on_the_line = blocks * encoded_frame_bytes(board.payload_bytes)
    on_the_line += encoded_frame_bytes(header + rest) if rest else 0
    words = image_bytes / _WORD_BYTES
    programming = words * (board.write_word_us * 1e-6 + _POLL_CYCLES_PER_WORD / board.clock_hz)
    entries = (board.payload_bytes - REPLY_HEADER_BYTES) // struct.calcsize(wire.PAGES_ENTRY)
    # PAGES, FLASH_BEGIN, the last FLASH_DATA, FLASH_COMMIT; to another rate and back, an ECHO between
    requests = -(-pages // entries) + 3 + (3 if fast else 0)
    asked = requests * _REQUEST_BYTES + pages * struct.calcsize(wire.PAGES_ENTRY)
    return FlashTime(
        baud=baud,
        erasing=(1 + pages) * board.erase_page_us * 1e-6,
        sending=max(on_the_line * BITS_PER_BYTE / baud, programming),
        asking=requests * 2 * latency
        + asked * BITS_PER_BYTE / baud
        + pages * board.page_bytes * _CHECK_CYCLES_PER_BYTE / board.clock_hz,
    )
