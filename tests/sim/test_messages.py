"""The firmware against a client that breaks the rules: each message too short, too long, out of range or out of turn.

Whatever is refused, with the status of docs/PROTOCOL.md, the model that was committed serves on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firmware_sim import Board, open_board
from nnlite import layout
from nnlite.device import Device
from nnlite.image import encode_image, image_digest
from nnlite.link.frame import Frame, FrameDecoder, encode_frame
from nnlite.link.wire import (
    CommitFlag,
    ImageFault,
    LearnBeginFlag,
    LearnFlag,
    Message,
    NonFinite,
    Optimizer,
    Region,
    RunFlag,
    SlotState,
    Status,
)
from nnlite.network import Network
from nnlite.training import train
from tests.sim.conversation import BAUD, SESSION, let_start

NET = Network([2, 3, 2], seed=5)
IMAGE = encode_image(NET)
DIGEST = image_digest(IMAGE)
ROW = struct.pack("<2f", 0.5, -1.0)


def learn_begin(
    rate: float = 0.05,
    batch_size: int = 1,
    optimizer: int = Optimizer.SGD,
    flags: int = 0,
    last_layers: int = 0,
    zeros: bytes = bytes(3),
    betas: tuple[float, float] = (0.0, 0.0),
    epsilon: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
) -> bytes:
    """LEARN_BEGIN as docs/PROTOCOL.md has it, on purpose not by nnlite.link.protocol."""
    head = struct.pack("<fHBBB3s", rate, batch_size, optimizer, flags, last_layers, zeros)
    return head + struct.pack("<5f", *betas, epsilon, weight_decay, clip_norm)


BEGIN = learn_begin()


class Talk:
    """One raw conversation: what is sent is sent, whatever the protocol says."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.sequence = 0

    def send(self, frame: Frame) -> None:
        self.board.write_line(b"\0" + encode_frame(frame), BAUD)

    def hear(self, seconds: float = 3.0) -> Frame | None:
        decoder, limit = FrameDecoder(512), self.board.seconds + seconds
        while self.board.seconds < limit:
            for frame in decoder.feed(self.board.read_line(1, 0.05)):
                if isinstance(frame, Frame):
                    return frame
        return None

    def ask(
        self, message: int, payload: bytes = b"", flags: int = 0, session: int = SESSION, sequence: int | None = None
    ) -> tuple[int, int, int, int] | bytes:
        """Status, detail, value and limit of a refusal, or what follows the status word."""
        self.sequence += 1
        at = self.sequence if sequence is None else sequence
        self.send(Frame(message, flags, session, at, payload))
        answer = self.hear()
        assert answer is not None, f"no answer to {message:#x}"
        assert (answer.type, answer.session, answer.sequence) == (message | 0x80, session, at)
        status, detail, zero = struct.unpack_from("<BBH", answer.payload)
        assert zero == 0
        return (status, detail, *struct.unpack("<II", answer.payload[4:])) if status else answer.payload[4:]

    def status(self, *arguments: object, **more: int) -> int:
        """Status alone, 0 for OK."""
        answer = self.ask(*arguments, **more)  # type: ignore[arg-type]
        return answer[0] if isinstance(answer, tuple) else 0

    def serving(self) -> bytes:
        """Digest of the model that serves, computed anew."""
        answer = self.ask(Message.VERIFY)
        assert isinstance(answer, bytes)
        return answer[8:]


@pytest.fixture(scope="module")
def prepared() -> Iterator[tuple[Board, object]]:
    with open_board("microbit") as board:
        with Device.open(board.url) as device:
            device.flash(NET)
        yield board, board.snapshot()


@pytest.fixture
def talk(prepared: tuple[Board, object]) -> Talk:
    """A board with a model and an open session."""
    board, state = prepared
    board.restore(state)  # type: ignore[arg-type]
    talk = Talk(board)
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == 0
    return talk


def begin(length: int = len(IMAGE), digest: bytes = DIGEST, pages: bytes = b"\1") -> bytes:
    return struct.pack("<I", length) + digest + pages


def pages(first: int, count: int) -> bytes:
    return struct.pack("<II", first, count)


