"""Hostile images over the link into a simulated board, one after the other."""

from __future__ import annotations

from collections import Counter

import numpy as np

from firmware_sim import Board, FirmwareFault
from nnlite.image import encode_image
from nnlite.link import protocol
from nnlite.link.protocol import Refusal
from nnlite.link.wire import Message, Status
from nnlite.network import Network
from tests.proof.hostile_images import check_of, fault_of, hostile_images
from tests.proof.judge import Violation
from tests.proof.raw import Raw

__all__ = ["hostile_board"]

_OLD = Network([3, 4, 2], seed=3)
_SAMPLE = np.array([0.5, -1.0, 2.0], np.float32)
#: images between two greetings
_BATCH = 500


def hostile_board(board: Board, count: int, seed: int) -> Counter[str]:
    """Throw `count` mutants at it. Gives how often each check refused one, and how many were "accepted".

    Raises
    ------
    Violation : it refuses with another number than the laptop, or not at all; the old model does not give its bits
        right afterwards; the firmware faults.
    """
    found: Counter[str] = Counter()
    old = encode_image(_OLD)
    logits = _OLD.decision_function(_SAMPLE[None, :]).astype("<f4").tobytes()
    raw = Raw(board)
    raw.flash(old)
    try:
        for number, image in enumerate(hostile_images(count, seed), start=1):
            fault = fault_of(image)
            answer = raw.flash(image)
            said = answer if isinstance(answer, Refusal) else None
            right = said is None if fault is None else said is not None and _names(said, fault.value)
            if not right:
                raise Violation(f"wrong: the laptop says {fault!r}, the board {answer!r} of {image.hex()}")
            found["accepted" if fault is None else check_of(image, fault)] += 1
            if number % _BATCH == 0:
                raw = Raw(board)
            if fault is None:
                raw.flash(old)
            elif not _run(raw).endswith(logits):
                raise Violation(f"wrong: the old model does not serve after {image.hex()}")
    except FirmwareFault as error:
        raise Violation(f"crash: {error}") from error
    return found


def _names(refusal: Refusal, fault: int) -> bool:
    return refusal.status == Status.BAD_IMAGE and refusal.detail == fault


def _run(raw: Raw) -> bytes:
    answer = raw.request(Message.RUN, protocol.stream_request(0, _SAMPLE.tobytes()))
    return b"" if isinstance(answer, Refusal) else answer
