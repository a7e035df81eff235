"""`check_recipe`: what it lets in, what it says of the rest, and the rates that come of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnlite.errors import UsageError
from nnlite.link.wire import Optimizer
from nnlite.recipe import OPTIMIZERS, Recipe, check_recipe


def recipe(**how: Any) -> Recipe:
    return check_recipe(**({"epochs": 8, "batch_size": 1, "learning_rate": 0.5, "optimizer": "sgd"} | how))


def test_optimizers_have_the_numbers_of_the_link() -> None:
    assert {name.upper(): number for name, number in OPTIMIZERS.items()} == Optimizer.__members__


def test_a_constant_rate() -> None:
    assert [recipe().rate(epoch) for epoch in range(8)] == [0.5] * 8


@pytest.mark.parametrize(
    ("epochs", "tenths"),
    [(8, [0, 0, 0, 0, 1, 1, 2, 2]), (1, [0]), (2, [0, 1]), (3, [0, 0, 1]), (5, [0, 0, 0, 1, 2])],
)
def test_steps_are_at_half_and_at_three_quarters_of_the_epochs(epochs: int, tenths: list[int]) -> None:
    how = recipe(epochs=epochs, schedule="step")
    assert [how.rate(epoch) for epoch in range(epochs)] == pytest.approx([0.5 * 0.1**n for n in tenths], rel=1e-6)


def test_a_cosine_begins_with_the_rate_is_half_of_it_in_the_middle_and_stays_above_zero() -> None:
    how = recipe(schedule="cosine")
    rates = [float(how.rate(epoch)) for epoch in range(8)]
    assert rates[0] == 0.5
    assert rates[4] == 0.25
    assert rates[-1] == pytest.approx(0.25 * (1 + math.cos(math.pi * 7 / 8)))
    assert rates == sorted(rates, reverse=True)
    assert all(rate.dtype == np.float32 for rate in map(how.rate, range(8)))


def test_betas_are_the_optimizers() -> None:
    assert recipe().betas == (0.0, 0.0)
    assert recipe(optimizer="momentum").betas == (np.float32(0.9), 0.0)
    assert recipe(optimizer="momentum", momentum=0.25).betas == (0.25, 0.0)
    assert recipe(optimizer="adam").betas == (np.float32(0.9), np.float32(0.999))


def test_the_rule_of_an_epoch_is_what_the_recipe_says() -> None:
    rule = recipe(optimizer="adam", weight_decay=0.25, clip_norm=2, schedule="cosine").rule(4)
    assert (rule.optimizer, rule.learning_rate, rule.weight_decay, rule.clip_norm) == (2, 0.25, 0.25, 2.0)
    assert rule.betas.tolist() == [np.float32(0.9), np.float32(0.999)]


def test_frozen_layers() -> None:
    assert recipe().frozen_layers(3) == 0
    assert [recipe(last_layers=n).frozen_layers(3) for n in (1, 2, 3)] == [2, 1, 0]
    with pytest.raises(UsageError, match="the last 4 layers cannot be trained: the network has 3"):
        recipe(last_layers=4).frozen_layers(3)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"optimizer": "SGD"}, "the optimizer must be sgd, momentum, adam, not 'SGD'"),
        *[({"optimizer": value}, "the optimizer must be") for value in (None, 1, ["sgd"])],
        ({"momentum": 0.5}, "momentum goes with the optimizer 'momentum', not with 'sgd'"),
        ({"optimizer": "adam", "momentum": 0.5}, "momentum goes with the optimizer 'momentum', not with 'adam'"),
        *[
            ({"optimizer": "momentum", "momentum": value}, "the momentum must be from 0 to below 1")
            for value in (-0.1, 1, 1.5, np.nan, np.inf, 1 - 1e-9)
        ],
        ({"optimizer": "momentum", "momentum": "0.9"}, "the momentum must be a number, not '0.9'"),
        *[
            ({"weight_decay": value}, "the weight decay must be from 0 to below 1")
            for value in (-0.1, 1, np.nan, np.inf, 10**400)
        ],
        *[({"weight_decay": value}, "the weight decay must be a number") for value in (None, "0", True, [0.1])],
        ({"learning_rate": 4, "weight_decay": 0.5}, "weight decay 0.5 at a learning rate of 4 .* below 1"),
        *[
            ({"clip_norm": value}, "the norm to clip at must be a positive finite float32")
            for value in (0, -1, np.nan, np.inf, 1e39, 1e-50, 10**400)
        ],
        *[({"clip_norm": value}, "the norm to clip at must be a number") for value in ("1", False, [1])],
        *[({"schedule": value}, "the schedule must be constant, step, cosine") for value in ("linear", None, 1, [])],
        *[({"last_layers": value}, "the last layers to train must be an integer") for value in (0, -1, 1.5, "1", True)],
    ],
)
def test_what_cannot_be_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        recipe(**how)
