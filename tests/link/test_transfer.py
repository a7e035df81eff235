"""The flash sender against a model of the device and a line that loses frames, the read receiver, rows into frames."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnlite.errors import DeviceError
from nnlite.link.protocol import Credit, ReadReply
from nnlite.link.transfer import FlashTransfer, ReadTransfer, split_rows

BLOCK = 252


class DeviceModel:
    """The device's side of PROTOCOL.md, Flash: takes blocks in order, answers everything that reaches it."""

    def __init__(self, length: int, window: int) -> None:
        self.length, self.window = length, window
        self.next = 0
        self.received = bytearray()
        self.last_whole = 0

    def credit(self) -> Credit:
        return Credit(self.next, min(self.next + self.window, self.length))

    def take(self, sequence: int, offset: int, data: bytes, broken: bool) -> tuple[int, Credit]:
        if not broken:
            self.last_whole = sequence
            if offset == self.next:
                self.received += data
                self.next += len(data)
        return self.last_whole, self.credit()


def transfer_over(
    line: random.Random, image: bytes, window: int, loss: float, hiccups: float = 0.0
) -> tuple[DeviceModel, int]:
    """Send an image over a line that loses and breaks frames both ways. Returns the device and the frames sent.

    `hiccups`: how often patience ends although frames are under way, where no answer is there to be taken.
    """
    device = DeviceModel(len(image), window)
    transfer = FlashTransfer(len(image), BLOCK, device.credit())
    to_device: deque[tuple[int, int, bytes]] = deque()
    answers: deque[tuple[int, Credit]] = deque()
    granted = device.credit().limit
    sequence = silences = 0
    for _ in range(100_000):
        if transfer.done:
            if loss == 0:
                blocks = -(-len(image) // BLOCK)
                assert sequence <= blocks + silences, "what is not lost goes out once, and one block after a silence"
            return device, sequence
        while (block := transfer.next_block()) is not None:
            assert block.end <= granted, "sent beyond the credit"
            sequence += 1
            to_device.append((sequence, block.offset, image[block.offset : block.end]))
            transfer.sent(block, sequence)
            if not hiccups:
                assert sum(len(data) for _, _, data in to_device) <= window, "more on the line than was granted"
        if to_device and line.random() < 0.6:
            frame = to_device.popleft()
            fate = line.random()
            if fate >= loss:  # else it is gone without a trace
                answer = device.take(*frame, broken=fate < 2 * loss)
                if line.random() >= loss:
                    answers.append(answer)
        elif answers:
            answered, credit = answers.popleft()
            granted = max(granted, credit.limit)
            transfer.answered(answered, credit)
        elif not to_device or line.random() < hiccups:
            silences += 1
            transfer.silence()
    raise AssertionError("the transfer never ended")


@given(
    seed=st.integers(0, 2**32 - 1),
    words=st.integers(1, 2500),
    window=st.integers(BLOCK, 4 * BLOCK),
    loss=st.sampled_from([0.0, 0.02, 0.2]),
)
@example(seed=0, words=708, window=504, loss=0.2)  # answers lost: what is sent again lies before the credit
def test_an_image_arrives_whole_within_the_credit(seed: int, words: int, window: int, loss: float) -> None:
    line = random.Random(seed)
    image = line.randbytes(4 * words)
    device, frames = transfer_over(line, image, window, loss)
    assert bytes(device.received) == image
    if loss == 0:
        assert frames == -(-len(image) // BLOCK), "a quiet line needs every block once"


@given(seed=st.integers(0, 2**32 - 1), words=st.integers(1, 2500), window=st.integers(BLOCK, 4 * BLOCK))
def test_answers_that_come_too_late_cost_one_block_each_time(seed: int, words: int, window: int) -> None:
    """Patience that ends while frames are under way must not put more and more of them there."""
    line = random.Random(seed)
    image = line.randbytes(4 * words)
    device, _ = transfer_over(line, image, window, loss=0.0, hiccups=0.3)
    assert bytes(device.received) == image


def test_answers_to_what_was_given_up_on_send_nothing() -> None:
    transfer = FlashTransfer(8 * BLOCK, BLOCK, Credit(0, 3 * BLOCK))
    for sequence in (1, 2, 3):
        block = transfer.next_block()
        assert block is not None
        transfer.sent(block, sequence)
    transfer.silence()
    probe = transfer.next_block()
    assert probe is not None
    transfer.sent(probe, 4)
    for sequence in (1, 2, 3):
        assert transfer.next_block() is None, "nobody knows what is still on the line"
        transfer.answered(sequence, Credit(sequence * BLOCK, min(sequence + 3, 8) * BLOCK))
    assert transfer.acknowledged == 3 * BLOCK
    transfer.answered(4, Credit(3 * BLOCK, 6 * BLOCK))
    block = transfer.next_block()
    assert block is not None
    assert (block.offset, block.again) == (3 * BLOCK, False), "what came late was not sent again"


def test_the_whole_credit_is_used_and_not_a_byte_more() -> None:
    """One byte less of credit than three blocks allows two."""
    for limit, blocks in ((3 * BLOCK, 3), (3 * BLOCK - 1, 2), (3 * BLOCK + 1, 3)):
        transfer = FlashTransfer(10 * BLOCK, BLOCK, Credit(0, limit))
        sent = 0
        while (block := transfer.next_block()) is not None:
            sent += 1
            transfer.sent(block, sent)
        assert sent == blocks


def test_the_last_short_block_waits_for_its_last_byte_of_credit() -> None:
    transfer = FlashTransfer(BLOCK + 8, BLOCK, Credit(0, BLOCK + 7))
    block = transfer.next_block()
    assert block is not None
    transfer.sent(block, 1)
    assert transfer.next_block() is None
    transfer.answered(1, Credit(BLOCK, BLOCK + 8))
    block = transfer.next_block()
    assert block is not None
    assert (block.offset, block.end) == (BLOCK, BLOCK + 8)


def test_one_lost_frame_costs_one_going_back() -> None:
    transfer = FlashTransfer(3 * BLOCK, BLOCK, Credit(0, 3 * BLOCK))
    for sequence in (1, 2, 3):
        block = transfer.next_block()
        assert block is not None
        transfer.sent(block, sequence)
    transfer.answered(2, Credit(0, 3 * BLOCK))  # the first was lost, the second is out of order
    assert transfer.next_block() is None, "the third is still on the line"
    transfer.answered(3, Credit(0, 3 * BLOCK))
    block = transfer.next_block()
    assert block is not None
    assert (block.offset, block.again) == (0, True)
    assert transfer.stalls == 1


def test_an_older_answer_changes_nothing() -> None:
    transfer = FlashTransfer(3 * BLOCK, BLOCK, Credit(0, 3 * BLOCK))
    for sequence in (1, 2):
        block = transfer.next_block()
        assert block is not None
        transfer.sent(block, sequence)
    transfer.answered(2, Credit(2 * BLOCK, 3 * BLOCK))
    transfer.answered(1, Credit(BLOCK, 2 * BLOCK))
    assert transfer.acknowledged == 2 * BLOCK
    block = transfer.next_block()
    assert block is not None
    assert block.offset == 2 * BLOCK


@pytest.mark.parametrize(
    "credit",
    [
        Credit(1, BLOCK),
        Credit(BLOCK - 1, 2 * BLOCK),
        Credit(BLOCK, BLOCK - 1),
        Credit(0, 4 * BLOCK),
        Credit(2 * BLOCK, 2 * BLOCK),
    ],
)
def test_credit_that_cannot_be_is_an_error(credit: Credit) -> None:
    transfer = FlashTransfer(3 * BLOCK, BLOCK, Credit(0, BLOCK))
    block = transfer.next_block()
    assert block is not None
    transfer.sent(block, 1)
    with pytest.raises(DeviceError, match="cannot be"):
        transfer.answered(1, credit)


def test_stalls_are_counted_until_the_device_gets_on() -> None:
    transfer = FlashTransfer(2 * BLOCK, BLOCK, Credit(0, BLOCK))
    for sequence in (1, 2, 3):
        block = transfer.next_block()
        assert block is not None
        transfer.sent(block, sequence)
        transfer.silence()
    assert transfer.stalls == 3
    block = transfer.next_block()
    assert block is not None
    transfer.sent(block, 4)
    transfer.answered(4, Credit(BLOCK, 2 * BLOCK))
    assert transfer.stalls == 0


@given(data=st.data(), offset=st.integers(0, 1000), length=st.integers(0, 2000))
def test_pieces_in_any_order_fill_all_gaps(data: st.DataObject, offset: int, length: int) -> None:
    source = random.Random(offset).randbytes(length)
    transfer = ReadTransfer(offset, length)
    for at, size in data.draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 300)), max_size=20)):
        if at + size <= length:
            transfer.accept(ReadReply(offset + at, source[at : at + size]))
    while (gap := transfer.gap()) is not None:
        start, size = gap[0] - offset, min(gap[1], 244)
        missing_before = length - transfer.received
        transfer.accept(ReadReply(gap[0], source[start : start + size]))
        assert length - transfer.received == missing_before - size, "a gap held bytes that were there"
    assert transfer.data == source


