"""What inference and a training step cost: the figures that docs/BENCHMARKS.md tells, held to the instruction."""

from __future__ import annotations

import json
import re

import pytest

from nnlite.bench import emlearn
from nnlite.bench.boards import Cost
from nnlite.bench.device import Row, bench_device
from nnlite.cli import run
from nnlite.errors import IncompatibleError
from nnlite.profile import Profile
from tests.pages import ROOT

Pair = tuple[int, int]

Figures = tuple[Pair | None, Pair | None, Pair | None]


def _reached() -> dict[str, dict[str, Figures]]:
    """Board -> workload -> inference, softmax and training step, as docs/BENCHMARKS.md has them."""
    found: dict[str, dict[str, Figures]] = {}
    for row in re.findall(r"(?m)^\| microbit.*", (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8")):
        board, workload, *cells = row.strip("| ").split(" | ")
        inference, softmax, step = map(_read, cells[:3])
        found.setdefault(board, {})[workload] = inference, softmax, step
    return found


def _read(cell: str) -> Pair | None:
    if cell == "-":
        return None
    instructions, cycles = (int(number.replace(",", "")) for number in cell.split(" / "))
    return instructions, cycles


#: changes when a kernel or the compiler does; scripts/bench_device writes it
REACHED = _reached()
#: instructions that other engines take at best, in C and counted once: CMSIS-DSP and, of D, plain C in inference, AIfES
#: in training; on the Cortex-M0 AIfES, its softmax included
OTHERS: dict[str, dict[str, tuple[int, int | None]]] = {
    "microbit": {"A": (469_622, 1_637_043), "D": (15_260, 54_203)},
    "microbit2": {"A": (9_970, 251_457), "B": (96_370, 2_585_697), "C": (1_020_727, None), "D": (575, 9_619)},
}
BOARDS = tuple(REACHED)


def _pair(cost: Cost | None) -> Pair | None:
    return None if cost is None else (cost.instructions, cost.cycles)


@pytest.fixture(scope="module", params=BOARDS)
def measured(request: pytest.FixtureRequest) -> tuple[str, list[Row]]:
    """Of each board, with the costs of its functions."""
    return request.param, list(bench_device(Profile.load(request.param), with_profile=True))


def test_figures_are_those_that_were_reached(measured: tuple[str, list[Row]]) -> None:
    board, rows = measured
    got = {row.workload: tuple(map(_pair, (row.inference, row.softmax, row.training_step))) for row in rows}
    assert got == REACHED[board]


def test_others_take_more(measured: tuple[str, list[Row]]) -> None:
    """Training half of it at most."""
    board, rows = measured
    for row in rows:
        if row.workload in OTHERS[board]:
            inference, step = OTHERS[board][row.workload]
            with_softmax = row.softmax.instructions if row.softmax and board == "microbit" else 0
            assert row.inference.instructions + with_softmax < inference
            assert (step is None) == (row.training_step is None)
            assert row.training_step is None or row.training_step.instructions < (step or 0) / 2


def test_functions_add_up_to_the_whole(measured: tuple[str, list[Row]]) -> None:
    for row in measured[1]:
        whole = [cost for cost in (row.inference, row.softmax, row.training_step) if cost is not None]
        assert sum(cost.instructions for cost in row.profile.values()) == sum(cost.instructions for cost in whole)


def test_what_has_no_room_says_what_is_missing(measured: tuple[str, list[Row]]) -> None:
    for row in measured[1]:
        assert row.fits_learning == (row.training_step is not None)
        assert bool(row.reasons) == (not (row.fits and row.fits_learning))
    assert not next(row for row in measured[1] if row.workload == "C").fits


def test_emlearn_is_measured_on_the_same_networks(measured: tuple[str, list[Row]]) -> None:
    if emlearn.missing() is not None:
        pytest.skip(f"{emlearn.missing()} is not installed")
    for row in measured[1]:
        assert row.emlearn is not None
        assert row.emlearn.instructions > row.inference.instructions


def test_a_board_without_firmware_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="uno"):
        next(bench_device(Profile.load("uno")))


def test_the_verb_prints_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "device", "--board", "microbit2", "--json"]) == 0
    rows = {row["workload"]: row for row in json.loads(capsys.readouterr().out)}
    inference, _, training_step = REACHED["microbit2"]["D"]
    assert inference is not None
    assert training_step is not None
    d = rows["D"]
    assert (d["instructions_per_inference"], d["cycles_per_inference"]) == inference
    assert (d["instructions_per_training_step"], d["cycles_per_training_step"]) == training_step
    assert d["seconds_per_inference"] == inference[1] / 64_000_000
    assert rows["C"]["instructions_per_training_step"] is None
    assert run(["bench", "device", "--board", "microbit2", "--profile", "-q"]) == 0
    said = capsys.readouterr()
    assert "nn_dense_forward" in said.out
    assert f"{inference[0]:,} / {inference[1]:,}" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("elephant --board microbit2", "'elephant'"),
        ("device", "name it with --board"),
        ("device --board microbit --board microbit2", "one board"),
        ("device --board microbit --baud 250000", "--baud belongs to 'bench link'"),
        ("link --board microbit --profile", "belongs to 'bench device'"),
        ("link --board microbit --baud 9600", "its rates are 115,200, 250,000"),
    ],
)
def test_what_the_verb_does_not_take(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *words.split()]) == 2
    assert said in capsys.readouterr().err
