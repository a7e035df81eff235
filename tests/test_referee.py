"""The prebuilt firmware on a simulator that is not ours: a conversation recorded here, answered by QEMU's micro:bit.

A whole use of a board (HELLO, flash, run, learn, pull) is recorded as bytes on firmware_sim and sent to QEMU as it
stands. The answers must be the same bytes but for what a clock or a specimen says (`without_what_may_differ`).
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import open_board
from nnlite import Device, Network, train
from nnlite.link import wire
from nnlite.link.client import Client
from nnlite.link.frame import BadFrame, Frame, FrameDecoder, encode_frame
from nnlite.link.port import Port, open_port
from nnlite.link.wire import REPLY_BIT, HelloField, Message, Status

PAYLOAD_BYTES = 4096
PATIENCE_SECONDS = 60


@dataclass
class Recording:
    """A port that keeps what passes.

    Attributes
    ----------
    flash : of the board, before anything was said.
    sent : each piece, and how many answers had come before it.
    answers : all of them.
    """

    port: Port
    flash: bytes
    sent: list[tuple[bytes, int]] = field(default_factory=list)
    answers: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = getattr(self.port, "clock", time.monotonic)
        self._decoder = FrameDecoder(PAYLOAD_BYTES)

    def read(self, size: int, /) -> bytes:
        data = self.port.read(size)
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame)
            self.answers.append(frame)
        return data

    def write(self, data: bytes, /) -> int | None:
        self.sent.append((data, len(self.answers)))
        return self.port.write(data)

    def close(self) -> None:
        self.port.close()


def recorded() -> Recording:
    """Every message of an ordinary use, on firmware_sim, with the results that the laptop has too."""
    rng = np.random.default_rng(4)
    net = Network([15, 16, 7], seed=4)
    X, y = rng.normal(size=(40, 15)).astype(np.float32), rng.integers(0, 7, 40)
    net.mean, net.scale = rng.normal(size=15).astype(np.float32), rng.uniform(0.5, 2, 15).astype(np.float32)
    with open_board("microbit") as board:
        board.run(board.profile.clock_hz // 10)  # until it listens: a request that goes unheard is sent again
        recording = Recording(open_port(board.url), board.flash)
        client = Client(recording)
        with Device(client) as device:
            client.echo(bytes(range(200)))
            device.flash(net)
            device.verify(net)
            assert device.decision_function(X).tobytes() == net.decision_function(X).tobytes()
            device.predict_proba(X)
            device.learn(X, y, learning_rate=0.02, batch_size=3)
            pulled = device.pull()
            device.rollback()
            best = {"validation": (X, y), "patience": 1}
            device.learn(X, y, learning_rate=0.01, epochs=2, optimizer="adam", schedule="cosine", **best)
            client.learn_abort()
            device.info()
            assert client.statistics.retransmissions == 0
    train(net, X, y, epochs=1, batch_size=3, learning_rate=0.02, shuffle=False, standardize=False, progress=False)
    assert pulled.parameters.tobytes() == net.parameters.tobytes()
    return recording


def without_what_may_differ(frame: Frame) -> Frame:
    """An answer with zeros for the ticks of RUN and LEARN, and in HELLO for the specimen's id, for whether the board
    says that it is simulated, and for the uptime: QEMU has no RTC."""
    payload = bytearray(frame.payload)
    start = struct.calcsize(wire.REPLY_HEADER)
    message = Message(frame.type & ~REPLY_BIT)
    if payload[0] != Status.OK:
        return frame
    if message in (Message.RUN, Message.LEARN):
        end = start + struct.calcsize(wire.RUN_REPLY if message is Message.RUN else wire.LEARN_REPLY)
        payload[end - 8 : end] = bytes(8)  # the last two fields: ticks of computing, ticks since the request was whole
    elif message is Message.HELLO:
        while start < len(payload):
            tag, size = payload[start : start + 2]
            if tag in (HelloField.UNIQUE_ID, HelloField.SIMULATED, HelloField.UPTIME_SECONDS):
                payload[start + 2 : start + 2 + size] = bytes(size)
            start += 2 + size
    return replace(frame, payload=bytes(payload))


@contextmanager
def qemu(command: str, flash: Path) -> Iterator[socket.socket]:
    """QEMU's micro:bit with such a flash, and the line to its UART."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # QEMU loads the flash and says that it waits for a connection; only then does the board start.
    serial = f"tcp:127.0.0.1:{port},server=on,wait=on"
    loader = f"loader,file={flash},addr=0,force-raw=on"
    options = ["-M", "microbit", "-display", "none", "-device", loader, "-serial", serial]
    with subprocess.Popen([command, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "waiting for connection" in process.stderr.readline()
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as line:
                yield line
        finally:
            process.kill()


def replayed(recording: Recording, line: socket.socket) -> list[Frame | BadFrame]:
    """What the other end of a line answers to a recording, each piece of which waits for what it waited for then."""
    decoder = FrameDecoder(PAYLOAD_BYTES)
    heard: list[Frame | BadFrame] = []

    def hear(count: int) -> None:
        while len(heard) < count:
            data = line.recv(4096)
            assert data, f"the line ended after {len(heard)} of {len(recording.answers)} answers"
            heard.extend(decoder.feed(data))

    for data, before in recording.sent:
        hear(before)
        line.sendall(data)
    hear(len(recording.answers))
    return heard


def test_qemu_answers_with_the_same_bytes(tmp_path: Path) -> None:
    command = shutil.which("qemu-system-arm")
    if command is None:
        pytest.skip("qemu-system-arm is not installed (Debian: qemu-system-arm)")
    recording = recorded()
    # All of it: where nothing is loaded QEMU's flash is 0, a chip's that was erased has every bit set.
    (tmp_path / "flash.bin").write_bytes(recording.flash)
    with qemu(command, tmp_path / "flash.bin") as line:
        heard = replayed(recording, line)
    for number, (ours, theirs) in enumerate(zip(recording.answers, heard, strict=True)):
        assert isinstance(theirs, Frame), (number, theirs)
        same = encode_frame(without_what_may_differ(ours)), encode_frame(without_what_may_differ(theirs))
        assert same[0] == same[1], f"answer {number}, to {Message(ours.type & ~REPLY_BIT).name}"
    answered = {Message(frame.type & ~REPLY_BIT) for frame in recording.answers}
    assert answered == {*Message} - {Message.BAUD}  # a TCP connection has no rate
