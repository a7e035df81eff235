"""The line between laptop and board: what arrives of what was sent."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim import Board
from firmware_sim.faults import Direction, Line
from nnlite.device import Device
from nnlite.errors import UsageError
from nnlite.network import Network
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


def noisy(seed: int, *directions: Direction, flip: float = 0.0, drop: float = 0.0, double: float = 0.0) -> Line:
    line = Line()
    line.noise(*directions, flip=flip, drop=drop, double=double, seed=seed)
    return line


def test_noise_is_the_same_for_the_same_seed_however_the_bytes_come() -> None:
    sent = bytes(range(256)) * 8
    once = noisy(7, flip=0.01, drop=0.01, double=0.01).carry("to_board", sent)
    mixed = noisy(7, flip=0.01, drop=0.01, double=0.01)
    parts = []
    for at in range(0, len(sent), 5):  # the other direction in between does not matter either
        parts.append(mixed.carry("to_board", sent[at : at + 5]))
        mixed.carry("from_board", sent[: at % 3])
    assert b"".join(parts) == once != sent
    assert noisy(8, flip=0.01, drop=0.01, double=0.01).carry("to_board", sent) != once
    assert noisy(7, flip=0.01, drop=0.01, double=0.01).carry("from_board", sent) != once


def test_the_noise_of_a_seed_is_the_same_on_every_python_and_system() -> None:
    line = noisy(7, flip=0.2, drop=0.1, double=0.1)
    assert line.carry("to_board", bytes(24)).hex() == "200202000000004000000000000000000000000000000000"


def test_each_noise_does_what_its_name_says_as_often_as_it_should() -> None:
    zeros = bytes(20_000)
    flips = noisy(1, flip=0.01).carry("to_board", zeros)
    hit = [byte for byte in flips if byte]
    assert len(flips) == 20_000
    assert all(byte.bit_count() == 1 for byte in hit)
    assert set(hit) == {1 << bit for bit in range(8)}
    assert abs(len(hit) - 200) < 60  # four standard deviations
    assert abs(20_000 - len(noisy(1, drop=0.01).carry("to_board", zeros)) - 200) < 60
    assert abs(len(noisy(1, double=0.01).carry("to_board", zeros)) - 20_000 - 200) < 60


def test_another_kind_of_noise_leaves_the_first_where_it_was() -> None:
    sent = bytes(5_000)
    flips = noisy(3, flip=0.01).carry("to_board", sent)
    both = noisy(3, flip=0.01, double=1.0).carry("to_board", sent)
    assert both == bytes(byte for byte in flips for _ in range(2))


def test_noise_is_on_the_named_direction_only_and_ends_with_restore() -> None:
    line = noisy(1, "to_board", drop=1.0)
    assert line.carry("from_board", b"abc") == b"abc"
    assert line.carry("to_board", b"abc") == b""
    line.restore()
    assert line.carry("to_board", b"abc") == b"abc"


def test_the_line_counts_what_it_damaged() -> None:
    line = Line()
    line.flip("to_board", 0)
    line.double("to_board", 2)
    line.silence("to_board", 4)
    carried(line, b"0123456")
    assert line.damaged == {"to_board": 5, "from_board": 0}
    line.noise("from_board", drop=1.0)
    line.carry("from_board", b"abc")
    assert line.damaged == {"to_board": 5, "from_board": 3}


@pytest.mark.parametrize("chances", [{"flip": -0.1}, {"drop": 1.5}, {"double": float("nan")}], ids=str)
def test_a_chance_that_is_none_is_refused(chances: dict[str, float]) -> None:
    line = Line()
    with pytest.raises(UsageError, match=f"{next(iter(chances))} is the chance of each byte, from 0 to 1, not "):
        line.noise(**chances)
    assert line.carry("to_board", b"abc") == b"abc"


def test_a_device_gets_through_noise(board: Board) -> None:
    board.line.noise(flip=0.0005, drop=0.0005, double=0.0005, seed=0)
    net = Network([4, 6, 3], seed=1)
    X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    with Device.open(board.url) as device:
        device.flash(net)
        assert device.decision_function(X).tobytes() == net.decision_function(X).tobytes()
        assert device.statistics.retransmissions > 0
    assert all(board.line.damaged.values())
