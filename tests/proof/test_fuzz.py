"""Seeded slices of the fuzzing of docs/PROOF.md; `scripts/fuzz_link` goes on for longer."""

from __future__ import annotations

import pytest

from firmware_sim import Board
from nnlite.link.frame import Frame
from tests.proof import fuzz_native
from tests.proof.fuzz_board import fuzz_board
from tests.proof.fuzz_host import fuzz_host
from tests.proof.mutants import conversation

SEED = 2


@pytest.fixture(scope="module")
def talked() -> tuple[list[Frame], list[Frame]]:
    return conversation("microbit")


def test_mutants_into_the_laptop(talked: tuple[list[Frame], list[Frame]]) -> None:
    found = fuzz_host(talked[1], 100_000, SEED)
    assert found["early"] == 50_000
    assert found["refused"] + found["same"] == 50_000
    assert found["wrong"] == 0


@pytest.mark.board("microbit", "microbit2")
def test_mutants_into_a_board(board: Board, talked: tuple[list[Frame], list[Frame]]) -> None:
    found = fuzz_board(board, talked[0], 1200, SEED)
    assert found["early"] == 600
    assert found["refused"] + found["same"] == 600
    assert found["wrong"] == 0


def test_mutants_into_the_decoder_in_c() -> None:
    program = fuzz_native.build_decoder()
    if program is None:
        pytest.skip(fuzz_native.NO_GCC)
    found = fuzz_native.fuzz_decoder(program, 500_000, SEED)
    assert found["early"] == 250_000
    assert found["refused"] + found["same"] == 250_000
    assert found["wrong"] == 0


def test_what_covers_more_of_the_firmware_is_tried_further(talked: tuple[list[Frame], list[Frame]]) -> None:
    program = fuzz_native.build_guided()
    if program is None:
        pytest.skip(fuzz_native.NO_FUZZER)
    found = fuzz_native.fuzz_guided(program, talked[0], 5_000, SEED)
    assert found["inputs"] >= 5_000
    assert found["edges"] > 500  # it got past HELLO
