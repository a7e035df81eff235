"""The loop that serves a board, against a clock of the test's own: pace, and no wait that is not one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from firmware_sim import Board
from firmware_sim.serve import serve
from nnlite.link.frame import FrameDecoder
from tests.sim.conversation import request


class Enough(Exception):
    """Ends a loop that has no end."""


class Laptop:
    """A client with a clock that only waiting moves: it says something at 1 s, and is content with a whole answer."""

    url = "test"

    def __init__(self, data: bytes) -> None:
        self.now = 100.0
        self.data = data
        self.waits: list[float | None] = []
        self.decoder = FrameDecoder(256)
        self.answered_at = 0.0

    def clock(self) -> float:
        return self.now

    def wait(self, _: Sequence[Any], __: Sequence[Any], ___: Sequence[Any], timeout: float | None) -> None:
        self.waits.append(timeout)
        assert len(self.waits) < 2000, "it is woken for nothing"
        if timeout is not None:
            self.now += timeout
        elif self.answered_at:
            raise Enough
        else:
            self.now += 1.0

    def readers(self) -> list[Any]:
        return [self]

    writers = readers

    def receive(self) -> bytes:
        # Not before the board waits for it, with no end in sight
        data, self.data = (self.data, b"") if None in self.waits else (b"", self.data)
        return data

    def send(self, data: bytes) -> int:
        if self.decoder.feed(data):
            self.answered_at = self.now
        return len(data)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("fast", [False, True])
def test_bytes_keep_the_pace_of_the_clock_or_take_none_of_it(board: Board, fast: bool) -> None:
    laptop = Laptop(request(1))
    with pytest.raises(Enough):
        serve(board, laptop, fast=fast, clock=laptop.clock, wait=laptop.wait)
    asked_at = 100.0 + sum(wait or 0.0 for wait in laptop.waits[: laptop.waits.index(None)]) + 1.0
    took = laptop.answered_at - asked_at
    sent = board.uart.bytes_sent + board.uart.bytes_received
    if fast:
        assert took == 0
        return
    assert took >= 10 * sent / 115_200
    assert board.seconds == pytest.approx(laptop.now - 100.0, abs=0.002)
    # A tick of a millisecond while something goes on; none while nothing does.
    assert len(laptop.waits) < 1000 * took + 60
    assert all(wait is None or wait >= 0.001 or wait == 0 for wait in laptop.waits)


def test_a_board_that_nobody_talks_to_is_not_woken(board: Board) -> None:
    laptop = Laptop(b"")
    laptop.answered_at = 1.0
    with pytest.raises(Enough):
        serve(board, laptop, clock=laptop.clock, wait=laptop.wait)
    assert laptop.waits[-1] is None
    assert laptop.waits.count(None) == 1
