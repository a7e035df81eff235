"""Seeded slices of docs/PROOF.md's "Plans that are exact"; `scripts/prove_plan` has the whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_sim import Board
from nnlite.bench.boards import boot
from nnlite.bench.device import _Bench
from nnlite.bench.workloads import WORKLOADS
from nnlite.planner import Learning, learning_bytes
from nnlite.profile import Profile, profile_names
from tests.proof import one_formula
from tests.proof.plan_grid import STACK_SPARE_BYTES, drawn, edges, measure, refusals

BOARDS = [name for name in profile_names() if Profile.load(name).status == "proven"]
SEED = 4
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "PROOF.md").read_text(encoding="utf-8")
#: of nn_apply on the stack, which are its caller's: three words, and one for the alignment
_ARGUMENT_BYTES = 16


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_is_proven_by_a_row_of_the_page(board: str) -> None:
    """At least 200 networks; nothing more or less of flash and RAM than planned; of the stack at most 64 bytes less."""
    (row,) = [line for line in PAGE.splitlines() if re.match(rf"\| {board} \| \d+ \| \d+ \| [\d,]+ to [\d,]+ \|", line)]
    networks, _, _, flash, ram, learning_ram, *stacks = [cell.strip() for cell in row.strip("|").split("|")][1:-1]
    assert int(networks) >= 200
    assert (flash, ram, learning_ram) == ("0", "0", "0")
    for stack in stacks:
        assert all(0 <= int(number) <= STACK_SPARE_BYTES for number in stack.split(" to "))


def test_laptop_and_firmware_count_alike() -> None:
    program = one_formula.build_formula()
    if program is None:
        pytest.skip(one_formula.NO_GCC)
    found = one_formula.compare_formulas(program, 20_000, SEED)
    assert found["networks"] == 20_000
    assert found["image above 32 bits"] > 1000
    assert found["learning above 32 bits"] > 1000


@pytest.mark.board(*BOARDS)
def test_what_is_drawn_takes_what_is_planned(board: Board) -> None:
    fresh = board.snapshot()
    for number, case in enumerate(drawn(board.profile, 4, SEED)):
        board.restore(fresh)
        measure(board, case, number)


@pytest.mark.board("microbit")
def test_the_smallest_and_the_largest_take_what_is_planned(board: Board) -> None:
    """Each is flashed, run and, where a way to learn fits, trained."""
    fresh = board.snapshot()
    for number, case in enumerate(edges(board.profile)):
        board.restore(fresh)
        measure(board, case, number)


@pytest.mark.board("microbit")
def test_a_byte_more_is_refused_by_both_sides(board: Board) -> None:
    assert len(refusals(board)) == 3


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("letter", ["A", "D"])
def test_a_training_step_takes_256_bytes_of_the_stack_at_most(name: str, letter: str) -> None:
    """Of plain SGD with one sample: its functions' own, callers not counted; and what is planned of it is seen."""
    profile = Profile.load(name)
    workload = next(one for one in WORKLOADS if one.name == letter)
    with boot(profile, "protocol_go_on") as board:
        stack = profile.firmware.symbols["stack"]
        callers = stack.address + stack.size - board.registers()["sp"]
        before = board.stack_high_water
        _Bench(board, profile, workload).training_step()
        deepest = board.stack_high_water - callers - _ARGUMENT_BYTES
    assert before < callers + deepest, "what the start of the firmware needed would hide it"
    assert deepest <= profile.firmware.step_stack_bytes <= min(256, deepest + STACK_SPARE_BYTES)


def test_learning_takes_little_ram() -> None:
    """Parameters, X and dA of workloads A and D, the input vector counted apart."""
    for sizes, most in (((64, 32, 10), 9_976), ((4, 8, 3), 360)):
        inputs = 4 * sizes[0]
        assert sum(learning_bytes(sizes, "softmax", Learning()).values()) - inputs <= most
