"""train(..., profile=): what can never be flashed is refused before anything is computed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from nnlite import Network, Profile, train
from nnlite.errors import DataError, DoesNotFitError
from nnlite.planner import plan

X = np.random.default_rng(0).normal(size=(8, 300)).astype(np.float32)
Y = [0, 1] * 4


def never(*_: object) -> None:
    raise AssertionError("an epoch was trained")


@pytest.mark.parametrize(
    ("board", "hidden", "says"),
    [
        ("microbit", 400, r"flash: the image takes .* what would fit: 300-9\d-2; nothing was trained"),
        ("pico", 4, "there is no firmware for pico yet: .* is not known; nothing was trained"),
        ("uno", 400, "flash: the image takes .* uno has 32,768 in all: .* too many; .*nothing was trained"),
    ],
)
def test_what_does_not_fit_is_not_trained(board: str, hidden: int, says: str) -> None:
    net = Network([300, hidden, 2], seed=1)
    before = net.parameters.copy()
    with pytest.raises(DoesNotFitError, match=says):
        train(net, X, Y, profile=Profile.load(board), progress=never)
    assert (net.parameters.tobytes(), net.mean, net.labels) == (before.tobytes(), None, None)


def test_the_standardiser_and_the_labels_that_training_adds_are_counted() -> None:
    """A slot that holds the network as it is, by a byte too few to hold it trained."""
    net = Network([300, 3, 2], seed=1)
    trained = net.copy()
    train(trained, X, Y, epochs=1, progress=False)
    microbit = Profile.load("microbit")
    image_bytes = sum(plan(trained, microbit).to_dict()["parts"]["flash"].values()) - sum(
        plan(trained, microbit).to_dict()["parts"]["flash"][name] for name in ("code", "slot record", "slot journal")
    )
    limits = microbit.firmware_limits
    assert limits is not None
    pages = -(-image_bytes // limits.page_bytes)
    tight = 32_768 + 2 * pages * limits.page_bytes  # a slot of so many pages keeps one of them for its record
    short = msgspec.structs.replace(microbit, flash_bytes=tight)
    enough = msgspec.structs.replace(microbit, flash_bytes=tight + 2 * limits.page_bytes)
    with pytest.raises(DoesNotFitError, match="nothing was trained"):
        train(net.copy(), X, Y, epochs=1, profile=short, progress=False)
    replay = net.copy()
    train(replay, X, Y, epochs=1, profile=enough, progress=False)
    assert replay.parameters.tobytes() == trained.parameters.tobytes()


def test_data_that_cannot_be_used_is_told_before_the_board(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 0, column 0"):
        train(Network([300, 400, 2]), np.full((2, 300), np.nan), [0, 1], profile=Profile.load("microbit"))
