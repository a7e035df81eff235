"""The power goes in front of a flash operation, and the board boots: the old model serves, or the new one, whole.

Every cut starts from the same snapshot. What only flash keeps is looked at by the firmware itself, after a boot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from firmware_sim import Board, PowerCutError, Snapshot
from nnlite.device import Device
from nnlite.errors import DeviceTimeoutError
from nnlite.image import encode_image, image_digest
from nnlite.network import Network
from nnlite.training import train

OLD = Network([3, 4, 2], seed=1)
OLD.labels = (0, 1)
NEW = Network([3, 5, 2], seed=2)
THIRD = Network([2, 2], seed=3)
X = np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32)
Y = [0, 1, 1, 0]
#: operations at both ends that are all tried: pages are erased first, the record is written last
FIRST, LAST = 4, 16
EVERY = 4


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

    def cut_before(self, operation: int) -> bytes | None:
        """Cut in front of the n-th operation. Returns what serves after a boot."""
        self.board.restore(self.start)
        self.board.cut_power_at_flash_operation(self.done_before + operation)
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


def chosen(operations: int) -> list[int]:
    """All at both ends, where the record page is erased and written; between them, where the image is, every k-th."""
    inner = range(1, operations + 1, EVERY)
    return [n for n in range(1, operations + 1) if n <= FIRST or n > operations - LAST or n in inner]


def outcomes(bench: Bench, before: Network | None, after: Network) -> Counter[str]:
    """How often the old and the new model serve. A model that is neither, or none where one was, is a KeyError."""
    names = {digest(after): "new", None if before is None else digest(before): "old"}
    found = Counter(names[bench.cut_before(n)] for n in chosen(bench.operations))
    found[names[bench.cut_behind_the_last()]] += 1
    return found


def test_flash(board: Board) -> None:
    """The slot that is overwritten held a model, which was erased before."""

    def prepare(device: Device) -> None:
        device.flash(NEW)
        device.flash(OLD)

    bench = Bench(board, prepare, lambda device: device.flash(NEW) and None)
    assert bench.operations > 40
    assert outcomes(bench, OLD, NEW) == {"old": len(chosen(bench.operations)), "new": 1}


def test_learning(board: Board) -> None:
    def prepare(device: Device) -> None:
        device.flash(THIRD)
        device.flash(OLD)

    learned = OLD.copy()
    train(learned, X, Y, epochs=1, shuffle=False, standardize=False, progress=False)
    bench = Bench(board, prepare, lambda device: device.learn(X, Y) and None)
    assert bench.operations > 40
    assert outcomes(bench, OLD, learned) == {"old": len(chosen(bench.operations)), "new": 1}


def test_rollback(board: Board) -> None:
    """One word decides."""

    def prepare(device: Device) -> None:
        device.flash(OLD)
        device.flash(NEW)

    bench = Bench(board, prepare, lambda device: device.rollback() and None)
    assert bench.operations == 1
    assert outcomes(bench, NEW, OLD) == {"old": 1, "new": 1}


def test_the_first_model(board: Board) -> None:
    """Until it is whole there is none, and the device says so."""
    bench = Bench(board, lambda device: None, lambda device: device.flash(THIRD) and None)
    assert outcomes(bench, None, THIRD) == {"old": len(chosen(bench.operations)), "new": 1}
