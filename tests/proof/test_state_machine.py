"""A slice of the state machine, the same each time; `scripts/state_machine` goes on for longer, with other seeds."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.state_machine import LinkMachine

#: a board takes its time: what fails is told as it was found, not made smaller
SLICE = settings(max_examples=12, stateful_step_count=12, derandomize=True, deadline=None, phases=[Phase.generate])


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
def test_host_and_device_follow_the_model(board: str) -> None:
    run_state_machine_as_test(lambda: LinkMachine(board), settings=SLICE)