def data(offset: int, content: bytes) -> bytes:
    return struct.pack("<I", offset) + content


def read(region: int, offset: int, length: int, zeros: bytes = b"\0\0\0") -> bytes:
    return struct.pack("<B3sII", region, zeros, offset, length)


FLASHING = [(Message.FLASH_BEGIN, begin())]
LEARNING = [(Message.LEARN_BEGIN, BEGIN)]
WEIGHTED = [(Message.LEARN_BEGIN, learn_begin(flags=LearnBeginFlag.WEIGHTED))]
KEEP = LearnBeginFlag.KEEP
KEEPING = [(Message.LEARN_BEGIN, learn_begin(flags=KEEP))]
OTHER = encode_image(Network([2, 4, 2], seed=6))
OK = Status.OK
WORDS = data(0, ROW)
LABELLED = data(0, ROW + struct.pack("<I", 1))

CASES = [
    # lengths
    ("HELLO too short", [], Message.HELLO, bytes([1, 1]), 0, Status.BAD_MESSAGE),
    ("HELLO of another version", [], Message.HELLO, bytes([3, 9, 0, 0]), 0, Status.BAD_VERSION),
    ("VERIFY too long", [], Message.VERIFY, b"x", 0, Status.BAD_MESSAGE),
    ("ROLLBACK too long", [], Message.ROLLBACK, b"x", 0, Status.BAD_MESSAGE),
    ("BAUD too short", [], Message.BAUD, b"\0\0\0", 0, Status.BAD_MESSAGE),
    ("BAUD too long", [], Message.BAUD, struct.pack("<II", BAUD, 0), 0, Status.BAD_MESSAGE),
    ("PAGES too short", [], Message.PAGES, pages(0, 1)[:-1], 0, Status.BAD_MESSAGE),
    ("PAGES too long", [], Message.PAGES, pages(0, 1) + b"x", 0, Status.BAD_MESSAGE),
    ("FLASH_BEGIN without digest", [], Message.FLASH_BEGIN, begin()[:35], 0, Status.BAD_MESSAGE),
    ("FLASH_BEGIN too short", [], Message.FLASH_BEGIN, begin()[:-1], 0, Status.BAD_MESSAGE),
    ("FLASH_BEGIN without a byte of pages", [], Message.FLASH_BEGIN, begin(8 * 1024 + 4), 0, Status.BAD_MESSAGE),
    ("FLASH_BEGIN too long", [], Message.FLASH_BEGIN, begin() + b"x", 0, Status.BAD_MESSAGE),
    ("FLASH_DATA without offset", FLASHING, Message.FLASH_DATA, b"\0\0", 0, Status.BAD_MESSAGE),
    ("FLASH_DATA short", FLASHING, Message.FLASH_DATA, data(0, IMAGE[:-4]), 0, Status.BAD_MESSAGE),
    ("FLASH_DATA long", FLASHING, Message.FLASH_DATA, data(0, IMAGE + b"\0" * 4), 0, Status.BAD_MESSAGE),
    ("FLASH_COMMIT too long", FLASHING, Message.FLASH_COMMIT, b"x", 0, Status.BAD_MESSAGE),
    ("RUN without position", [], Message.RUN, b"\0\0", 0, Status.BAD_MESSAGE),
    ("RUN of part of a word", [], Message.RUN, WORDS + b"x", 0, Status.BAD_MESSAGE),
    ("READ too short", [], Message.READ, read(0, 0, 4)[:-1], 0, Status.BAD_MESSAGE),
    ("READ too long", [], Message.READ, read(0, 0, 4) + b"x", 0, Status.BAD_MESSAGE),
    ("LEARN_BEGIN too short", [], Message.LEARN_BEGIN, BEGIN[:-1], 0, Status.BAD_MESSAGE),
    ("LEARN_BEGIN too long", [], Message.LEARN_BEGIN, BEGIN + b"x", 0, Status.BAD_MESSAGE),
    ("LEARN_RATE too short", LEARNING, Message.LEARN_RATE, b"\0\0\0", 0, Status.BAD_MESSAGE),
    ("LEARN_RATE too long", LEARNING, Message.LEARN_RATE, struct.pack("<ff", 1, 1), 0, Status.BAD_MESSAGE),
    ("LEARN_KEEP too long", KEEPING, Message.LEARN_KEEP, b"x", 0, Status.BAD_MESSAGE),
    ("LEARN of part of a word", LEARNING, Message.LEARN, LABELLED + b"x", 0, Status.BAD_MESSAGE),
    ("LEARN_COMMIT too long", LEARNING, Message.LEARN_COMMIT, b"x", 0, Status.BAD_MESSAGE),
    ("LEARN_ABORT too long", LEARNING, Message.LEARN_ABORT, b"x", 0, Status.BAD_MESSAGE),
    ("unknown message", [], 0x7F, b"", 0, Status.BAD_MESSAGE),
    # out of turn
    ("FLASH_DATA before BEGIN", [], Message.FLASH_DATA, data(0, IMAGE), 0, Status.BAD_STATE),
    ("FLASH_COMMIT before BEGIN", [], Message.FLASH_COMMIT, b"", 0, Status.BAD_STATE),
    ("FLASH_COMMIT before data", FLASHING, Message.FLASH_COMMIT, b"", 0, Status.BAD_STATE),
    ("FLASH_BEGIN while learning", LEARNING, Message.FLASH_BEGIN, begin(), 0, Status.BAD_STATE),
    ("ROLLBACK while learning", LEARNING, Message.ROLLBACK, b"", 0, Status.BAD_STATE),
    ("ROLLBACK while receiving", FLASHING, Message.ROLLBACK, b"", 0, Status.BAD_STATE),
    ("ROLLBACK to nothing", [], Message.ROLLBACK, b"", 0, Status.NO_OTHER_MODEL),
    ("PAGES while receiving", FLASHING, Message.PAGES, pages(0, 1), 0, Status.BAD_STATE),
    ("VERIFY while receiving", FLASHING, Message.VERIFY, b"", 0, Status.BAD_STATE),
    ("RUN while learning", LEARNING, Message.RUN, WORDS, 0, Status.BAD_STATE),
    ("READ of outputs before RUN", [], Message.READ, read(1, 0, 4), 0, Status.BAD_STATE),
    ("READ of outputs while learning", LEARNING, Message.READ, read(1, 0, 4), 0, Status.BAD_STATE),
    ("READ of no region", [], Message.READ, read(7, 0, 4), 0, Status.BAD_STATE),
    ("LEARN before BEGIN", [], Message.LEARN, LABELLED, 0, Status.BAD_STATE),
    ("LEARN_BEGIN twice", LEARNING, Message.LEARN_BEGIN, BEGIN, 0, Status.BAD_STATE),
    ("LEARN_RATE before BEGIN", [], Message.LEARN_RATE, struct.pack("<f", 1), 0, Status.BAD_STATE),
    ("LEARN_RATE while receiving", FLASHING, Message.LEARN_RATE, struct.pack("<f", 1), 0, Status.BAD_STATE),
    ("LEARN_KEEP before BEGIN", [], Message.LEARN_KEEP, b"", 0, Status.BAD_STATE),
    ("LEARN_KEEP without room", LEARNING, Message.LEARN_KEEP, b"", 0, Status.BAD_STATE),
    ("LEARN_KEEP within a row", [*KEEPING, (Message.LEARN, WORDS)], Message.LEARN_KEEP, b"", 0, Status.BAD_STATE),
    (
        "LEARN_KEEP within a batch",
        [(Message.LEARN_BEGIN, learn_begin(batch_size=2, flags=KEEP)), (Message.LEARN, LABELLED)],
        Message.LEARN_KEEP,
        b"",
        0,
        Status.BAD_STATE,
    ),
    (
        "LEARN_COMMIT within a batch",
        [(Message.LEARN_BEGIN, learn_begin(batch_size=2)), (Message.LEARN, LABELLED)],
        Message.LEARN_COMMIT,
        b"",
        0,
        Status.BAD_STATE,
    ),
    ("LEARN_BEGIN while receiving", FLASHING, Message.LEARN_BEGIN, BEGIN, 0, Status.BAD_STATE),
    ("LEARN_COMMIT before BEGIN", [], Message.LEARN_COMMIT, b"", 0, Status.BAD_STATE),
    (
        "LEARN_COMMIT of half a row",
        [*LEARNING, (Message.LEARN, data(0, ROW))],
        Message.LEARN_COMMIT,
        b"",
        0,
        Status.BAD_STATE,
    ),
    ("READ of parameters that are not learned", [], Message.READ, read(2, 0, 4), 0, Status.BAD_STATE),
    # out of range
    ("ECHO of more than fits", [], Message.ECHO, bytes(509), 0, Status.BAD_MESSAGE),
    ("a rate that it has not", [], Message.BAUD, struct.pack("<I", 1_000_000), 0, Status.BAD_ARGUMENT),
    ("PAGES behind the slot", [], Message.PAGES, pages(112, 0), 0, Status.TOO_LARGE),
    ("PAGES beyond the slot", [], Message.PAGES, pages(100, 12), 0, Status.TOO_LARGE),
    ("PAGES that wrap", [], Message.PAGES, pages(8, 0xFFFFFFFC), 0, Status.TOO_LARGE),
    ("more PAGES than fit", [], Message.PAGES, pages(0, 102), 0, Status.TOO_LARGE),
    ("a page beyond the image", [], Message.FLASH_BEGIN, begin(pages=b"\3"), 0, Status.BAD_ARGUMENT),
    ("READ beyond the learned parameters", LEARNING, Message.READ, read(2, 0, 4 * 18), 0, Status.TOO_LARGE),
    ("an image of no bytes", [], Message.FLASH_BEGIN, begin(0), 0, Status.BAD_IMAGE),
    ("an image of half a word", [], Message.FLASH_BEGIN, begin(6), 0, Status.BAD_IMAGE),
    ("an image larger than a slot", [], Message.FLASH_BEGIN, begin(1 << 20), 0, Status.TOO_LARGE),
    ("an image of 4 GB", [], Message.FLASH_BEGIN, begin(0xFFFFFFFC), 0, Status.TOO_LARGE),
    ("READ beyond the image", [], Message.READ, read(0, 0, len(IMAGE) + 4), 0, Status.TOO_LARGE),
    ("READ that wraps", [], Message.READ, read(0, 8, 0xFFFFFFFC), 0, Status.TOO_LARGE),
    ("READ behind the image", [], Message.READ, read(0, 1 << 31, 4), 0, Status.TOO_LARGE),
    ("RUN at another position", [], Message.RUN, data(3, ROW), 0, Status.BAD_POSITION),
    ("LEARN at another position", LEARNING, Message.LEARN, data(3, ROW), 0, Status.BAD_POSITION),
    ("a label too large", LEARNING, Message.LEARN, data(0, ROW + struct.pack("<I", 2)), 0, Status.BAD_LABEL),
    ("a label of 4 billion", LEARNING, Message.LEARN, data(0, ROW + b"\xff" * 4), 0, Status.BAD_LABEL),
    ("RUN of NaN", [], Message.RUN, data(0, struct.pack("<2f", 1, np.nan)), 0, Status.NON_FINITE),
    ("LEARN of infinity", LEARNING, Message.LEARN, data(0, struct.pack("<f", np.inf)), 0, Status.NON_FINITE),
    *[
        (f"LEARN_BEGIN with {name} {value}", [], Message.LEARN_BEGIN, learn_begin(**{name: value}), 0, status)
        for name, status, values in (
            ("rate", Status.BAD_ARGUMENT, (0.0, -0.0, -0.05, np.inf, np.nan)),
            ("batch_size", Status.BAD_ARGUMENT, (0,)),
            ("batch_size", Status.NO_MEMORY, (65_535,)),
            ("optimizer", Status.BAD_ARGUMENT, (3, 255)),
            ("flags", Status.BAD_ARGUMENT, (4, 128, 255)),
            ("last_layers", Status.BAD_ARGUMENT, (3, 255)),
            ("zeros", Status.BAD_ARGUMENT, (b"\1\0\0", b"\0\1\0", b"\0\0\1")),
            ("betas", Status.BAD_ARGUMENT, ((1.0, 0.0), (0.0, 1.0), (-0.5, 0.0), (0.0, np.nan), (np.nan, 0.0))),
            ("epsilon", Status.BAD_ARGUMENT, (-1e-7, np.inf, np.nan)),
            ("weight_decay", Status.BAD_ARGUMENT, (1.0, -0.1, np.nan, np.inf)),
            ("clip_norm", Status.BAD_ARGUMENT, (-1.0, np.inf, np.nan)),
        )
        for value in values
    ],
    *[
        (f"LEARN_RATE of {rate}", LEARNING, Message.LEARN_RATE, struct.pack("<f", rate), 0, Status.BAD_ARGUMENT)
        for rate in (0.0, -1.0, np.inf, np.nan)
    ],
    *[
        (f"a weight of {weight}", WEIGHTED, Message.LEARN, LABELLED + struct.pack("<f", weight), 0, Status.NON_FINITE)
        for weight in (np.nan, np.inf, -1.0)
    ],
    # reserved flags
    ("RUN with an unknown flag", [], Message.RUN, WORDS, RunFlag.PROBABILITIES | 2, Status.BAD_ARGUMENT),
    ("LEARN_RATE with a flag", LEARNING, Message.LEARN_RATE, struct.pack("<f", 1), 1, Status.BAD_ARGUMENT),
    ("LEARN_KEEP with a flag", KEEPING, Message.LEARN_KEEP, b"", 1, Status.BAD_ARGUMENT),
    ("LEARN with an unknown flag", LEARNING, Message.LEARN, LABELLED, LearnFlag.END_OF_EPOCH | 4, Status.BAD_ARGUMENT),
    ("VERIFY with a flag", [], Message.VERIFY, b"", 1, Status.BAD_ARGUMENT),
    ("ECHO with a flag", [], Message.ECHO, b"", 1, Status.BAD_ARGUMENT),
    ("FLASH_COMMIT with an unknown flag", FLASHING, Message.FLASH_COMMIT, b"", 2, Status.BAD_ARGUMENT),
]


