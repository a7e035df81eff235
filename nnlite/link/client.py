"""Speaks the protocol over a port: requests with retry, windows, cancellation (docs/PROTOCOL.md).

Bytes and values only. What a model is, and whether data may be sent at all, is `nnlite.device`'s business.
"""

from __future__ import annotations

import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import serial

from nnlite.errors import DeviceTimeoutError, NNLiteError
from nnlite.link import protocol, wire
from nnlite.link.frame import DELIMITER, Frame, FrameDecoder, encode_frame, encoded_frame_bytes
from nnlite.link.port import Port
from nnlite.link.protocol import Hello, LearnReply, LearnSettings, ModelReply, Page, Refusal, RunReply
from nnlite.link.refusal import refusal_error
from nnlite.link.timing import (
    ATTEMPTS,
    BAUD,
    PATIENCE_SECONDS,
    SILENCE_SECONDS,
    Timing,
    is_worth_a_faster_rate,
    line_seconds,
)
from nnlite.link.transfer import FlashTransfer, ReadTransfer, StreamFrame
from nnlite.link.trouble import vanished
from nnlite.link.wire import CommitFlag, LearnFlag, Message, Region, RunFlag

__all__ = ["Client", "Progress", "Statistics"]

#: called with what is done and what there is to do
Progress = Callable[[int, int], None]

#: larger payloads are not made use of, whatever the device offers
_PAYLOAD_LIMIT = 4096
#: after them another model serves
_SWITCHES = (Message.FLASH_COMMIT, Message.LEARN_COMMIT, Message.ROLLBACK)
#: after so many attempts at a higher rate it is the rate that is doubted, at the lower one the buffers on the way
_PATIENT_ATTEMPTS = 2
#: an interface chip that does not let the laptop wait may hold no more
_PIECE_BYTES = 256
#: how often in a row a window may be sent without the device getting on
_STALLS = 20
#: while a device answers what came before, its answer to the last request is waited for so much longer at most
_BACKLOG_SECONDS = 5.0
_WORD_BYTES = 4
_CREDIT_BYTES = struct.calcsize(wire.FLASH_CREDIT_REPLY)
_MODEL_BYTES = struct.calcsize(wire.MODEL_REPLY)


@dataclass(frozen=True)
class Statistics:
    """What went over the line, framing included.

    Attributes
    ----------
    bytes_sent, bytes_received : seen from the laptop.
    retransmissions : requests that were sent again; HELLOs apart, since a board that starts does not hear the first.
    bad_frames : pieces that came in and were no frames.
    """

    bytes_sent: int = 0
    bytes_received: int = 0
    retransmissions: int = 0
    bad_frames: int = 0


