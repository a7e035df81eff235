"""`Device` against the real firmware on simulated boards: bits, faults on the line, resets, silence, bad data."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import serial

from firmware_sim import Board, open_board
from nnlite.device import Device
from nnlite.errors import (
    DataError,
    DeviceError,
    DeviceTimeoutError,
    DivergedError,
    DoesNotFitError,
    IncompatibleError,
    IntegrityError,
    NNLiteError,
    PortBusyError,
    UsageError,
)
from nnlite.image import encode_image, image_digest
from nnlite.link import protocol
from nnlite.link.frame import Frame, FrameDecoder, encode_frame, encoded_frame_bytes
from nnlite.link.protocol import LearnReply
from nnlite.link.wire import REPLY_BIT, Message
from nnlite.network import Network
from nnlite.training import train

BOARDS = ("microbit", "microbit2", "nano33ble")
#: what the chip computes, keeps or times is asked of both cores; what the laptop alone decides, of one
on_both_boards = pytest.mark.board("microbit", "microbit2")
CLASSES = ("circle", "press", "reach")
#: of ten samples; one of them counts for nothing
WEIGHTS = [0.5, 2.0, 0.0, 1.0, 1.5, 0.25, 3.0, 1.0, 0.75, 1.25]


def network(
    sizes: list[int], output: str = "softmax", standardised: bool = True, seed: int = 0, hidden: str = "relu"
) -> Network:
    rng = np.random.default_rng(seed)
    net = Network(sizes, hidden=hidden, output=output, seed=seed)
    net.parameters += rng.normal(0, 0.1, net.parameters.size).astype(np.float32)
    if standardised:
        net.mean = rng.normal(size=sizes[0]).astype(np.float32)
        net.scale = rng.uniform(0.5, 2, sizes[0]).astype(np.float32)
    if output == "softmax" and sizes[-1] == len(CLASSES):
        net.labels = CLASSES
    return net


def samples(net: Network, rows: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, net.sizes[0])).astype(np.float32)


def truth(net: Network, rows: int, seed: int = 2) -> Any:
    rng = np.random.default_rng(seed)
    if net.output == "linear":
        return rng.normal(size=(rows, net.sizes[-1])).astype(np.float32)
    if net.output == "sigmoid":
        return rng.integers(0, 2, (rows, net.sizes[-1])).astype(np.float32)
    return rng.choice(np.array(net.labels if net.labels else range(net.sizes[-1])), rows)


def same_bits(a: Any, b: Any) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def learned_on_the_laptop(net: Network, X: Any, y: Any, **how: Any) -> Network:
    replay = net.copy()
    train(replay, X, y, shuffle=False, standardize=False, progress=False, **how)
    return replay


@pytest.fixture(autouse=True)
def nothing_is_sent_to_a_busy_board(request: pytest.FixtureRequest) -> Iterator[None]:
    """With every test that has a board: it may not have lost a byte."""
    board: Board | None = request.getfixturevalue("board") if "board" in request.fixturenames else None
    yield
    assert board is None or board.uart.overruns == 0, "bytes were sent while the device was busy"


# ---- the whole way, bit for bit


@on_both_boards
def test_there_and_back_again(device: Device, board: Board) -> None:
    net = network([4, 5, 3])
    served = device.flash(net)
    assert (served.generation, served.digest) == (1, image_digest(encode_image(net)))
    assert device.verify(net) == served
    X = samples(net, 30)
    assert same_bits(device.decision_function(X), net.decision_function(X))
    assert same_bits(device.predict_proba(X), net.predict_proba(X))
    assert device.predict(X).tolist() == net.predict(X).tolist()
    pulled = device.pull()
    assert encode_image(pulled) == encode_image(net)
    assert device.statistics.retransmissions == 0


@on_both_boards
def test_info(device: Device, board: Board) -> None:
    info = device.info()
    profile = board.profile
    assert info.board == profile.name
    assert info.serving is None
    assert info.arena_bytes == profile.firmware.arena_bytes
    assert info.slot_image_bytes == profile.slot_image_bytes
    assert (info.page_bytes, info.clock_hz) == (profile.page_bytes, profile.clock_hz)
    served = device.flash(network([4, 5, 3]))
    serving = device.info().serving
    assert serving is not None
    assert (serving.generation, serving.digest, serving.erase_count) == (1, served.digest, 1)


@pytest.mark.parametrize(
    ("sizes", "output", "standardised"),
    [
        ([1, 1], "linear", False),
        ([7, 6, 5, 4, 2], "linear", True),
        ([63, 1], "linear", False),  # a row that just fits a frame
        ([64, 2], "softmax", True),  # a row just larger than one
        ([130, 1], "linear", False),  # three frames, none of which ends with a row
        ([2, 62], "linear", False),  # a row of outputs that just fits a reply
        ([2, 63], "softmax", False),  # one that has to be read
        ([65, 1, 64], "linear", True),  # both
    ],
)
def test_shapes_that_do_not_fit_frames(device: Device, sizes: list[int], output: str, standardised: bool) -> None:
    """How rows lie in frames is the same on both boards, whose payloads are."""
    net = network(sizes, output, standardised)
    device.flash(net)
    X, y = samples(net, 3), truth(net, 3)
    assert same_bits(device.decision_function(X), net.decision_function(X))
    if output == "softmax":
        assert same_bits(device.predict_proba(X), net.predict_proba(X))
    device.learn(X, y, learning_rate=0.01)
    replay = learned_on_the_laptop(net, X, y, learning_rate=0.01, epochs=1)
    assert same_bits(device.pull().parameters, replay.parameters)


@on_both_boards
@pytest.mark.parametrize(
    ("output", "batch_size", "epochs"), [("softmax", 1, 3), ("softmax", 4, 2), ("linear", 1, 1), ("linear", 7, 3)]
)
def test_learning_is_the_laptops_bit_for_bit(device: Device, output: str, batch_size: int, epochs: int) -> None:
    """Ten rows: batches of 4 and 7 leave a smaller last one."""
    net = network([6, 5, 3], output)
    device.flash(net)
    X, y = samples(net, 10), truth(net, 10)
    how = {"learning_rate": 0.03, "epochs": epochs, "batch_size": batch_size}
    seen: list[tuple[int, int]] = []
    learned = device.learn(X, y, **how, progress=lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    replay = net.copy()
    history = train(replay, X, y, shuffle=False, standardize=False, progress=False, **how)  # type: ignore[arg-type]
    assert same_bits(device.pull().parameters, replay.parameters)
    assert device.verify(replay).generation == 2
    assert learned.loss == pytest.approx(history.loss, rel=1e-5)
    assert learned.samples == seen[-1][0] == seen[-1][1] == 10 * epochs


#: every activation, output and optimiser with every other one, and everything else at least once with each optimiser
WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("relu", "softmax", {"optimizer": "adam", "schedule": "cosine", "epochs": 3}),
    ("relu", "sigmoid", {"optimizer": "momentum", "weight_decay": 0.1, "sample_weight": WEIGHTS}),
    ("relu", "linear", {"optimizer": "sgd", "clip_norm": 0.2, "last_layers": 2}),
    ("leaky_relu", "softmax", {"optimizer": "momentum", "momentum": 0.5, "class_weight": "balanced", "batch_size": 4}),
    ("leaky_relu", "sigmoid", {"optimizer": "sgd", "schedule": "step", "epochs": 4, "weight_decay": 0.3}),
    ("leaky_relu", "linear", {"optimizer": "adam", "clip_norm": 0.2, "weight_decay": 0.1, "batch_size": 3}),
    ("sigmoid", "softmax", {"optimizer": "sgd", "class_weight": {"press": 3.0}, "batch_size": 3, "clip_norm": 0.1}),
    ("sigmoid", "sigmoid", {"optimizer": "adam", "last_layers": 1, "sample_weight": WEIGHTS, "batch_size": 4}),
    ("sigmoid", "linear", {"optimizer": "momentum", "schedule": "cosine", "epochs": 3, "last_layers": 1}),
    ("tanh", "softmax", {"optimizer": "momentum", "clip_norm": 0.1, "last_layers": 2, "batch_size": 3}),
    ("tanh", "sigmoid", {"optimizer": "adam", "schedule": "step", "epochs": 4, "last_layers": 2}),
    ("tanh", "linear", {"optimizer": "sgd", "sample_weight": WEIGHTS, "schedule": "cosine", "epochs": 2}),
]


@on_both_boards
@pytest.mark.parametrize(("hidden", "output", "how"), WAYS, ids=[f"{w[0]}-{w[1]}-{w[2]['optimizer']}" for w in WAYS])
def test_every_way_of_learning_is_the_laptops_bit_for_bit(
    device: Device, hidden: str, output: str, how: dict[str, Any]
) -> None:
    """Answers before and after it, and every byte of the image: frozen layers and standardiser are as before."""
    net = network([6, 5, 4, 3], output, hidden=hidden)
    device.flash(net)
    X, y = samples(net, 10), truth(net, 10)
    assert same_bits(device.decision_function(X), net.decision_function(X))
    how = {"learning_rate": 0.03, "epochs": 1} | how
    device.learn(X, y, **how)
    replay = learned_on_the_laptop(net, X, y, **how)
    assert encode_image(device.pull()) == encode_image(replay)
    frozen = sum(net.weights[n].size + net.biases[n].size for n in range(3 - how.get("last_layers", 3)))
    assert same_bits(replay.parameters[:frozen], net.parameters[:frozen])
    assert not np.any(replay.parameters[frozen:] == net.parameters[frozen:]) or hidden.endswith("relu")
    assert same_bits(device.decision_function(X), replay.decision_function(X))
    assert device.predict(X).tolist() == replay.predict(X).tolist()
    if output != "linear":
        assert same_bits(device.predict_proba(X), replay.predict_proba(X))
    assert device.statistics.retransmissions == 0


@on_both_boards
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_early_stopping_is_the_laptops_and_keeps_the_best(device: Device, optimizer: str) -> None:
    """A rate so high that the validation loss gets worse; the epochs after the best leave no trace."""
    net = network([6, 5, 3])
    device.flash(net)
    X, y = samples(net, 12), truth(net, 12)
    how: dict[str, Any] = {"epochs": 40, "learning_rate": 0.1, "optimizer": optimizer, "patience": 2}
    how["validation"] = samples(net, 8, seed=5), truth(net, 8, seed=6)
    replay = net.copy()
    history = train(replay, X, y, shuffle=False, standardize=False, progress=False, **how)
    learned = device.learn(X, y, **how)
    assert 0 <= learned.best == history.best == len(history.epochs) - 3 < 37
    assert learned.validation_loss == tuple(epoch.validation_loss for epoch in history.epochs)
    assert learned.samples == 12 * len(history.epochs)
    assert min(learned.validation_loss) == learned.validation_loss[history.best]
    assert same_bits(device.pull().parameters, replay.parameters)


def test_validation_without_patience_is_measured_and_changes_nothing(device: Device) -> None:
    net = network([6, 5, 3])
    device.flash(net)
    X, y = samples(net, 12), truth(net, 12)
    validation = samples(net, 8, seed=5), truth(net, 8, seed=6)
    learned = device.learn(X, y, epochs=3, learning_rate=0.1, validation=validation)
    assert len(learned.validation_loss) == len(learned.loss) == 3
    assert same_bits(device.pull().parameters, learned_on_the_laptop(net, X, y, epochs=3, learning_rate=0.1).parameters)


@pytest.mark.parametrize(
    ("sizes", "hidden", "output", "how"),
    [
        ([4, 60, 3], "relu", "softmax", {"optimizer": "adam", "clip_norm": 1.0, "weight_decay": 0.1}),
        ([4, 60, 3], "tanh", "sigmoid", {"optimizer": "momentum", "batch_size": 3, "clip_norm": 1.0}),
        ([1, 100, 1], "sigmoid", "linear", {}),
    ],
)
def test_a_device_that_takes_long_is_not_asked_again(
    device: Device, sizes: list[int], hidden: str, output: str, how: dict[str, Any]
) -> None:
    """Full frames of rows whose cost is not in multiply-accumulates, on the core that is slowest at it."""
    net = network(sizes, output, hidden=hidden)
    device.flash(net)
    X, y = samples(net, 70), truth(net, 70)
    device.decision_function(X)
    device.learn(X, y, **how)
    assert device.statistics.retransmissions == 0


def test_a_second_device_object_knows_the_model_from_the_device_alone(board: Board) -> None:
    net = network([6, 5, 3])
    with Device.open(board.url) as first:
        first.flash(net)
    with Device.open(board.url) as second:
        X, y = samples(net, 4), truth(net, 4)
        assert second.predict(X).tolist() == net.predict(X).tolist()
        second.learn(X, y)
        assert second.pull().labels == CLASSES


@on_both_boards
def test_rollback_goes_back_once(device: Device) -> None:
    first, second = network([4, 5, 3], seed=1), network([4, 3], seed=2)
    device.flash(first)
    device.flash(second)
    X = samples(first, 3)
    assert same_bits(device.decision_function(X), second.decision_function(X))
    assert device.rollback().generation == 1
    assert device.verify(first)
    assert same_bits(device.decision_function(X), first.decision_function(X))
    with pytest.raises(IncompatibleError, match="no earlier model"):
        device.rollback()
    assert device.verify(first)


def test_verify_tells_another_model(device: Device) -> None:
    net = network([4, 5, 3])
    device.flash(net)
    changed = net.copy()
    changed.parameters[3] = np.nextafter(changed.parameters[3], np.float32(9))
    with pytest.raises(IntegrityError, match="another model"):
        device.verify(changed)


# ---- the line


def conversation(device: Device, net: Network, X: Any, y: Any) -> tuple[Any, ...]:
    """Everything that goes over the line, and what came out. A step of Adam taken twice shows in all later ones."""
    flashed = device.flash(net)
    logits = device.decision_function(X)
    learned = device.learn(
        X, y, 0.02, 2, 3, "adam", schedule="step", validation=(X, y), patience=2, sample_weight=range(1, len(X) + 1)
    )
    pulled = device.pull()
    return flashed, logits.tobytes(), learned, pulled.parameters.tobytes(), device.info().slots


NET = network([12, 9, 3])  # two blocks of image, two frames of rows
X6, Y6 = samples(NET, 6), truth(NET, 6)
FAULTS: dict[str, Callable[[Board, Any, int], None]] = {
    "flip": lambda board, way, at: board.line.flip(way, at, 0x10),
    "drop": lambda board, way, at: board.line.drop(way, at),
    "drop many": lambda board, way, at: board.line.drop(way, at, 60),
    "double": lambda board, way, at: board.line.double(way, at),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", ["to_board", "from_board"])
def test_whatever_the_line_does_once_nothing_changes_and_nothing_is_done_twice(way: str, fault: str) -> None:
    """A fault at places all over the conversation. Generations and erase counts of both slots are compared as well."""
    with open_board("microbit2") as board:
        with Device.open(board.url) as device:
            fresh = board.snapshot()
            before = board.line.passed[way]
            expected = conversation(device, NET, X6, Y6)
            length = board.line.passed[way] - before
        repeated = 0
        places = np.linspace(0, length - 1, 9).astype(int)[:-1] + 7 * list(FAULTS).index(fault)
        for place in places.tolist():
            board.restore(fresh)
            with Device.open(board.url) as device:
                FAULTS[fault](board, way, place)
                assert conversation(device, NET, X6, Y6) == expected, f"{fault} {way} at byte {place}"
                repeated += device.statistics.retransmissions > 0
            board.line.restore()
        assert repeated >= len(places) - 1, "the faults did not reach the line"


@on_both_boards
def test_a_line_that_keeps_losing_bytes(board: Board) -> None:
    with Device.open(board.url) as device:
        for at in range(37, 60_000, 701):
            board.line.flip("to_board", at, 0x40)
            board.line.drop("from_board", at + 350)
        device.flash(NET)
        X, y = samples(NET, 12), truth(NET, 12)
        assert same_bits(device.decision_function(X), NET.decision_function(X))
        device.learn(X, y, learning_rate=0.02)
        replay = learned_on_the_laptop(NET, X, y, learning_rate=0.02, epochs=1)
        assert same_bits(device.pull().parameters, replay.parameters)
        assert device.statistics.retransmissions > 5


@pytest.mark.parametrize("what", ["flash", "run", "learn", "pull"])
def test_a_device_that_falls_silent(device: Device, board: Board, what: str) -> None:
    net = network([5, 20, 3])
    device.flash(net)
    X, y = samples(net, 60), truth(net, 60)
    board.line.silence("from_board", 100)
    with pytest.raises(DeviceTimeoutError, match="fell silent"):
        undertake(device, what, X, y)
    with pytest.raises(DeviceTimeoutError, match="nothing answers"):
        device.info()
    board.line.restore()
    assert device.verify(net).generation == 1
    assert same_bits(device.decision_function(X), net.decision_function(X))


@pytest.mark.parametrize("what", ["flash", "run", "learn", "pull"])
@on_both_boards
def test_a_device_that_restarts_half_way(device: Device, board: Board, what: str) -> None:
    """What is on its way to a device that restarts is lost; no credit can help that."""
    net = network([5, 20, 3])
    device.flash(net)
    X, y = samples(net, 60), truth(net, 60)

    def restart(done: int, total: int) -> None:
        if done < total:
            board.reset()

    with pytest.raises(DeviceTimeoutError, match="restarted"):
        undertake(device, what, X, y, restart)
    board.uart.overruns = 0
    assert device.verify(net).generation == 1
    assert same_bits(device.decision_function(X), net.decision_function(X))


@pytest.mark.parametrize("what", ["flash", "run", "learn", "pull"])
def test_ctrl_c_half_way(device: Device, board: Board, what: str) -> None:
    net = network([5, 20, 3])
    device.flash(net)
    X, y = samples(net, 60), truth(net, 60)

    def interrupt(done: int, total: int) -> None:
        if 2 * done >= total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undertake(device, what, X, y, interrupt)
    assert device.verify(net).generation == 1
    assert same_bits(device.decision_function(X), net.decision_function(X))
    assert device.learn(X, y).model.generation == 2


@on_both_boards
def test_ctrl_c_while_the_device_computes(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any read: the next request must wait, or its bytes would be lost (the fixture counts overruns).

    An interrupt behind the last request comes too late, and the whole of what was learned serves; else none of it does.
    """
    net = network([5, 40, 3])
    X, y = samples(net, 24), truth(net, 24)
    kept = learned = 0
    with Device.open(board.url) as device:
        device.flash(net)
        port: Any = device._client._port
        read = port.read
        for nth in itertools.count():
            reads = iter(range(nth))

            def interrupted(size: int, reads: Iterator[int] = reads) -> bytes:
                if next(reads, None) is None:
                    monkeypatch.setattr(port, "read", read)
                    raise KeyboardInterrupt
                return bytes(read(size))

            monkeypatch.setattr(port, "read", interrupted)
            with suppress(KeyboardInterrupt):
                device.learn(X, y)
                break
            if device.verify().generation == 1 + learned:
                kept += 1
            else:
                learned += 1
                net = learned_on_the_laptop(net, X, y, epochs=1)
            assert same_bits(device.decision_function(X), net.decision_function(X))
            assert device.verify(net).generation == 1 + learned
    assert kept >= 3


