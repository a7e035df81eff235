"""Cuts the power in front of a flash operation, boots the board, and looks at what serves.

For the tests and for the figures of `scripts/power_cuts`. Every cut starts from the same snapshot; what only flash
keeps is looked at by the firmware itself, after a boot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from firmware_sim import Board, PowerCutError, Snapshot
from firmware_sim.peripherals.nvmc import Outcome
from nnlite.device import Device
from nnlite.errors import DeviceTimeoutError
from nnlite.image import encode_image, image_digest
from nnlite.network import Network
from nnlite.training import train

__all__ = ["NEW", "OLD", "THIRD", "Bench", "flashing", "learning", "outcomes", "rolling_back"]

OLD = Network([3, 4, 2], seed=1)
OLD.labels = (0, 1)
NEW = Network([3, 5, 2], seed=2)
THIRD = Network([2, 2], seed=3)
X = np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32)
Y = [0, 1, 1, 0]


def serving(device: Device) -> bytes | None:
    """Digest of the model that serves, as the record has it and as the device finds it in flash."""
    slot = device.info().serving
    if slot is None:
        return None
    assert device.verify().digest == slot.digest
    return slot.digest


def digest(net: Network) -> bytes:
    return image_digest(encode_image(net))


class Bench:
    """A board in front of an undertaking, and what becomes of it when the power goes meanwhile."""

    def __init__(self, board: Board, prepare: Callable[[Device], None], undertake: Callable[[Device], None]) -> None:
        self.board, self.undertake = board, undertake
        with Device.open(board.url) as device:
            prepare(device)
        board.boot()
        board.run(board.profile.clock_hz // 4)
        self.start: Snapshot = board.snapshot()
        self.done_before = board.chip.nvmc.operations
        heard_before = board.line.passed["from_board"]
        with Device.open(board.url) as device:
            undertake(device)
            self.heard = board.line.passed["from_board"] - heard_before
            self.operations = board.chip.nvmc.operations - self.done_before

    def cut_at(self, operation: int, outcome: Outcome = "nothing") -> bytes | None:
        """Cut at the n-th operation, by default in front of it. Returns what serves after a boot."""
        self.board.restore(self.start)
        self.board.cut_power_at_flash_operation(self.done_before + operation, outcome, seed=operation)
        with Device.open(self.board.url) as device, pytest.raises(PowerCutError):
            self.undertake(device)
        return self.boot_and_go_on()

    def cut_behind_the_last(self) -> bytes | None:
        """Cut when all is written, and the answer that says so is lost."""
        self.board.restore(self.start)
        self.board.line.silence("from_board", self.heard - 1)
        with Device.open(self.board.url) as device, pytest.raises(DeviceTimeoutError):
            self.undertake(device)
        assert self.board.chip.nvmc.operations == self.done_before + self.operations
        self.board.line.restore()
        self.board.cut_power()
        return self.boot_and_go_on()

    def boot_and_go_on(self) -> bytes | None:
        """Boot, ask what serves, and flash another model, which must serve also after the next boot."""
        self.board.boot()
        with Device.open(self.board.url) as device:
            served = serving(device)
            device.flash(THIRD)
        self.board.boot()
        with Device.open(self.board.url) as device:
            assert serving(device) == digest(THIRD)
        return served


def flashing(board: Board) -> tuple[Bench, Network, Network]:
    """NEW over a slot that held a model before, while OLD serves. Gives the bench and the models before and after."""

    def prepare(device: Device) -> None:
        device.flash(NEW)
        device.flash(OLD)

    return Bench(board, prepare, lambda device: device.flash(NEW) and None), OLD, NEW


def learning(board: Board) -> tuple[Bench, Network, Network]:
    """The commit of what OLD has learned."""

    def prepare(device: Device) -> None:
        device.flash(THIRD)
        device.flash(OLD)

    learned = OLD.copy()
    train(learned, X, Y, epochs=1, shuffle=False, standardize=False, progress=False)
    return Bench(board, prepare, lambda device: device.learn(X, Y) and None), OLD, learned


def learning_with_all(board: Board) -> tuple[Bench, Network, Network]:
    """The commit of what the last layer has learned by Adam, of the best epoch."""

    def prepare(device: Device) -> None:
        device.flash(THIRD)
        device.flash(OLD)

    learned = OLD.copy()
    how: dict[str, Any] = {"epochs": 3, "optimizer": "adam", "last_layers": 1, "validation": (X, Y), "patience": 1}
    train(learned, X, Y, shuffle=False, standardize=False, progress=False, **how)
    return Bench(board, prepare, lambda device: device.learn(X, Y, **how) and None), OLD, learned


def rolling_back(board: Board) -> tuple[Bench, Network, Network]:
    """From NEW back to OLD: one word decides."""

    def prepare(device: Device) -> None:
        device.flash(OLD)
        device.flash(NEW)

    return Bench(board, prepare, lambda device: device.rollback() and None), NEW, OLD


def trying(board: Board) -> tuple[Bench, Network, Network]:
    """NEW on trial while OLD serves: NEW must never be what a restart finds."""

    def prepare(device: Device) -> None:
        device.flash(NEW)
        device.flash(OLD)

    def undertake(device: Device) -> None:
        with device.trial(NEW) as trial:
            trial.run(X)

    return Bench(board, prepare, undertake), OLD, NEW


def outcomes(
    bench: Bench, before: Network | None, after: Network, operations: Iterable[int], outcome: Outcome = "nothing"
) -> Counter[str]:
    """How often the old and the new model serve, for cuts at the operations and one behind all of them.

    A model that is neither, or none where one was, is a KeyError.
    """
    names = {digest(after): "new", None if before is None else digest(before): "old"}
    found = Counter(names[bench.cut_at(n, outcome)] for n in operations)
    found[names[bench.cut_behind_the_last()]] += 1
    return found