@pytest.mark.parametrize(
    ("before", "message", "payload", "flags", "status"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_breaks_the_rules_is_refused_and_the_model_serves_on(
    talk: Talk, before: list[tuple[int, bytes]], message: int, payload: bytes, flags: int, status: Status
) -> None:
    for earlier, content in before:
        assert talk.status(earlier, content) == OK
    answer = talk.ask(message, payload, flags)
    assert isinstance(answer, tuple)
    assert Status(answer[0]) == status
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == OK
    assert talk.serving() == DIGEST
    outputs = talk.ask(Message.RUN, WORDS)
    assert isinstance(outputs, bytes)
    assert outputs[12:] == NET.decision_function(np.frombuffer(ROW, "<f4")[None]).tobytes()


def test_any_refusal_of_a_learn_frame_ends_the_run(talk: Talk) -> None:
    """A whole step was taken before, so that there would be something to commit."""
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    assert talk.status(Message.LEARN, LABELLED) == OK
    assert talk.status(Message.LEARN, data(99, ROW)) == Status.BAD_POSITION
    assert talk.status(Message.LEARN_COMMIT) == Status.BAD_STATE
    assert talk.serving() == DIGEST


@pytest.mark.parametrize(
    ("message", "payload"),
    [(Message.LEARN_RATE, struct.pack("<f", np.nan)), (Message.LEARN_BEGIN, BEGIN)],
    ids=["rate", "begin"],
)
def test_other_refusals_leave_the_run_as_it_is(talk: Talk, message: int, payload: bytes) -> None:
    net = NET.copy()
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    assert talk.status(Message.LEARN, LABELLED) == OK
    assert talk.status(message, payload) != OK
    learn(net, 1)
    assert talk.ask(Message.READ, read(Region.LEARNED, 0, 4 * 17)) == data(0, net.parameters.tobytes())


# ---- learning as it is asked for


def learn(net: Network, steps: int, **how: Any) -> None:
    """The same steps on the laptop: LABELLED, over and over."""
    net.labels = (0, 1)  # the data has one only
    X = np.tile(np.frombuffer(ROW, "<f4"), (steps, 1))
    train(net, X, [1] * steps, **({"epochs": 1} | how), shuffle=False, standardize=False, progress=False)


def step(talk: Talk, number: int, weight: bytes = b"") -> None:
    words = 3 + len(weight) // 4
    assert talk.status(Message.LEARN, data(number * words, ROW + struct.pack("<I", 1) + weight)) == OK


def committed(talk: Talk) -> bytes:
    """Parameters of the model that a restart finds."""
    assert talk.status(Message.LEARN_COMMIT) == OK
    talk.board.boot()
    let_start(talk.board)
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == OK
    answer = talk.ask(Message.READ, read(Region.IMAGE, len(IMAGE) - 4 * 17, 4 * 17))
    assert isinstance(answer, bytes)
    return answer[4:]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_commit_takes_what_was_set_aside_last(talk: Talk, steps: int) -> None:
    assert talk.status(Message.LEARN_BEGIN, learn_begin(flags=KEEP)) == OK
    for number in range(3):
        step(talk, number)
        if number < steps:
            assert talk.status(Message.LEARN_KEEP) == OK
    net = NET.copy()
    learn(net, steps)
    assert committed(talk) == net.parameters.tobytes()


def test_a_commit_takes_what_is_there_when_nothing_was_set_aside(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, learn_begin(flags=KEEP)) == OK
    for number in range(2):
        step(talk, number)
    net = NET.copy()
    learn(net, 2)
    assert committed(talk) == net.parameters.tobytes()


def test_what_one_run_set_aside_is_not_of_the_next(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, learn_begin(flags=KEEP)) == OK
    step(talk, 0)
    assert talk.status(Message.LEARN_KEEP) == OK
    assert talk.status(Message.LEARN_ABORT) == OK
    assert talk.status(Message.LEARN_KEEP) == Status.BAD_STATE
    assert talk.status(Message.LEARN_BEGIN, learn_begin(flags=KEEP, rate=0.5)) == OK
    step(talk, 0)
    net = NET.copy()
    learn(net, 1, learning_rate=0.5)
    assert committed(talk) == net.parameters.tobytes()


def test_a_rate_holds_from_the_next_step_on(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    net = NET.copy()
    for number, rate in enumerate((0.05, 0.5, 0.25)):
        if number:
            assert talk.status(Message.LEARN_RATE, struct.pack("<f", rate)) == OK
        step(talk, number)
        learn(net, 1, learning_rate=rate)
    assert committed(talk) == net.parameters.tobytes()


def test_a_weight_is_of_its_row_alone(talk: Talk) -> None:
    net = NET.copy()
    assert talk.status(*WEIGHTED[0]) == OK
    for number, weight in enumerate((2.5, 0.0, 1.0)):
        step(talk, number, struct.pack("<f", weight))
    learn(net, 3, sample_weight=[2.5, 0.0, 1.0])
    assert committed(talk) == net.parameters.tobytes()


def test_hello_without_a_session_number_is_refused(talk: Talk) -> None:
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0]), session=0) == Status.BAD_MESSAGE
    assert talk.serving() == DIGEST


