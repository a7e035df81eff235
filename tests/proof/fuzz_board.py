"""Mutated requests onto the line of a simulated board. What it does of its own accord, chance must not make it do."""

from __future__ import annotations

from collections import Counter
from random import Random

from firmware_sim import Board, FirmwareFault
from nnlite.device import Device
from nnlite.errors import NNLiteError
from nnlite.link.frame import Frame, FrameDecoder, decode_frame
from nnlite.link.wire import REPLY_BIT, Message
from tests.proof.fuzz_host import body_of, encoded
from tests.proof.judge import Violation, serving
from tests.proof.mutants import chosen, mutate

__all__ = ["fuzz_board"]

#: mutants between two looks at the board
BATCH = 200
#: simulated: erasing every page of a slot and training a few rows take less
LONGEST_SECONDS = 20
BAUD = 115_200


def fuzz_board(board: Board, requests: list[Frame], count: int, seed: int) -> Counter[str]:
    """Send `count` mutants, half of them mutated before the CRC-32. Counts as `fuzz_host` does.

    Raises
    ------
    Violation : the firmware faults, hangs, or says of a slot what its flash is not.
    """
    chance = Random(seed)
    found: Counter[str] = Counter()
    source = chosen([frame for frame in requests if frame.type != Message.HELLO], chance)
    try:
        for start in range(0, count, BATCH):
            session = 1 + chance.randrange(0xFFFF)
            batch = min(BATCH, count - start)
            _open(board, session)
            if start // BATCH % 2:
                for n in range(batch):
                    frame = _sent_in(session, n, next(source))
                    body = mutate(body_of(frame)[6:], chance)
                    head = mutate(body_of(frame)[:2], chance).ljust(2, b"\0")[:2] + body_of(frame)[2:6]
                    board.write_line(encoded(head + body) + b"\0", BAUD)
                found["early"] += batch
                _let_work(board)
            else:
                found += _late(board, [_sent_in(session, n, next(source)) for n in range(batch)], chance)
            with Device.open(board.url) as device:
                serving(board, device.known)
    except FirmwareFault as fault:
        raise Violation(f"crash: {fault}") from fault
    except NNLiteError as error:
        raise Violation(f"hang: {error}") from error
    return found


def _sent_in(session: int, sequence: int, frame: Frame) -> Frame:
    return Frame(frame.type, frame.flags, session, sequence + 1, frame.payload)


def _open(board: Board, session: int) -> None:
    hello = Frame(Message.HELLO, 0, session, 0, bytes([1, 255, 0, 0]))
    board.run(board.profile.clock_hz * 6 // 10)  # a board at another rate comes back to that of HELLO meanwhile
    board.write_line(b"\0" + encoded(body_of(hello)) + b"\0", BAUD)
    _let_work(board)


def _late(board: Board, frames: list[Frame], chance: Random) -> Counter[str]:
    """What is answered although the laptop's decoder would not have taken it, was taken by mistake."""
    found: Counter[str] = Counter()
    good = set()
    for frame in frames:
        mutant = mutate(encoded(body_of(frame)), chance)
        whole = [one for one in map(decode_frame, mutant.split(b"\0")) if isinstance(one, Frame)]
        good |= {one.sequence for one in whole}
        found["same"] += whole.count(frame)
        found["wrong"] += len(whole) - whole.count(frame)
        found["refused"] += not whole
        board.write_line(mutant + b"\0", BAUD)
    for answer in FrameDecoder(4096).feed(_let_work(board)):
        # A frame that is broken repeats the credit while an image is coming in.
        if isinstance(answer, Frame) and answer.type != Message.FLASH_DATA | REPLY_BIT:
            found["wrong"] += answer.sequence not in good
    return found


def _let_work(board: Board) -> bytes:
    """Run until nothing more comes, and give what came."""
    heard = bytearray()
    for _ in range(LONGEST_SECONDS * 20):
        more = board.read_line(1 << 16, 0.05)
        heard += more
        if not more and not board.uart.line:
            return bytes(heard)
    raise Violation(f"hang: still busy after {LONGEST_SECONDS} simulated seconds")