class Client:
    """One laptop's conversation with one device. Not thread-safe.

    Any call may be interrupted (Ctrl-C): the next one first lets the device finish what it is at.

    Parameters
    ----------
    port : an open port, see `nnlite.link.port`. Its `clock()`, if it has one, is the time that deadlines follow;
        its `draw(below)` gives the numbers of sessions, so that a simulated board hears the same ones each time.
    fastest : the highest rate that it may ask for, in baud; None for any that the device offers.

    Raises
    ------
    Each call raises what `refusal_error` makes of a refusal, and
    DeviceTimeoutError : no answer although the request was sent five times.
    PortError : the port vanished.
    IncompatibleError : an answer of another form than this version's firmware gives.
    DeviceError : one of the right form that cannot be.
    """

    def __init__(self, port: Port, *, fastest: int | None = None) -> None:
        self._port = port
        self._fastest = fastest
        self._clock: Callable[[], float] = getattr(port, "clock", time.monotonic)
        self._draw: Callable[[int], int] = getattr(port, "draw", secrets.randbelow)
        self._decoder = FrameDecoder(_PAYLOAD_LIMIT)
        self._session = 0
        self._sequence = 0
        self._line_is_clean = False  # whether the device surely holds no half frame
        self._unanswered: tuple[Frame, float] | None = None  # an interrupted request and its deadline
        self._early: list[Frame] = []  # came in while a frame was going out
        self._statistics = Statistics()
        self._timing = Timing(1, 1, 0, 0, 1)
        self._payload_bytes = 0
        self._slot_pages = 0
        self._on_trial = False  # HELLO ends a trial, and the device then digests the model that serves again
        self._rate = BAUD
        self._fast_rate: int | None = None

    @property
    def statistics(self) -> Statistics:
        """What went over the line since the port was opened."""
        return self._statistics

    @property
    def frame_words(self) -> int:
        """32-bit words that fit a RUN or LEARN frame."""
        return (self._payload_bytes - struct.calcsize(wire.RUN_HEADER)) // _WORD_BYTES

    @property
    def reply_words(self) -> int:
        """32-bit words of output that fit a RUN reply."""
        header = protocol.REPLY_HEADER_BYTES + struct.calcsize(wire.RUN_REPLY)
        return (self._payload_bytes - header) // _WORD_BYTES

    @property
    def echo_bytes(self) -> int:
        """Bytes that fit an ECHO and its answer."""
        return self._payload_bytes - protocol.REPLY_HEADER_BYTES

    def clock(self) -> float:
        """Seconds by the clock that deadlines follow: the port's own, if it has one."""
        return self._clock()

    @property
    def timing(self) -> Timing:
        """How long this device may take."""
        return self._timing

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def hello(self, attempts: int = ATTEMPTS) -> Hello:
        """Open a new session. The device drops whatever the last one left half done."""
        self._settle()
        self._set_rate(BAUD)
        self._session = 1 + self._draw(0xFFFF)
        work = self._timing.verify_seconds() if self._on_trial else 0.0
        body = self._request(Message.HELLO, protocol.hello_request(), work, attempts=attempts)
        self._on_trial = False
        hello = protocol.decode_hello(body)
        self._payload_bytes = min(hello.payload_bytes, _PAYLOAD_LIMIT)
        self._timing = Timing.of(hello)
        self._slot_pages = hello.slot_image_bytes // hello.page_bytes
        allowed = [
            rate for rate in hello.baud_rates if rate > BAUD and (self._fastest is None or rate <= self._fastest)
        ]
        self._fast_rate = max(allowed, default=None)
        return hello

    def listen(self) -> None:
        """Take in, for a short while, what the device says without being asked; a `Tap` on the port shows it."""
        self._receive(0)

    def echo(self, payload: bytes) -> bytes:
        """What the device makes of a payload that it is to give back as it is."""
        return self._request(Message.ECHO, payload, body_bytes=len(payload))

    def verify(self) -> ModelReply:
        """The serving model, digested anew from flash."""
        return self._model_request(Message.VERIFY, self._timing.verify_seconds())

    def rollback(self) -> ModelReply:
        """Take the serving model out of service and go back to the other one."""
        return self._model_request(Message.ROLLBACK, self._timing.verify_seconds())

    def flash(self, image: bytes, digest: bytes, progress: Progress | None = None, trial: bool = False) -> ModelReply:
        """Put an image into the slot that does not serve, and commit it, or let it serve until the next HELLO.

        Only the pages that differ from what lies there are sent: all of them into an empty slot, the missing ones after
        a cut, the changed ones of another version of a network.
        """
        size = len(image)
        with self._fast_line(size):
            sent = self._pages_to_send(image)
            work = self._timing.erase_seconds(sum(sent) + self._slot_pages - len(sent))
            request = protocol.flash_begin_request(size, digest, sent)
            body = self._request(Message.FLASH_BEGIN, request, work, _CREDIT_BYTES)
            pages = self._pages(image)
            stream = b"".join(page for page, is_sent in zip(pages, sent, strict=True) if is_sent)
            block_bytes = self._payload_bytes - struct.calcsize(wire.FLASH_DATA_HEADER)
            credit = protocol.decode_credit(Message.FLASH_BEGIN, body)
            self._send_stream(stream, FlashTransfer(len(stream), block_bytes, credit), progress, size)
            self._on_trial = trial
            flags = CommitFlag.TRIAL if trial else 0
            reply = self._model_request(Message.FLASH_COMMIT, self._timing.commit_seconds(size), flags)
            self._timing = replace(self._timing, slot_bytes=max(size, self._timing.slot_bytes))
            return reply

    def read(self, region: Region, offset: int, length: int, progress: Progress | None = None) -> bytes:
        """Bytes of the serving image or of the last row's outputs."""
        transfer = ReadTransfer(offset, length)
        attempts = 0
        with self._fast_line(length):
            while (gap := transfer.gap()) is not None:
                if attempts == ATTEMPTS:
                    raise _silent(Message.READ)
                if attempts or transfer.received:
                    self._count(retransmissions=1)
                before = transfer.received
                self._read_gap(region, gap, transfer, progress)
                attempts = 0 if transfer.received > before else attempts + 1
                if attempts == _PATIENT_ATTEMPTS:
                    self._doubt_rate()
        return transfer.data

    def run(self, frame: StreamFrame, probabilities: bool, outputs: int, work_seconds: float) -> RunReply:
        """Send words of a RUN stream and wait for the outputs of the rows that they complete."""
        words = frame.rows * outputs
        expected = struct.calcsize(wire.RUN_REPLY) + _WORD_BYTES * (words if words <= self.reply_words else 0)
        flags = RunFlag.PROBABILITIES if probabilities else 0
        request = protocol.stream_request(frame.position, frame.words)
        return protocol.decode_run(self._request(Message.RUN, request, work_seconds, expected, flags))

    def learn_begin(self, settings: LearnSettings) -> int:
        """Start learning. Returns the arena bytes used."""
        request = protocol.learn_begin_request(settings)
        work = self._timing.program_seconds(self._timing.slot_bytes)  # copying is faster than programming
        return protocol.decode_learn_begin(
            self._request(Message.LEARN_BEGIN, request, work, struct.calcsize(wire.LEARN_BEGIN_REPLY))
        )

    def learn(self, frame: StreamFrame, end_of_epoch: bool, work_seconds: float) -> LearnReply:
        """Send words of a LEARN stream and wait until the rows that they complete were trained on."""
        flags = LearnFlag.END_OF_EPOCH if end_of_epoch else 0
        request = protocol.stream_request(frame.position, frame.words)
        expected = struct.calcsize(wire.LEARN_REPLY)
        return protocol.decode_learn(self._request(Message.LEARN, request, work_seconds, expected, flags))

    def learn_rate(self, learning_rate: float) -> None:
        """Another learning rate from the next step on."""
        request = protocol.learn_rate_request(learning_rate)
        protocol.decode_nothing(Message.LEARN_RATE, self._request(Message.LEARN_RATE, request))

    def learn_keep(self) -> None:
        """Set the parameters aside, for `learn_commit`."""
        work = self._timing.program_seconds(self._timing.slot_bytes)  # copying is faster than programming
        protocol.decode_nothing(Message.LEARN_KEEP, self._request(Message.LEARN_KEEP, b"", work))

    def learn_commit(self, image_bytes: int) -> ModelReply:
        """Write what was learned into the other slot and let it serve."""
        reply = self._model_request(Message.LEARN_COMMIT, self._timing.learn_commit_seconds(image_bytes))
        self._timing = replace(self._timing, slot_bytes=max(image_bytes, self._timing.slot_bytes))
        return reply

    def learn_abort(self) -> None:
        """Discard what was learned. Tried once: the next session discards it anyway."""
        protocol.decode_nothing(Message.LEARN_ABORT, self._request(Message.LEARN_ABORT, attempts=1))

    # ---- requests

    def _model_request(self, message: Message, work_seconds: float, flags: int = 0) -> ModelReply:
        return protocol.decode_model(message, self._request(message, b"", work_seconds, _MODEL_BYTES, flags))

    def _request(
        self,
        message: Message,
        payload: bytes = b"",
        work_seconds: float = 0.0,
        body_bytes: int = 0,
        flags: int = 0,
        attempts: int = ATTEMPTS,
    ) -> bytes:
        """Ask, wait, ask again. `body_bytes` is what the answer is expected to have behind the status word."""
        self._settle()
        frame = self._next_frame(message, payload, flags)
        heard = self._statistics.bytes_received
        for attempt in range(attempts):
            if attempt:
                self._count(retransmissions=int(message != Message.HELLO))
                self._line_is_clean = False
                self._doubt_rate()  # the device has gone back by now, and would hear none of the other tries
            deadline = self._clock() + work_seconds + _patience(len(payload), body_bytes)
            self._unanswered = (frame, deadline)
            self._send(frame, gently=attempt >= _PATIENT_ATTEMPTS)
            answer = self._await(frame, deadline, body_bytes)
            self._unanswered = None
            if answer is not None:
                return _body(message, answer)
        raise _silent(message, talks=self._statistics.bytes_received > heard)

    def _await(self, frame: Frame, deadline: float, body_bytes: int) -> Frame | None:
        """The answer to a request; None when there is none by then, later while the device answers older frames."""
        latest = deadline + _BACKLOG_SECONDS
        while self._clock() < deadline:
            answers = self._receive(body_bytes)
            for answer in answers:
                if answer.type == frame.type | wire.REPLY_BIT and answer.sequence == frame.sequence:
                    return answer
            if answers:
                deadline = min(max(deadline, self._clock() + PATIENCE_SECONDS), latest)
        return None

    def _settle(self) -> None:
        """After an interrupted request: nothing may be sent before the device has answered it."""
        if self._unanswered is not None:
            self._await(*self._unanswered, 0)
            self._unanswered = None

    # ---- the rate

    @contextmanager
    def _fast_line(self, size: int) -> Iterator[None]:
        """The higher rate inside the `with`, and that of HELLO behind it, where whoever comes next begins."""
        self._raise_rate(size)
        try:
            yield
        except NNLiteError:
            with suppress(NNLiteError):  # what is told is why it ended, not what the line does now
                self._lower_rate()
            raise
        self._lower_rate()

    def _raise_rate(self, size: int) -> None:
        """Speak faster for so many bytes, where that is worth the asking and both ends can."""
        if self._fast_rate is None or not is_worth_a_faster_rate(size):
            return
        try:
            self._request(Message.BAUD, protocol.baud_request(self._fast_rate), attempts=_PATIENT_ATTEMPTS)
            self._set_rate(self._fast_rate)
            self._request(Message.ECHO, b"", attempts=1)
        except DeviceTimeoutError:
            # This line does not carry it, or the answer was lost. The device comes back by itself.
            self._fast_rate = None
            self._fall_back()

    def _lower_rate(self) -> None:
        if self._rate == BAUD:
            return
        try:
            self._request(Message.BAUD, protocol.baud_request(BAUD), attempts=1)
            self._set_rate(BAUD)
        except DeviceTimeoutError:
            self._fall_back()

    def _doubt_rate(self) -> None:
        """After silence: if the rate is a higher one, that may be why."""
        if self._rate != BAUD:
            self._fall_back()

    def _fall_back(self) -> None:
        """After silence at a higher rate: the device goes back to that of HELLO after half a second of it."""
        deadline = self._clock() + SILENCE_SECONDS
        while self._clock() < deadline:
            self._receive(0)
        self._set_rate(BAUD)

    def _set_rate(self, rate: int) -> None:
        if rate != self._rate:
            self._rate = self._port.baudrate = rate
            self._decoder = FrameDecoder(_PAYLOAD_LIMIT)
            self._line_is_clean = False

    # ---- windows

    def _pages(self, image: bytes) -> list[bytes]:
        size = self._timing.page_bytes
        return [image[at : at + size] for at in range(0, len(image), size)]

    def _pages_to_send(self, image: bytes) -> list[bool]:
        """For each page of an image, whether the slot that does not serve holds something else there."""
        pages = self._pages(image)
        if len(pages) > self._slot_pages:
            return [True] * len(pages)  # the device says how large it may be
        entry = struct.calcsize(wire.PAGES_ENTRY)
        at_once = (self._payload_bytes - protocol.REPLY_HEADER_BYTES) // entry
        there: list[Page] = []
        for first in range(0, len(pages), at_once):
            count = min(at_once, len(pages) - first)
            request = protocol.pages_request(first, count)
            body = self._request(Message.PAGES, request, self._timing.pages_seconds(count), count * entry)
            there += protocol.decode_pages(body, count)
        erased = b"\xff" * self._timing.page_bytes
        return [
            not old.whole or old.crc != zlib.crc32(new + erased[len(new) :])
            for old, new in zip(there, pages, strict=True)
        ]

    def _send_stream(self, stream: bytes, transfer: FlashTransfer, progress: Progress | None, size: int) -> None:
        """`progress` counts the pages that lie there already as sent."""
        deadline = self._clock() + PATIENCE_SECONDS
        gently = False
        while not transfer.done:
            if transfer.stalls == _STALLS:
                raise _silent(Message.FLASH_DATA)
            gently = gently or transfer.stalls > _PATIENT_ATTEMPTS
            while not (gently and transfer.unanswered) and (block := transfer.next_block()) is not None:
                if block.again:
                    self._count(retransmissions=1)
                    self._line_is_clean = False
                payload = protocol.flash_data_request(block.offset, stream[block.offset : block.end])
                frame = self._next_frame(Message.FLASH_DATA, payload)
                self._send(frame, gently)
                transfer.sent(block, frame.sequence)
                deadline = self._flash_deadline(transfer)
            before = transfer.acknowledged
            for answer in self._receive(_CREDIT_BYTES):
                if answer.type == Message.FLASH_DATA | wire.REPLY_BIT:
                    credit = protocol.decode_credit(Message.FLASH_DATA, _body(Message.FLASH_DATA, answer))
                    transfer.answered(answer.sequence, credit)
                    deadline = self._flash_deadline(transfer)
            if self._clock() >= deadline:
                transfer.silence()
                if transfer.stalls >= _PATIENT_ATTEMPTS:
                    self._doubt_rate()
                deadline = self._clock() + PATIENCE_SECONDS
            if progress is not None and transfer.acknowledged > before:
                progress(size - len(stream) + transfer.acknowledged, size)

    def _flash_deadline(self, transfer: FlashTransfer) -> float:
        on_the_line = transfer.unanswered * self._payload_bytes
        return self._clock() + self._timing.program_seconds(on_the_line) + _patience(on_the_line, _CREDIT_BYTES)

    def _read_gap(
        self, region: Region, gap: tuple[int, int], transfer: ReadTransfer, progress: Progress | None
    ) -> None:
        """Ask for one gap and take what comes, until its last piece or until nothing comes any more."""
        self._settle()
        header = struct.calcsize(wire.READ_REPLY_HEADER)
        piece_bytes = min(gap[1] + header, self._payload_bytes - protocol.REPLY_HEADER_BYTES)
        payload = protocol.read_request(region, *gap)
        frame = self._next_frame(Message.READ, payload)
        self._send(frame)
        end = gap[0] + gap[1]
        deadline = self._clock() + _patience(len(payload), piece_bytes)
        while (answer := self._await(frame, deadline, piece_bytes)) is not None:
            piece = protocol.decode_read(_body(Message.READ, answer))
            transfer.accept(piece)
            if progress is not None:
                progress(transfer.received, transfer.length)
            if piece.offset + len(piece.data) == end:
                return
            piece_bytes = min(piece_bytes, end - piece.offset - len(piece.data) + header)
            deadline = self._clock() + _patience(0, piece_bytes)
        self._line_is_clean = False

    # ---- the port

    def _next_frame(self, message: Message, payload: bytes, flags: int = 0) -> Frame:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return Frame(message, flags, self._session, self._sequence, payload)

    def _send(self, frame: Frame, gently: bool = False) -> None:
        """`gently`: in pieces, each when the one before has gone over the line."""
        data = encode_frame(frame)
        if not self._line_is_clean:
            data = DELIMITER + data
        self._line_is_clean = False
        step = _PIECE_BYTES if gently else len(data)
        for at in range(0, len(data), step):
            if at:
                self._pause(line_seconds(step))
            self._write(data[at : at + step])
        self._line_is_clean = True
        self._count(bytes_sent=len(data))

    def _pause(self, seconds: float) -> None:
        deadline = self._clock() + seconds
        while self._clock() < deadline:
            self._early = self._receive(0)  # which gives out what came in early before

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise DeviceTimeoutError("the port takes no more data; plug the board in again") from error
        except OSError as error:
            raise vanished(error, self._statistics.bytes_received > 0) from error

    def _receive(self, body_bytes: int) -> list[Frame]:
        """What came in, waiting shortly for a reply of that size; only frames of this session."""
        # At least so much: asking for more would mean to wait for what may not come.
        due = protocol.REPLY_HEADER_BYTES + body_bytes + encoded_frame_bytes(0) - self._decoder.pending
        try:
            data = self._port.read(max(due, self._decoder.due))
        except OSError as error:
            raise vanished(error, self._statistics.bytes_received > 0) from error
        frames = self._decoder.feed(data)
        good = [frame for frame in frames if isinstance(frame, Frame)]
        self._count(bytes_received=len(data), bad_frames=len(frames) - len(good))
        early, self._early = self._early, []
        return early + [frame for frame in good if frame.session == self._session]

    def _count(self, **more: int) -> None:
        old = self._statistics
        self._statistics = replace(old, **{name: getattr(old, name) + count for name, count in more.items()})


