"""Frames of the link by hand: the same bytes every time, where a client would draw a session."""

from __future__ import annotations

from firmware_sim import Board
from nnlite.link.frame import Frame, FrameDecoder, encode_frame, encoded_frame_bytes
from nnlite.link.wire import Message

BAUD = 115_200
SESSION = 77


def request(sequence: int, message: Message = Message.HELLO, payload: bytes = bytes([2, 2, 0, 0])) -> bytes:
    """A request as it goes over the line."""
    return encode_frame(Frame(message, 0, SESSION, sequence, payload))


def answers(board: Board, count: int, timeout: float) -> list[Frame]:
    """The next answers, by simulated time; fewer when it runs out."""
    decoder = FrameDecoder(512)
    frames: list[Frame] = []
    limit = board.seconds + timeout
    while len(frames) < count and board.seconds < limit:
        frames += [frame for frame in decoder.feed(board.read_line(decoder.due, 0.05)) if isinstance(frame, Frame)]
    return frames


def line_seconds(frames: list[Frame]) -> float:
    """What frames take on the line."""
    return 10 * sum(encoded_frame_bytes(len(frame.payload)) for frame in frames) / BAUD


def let_start(board: Board) -> None:
    """Run until the firmware listens."""
    board.run(board.profile.clock_hz // 10)