def undertake(device: Device, what: str, X: Any, y: Any, progress: Callable[[int, int], None] | None = None) -> None:
    if what == "flash":
        device.flash(network([5, 40, 3], seed=9), progress)
    elif what == "run":
        device.decision_function(X, progress)
    elif what == "learn":
        device.learn(X, y, progress=progress)
    else:
        device.pull(progress)


# ---- credit


def speak(port: Any, sequence: int, message: Message, payload: bytes = b"") -> None:
    port.write(b"\0" + encode_frame(Frame(message, 0, 77, sequence, payload)))


def hear(port: Any, message: Message) -> bytes:
    decoder = FrameDecoder(512)
    while byte := port.read(1):
        for frame in decoder.feed(byte):
            if isinstance(frame, Frame) and frame.type == message | REPLY_BIT:
                return frame.payload
    raise AssertionError(f"no answer to {message.name}")


@on_both_boards
def test_the_firmware_grants_what_its_buffer_holds_to_the_byte(board: Board) -> None:
    image = encode_image(network([50, 60, 3]))
    block = board.profile.payload_bytes - 4
    window = (board.profile.receive_buffer_bytes - 64) // encoded_frame_bytes(board.profile.payload_bytes) * block
    pages = [True] * -(-len(image) // board.profile.page_bytes)
    assert len(image) > window
    board.run(board.profile.clock_hz)
    with serial.serial_for_url(board.url, baudrate=board.profile.uart_baud, timeout=1) as port:
        speak(port, 1, Message.HELLO, protocol.hello_request())
        hear(port, Message.HELLO)
        begin = protocol.flash_begin_request(len(image), image_digest(image), pages)
        speak(port, 2, Message.FLASH_BEGIN, begin)
        assert hear(port, Message.FLASH_BEGIN)[4:] == struct.pack("<II", 0, window)
        for at in range(0, len(image), block):
            speak(port, 3, Message.FLASH_DATA, struct.pack("<I", at) + image[at : at + block])
            end = min(at + block, len(image))
            expected = struct.pack("<II", end, min(end + window, len(image)))
            assert hear(port, Message.FLASH_DATA)[4:] == expected


def test_sending_into_computing_loses_bytes() -> None:
    """The other way round: a client without credit would be caught by the count of overruns."""
    net = network([5, 60, 3])
    with open_board("microbit") as board:
        with Device.open(board.url) as device:
            device.flash(net)
        with serial.serial_for_url(board.url, baudrate=board.profile.uart_baud, timeout=1) as port:
            speak(port, 1, Message.HELLO, protocol.hello_request())
            hear(port, Message.HELLO)
            row = samples(net, 1).tobytes()
            speak(port, 2, Message.RUN, struct.pack("<I", 0) + row)
            speak(port, 3, Message.RUN, struct.pack("<I", 5) + row)
            hear(port, Message.RUN)
        assert board.uart.overruns > 0


@on_both_boards
def test_flash_fills_the_line(board: Board) -> None:
    """With blocks ahead the line is the limit, not the answers; where a word takes longer than four bytes, flash is."""
    net = network([60, 80, 3])
    profile = board.profile
    with Device.open(board.url) as device:
        times: list[float] = []
        device.flash(net, lambda done, total: times.append(board.seconds))
        blocks = np.diff(times)
        line = 10 * encoded_frame_bytes(profile.payload_bytes) / profile.uart_fast_baud
        programming = (profile.payload_bytes - 4) / 4 * profile.write_word_us * 1e-6
        assert np.median(blocks) < 1.15 * max(line, programming)


@pytest.mark.board(*BOARDS)
@pytest.mark.parametrize("sizes", [[60, 50, 3], [20, 30, 3]])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_byte_is_lost_whatever_the_image_holds(board: Board, device: Device, sizes: list[int], value: float) -> None:
    """Zeros make the shortest COBS blocks; a decoder that is too slow for them loses what comes behind the frame."""
    net = Network(sizes)
    net.parameters[:] = value
    device.flash(net)
    device.verify(net)
    assert device.pull().parameters.tobytes() == net.parameters.tobytes()
    assert device.statistics.retransmissions == 0
    assert board.uart.overruns == 0


# ---- what is refused, and before what


def nothing_sent(device: Device, error: type[NNLiteError], match: str, call: Callable[[], object]) -> None:
    before = device.statistics.bytes_sent
    with pytest.raises(error, match=match):
        call()
    assert device.statistics.bytes_sent == before


@pytest.mark.parametrize(("row", "column", "value"), [(0, 0, np.nan), (3, 2, np.inf), (4, 4, -np.inf), (2, 1, 1e39)])
def test_values_that_are_not_finite_are_never_sent(device: Device, row: int, column: int, value: float) -> None:
    net = network([5, 4, 3])
    device.flash(net)
    X = samples(net, 6).astype(np.float64)
    X[row, column] = value
    for call in (
        device.predict,
        device.predict_proba,
        device.decision_function,
        lambda X: device.learn(X, truth(net, 6)),
    ):
        device.info()
        nothing_sent(device, DataError, f"row {row}, column {column}", lambda call=call: call(X))  # type: ignore[misc]
    assert device.verify(net).generation == 1


def test_wrong_shapes_and_labels_are_never_sent(device: Device) -> None:
    net = network([5, 4, 3])
    device.flash(net)
    X, y = samples(net, 6), truth(net, 6)
    refusals: list[tuple[type[NNLiteError], str, Callable[[], object]]] = [
        (DataError, r"\(samples, 5\)", lambda: device.predict(X[:, :4])),
        (DataError, "table of numbers", lambda: device.predict([["a"] * 5])),
        (DataError, "no label 'lift'", lambda: device.learn(X, ["lift"] * 6)),
        (DataError, "6 samples and 5 targets", lambda: device.learn(X, y[:5])),
        (DataError, "no samples", lambda: device.learn(X[:0], y[:0])),
        (DataError, "not a list", lambda: device.learn(X, [["reach"], ["reach", "press"]] * 3)),
        (DataError, "some are masked", lambda: device.learn(X, np.ma.array(y, mask=[0, 1] * 3))),
        (DoesNotFitError, "RAM", lambda: device.learn(X, y, batch_size=60_000)),
    ]
    for error, match, call in refusals:
        device.info()
        nothing_sent(device, error, match, call)
    assert device.predict(X[:0]).shape == (0,)
    assert device.verify(net).generation == 1


def refused_ways(net: Network) -> list[tuple[type[NNLiteError], str, dict[str, Any]]]:
    X, y = samples(net, 6), truth(net, 6)
    return [
        (UsageError, "the last 3 layers cannot be trained: the network has 2", {"last_layers": 3}),
        (UsageError, "patience needs validation data", {"patience": 2}),
        (UsageError, "the patience must be an integer", {"patience": 0, "validation": (X, y)}),
        (DataError, "6 samples and 5 sample weights", {"sample_weight": [1] * 5}),
        (UsageError, "class_weight names the label 'lift'", {"class_weight": {"lift": 2.0}}),
    ]


def test_a_way_of_learning_that_cannot_be_is_refused_before_anything_is_sent(device: Device) -> None:
    net = network([5, 4, 3])
    device.flash(net)
    for error, says, how in refused_ways(net):
        nothing_sent(device, error, says, lambda how=how: device.learn(samples(net, 6), truth(net, 6), **how))  # type: ignore[misc]
        device.info()
    assert device.verify(net).generation == 1


def test_classes_without_names_are_weighed_by_their_numbers(device: Device) -> None:
    """Also one that the samples at hand do not have."""
    net = network([5, 4, 3])
    net.labels = None
    device.flash(net)
    X, y = samples(net, 6), [0, 1] * 3
    device.learn(X, y, class_weight={0: 2.0, 2: 5.0})
    train(net, X, y, sample_weight=[2.0, 1.0] * 3, epochs=1, shuffle=False, standardize=False, progress=False)
    assert same_bits(device.pull().parameters, net.parameters)


def test_validation_data_that_cannot_be_used_leaves_the_model_as_it_was(device: Device) -> None:
    net = network([5, 4, 3])
    device.flash(net)
    X, y = samples(net, 6), truth(net, 6)
    for validation, says in (
        ((X, y[:5]), "6 samples and 5"),
        ((X[:0], y[:0]), "no samples"),
        ((X, ["x"] * 6), "label"),
    ):
        with pytest.raises(DataError, match=f"validation data: .*{says}"):
            device.learn(X, y, validation=validation)
    with pytest.raises(UsageError, match="validation must be a pair"):
        device.learn(X, y, validation=5)  # type: ignore[arg-type]
    assert device.verify(net).generation == 1


def test_an_optimizer_that_the_board_has_no_memory_for_is_named_and_so_is_one_that_fits(device: Device) -> None:
    """SGD trains the same network on the same board."""
    net = network([60, 30, 10])
    device.flash(net)
    X, y = samples(net, 2), truth(net, 2)
    says = "RAM: learning by adam with batches of 1 takes .* what would fit: learning by sgd with batches of 1; nothing"
    nothing_sent(device, DoesNotFitError, says, lambda: device.learn(X, y, optimizer="adam"))
    device.learn(X, y, optimizer="sgd")
    assert same_bits(device.pull().parameters, learned_on_the_laptop(net, X, y, epochs=1).parameters)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", 1e300),
        ("learning_rate", "0.1"),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", "2"),
        ("batch_size", 65_536),
        ("batch_size", 2.0),
        ("batch_size", 2.5),
        ("optimizer", "rmsprop"),
        ("schedule", "linear"),
    ],
)
def test_arguments_of_learning_are_refused_before_anything_is_sent(device: Device, name: str, value: Any) -> None:
    """By the rule of `train`; tests/test_training.py has all of it. Not even a session is ended."""
    net = network([5, 4, 3])
    device.flash(net)
    how: dict[str, Any] = {name: value}
    what = f"{name.replace('_', ' ')} must be"
    nothing_sent(device, UsageError, what, lambda: device.learn(samples(net, 6), truth(net, 6), **how))
    sent = device.statistics.bytes_sent
    device.shape()
    assert device.statistics.bytes_sent == sent