# ---- echo


@pytest.mark.parametrize("content", [b"", b"\0", bytes(508), b"\xff" * 508, bytes(range(256))])
def test_echo_gives_the_same_bytes_back(talk: Talk, content: bytes) -> None:
    assert talk.ask(Message.ECHO, content) == content


# ---- a model on trial


def try_other(talk: Talk) -> None:
    assert talk.status(Message.FLASH_BEGIN, begin(len(OTHER), image_digest(OTHER))) == OK
    assert talk.status(Message.FLASH_DATA, data(0, OTHER)) == OK
    answer = talk.ask(Message.FLASH_COMMIT, b"", CommitFlag.TRIAL)
    assert answer == struct.pack("<II", 0, len(OTHER)) + image_digest(OTHER)


def test_a_model_on_trial_can_be_run_read_and_taught(talk: Talk) -> None:
    try_other(talk)
    net = Network([2, 4, 2], seed=6)
    outputs = talk.ask(Message.RUN, WORDS)
    assert isinstance(outputs, bytes)
    assert outputs[12:] == net.decision_function(np.frombuffer(ROW, "<f4")[None]).tobytes()
    assert talk.ask(Message.READ, read(Region.IMAGE, 0, 16)) == data(0, OTHER[:16])
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    assert talk.ask(Message.READ, read(Region.LEARNED, 0, 4)) == data(0, net.parameters[:1].tobytes())
    assert talk.status(Message.LEARN, LABELLED + ROW + struct.pack("<I", 0)) == OK
    X = np.frombuffer(2 * ROW, "<f4").reshape(2, 2)
    train(net, X, [1, 0], epochs=1, shuffle=False, standardize=False, progress=False)
    assert talk.ask(Message.READ, read(Region.LEARNED, 0, 4 * 22)) == data(0, net.parameters.tobytes())
    assert talk.status(Message.LEARN_ABORT) == OK


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (Message.VERIFY, b""),
        (Message.ROLLBACK, b""),
        (Message.PAGES, pages(0, 1)),
        (Message.FLASH_BEGIN, begin()),
        (Message.FLASH_DATA, data(0, IMAGE)),
        (Message.FLASH_COMMIT, b""),
        (Message.LEARN_COMMIT, b""),
    ],
    ids=lambda value: value.name if isinstance(value, Message) else "",
)
@pytest.mark.parametrize("ended_by", ["HELLO", "reset"])
def test_a_trial_leaves_no_trace(talk: Talk, message: Message, content: bytes, ended_by: str) -> None:
    """Whatever would change what is committed is refused meanwhile, and the committed model serves afterwards."""
    try_other(talk)
    if message == Message.LEARN_COMMIT:
        assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
        assert talk.status(Message.LEARN, LABELLED) == OK
    operations = talk.board.chip.nvmc.operations
    assert talk.status(message, content) == Status.BAD_STATE
    assert talk.board.chip.nvmc.operations == operations
    if ended_by == "reset":
        talk.board.boot()
        let_start(talk.board)
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == OK
    assert talk.serving() == DIGEST
    outputs = talk.ask(Message.RUN, WORDS)
    assert isinstance(outputs, bytes)
    assert outputs[12:] == NET.decision_function(np.frombuffer(ROW, "<f4")[None]).tobytes()
    assert talk.status(Message.ROLLBACK) == Status.NO_OTHER_MODEL