@pytest.mark.parametrize("piece", [ReadReply(9, b"x"), ReadReply(19, b"xy"), ReadReply(10, b"")])
def test_a_piece_that_was_not_asked_for(piece: ReadReply) -> None:
    with pytest.raises(DeviceError, match="asked for"):
        ReadTransfer(10, 10).accept(piece)


@given(
    rows=st.integers(0, 40),
    row_words=st.integers(1, 200),
    frame_words=st.integers(1, 80),
    frame_rows=st.integers(0, 12),
    position=st.integers(0, 1000),
)
def test_rows_are_cut_so_that_each_ends_in_one_frame(
    rows: int, row_words: int, frame_words: int, frame_rows: int, position: int
) -> None:
    data = random.Random(rows).randbytes(4 * rows * row_words)
    frames = list(split_rows(data, row_words, frame_words, frame_rows, position))
    assert b"".join(frame.words for frame in frames) == data
    words = 0
    for frame in frames:
        assert frame.position == position + words
        assert 1 <= len(frame.words) // 4 <= frame_words
        assert frame.rows == (words + len(frame.words) // 4) // row_words - words // row_words
        assert frame.rows <= max(1, frame_rows)
        words += len(frame.words) // 4
        if frame.rows:
            assert words % row_words == 0, "words of the next row behind a completed one"
    assert [frame.last for frame in frames] == [False] * (len(frames) - 1) + [True] * bool(frames)
