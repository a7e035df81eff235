"""Mutated frames into the laptop's decoder, and what gets past its CRC-32 into what takes the payloads apart."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from nnlite.errors import NNLiteError
from nnlite.link import protocol
from nnlite.link.frame import Frame, FrameDecoder, cobs_encode
from nnlite.link.refusal import refusal_error
from nnlite.link.wire import FRAME_HEADER, REPLY_BIT, Message
from tests.proof.judge import Violation
from tests.proof.mutants import chosen, mutate

__all__ = ["fuzz_host"]

_HEADER_BYTES = struct.calcsize(FRAME_HEADER)
_BODIES: dict[Message, Callable[[bytes], Any]] = {
    Message.HELLO: protocol.decode_hello,
    Message.PAGES: lambda body: protocol.decode_pages(body, 1),
    Message.RUN: protocol.decode_run,
    Message.READ: protocol.decode_read,
    Message.LEARN: protocol.decode_learn,
    Message.LEARN_BEGIN: protocol.decode_learn_begin,
    **{
        message: partial(protocol.decode_model, message)
        for message in (Message.VERIFY, Message.ROLLBACK, Message.FLASH_COMMIT, Message.LEARN_COMMIT)
    },
    **{message: partial(protocol.decode_credit, message) for message in (Message.FLASH_BEGIN, Message.FLASH_DATA)},
}


def body_of(frame: Frame) -> bytes:
    """A frame's bytes without the CRC-32."""
    return struct.pack(FRAME_HEADER, frame.type, frame.flags, frame.session, frame.sequence) + frame.payload


def encoded(body: bytes) -> bytes:
    """With the CRC-32, as it goes over the line, without the delimiter."""
    return cobs_encode(body + zlib.crc32(body).to_bytes(4, "little"))


def _take_apart(frame: Frame) -> None:
    """As the client would; it may refuse, and nothing else."""
    try:
        message = Message(frame.type & ~REPLY_BIT)
    except ValueError:
        return
    try:
        reply = protocol.decode_reply(message, frame.payload)
        if isinstance(reply, protocol.Refusal):
            assert isinstance(refusal_error(message, reply), NNLiteError)
        elif message in _BODIES:
            _BODIES[message](reply)
    except NNLiteError:
        pass


def fuzz_host(frames: list[Frame], count: int, seed: int) -> Counter[str]:
    """Feed `count` mutants of frames. Counts "early" (mutated before the CRC-32), "refused", "same" and "wrong".

    Raises
    ------
    Violation : a frame that is whole does not come out as it went in.
    Any other exception is a crash.
    """
    chance = Random(seed)
    found: Counter[str] = Counter()
    decoder = FrameDecoder(4096)
    for n, frame in zip(range(count), chosen(frames, chance), strict=False):
        if n % 2:
            body = mutate(body_of(frame), chance).ljust(_HEADER_BYTES, b"\0")
            taken = decoder.feed(encoded(body) + b"\0")
            if len(taken) != 1 or not isinstance(taken[0], Frame) or body_of(taken[0]) != body:
                raise Violation(f"the whole frame {body.hex()} came out as {taken}")
            _take_apart(taken[0])
            found["early"] += 1
        else:
            taken = decoder.feed(mutate(encoded(body_of(frame)), chance) + b"\0")
            good = [one for one in taken if isinstance(one, Frame)]
            found["refused"] += not good
            found["same"] += good.count(frame)
            found["wrong"] += len(good) - good.count(frame)
    return found
