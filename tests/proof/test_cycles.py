"""What `nnlite.cycles` says, held against the simulator: a slice of what scripts/fit_cycles runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nnlite.cycles import Sample, inference_cycles, load_table, price, step_cycles
from nnlite.errors import IncompatibleError
from nnlite.profile import Profile
from tests.proof.code_paths import Code
from tests.proof.cycle_fit import digest
from tests.proof.cycle_grid import KINDS, PROMISED, draw, run
from tests.proof.cycle_parts import KINDS as PART_KINDS
from tests.proof.cycle_parts import PARTS, Size, measure
from tests.proof.runtime_calls import Chip, chip

BOARDS = ("microbit", "microbit2", "nano33ble")
SIZES = (15, 16, 7)
#: a network some of whose samples leave every unit of a hidden layer at 0
_WITH_DEAD_LAYERS = 134


@pytest.fixture(scope="module", params=BOARDS)
def board(request: pytest.FixtureRequest) -> Iterator[tuple[Profile, Chip]]:
    profile = Profile.load(request.param)
    with chip(profile) as running:
        yield profile, running


def test_estimates_are_within_what_is_promised(board: tuple[Profile, Chip]) -> None:
    profile, running = board
    outcomes = [run(profile, running, draw(profile, seed)) for seed in (*range(0, 240, 6), _WITH_DEAD_LAYERS)]
    wrong = [outcome for outcome in outcomes if max(map(abs, outcome.errors)) > PROMISED[profile.core]]
    assert not wrong, wrong[0]
    assert all(outcome.enclosed for outcome in outcomes)


@pytest.mark.parametrize("kind", KINDS)
def test_no_numbers_take_less_than_the_least_or_more_than_the_most(board: tuple[Profile, Chip], kind: str) -> None:
    profile, running = board
    for seed in range(0, 60, 8):
        outcome = run(profile, running, draw(profile, seed, kind))
        assert outcome.enclosed, outcome


@pytest.mark.parametrize("part", PARTS)
def test_every_function_alone_stays_between_its_least_and_its_most(board: tuple[Profile, Chip], part: str) -> None:
    profile, running = board
    rng, table = np.random.default_rng(1), load_table(profile)
    for kind in PART_KINDS:
        for size in (Size(9, 6, 3), Size(4, 17, 2), Size(40, 12, 1)):
            cycles, call = measure(running, part, rng, kind, size)
            assert price(profile.core, table, [call], 0) <= cycles + 0.5, (kind, call)
            assert cycles - 0.5 <= price(profile.core, table, [call], 2), (kind, call)


@pytest.mark.parametrize("function", ["__aeabi_fadd", "__aeabi_fsub", "__aeabi_fmul", "__aeabi_fdiv"])
def test_software_floats_stay_between_the_paths_of_their_code(function: str) -> None:
    """With all pairs of numbers that have something special about them, and as many drawn at random."""
    profile = Profile.load("microbit")
    ((low, high),) = Code(profile).segments(function).values()
    special = [0.0, -0.0, 1.0, -1.0, 1.5, 1e-45, -1e-45, 1.1754942e-38, 1.1754944e-38, 3.4e38, -3.4e38, 2.0**-101]
    special += [2.0**-24, 1.0 + 2.0**-23, -1.0 + 2.0**-24]
    drawn = np.random.default_rng(0).integers(0, 2**32, (200, 2), np.uint32).view(np.float32)
    pairs = [(np.float32(a), np.float32(b)) for a in special for b in special]
    pairs += [(a, b) for a, b in drawn if np.isfinite(a) and np.isfinite(b)]
    with chip(profile) as running:
        seen = [running.run(function, a, b, returns=float)[0] for a, b in pairs]
    assert low <= min(seen) < 1.3 * low
    assert 0.3 * high < max(seen) <= high


def test_a_table_belongs_to_the_image_that_ships() -> None:
    for name in BOARDS:
        profile = Profile.load(name)
        assert load_table(profile).firmware == digest(profile), f"run scripts/fit_cycles: {name} has other firmware"


@pytest.mark.parametrize("name", BOARDS)
def test_more_of_anything_takes_longer(name: str) -> None:
    profile = Profile.load(name)
    inference, step = inference_cycles(profile, SIZES), step_cycles(profile, SIZES)
    assert inference.minimum <= inference.estimate <= inference.maximum
    assert step.minimum <= step.estimate <= step.maximum
    assert inference_cycles(profile, (15, 17, 7)).estimate > inference.estimate
    assert inference_cycles(profile, SIZES, probabilities="softmax").estimate > inference.estimate
    assert inference_cycles(profile, SIZES, standardised=True).estimate > inference.estimate
    assert step_cycles(profile, SIZES, batch_size=2).estimate > 1.5 * step.estimate
    assert (
        step_cycles(profile, SIZES, optimizer="adam").estimate
        > step_cycles(profile, SIZES, optimizer="momentum").estimate
    )
    assert step_cycles(profile, SIZES, last_layers=1).estimate < step.estimate
    few, many = (step_cycles(profile, SIZES, samples=[Sample([active])]) for active in (1, 16))
    assert few.estimate < step.estimate < many.estimate
    assert (few.minimum, few.maximum) == (step.minimum, step.maximum)


def test_a_mask_says_the_same_as_how_many_it_has() -> None:
    profile = Profile.load("microbit")
    mask = np.arange(16) < 5
    counted, masked = (inference_cycles(profile, SIZES, sample=Sample([active])) for active in (5, mask))
    assert counted == masked


def test_units_that_are_dead_for_a_whole_batch_are_told_by_masks() -> None:
    """Sums that stay 0 take longer in software than those with a product."""
    profile = Profile.load("microbit")
    always, never = np.arange(16) < 8, np.arange(16) >= 8
    same, other = (step_cycles(profile, SIZES, samples=[Sample([always]), Sample([m])]) for m in (always, never))
    assert same.estimate != other.estimate


def test_a_board_without_firmware_has_no_cycles() -> None:
    with pytest.raises(IncompatibleError, match="no firmware for the board 'pico'"):
        inference_cycles(Profile.load("pico"), SIZES)
