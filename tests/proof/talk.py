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

__all__ = ["LARGE", "SMALL", "Ended", "Talk", "quiet_line", "talk", "worn_word"]

_INPUTS, _CLASSES = 24, 6
_CHANCE = np.random.default_rng(9)
X = _CHANCE.normal(size=(30, _INPUTS)).astype(np.float32)
Y = _CHANCE.integers(0, _CLASSES, len(X)).tolist()


@dataclass(frozen=True)
class Step:
    """One transfer: what a device that serves the first model is asked for, and what serves when that succeeds.

    Attributes
    ----------
    do : gives whether all that came back is right.
    """

    do: Callable[[Device], bool]
    after: Network


@dataclass(frozen=True)
class Talk:
    """Transfers, each with a device that serves `first`."""

    first: Network
    steps: dict[str, Step]

    @property
    def image_bytes(self) -> int:
        """Of each of its models."""
        return len(encode_image(self.first))


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


def _talk(hidden: int, learns: bool) -> Talk:
    first, second = (labelled([_INPUTS, hidden, _CLASSES], seed) for seed in (1, 2))

    def flash(device: Device) -> bool:
        return device.flash(second).digest == digest(second)

    def pull(device: Device) -> bool:
        return digest(device.pull()) == digest(first)

    def run(device: Device) -> bool:
        return device.decision_function(X).tobytes() == first.decision_function(X).tobytes()

    steps = {"flash": Step(flash, second), "pull": Step(pull, first), "run": Step(run, first)}
    if learns:
        learned = first.copy()
        how = {"epochs": 1, "learning_rate": 0.01, "batch_size": 5}
        train(learned, X, Y, **how, shuffle=False, standardize=False, progress=False)  # type: ignore[arg-type]

        def learn(device: Device) -> bool:
            return device.learn(X, Y, learning_rate=0.01, batch_size=5).model.digest == digest(learned)

        steps["learn"] = Step(learn, learned)
    return Talk(first, steps)


#: 4 kB, sent at the rate of HELLO
SMALL = _talk(32, learns=True)
#: 15 kB, for which another rate is agreed on; more than a micro:bit v1 can copy into its RAM to learn
LARGE = _talk(120, learns=False)


def talk(board: Board, what: Talk = SMALL) -> dict[str, Ended]:
    """Carry out each step on a board that serves the first model, with the faults of the line that it was opened with.

    Raises
    ------
    Violation : something else came than was due, or an error left the board bricked or with another model than it may
        have.
    """
    board.line.restore()
    with Device.open(board.url) as device:
        device.flash(what.first)
    start = board.snapshot()
    ended = {}
    for name, step in what.steps.items():
        board.line.restore()
        board.restore(start)
        board.line.expose_to(board.faults)
        try:
            ended[name] = _take(board, what.first, name, step)
        except FirmwareFault as fault:
            raise Violation(f"bricked: {fault}") from fault
    return ended


def _take(board: Board, first: Network, name: str, step: Step) -> Ended:
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
        if served not in {digest(step.after), digest(first)}:
            raise Violation(f"torn: after '{error}' another model serves than before or behind {name}") from error
        return Ended(error, 0.0)


def quiet_line(board: Board) -> None:
    """On a line without faults nothing is sent twice, and no byte finds the UART's FIFO full.

    Raises
    ------
    Violation : it is, or does.
    """
    with Device.open(board.url) as device:
        device.flash(SMALL.first)
        for name, step in SMALL.steps.items():
            device.flash(SMALL.first)
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
        device.flash(SMALL.first)
        for name in ("flash", "learn"):
            board.chip.nvmc.record = _WornFlash(board, 300)
            try:
                SMALL.steps[name].do(device)
            except NNLiteError:
                if serving(board, device.info()) == digest(SMALL.first):
                    continue
            finally:
                board.chip.nvmc.record = None
            raise Violation(f"torn: an image with a word that did not take was committed by {name}")
