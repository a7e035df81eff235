"""How full the line is: floors for a model of 40 kB, which the largest ones beat (docs/PROOF.md, Throughput)."""

from __future__ import annotations

import pytest

from nnlite.bench.link import Delta, Use, measure_delta, measure_use, rates
from nnlite.cli import run
from nnlite.cli.bench_link import delta_lines, use_table
from nnlite.errors import IncompatibleError
from nnlite.profile import Profile

SMALL_BYTES = 40_000


@pytest.mark.parametrize(
    ("board", "baud", "floor"), [("microbit", 115_200, 0.92), ("microbit2", 115_200, 0.92), ("microbit", 250_000, 0.87)]
)
def test_a_flash_and_a_pull_fill_the_line(board: str, baud: int, floor: float) -> None:
    use = measure_use(Profile.load(board), baud, image_bytes=SMALL_BYTES)
    assert floor < use.flash_use < use.ceiling
    assert floor < use.pull_use < 1
    assert (use.retransmissions, use.lost_bytes) == (0, 0)
    assert SMALL_BYTES - 400 < use.image_bytes <= SMALL_BYTES
    assert use.flash_use == pytest.approx(10 * use.image_bytes / (baud * use.flash_seconds))


def test_waiting_costs() -> None:
    """With 50 ms each way instead of 16 the same transfer fills less."""
    profile = Profile.load("microbit")
    near, far = (measure_use(profile, 115_200, latency, image_bytes=8_000) for latency in (0.001, 0.05))
    assert near.flash_use > far.flash_use + 0.05
    assert near.pull_use > far.pull_use + 0.05


def test_another_last_layer_costs_less_than_a_tenth() -> None:
    delta = measure_delta(Profile.load("microbit2"))
    assert delta.share < 0.1
    assert (delta.pages, delta.pages_changed) == (25, 1)
    assert delta.delta_bytes > 330 * 4


def test_rates_are_those_of_a_board_with_firmware() -> None:
    assert rates(Profile.load("microbit")) == (115_200, 250_000)
    with pytest.raises(IncompatibleError, match="uno"):
        rates(Profile.load("uno"))


def test_the_verb_measures_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """In text; its JSON is what scripts/link_throughput reads."""
    assert run(["bench", "link", "--board", "microbit", "--baud", "250000", "--latency", "0.001"]) == 0
    said = capsys.readouterr()
    _, row, delta = said.out.splitlines()
    assert row.split()[:2] == ["microbit", "250,000"]
    assert delta.startswith("microbit: another last layer")
    assert "1 ms each way" in said.err


def test_what_a_person_reads() -> None:
    use = Use("microbit", 250_000, 0.016, 113_464, 5.0, 2.5, 5.2, 0.9077, 0.8728, 1.0, 0, 0)
    first, second = use_table([use]).splitlines()
    assert first.split() == [
        "board",
        "baud",
        "model",
        "flash",
        "of",
        "the",
        "line",
        "ceiling",
        "pull",
        "of",
        "the",
        "line",
    ]
    assert second == (
        "microbit  250,000  113,464 bytes  5.00 s + 2.50 s erasing        90.8%   100.0%  5.20 s        87.3%"
    )
    assert delta_lines([Delta("microbit2", 25, 1, 105_380, 3_770)]) == (
        "microbit2: another last layer of 784-32-10 changes 1 of 25 pages; 3,770 bytes are sent instead of 105,380 "
        "(3.6%)"
    )