def test_an_image_that_is_none_is_not_tried(talk: Talk) -> None:
    assert talk.status(Message.FLASH_BEGIN, begin(digest=bytes(32))) == OK
    assert talk.status(Message.FLASH_DATA, data(0, IMAGE)) == OK
    assert talk.status(Message.FLASH_COMMIT, b"", CommitFlag.TRIAL) == Status.BAD_DIGEST
    assert talk.serving() == DIGEST


# ---- what requests take


def test_times_are_those_of_the_kernels(talk: Talk) -> None:
    """The counter has the simulator's own count between its two looks, and some cycles of its own."""
    with talk.board.measure("model_run_row") as measured:
        outputs = talk.ask(Message.RUN, WORDS)
    assert isinstance(outputs, bytes)
    computing, device = struct.unpack_from("<II", outputs, 4)
    assert measured.calls == 1
    assert 0 <= computing - measured.cycles < 60
    assert computing < device < computing + 4_000
    with talk.board.measure("model_train_row") as measured:
        assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
        answer = talk.ask(Message.LEARN, LABELLED)
    assert isinstance(answer, bytes)
    computing, device = struct.unpack_from("<II", answer, 8)
    assert abs(computing - measured.cycles) < 200
    assert computing < device < computing + 4_000


# ---- at most once