def test_what_is_no_network_is_never_sent(device: Device) -> None:
    nothing_sent(device, UsageError, "a Network is needed", lambda: device.flash(None))  # type: ignore[arg-type]
    nothing_sent(device, UsageError, "a Network is needed", lambda: device.verify("m"))  # type: ignore[arg-type]


# ---- a device that does not do what it says


def test_what_is_pulled_is_held_against_the_digest(device: Device, board: Board) -> None:
    """Flash that changes between the device's digest and the reading of it."""
    net = network([20, 20, 3])
    device.flash(net)
    image = encode_image(net)
    bias = len(image) - 48
    address = board.profile.slot_address(0) + board.profile.page_bytes + bias

    def change(done: int, total: int) -> None:
        board.write_memory(address, bytes([image[bias] ^ 1]))

    with pytest.raises(IntegrityError, match="does not match the device's digest"):
        device.pull(change)


def test_a_device_that_commits_another_model(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    other = encode_image(network([4, 5, 3], seed=8))
    client = device._client
    flash = client.flash
    monkeypatch.setattr(client, "flash", lambda *_: flash(other, image_digest(other)))
    with pytest.raises(IntegrityError, match="took another model than the one that was sent"):
        device.flash(network([4, 5, 3], seed=7))


def test_a_device_that_loses_count_of_the_samples(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network([5, 4, 3])
    device.flash(net)
    client = device._client
    learn = client.learn

    def miscounts(*arguments: Any) -> LearnReply:
        reply = learn(*arguments)
        return replace(reply, samples_seen=reply.samples_seen - 1)

    monkeypatch.setattr(client, "learn", miscounts)
    with pytest.raises(DeviceError, match="has seen 5 samples where 6 were sent; the run is discarded"):
        device.learn(samples(net, 6), truth(net, 6))
    assert device.verify(net).generation == 1


@on_both_boards
def test_networks_that_do_not_fit_are_never_sent(device: Device) -> None:
    served = network([5, 4, 3])
    device.flash(served)
    nothing_sent(device, DoesNotFitError, "flash", lambda: device.flash(Network([1000, 100, 3])))
    nothing_sent(device, DoesNotFitError, "RAM", lambda: device.flash(Network([40_000, 1])))
    broken = network([5, 4, 3])
    broken.parameters[7] = np.nan
    nothing_sent(device, DataError, "parameters number 7", lambda: device.flash(broken))
    assert device.verify(served).generation == 1


def test_a_linear_network_has_no_probabilities(device: Device) -> None:
    net = network([5, 4, 3], "linear")
    device.flash(net)
    nothing_sent(device, UsageError, "no probabilities", lambda: device.predict_proba(samples(net, 2)))
    assert same_bits(device.predict(samples(net, 2)), net.predict(samples(net, 2)))


def test_a_board_without_a_model(device: Device) -> None:
    X = np.zeros((1, 3), np.float32)
    for call in (
        lambda: device.predict(X),
        lambda: device.learn(X, [0]),
        device.pull,
        device.verify,
        device.rollback,
    ):
        with pytest.raises(IncompatibleError, match=r"no (earlier )?model on the device"):
            call()


@on_both_boards
def test_learning_that_diverges_is_discarded(device: Device) -> None:
    net = network([5, 4, 3], "linear", standardised=False)
    device.flash(net)
    X, y = samples(net, 20) * 1e10, truth(net, 20)
    with pytest.raises(DivergedError, match="diverged"):
        device.learn(X, y, learning_rate=1e20)
    assert device.verify(net).generation == 1
    small = samples(net, 2)
    assert same_bits(device.decision_function(small), net.decision_function(small))


@on_both_boards
def test_outputs_that_overflow_are_named(device: Device) -> None:
    net = network([5, 4, 3], "linear", standardised=False)
    net.parameters[:] = 1e20
    device.flash(net)
    with pytest.raises(DataError, match="output is not finite"):
        device.decision_function(np.full((2, 5), 1e25, np.float32))
    assert device.verify(net)


def test_two_programs_cannot_share_a_port(board: Board) -> None:
    with Device.open(board.url) as device:
        with pytest.raises(PortBusyError, match="in use"):
            Device.open(board.url)
        assert device.info().board == board.profile.name
    with Device.open(board.url) as again:
        assert again.info().board == board.profile.name
