"""A conversation with a board without the laptop's checks: whatever is asked for is sent."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import count

from firmware_sim import Board
from nnlite.image import image_digest
from nnlite.link import protocol, wire
from nnlite.link.frame import Frame, FrameDecoder
from nnlite.link.protocol import Refusal
from nnlite.link.wire import Message
from tests.proof.fuzz_host import body_of, encoded
from tests.proof.judge import Violation

__all__ = ["Raw"]

_BAUD = 115_200
#: no answer is shorter: header, status, CRC-32, what COBS adds, a delimiter
_ANSWER_BYTES = 16
#: simulated: erasing every page of a slot takes less
_PATIENCE_SECONDS = 20.0


class Raw:
    """One session, one request after the other."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._numbers = count(1)
        board.run(board.profile.clock_hz // 10)  # which it may need to start
        board.write_line(b"\0", _BAUD)
        hello = self.request(Message.HELLO, protocol.hello_request())
        assert isinstance(hello, bytes)
        self.info = protocol.decode_hello(hello)
        self._block_bytes = self.info.payload_bytes - struct.calcsize(wire.FLASH_DATA_HEADER)

    def request(self, message: Message, payload: bytes = b"", flags: int = 0) -> bytes | Refusal:
        """The body of the answer, or why there is none.

        Raises
        ------
        Violation : the board does not answer.
        """
        return self.requests([(message, payload)], flags)[0]

    def requests(self, asked: Sequence[tuple[Message, bytes]], flags: int = 0) -> list[bytes | Refusal]:
        """The same for several that are sent at once: so many that the board's buffer holds them, and only the last
        may keep it from looking at its UART."""
        frames = [Frame(message, flags, 1, next(self._numbers), payload) for message, payload in asked]
        self._board.write_line(b"".join(encoded(body_of(frame)) + b"\0" for frame in frames), _BAUD)
        decoder, deadline = FrameDecoder(4096), self._board.seconds + _PATIENCE_SECONDS
        answers: list[bytes | Refusal] = []
        while len(answers) < len(asked):
            missing = (len(asked) - len(answers) - 1) * _ANSWER_BYTES
            heard = self._board.read_line(missing + decoder.due, deadline - self._board.seconds)
            if not heard:
                raise Violation(f"hang: {asked[len(answers)][0].name} is not answered")
            for answer in decoder.feed(heard):
                if isinstance(answer, Frame):
                    answers.append(protocol.decode_reply(asked[len(answers)][0], answer.payload))
        return answers

    def flash(self, image: bytes, announced: int | None = None) -> bytes | Refusal:
        """Put an image onto the board, by stop and wait. Gives the first answer that is a refusal, or the commit's.

        Parameters
        ----------
        announced : how long it is said to be, where that is another length.
        """
        length = len(image) if announced is None else announced
        sent = [True] * -(-length // self.info.page_bytes)
        answer = self.request(Message.FLASH_BEGIN, protocol.flash_begin_request(length, image_digest(image), sent))
        starts = range(0, length, self._block_bytes)
        blocks = [protocol.flash_data_request(at, image[at : at + self._block_bytes]) for at in starts]
        for block in blocks[:-1]:
            if not isinstance(answer, Refusal):
                answer = self.request(Message.FLASH_DATA, block)
        if isinstance(answer, Refusal):
            return answer
        return self.requests([(Message.FLASH_DATA, blocks[-1]), (Message.FLASH_COMMIT, b"")])[1]