def test_a_step_is_taken_once_however_often_it_is_asked_for(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    answers = [talk.ask(Message.LEARN, LABELLED, sequence=40) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert isinstance(answers[0], bytes)
    assert struct.unpack_from("<I", answers[0])[0] == 1


def test_a_stray_frame_of_another_session_makes_no_step_be_taken_twice(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    first = talk.ask(Message.LEARN, LABELLED, sequence=40)
    assert talk.status(Message.VERIFY, session=5, sequence=40) == Status.BAD_SESSION
    assert talk.status(Message.LEARN, LABELLED, session=5, sequence=40) == Status.BAD_SESSION
    assert talk.ask(Message.LEARN, LABELLED, sequence=40) == first


def test_a_refusal_to_another_session_is_not_the_answer_to_this_one(talk: Talk) -> None:
    assert talk.status(Message.VERIFY, session=5, sequence=50) == Status.BAD_SESSION
    assert talk.status(Message.VERIFY, sequence=50) == OK


def test_a_late_copy_of_a_step_is_neither_taken_nor_answered(talk: Talk) -> None:
    """Its reply has gone: READ filled the same buffer."""
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    assert talk.status(Message.LEARN, LABELLED, sequence=40) == OK
    assert talk.status(Message.READ, read(Region.IMAGE, 0, 8)) == OK
    talk.send(Frame(Message.LEARN, 0, SESSION, 40, LABELLED))
    assert talk.hear(0.5) is None
    answer = talk.ask(Message.LEARN, data(3, ROW + struct.pack("<I", 0)))
    assert isinstance(answer, bytes)
    assert struct.unpack_from("<I", answer)[0] == 2


def test_a_learning_stream_does_not_begin_anew(talk: Talk) -> None:
    assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    assert talk.status(Message.LEARN, LABELLED) == OK
    assert talk.status(Message.LEARN, LABELLED) == Status.BAD_POSITION


# ---- flash that is not what it should be


def test_an_image_that_is_not_the_one_announced_is_not_committed(talk: Talk) -> None:
    assert talk.status(Message.FLASH_BEGIN, begin(digest=bytes(32))) == OK
    assert talk.status(Message.FLASH_DATA, data(0, IMAGE)) == OK
    assert talk.status(Message.FLASH_COMMIT) == Status.BAD_DIGEST
    assert talk.serving() == DIGEST


@pytest.mark.parametrize(("at", "value", "fault"), [(0, 0, ImageFault.MAGIC), (5, 99, ImageFault.LAYERS)])
def test_an_image_that_is_none_is_not_committed(talk: Talk, at: int, value: int, fault: ImageFault) -> None:
    broken = bytearray(IMAGE)
    broken[at] = value
    assert talk.status(Message.FLASH_BEGIN, begin(digest=image_digest(bytes(broken)))) == OK
    assert talk.status(Message.FLASH_DATA, data(0, bytes(broken))) == OK
    assert talk.ask(Message.FLASH_COMMIT) == (Status.BAD_IMAGE, fault, 0, 0)
    assert talk.serving() == DIGEST


def test_flash_that_rots_is_noticed_by_verify_and_at_boot(talk: Talk) -> None:
    board = talk.board
    address = board.profile.slot_address(0) + board.profile.page_bytes + layout.image_header_bytes(2) + 2
    (byte,) = board.read_memory(address, 1)
    board.write_memory(address, bytes([byte ^ 1]))
    assert talk.status(Message.VERIFY) == Status.BAD_DIGEST
    assert talk.status(Message.RUN, WORDS) == Status.NO_MODEL
    board.boot()
    with Device.open(board.url) as device:
        info = device.info()
    assert info.serving is None
    assert info.slots[0].state == SlotState.BROKEN


# ---- standardising


@pytest.mark.parametrize("learning", [False, True])
def test_a_sample_that_leaves_float32_when_it_is_standardised_is_named(talk: Talk, learning: bool) -> None:
    """As on the laptop; ReLU would hide it."""
    net = Network([2, 3, 2], seed=5)
    net.mean, net.scale = np.zeros(2, np.float32), np.array([1, 1e30], np.float32)
    with Device.open(talk.board.url) as device:
        device.flash(net)
    assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == OK
    row = struct.pack("<2f", 1.0, 1e20) + (struct.pack("<I", 1) if learning else b"")
    if learning:
        assert talk.status(Message.LEARN_BEGIN, BEGIN) == OK
    answer = talk.ask(Message.LEARN if learning else Message.RUN, data(0, row))
    assert answer == (Status.NON_FINITE, NonFinite.SAMPLE, 1, 0)
