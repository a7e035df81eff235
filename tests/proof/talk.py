"""A conversation in which everything goes over the line, and every answer is held against what the laptop computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_sim import Board, FirmwareFault
from nnlite.device import Device
from nnlite.errors import NNLiteError
from nnlite.network import Network
from nnlite.training import train
from tests.proof.judge import Violation, digest, serving
from tests.proof.nets import labelled

__all__ = ["STEPS", "Step", "damaged_before_commit", "quiet_line", "talk"]

SIZES = [6, 24, 3]
_CHANCE = np.random.default_rng(9)
X = _CHANCE.normal(size=(30, SIZES[0])).astype(np.float32)
Y = _CHANCE.integers(0, SIZES[-1], len(X)).tolist()


FIRST, SECOND = labelled(SIZES, 1), labelled(SIZES, 2)
LEARNED = FIRST.copy()
train(LEARNED, X, Y, epochs=1, learning_rate=0.01, batch_size=5, shuffle=False, standardize=False, progress=False)


@dataclass(frozen=True)
class Step:
    """One transfer: what the device is asked for, and the model that serves when that succeeds.

    Attributes
    ----------
    do : gives whether all that came back is right.
    """

    name: str
    do: Callable[[Device], bool]
    after: Network


def _flash(net: Network) -> Callable[[Device], bool]:
    return lambda device: device.flash(net).digest == digest(net)


def _pull(device: Device) -> bool:
    return digest(device.pull()) == digest(FIRST)


def _run(device: Device) -> bool:
    return device.decision_function(X).tobytes() == FIRST.decision_function(X).tobytes()


def _learn(device: Device) -> bool:
    return device.learn(X, Y, learning_rate=0.01, batch_size=5).model.digest == digest(LEARNED)


STEPS = [
    Step("flash", _flash(FIRST), FIRST),
    Step("pull", _pull, FIRST),
    Step("run", _run, FIRST),
    Step("learn", _learn, LEARNED),
    Step("flash over it", _flash(SECOND), SECOND),
]


def talk(board: Board) -> dict[str, NNLiteError | None]:
    """Carry out the steps; the error that ended the first one that failed, None for each that came to its end.

    Raises
    ------
    Violation : something else came than was due, or an error left the board bricked or with another model than it may
        have.
    """
    ended: dict[str, NNLiteError | None] = {}
    before: Network | None = None
    try:
        for step in STEPS:
            error = _take(board, step, before)
            ended[step.name] = error
            if error is not None:
                break
            before = step.after
    except FirmwareFault as fault:
        raise Violation(f"bricked: {fault}") from fault
    return ended


def _take(board: Board, step: Step, before: Network | None) -> NNLiteError | None:
    try:
        with Device.open(board.url) as device:
            if not step.do(device):
                raise Violation(f"wrong: {step.name} came to an end with something else than was due")
            return None
    except NNLiteError as error:
        board.line.restore()
        with Device.open(board.url) as device:
            served = serving(board, device.known)
        allowed = {digest(step.after), None if before is None else digest(before)}
        if served not in allowed:
            raise Violation(f"torn: after '{error}' another model serves than before or behind {step.name}") from error
        return error


def quiet_line(board: Board) -> None:
    """On a line without faults nothing is sent twice, and no byte finds the UART's FIFO full.

    Raises
    ------
    Violation : it is, or does.
    """
    overruns = board.uart.overruns
    with Device.open(board.url) as device:
        for step in STEPS:
            if not step.do(device):
                raise Violation(f"wrong: {step.name} came to an end with something else than was due")
        again = device.statistics.retransmissions
    overruns = board.uart.overruns - overruns
    if again or overruns:
        raise Violation(f"in flight: {again} requests were sent twice and {overruns} bytes were lost without a fault")


def damaged_before_commit(board: Board) -> None:
    """A bit of an image that has been programmed flips before its commit: the old model must serve on.

    Raises
    ------
    Violation : it does not, or the device says that all is well.
    """
    with Device.open(board.url) as device:
        device.flash(FIRST)
        spare = 0 if device.info().active_slot else 1
        address = board.profile.slot_address(spare) + board.profile.page_bytes

        def flip(done: int, of: int) -> None:
            if done == of:
                board.flip_bit(address + of // 2 & ~3, 0)

        try:
            device.flash(SECOND, flip)
        except NNLiteError:
            if serving(board, device.info()) == digest(FIRST):
                return
        raise Violation("torn: an image that changed before its commit was taken")
