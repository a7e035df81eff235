"""Transfers whose every answer is held against what the laptop computes, on lines good and bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_sim import Board, FirmwareFault
from firmware_sim.peripherals.nvmc import FlashOperation
from nnlite.device import Device
from nnlite.errors import NNLiteError
from nnlite.image import encode_image
from nnlite.network import Network
from nnlite.training import train
from tests.proof.judge import Violation, digest, serving
from tests.proof.nets import labelled

__all__ = ["IMAGE_BYTES", "STEPS", "Ended", "quiet_line", "talk", "worn_word"]

SIZES = [24, 32, 6]
_CHANCE = np.random.default_rng(9)
X = _CHANCE.normal(size=(30, SIZES[0])).astype(np.float32)
Y = _CHANCE.integers(0, SIZES[-1], len(X)).tolist()
FIRST, SECOND = labelled(SIZES, 1), labelled(SIZES, 2)
IMAGE_BYTES = len(encode_image(FIRST))
LEARNED = FIRST.copy()
train(LEARNED, X, Y, epochs=1, learning_rate=0.01, batch_size=5, shuffle=False, standardize=False, progress=False)


@dataclass(frozen=True)
class Step:
    """One transfer: what a device that serves FIRST is asked for, and the model that serves when that succeeds.

    Attributes
    ----------
    do : gives whether all that came back is right.
    """

    do: Callable[[Device], bool]
    after: Network


@dataclass(frozen=True)
class Ended:
    """How a transfer ended.

    Attributes
    ----------
    error : None for complete and right.
    seconds : simulated, that it took.
    """

    error: NNLiteError | None
    seconds: float


def _flash(device: Device) -> bool:
    return device.flash(SECOND).digest == digest(SECOND)


def _pull(device: Device) -> bool:
    return digest(device.pull()) == digest(FIRST)


def _run(device: Device) -> bool:
    return device.decision_function(X).tobytes() == FIRST.decision_function(X).tobytes()


def _learn(device: Device) -> bool:
    return device.learn(X, Y, learning_rate=0.01, batch_size=5).model.digest == digest(LEARNED)


STEPS = {
    "flash": Step(_flash, SECOND),
    "pull": Step(_pull, FIRST),
    "run": Step(_run, FIRST),
    "learn": Step(_learn, LEARNED),
}


def talk(board: Board) -> dict[str, Ended]:
    """Carry out each step on a board that serves FIRST, with the faults of the line that it was opened with.

    Raises
    ------
    Violation : something else came than was due, or an error left the board bricked or with another model than it may
        have.
    """
    board.line.restore()
    with Device.open(board.url) as device:
        device.flash(FIRST)
    start = board.snapshot()
    ended = {}
    for name, step in STEPS.items():
        board.line.restore()
        board.restore(start)
        board.line.expose_to(board.faults)
        try:
            ended[name] = _take(board, name, step)
        except FirmwareFault as fault:
            raise Violation(f"bricked: {fault}") from fault
    return ended


def _take(board: Board, name: str, step: Step) -> Ended:
    try:
        with Device.open(board.url) as device:
            start = device.clock()
            if not step.do(device):
                raise Violation(f"wrong: {name} came to an end with something else than was due")
            return Ended(None, device.clock() - start)
    except NNLiteError as error:
        board.line.restore()
        with Device.open(board.url) as device:
            served = serving(board, device.known)
        if served not in {digest(step.after), digest(FIRST)}:
            raise Violation(f"torn: after '{error}' another model serves than before or behind {name}") from error
        return Ended(error, 0.0)


def quiet_line(board: Board) -> None:
    """On a line without faults nothing is sent twice, and no byte finds the UART's FIFO full.

    Raises
    ------
    Violation : it is, or does.
    """
    with Device.open(board.url) as device:
        device.flash(FIRST)
        for name, step in STEPS.items():
            device.flash(FIRST)
            if not step.do(device):
                raise Violation(f"wrong: {name} came to an end with something else than was due")
        again, overruns = device.statistics.retransmissions, board.uart.overruns
    if again or overruns:
        raise Violation(f"in flight: {again} requests were sent twice and {overruns} bytes were lost without a fault")


class _WornFlash(list[FlashOperation]):
    """A record of flash operations that spoils one of them: a bit of the n-th word of images does not take."""

    def __init__(self, board: Board, number: int) -> None:
        super().__init__()
        self._board, self._left = board, number

    def append(self, operation: FlashOperation) -> None:
        super().append(operation)
        profile = self._board.profile
        address = profile.flash_start + 4 * operation.word
        in_record = any(0 <= address - profile.slot_address(slot) < profile.page_bytes for slot in range(2))
        if not operation.erases and not in_record:
            self._left -= 1
            if self._left == 0:
                self._board.flip_bit(address, 0)


def worn_word(board: Board) -> None:
    """A word of an image does not take what is programmed into it: the old model must serve on, by flash and by learn.

    Raises
    ------
    Violation : it does not, or the device says that all is well.
    """
    with Device.open(board.url) as device:
        device.flash(FIRST)
        for name in ("flash", "learn"):
            board.chip.nvmc.record = _WornFlash(board, 300)
            try:
                STEPS[name].do(device)
            except NNLiteError:
                if serving(board, device.info()) == digest(FIRST):
                    continue
            finally:
                board.chip.nvmc.record = None
            raise Violation(f"torn: an image with a word that did not take was committed by {name}")
