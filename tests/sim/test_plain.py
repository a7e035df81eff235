"""The short way through the hook counts what the whole rule counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from firmware_sim import Board, open_board
from firmware_sim.cpu import cortex_m, hooks, slots
from tests.sim.conversation import BAUD, answers, let_start, request


def whole_rule(checked: bool) -> int:
    """What stands behind the short way."""
    return int((hooks.at_instruction_checked if checked else hooks.at_instruction).address)


def talk(board: Board) -> npt.NDArray[np.int64]:
    """Everything that was counted from power-up to the answer to a HELLO, in runs cut anywhere."""
    let_start(board)
    for cycles in range(1, 40):
        board.run(cycles)
    board.write_line(request(1), BAUD)
    assert len(answers(board, 1, 0.2)) == 1
    numbers = [slots.INSTRUCTIONS, slots.CYCLES, slots.NEXT, slots.TAKEN, slots.DEPTH, slots.SP_LOWEST]
    return np.concatenate([board.cpu.counters[numbers], board.cpu.counters[slots.TABLE :]])


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_the_short_way_and_the_whole_rule_count_alike(name: str, checks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_board(name, checks=checks) as board:
        short = talk(board)
    monkeypatch.setattr(cortex_m, "step_address", whole_rule)
    with open_board(name, checks=checks) as board:
        np.testing.assert_array_equal(short, talk(board))


def test_cycles_do_not_depend_on_the_checks() -> None:
    counted = []
    for checks in (True, False):
        with open_board("microbit", checks=checks) as board:
            talk(board)
            counted.append((board.instructions, board.cycles))
    assert counted[0] == counted[1]
