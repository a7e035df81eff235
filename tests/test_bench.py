"""What inference and a training step cost: the figures that the runtime reached, held to the instruction."""

from __future__ import annotations

import json

import pytest

from nnlite.bench import emlearn
from nnlite.bench.boards import Cost
from nnlite.bench.device import Row, bench_device
from nnlite.cli import run
from nnlite.errors import IncompatibleError
from nnlite.profile import Profile

Pair = tuple[int, int]

#: instructions and cycles of inference, softmax and a training step. A row changes when a kernel or the compiler does;
#: it is to get better.
REACHED: dict[str, dict[str, tuple[Pair, Pair | None, Pair | None]]] = {
    "microbit": {
        "A": ((147_154, 169_068), (14_738, 20_122), (255_194, 297_246)),
        "B": ((1_576_251, 1_737_286), (13_457, 18_833), None),
        "C": ((12_061_168, 14_107_759), None, None),
        "D": ((4_344, 5_726), (3_419, 4_695), (14_894, 20_032)),
        "E": ((6_269_340, 6_907_732), (14_526, 19_923), None),
    },
    "microbit2": {
        "A": ((6_131, 9_357), (750, 1_115), (14_779, 24_612)),
        "B": ((60_131, 90_717), (750, 1_115), (127_387, 216_204)),
        "C": ((630_429, 951_659), None, None),
        "D": ((369, 645), (197, 310), (1_410, 2_331)),
        "E": ((240_059, 361_917), (750, 1_115), None),
    },
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
