"""Seeded slices of the hostile images of docs/PROOF.md; `scripts/hostile_images` has all of them."""

from __future__ import annotations

import pytest

from firmware_sim import Board
from tests.proof import hostile_native
from tests.proof.hostile_board import hostile_board
from tests.proof.hostile_images import CHECKS, NO_ROOM_IN_FLASH, NO_ROOM_IN_RAM

SEED = 6


def test_the_firmwares_checks_say_what_the_laptops_do() -> None:
    """Each check refuses some, and none refuses what is good."""
    program = hostile_native.build_hostile()
    if program is None:
        pytest.skip(hostile_native.NO_GCC)
    found = hostile_native.hostile_native(program, 2_000, SEED)
    assert set(found) == {*CHECKS, NO_ROOM_IN_RAM, "accepted"}
    assert sum(found.values()) == 2_000


@pytest.mark.board("microbit", "microbit2")
def test_a_board_refuses_what_the_laptop_does_and_serves_on(board: Board) -> None:
    found = hostile_board(board, 100, SEED)
    assert found.total() == 100 + found[NO_ROOM_IN_FLASH] == 110
    assert len(found) > len(CHECKS) // 2