def _patience(payload_bytes: int, body_bytes: int) -> float:
    """How long to wait for an answer to a request that takes no work: line both ways, and the half second."""
    return PATIENCE_SECONDS + line_seconds(encoded_frame_bytes(payload_bytes) + encoded_frame_bytes(body_bytes))


def _body(message: Message, answer: Frame) -> bytes:
    body = protocol.decode_reply(message, answer.payload)
    if isinstance(body, Refusal):
        raise refusal_error(message, body)
    return body


def _silent(message: Message, talks: bool = False) -> NNLiteError:
    """The exception for a request that was not answered, whatever else came."""
    if message == Message.HELLO and talks:
        return DeviceTimeoutError(
            "something talks at that port, but not as nnlite's firmware does. Is it the right port? Then put the "
            "firmware on the board ('nnlite firmware')"
        )
    if message == Message.HELLO:
        return DeviceTimeoutError(
            "the port opens but nothing answers there. Is it the right port, does the board have power, "
            "and is nnlite's firmware on it ('nnlite firmware')? Where a flash was broken off just now it may still be "
            "erasing: then try again in ten seconds"
        )
    if message in _SWITCHES:
        return DeviceTimeoutError(
            f"the device fell silent during {message.name}, which it may have carried out or not: a whole model serves "
            "in either case. Check its cable and power, then look which one: 'nnlite info'"
        )
    return DeviceTimeoutError(
        f"the device fell silent during {message.name}; the model that was committed last serves on. "
        "Check its cable and power, then run the command again"
    )
