"""docs/FRAMES.md is true: what the laptop sends there, sent again, is answered by the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim import Board, open_board
from nnlite.link.frame import DELIMITER, Frame, decode_frame
from nnlite.link.timing import BAUD
from nnlite.link.wire import REPLY_BIT, Message
from tests.sim.conversation import let_start

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "FRAMES.md").read_text(encoding="utf-8")
#: a rate from here on, or the lines of hex of one frame
STEP = re.compile(r"at ([\d,]+) baud from here on|```text\n((?:([<>]) .*\n)+)")


def steps() -> Iterator[tuple[str, bytes]]:
    """("rate", digits), (">", bytes) and ("<", bytes), in their order."""
    for rate, block, mark in STEP.findall(PAGE):
        if rate:
            yield "rate", rate.replace(",", "").encode()
        else:
            yield mark, bytes.fromhex("".join(line[2:] for line in block.splitlines()))


def replay(board: Board, sent: Iterator[tuple[str, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """(what came, what the page says) of each answer."""
    baud = BAUD
    for what, data in sent:
        if what == "rate":
            baud = int(data)
            board.set_rate(baud)
        elif what == ">":
            board.write_line(data, baud)
        else:
            yield board.read_line(len(data), 2.0), data


def test_it_is_said_again_byte_for_byte() -> None:
    with open_board("microbit") as board:
        let_start(board)
        count = 0
        for got, written in replay(board, steps()):
            assert got == written, f"answer {count}: run scripts/make_frames if the firmware is meant to say this"
            count += 1
        assert board.read_line(1, 1.0) == b""
    assert count == sum(what == "<" for what, _ in steps()) > 20


@pytest.mark.parametrize("message", sorted(Message), ids=lambda message: message.name)
def test_every_message_is_there(message: Message) -> None:
    frames = [decode_frame(data.strip(DELIMITER)) for what, data in steps() if what != "rate"]
    assert {message, message | REPLY_BIT} <= {frame.type for frame in frames if isinstance(frame, Frame)}
