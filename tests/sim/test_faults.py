"""The line between laptop and board: what arrives of what was sent."""

from __future__ import annotations

import pytest

from firmware_sim import Board
from firmware_sim.faults import Direction, Line
from tests.sim.conversation import BAUD, answers, let_start, request


def carried(line: Line, data: bytes, direction: Direction = "to_board") -> bytes:
    """In pieces of three: nothing may depend on how bytes are handed over."""
    return b"".join(line.carry(direction, data[at : at + 3]) for at in range(0, len(data), 3))


def test_a_line_without_faults_changes_nothing() -> None:
    line = Line()
    assert carried(line, b"0123456789") == b"0123456789"
    assert line.passed == {"to_board": 10, "from_board": 0}


@pytest.mark.parametrize("direction", ["to_board", "from_board"])
def test_each_fault_meets_its_byte_and_no_other(direction: Direction) -> None:
    line = Line()
    carried(line, b"before", direction)
    line.flip(direction, 1, 0x81)
    line.drop(direction, 3, 2)
    line.double(direction, 7)
    assert carried(line, b"0123456789", direction) == bytes([0x30, 0x31 ^ 0x81]) + b"256" + b"77" + b"89"
    assert carried(line, b"0123456789", direction) == b"0123456789"


def test_the_other_direction_is_not_touched() -> None:
    line = Line()
    line.silence("to_board")
    line.flip("to_board", 0)
    assert carried(line, b"abc", "from_board") == b"abc"


def test_silence_lasts_until_the_line_is_restored() -> None:
    line = Line()
    line.silence("from_board", 2)
    assert carried(line, b"abcdef", "from_board") == b"ab"
    assert carried(line, b"gh", "from_board") == b""
    line.restore()
    assert carried(line, b"ij", "from_board") == b"ij"


@pytest.mark.parametrize(("fault", "heard"), [("none", [1, 2]), ("flip", [2]), ("drop", [2]), ("silence", [])])
def test_a_request_that_is_broken_on_the_line_is_not_answered(board: Board, fault: str, heard: list[int]) -> None:
    let_start(board)
    if fault == "flip":
        board.line.flip("to_board", 5)
    elif fault == "drop":
        board.line.drop("to_board", 5)
    elif fault == "silence":
        board.line.silence("to_board", 5)
    board.write_line(request(1) + request(2), BAUD)
    assert [frame.sequence for frame in answers(board, 2, 0.2)] == heard


def test_a_broken_answer_is_seen_broken(board: Board) -> None:
    let_start(board)
    board.line.flip("from_board", 20)
    board.write_line(request(1) + request(2), BAUD)
    assert [frame.sequence for frame in answers(board, 2, 0.2)] == [2]
