"""Hostile images over the link into a simulated board, one after the other."""

from __future__ import annotations

import struct
from collections import Counter
from random import Random

import numpy as np

from firmware_sim import Board, FirmwareFault
from nnlite.image import encode_image
from nnlite.link import protocol
from nnlite.link.protocol import Refusal
from nnlite.link.wire import Message, Status
from nnlite.network import Network
from tests.proof.hostile_images import NO_ROOM_IN_FLASH, check_of, fault_of, hostile_images
from tests.proof.judge import Violation
from tests.proof.raw import Raw

__all__ = ["hostile_board"]

_OLD = Network([3, 4, 2], seed=3)
_SAMPLE = np.array([0.5, -1.0, 2.0], np.float32)
#: images between two greetings
_BATCH = 500
#: images between two lengths that no slot holds
_ANNOUNCED_EVERY = 10


def hostile_board(board: Board, count: int, seed: int) -> Counter[str]:
    """Throw `count` mutants at it. Gives how often each check refused one, and how many were "accepted".

    Raises
    ------
    Violation : it refuses with another number than the laptop, or not at all; the old model does not give its bits
        right afterwards; the firmware faults.
    """
    found: Counter[str] = Counter()
    chance = Random(seed)
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
            if number % _ANNOUNCED_EVERY == 0:
                found[NO_ROOM_IN_FLASH] += _announce(raw, board.profile.slot_image_bytes, chance)
            if fault is None:
                raw.flash(old)
            elif not _run(raw).endswith(logits):
                raise Violation(f"wrong: the old model does not serve after {image.hex()}")
    except FirmwareFault as error:
        raise Violation(f"crash: {error}") from error
    return found


def _announce(raw: Raw, room: int, chance: Random) -> int:
    """Say that an image comes which is longer than a slot, up to what 32 bits hold."""
    length = chance.choice([room + 1, room + 4, 2**32 - 1, 2**32 - 4, 2**31, chance.randrange(room + 1, 2**32)])
    answer = raw.request(Message.FLASH_BEGIN, struct.pack("<I", length) + bytes(32 + chance.randrange(40)))
    if not isinstance(answer, Refusal) or (answer.status, answer.value, answer.limit) != (
        Status.TOO_LARGE,
        length,
        room,
    ):
        raise Violation(f"wrong: {length:,} bytes are announced to a slot of {room:,}, and the board says {answer!r}")
    return 1


def _names(refusal: Refusal, fault: int) -> bool:
    return refusal.status == Status.BAD_IMAGE and refusal.detail == fault


def _run(raw: Raw) -> bytes:
    answer = raw.request(Message.RUN, protocol.stream_request(0, _SAMPLE.tobytes()))
    return b"" if isinstance(answer, Refusal) else answer
