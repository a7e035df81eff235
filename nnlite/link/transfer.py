"""What is sent when: the flash sender, the read receiver, and rows cut into frames. Pure states, no port, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from nnlite.errors import DeviceError
from nnlite.link.protocol import Credit, ReadReply

__all__ = ["Block", "FlashTransfer", "ReadTransfer", "StreamFrame", "split_rows"]

_WORD_BYTES = 4


@dataclass(frozen=True)
class Block:
    """Bytes `offset` to `end` of an image: one FLASH_DATA. `again` when they were sent before."""

    offset: int
    end: int
    again: bool


class FlashTransfer:
    """Sends an image in order within the device's credit, and goes back when a frame was lost (go-back-N).

    A device answers every FLASH_DATA that reaches it, also a broken one, with its credit. After a refusal nothing
    more is sent until all that is on the line has been answered: only then the whole credit is free again. After a
    silence nobody knows what is still on the line, so one block goes out, and no other before that one is answered.

    Parameters
    ----------
    length : bytes of the image.
    block_bytes : bytes of image in every FLASH_DATA but the last.
    credit : the answer to FLASH_BEGIN.
    """

    def __init__(self, length: int, block_bytes: int, credit: Credit) -> None:
        self._length = length
        self._block_bytes = block_bytes
        self._next = 0
        self._limit = 0
        self._to_send = 0
        self._ever_sent = 0
        self._unanswered: deque[tuple[int, Block]] = deque()  # by sequence: what may still be on the line
        self._refused = False
        self._probing = False  # whether frames may be under way that nobody waits for any more
        self._stalls = 0
        self._take(credit)

    @property
    def stalls(self) -> int:
        """How often in a row it went back without the device having got on."""
        return self._stalls

    @property
    def acknowledged(self) -> int:
        """Bytes of image that the device has programmed."""
        return self._next

    @property
    def done(self) -> bool:
        """Whether the device has the whole image."""
        return self._next == self._length

    @property
    def unanswered(self) -> int:
        """Blocks on the line."""
        return len(self._unanswered)

    def next_block(self) -> Block | None:
        """The block to send now; None when there is no credit for it, or answers are awaited first."""
        end = min(self._to_send + self._block_bytes, self._length)
        # Blocks that went out again although the device had them lie before its credit, but on the line all the same.
        ahead = end - self._to_send + sum(block.end - block.offset for _, block in self._unanswered)
        if self._probing and self._unanswered:
            return None
        if self._refused or self._to_send == self._length or end > self._limit or ahead > self._limit - self._next:
            return None
        return Block(self._to_send, end, again=self._to_send < self._ever_sent)

    def sent(self, block: Block, sequence: int) -> None:
        """Note that a block went out as the request of this sequence."""
        self._to_send = block.end
        self._ever_sent = max(self._ever_sent, block.end)
        self._unanswered.append((sequence, block))

    def answered(self, sequence: int, credit: Credit) -> None:
        """Take the answer to the request of this sequence.

        A broken frame is answered under the sequence of the last whole one, which was answered before: then the
        oldest block on the line was the broken one.

        Raises
        ------
        DeviceError : credit that cannot be.
        """
        known = any(one == sequence for one, _ in self._unanswered)
        if not self._unanswered or (self._probing and not known):
            self._take(credit)  # an answer to what was given up on
            return
        self._probing = False
        refused = not known
        while self._unanswered:
            one, block = self._unanswered.popleft()
            refused = refused or credit.next_offset < block.end
            if not known or one == sequence:
                break
        self._take(credit)
        self._refused = self._refused or refused
        if self._refused and not self._unanswered:
            self._go_back()

    def silence(self) -> None:
        """Give up on what is on the line; what the device does not have is sent again."""
        self._unanswered.clear()
        self._probing = True
        self._go_back()

    def _go_back(self) -> None:
        self._refused = False
        self._stalls += 1
        self._to_send = self._next

    def _take(self, credit: Credit) -> None:
        at, limit = credit.next_offset, credit.limit
        whole = at % self._block_bytes == 0 or at == self._length
        if not (whole and at <= limit <= self._length and at <= self._ever_sent):
            raise DeviceError(
                f"the device expects byte {at} and takes bytes up to {limit}, which cannot be: {self._ever_sent} of "
                f"{self._length} were sent in blocks of {self._block_bytes}; put the firmware of this version on it"
            )
        if at > self._next:
            self._stalls = 0
        if at >= self._next:  # an older answer that comes late tells nothing new
            self._next, self._limit = at, limit
            self._to_send = max(self._to_send, at)


class ReadTransfer:
    """Collects the pieces of a READ in any order and knows what is missing.

    Parameters
    ----------
    offset, length : the bytes wanted of the region.
    """

    def __init__(self, offset: int, length: int) -> None:
        self._offset = offset
        self._data = bytearray(length)
        self._have = bytearray(length)

    @property
    def length(self) -> int:
        """Bytes wanted."""
        return len(self._data)

    @property
    def data(self) -> bytes:
        """What was collected; complete when there is no gap."""
        return bytes(self._data)

    @property
    def received(self) -> int:
        """Bytes that are there."""
        return self._have.count(1)

    def gap(self) -> tuple[int, int] | None:
        """Offset and length of the first gap, or None."""
        start = self._have.find(0)
        if start < 0:
            return None
        end = self._have.find(1, start)
        return self._offset + start, (end if end >= 0 else len(self._have)) - start

    def accept(self, piece: ReadReply) -> None:
        """Take one piece.

        Raises
        ------
        DeviceError : a piece that was not asked for.
        """
        start = piece.offset - self._offset
        end = start + len(piece.data)
        if start < 0 or end > len(self._data) or not piece.data:
            raise DeviceError(
                f"the device sent {len(piece.data)} bytes from {piece.offset}, "
                f"asked for were {len(self._data)} from {self._offset}; run the command again"
            )
        self._data[start:end] = piece.data
        self._have[start:end] = b"\x01" * len(piece.data)


@dataclass(frozen=True)
class StreamFrame:
    """What one RUN or LEARN frame carries.

    Attributes
    ----------
    position : words before it in the stream.
    words : 32-bit words, as bytes.
    rows : rows that it completes.
    last : whether it is the last one of the rows given.
    """

    position: int
    words: bytes
    rows: int
    last: bool


def split_rows(
    data: bytes, row_words: int, frame_words: int, frame_rows: int, position: int = 0
) -> Iterator[StreamFrame]:
    """Cut rows into frames: whole rows where one fits a frame, else each row in pieces of its own.

    So a row that a frame completes is the last in it: outputs that are read with READ lie where the words of the
    next row would go.

    Parameters
    ----------
    data : the rows one after the other, `row_words` words each.
    frame_words : words that fit a frame.
    frame_rows : rows that a frame may complete at most.
    position : words of the stream before the first row.
    """
    rows = max(1, min(frame_rows, frame_words // row_words))
    step = rows * row_words
    total = len(data) // _WORD_BYTES
    for start in range(0, total, step):
        end = min(start + step, total)
        for at in range(start, end, frame_words):
            to = min(at + frame_words, end)
            completed = (end - start) // row_words if to == end else 0
            yield StreamFrame(position + at, data[at * _WORD_BYTES : to * _WORD_BYTES], completed, to == total)
