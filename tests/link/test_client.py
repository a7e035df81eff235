"""The client over a scripted port: what it sends when answers are late, lost, foreign or wrong. No device needed."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
import serial

from nnlite import errors
from nnlite.link import simulators as simulators_module
from nnlite.link.client import Client
from nnlite.link.frame import Frame, FrameDecoder, encode_frame
from nnlite.link.port import open_port
from nnlite.link.wire import MODEL_REPLY, REPLY_BIT, Message, Region, Status

from .test_protocol import DIGEST, hello_body

Answer = Callable[[Frame], bytes]


def ok(request: Frame, body: bytes = b"", **changed: int) -> bytes:
    """The encoded reply to a request, with fields of the frame changed."""
    session, sequence = changed.get("session", request.session), changed.get("sequence", request.sequence)
    return encode_frame(Frame(request.type | REPLY_BIT, 0, session, sequence, bytes(4) + body))


def refused(request: Frame, status: Status) -> bytes:
    payload = struct.pack("<BBHII", status, 0, 0, 0, 0)
    return encode_frame(Frame(request.type | REPLY_BIT, 0, request.session, request.sequence, payload))


class ScriptedPort:
    """A port whose other end answers each request by a function. A read without data takes 50 ms of its own clock."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.now = 0.0
        self.written: list[bytes] = []
        self.incoming = bytearray()
        self.decoder = FrameDecoder(256)
        self.closed = False

    def clock(self) -> float:
        return self.now

    def read(self, size: int) -> bytes:
        if not self.incoming:
            self.now += 0.05
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def write(self, data: bytes) -> int:
        self.written.append(data)
        for request in self.decoder.feed(data):
            assert isinstance(request, Frame)
            self.incoming += self.answer(request)
        return len(data)

    def close(self) -> None:
        self.closed = True


def device(request: Frame) -> bytes:
    """A device that answers everything at once."""
    if request.type == Message.HELLO:
        return ok(request, hello_body())
    return ok(request, struct.pack(MODEL_REPLY, 4, 1684, DIGEST))


def connected(answer: Answer = device) -> tuple[Client, ScriptedPort]:
    port = ScriptedPort(device)
    client = Client(port)
    client.hello()
    port.answer = answer
    port.written.clear()
    return client, port


def test_the_first_frame_and_every_repeated_one_begin_with_a_delimiter() -> None:
    port = ScriptedPort(lambda _: b"")
    with pytest.raises(errors.DeviceTimeoutError, match="nothing answers there"):
        Client(port).hello()
    assert len(port.written) == 5
    assert all(data[:1] == b"\0" for data in port.written)
    client, port = connected()
    client.verify()
    assert port.written[0][:1] != b"\0"


def test_a_silent_device_is_asked_five_times_with_the_same_request() -> None:
    client, port = connected(lambda _: b"")
    with pytest.raises(errors.DeviceTimeoutError, match="fell silent during VERIFY"):
        client.verify()
    assert len(port.written) == 5
    assert {data.lstrip(b"\0") for data in port.written} == {port.written[0]}
    assert client.statistics.retransmissions == 4
    assert 2.5 < port.now < 4.5, "half a second each, the work and the line"


def test_the_work_is_waited_for() -> None:
    """Digesting both slots takes the device longer than the half second: it must not be asked again meanwhile."""
    client, port = connected(lambda _: b"")
    work = client.timing.verify_seconds()
    start = port.now
    with pytest.raises(errors.DeviceTimeoutError):
        client.verify()
    assert port.now - start >= 5 * (0.5 + work)


def test_an_answer_to_the_second_asking_counts_once() -> None:
    answers = iter([b"", b"late"])
    client, port = connected(lambda request: device(request) * 2 if next(answers) else b"")
    assert client.verify().generation == 4
    port.answer = lambda request: ok(request, struct.pack(MODEL_REPLY, 5, 1684, DIGEST))
    assert client.verify().generation == 5, "the second copy of the older answer was taken for the new one"
    assert client.statistics.retransmissions == 1


def test_answers_of_other_sessions_and_sequences_are_not_heard() -> None:
    def answer(request: Frame) -> bytes:
        stale = struct.pack(MODEL_REPLY, 99, 1684, DIGEST)
        foreign = ok(request, stale, session=request.session ^ 1) + ok(request, stale, sequence=request.sequence ^ 1)
        return foreign + device(request)

    client, _ = connected(answer)
    assert client.verify().generation == 4


def test_boot_text_and_noise_before_an_answer_are_survived() -> None:
    port = ScriptedPort(lambda request: b"\r\nBooting v1.2...\r\n\xff\xfe\0" + device(request))
    client = Client(port)
    assert client.hello().board == "microbit"
    assert client.statistics.bad_frames == 1


def test_text_without_an_end_in_front_of_the_answer_costs_one_repetition() -> None:
    texts = iter([b"Booting...", b""])
    port = ScriptedPort(lambda request: next(texts) + device(request))
    client = Client(port)
    assert client.hello().board == "microbit"
    assert len(port.written) == 2


def test_each_session_is_new_and_never_zero() -> None:
    sessions = []
    port = ScriptedPort(lambda request: (sessions.append(request.session), device(request))[1])
    client = Client(port)
    for _ in range(20):
        client.hello()
    assert 0 not in sessions
    assert len(set(sessions)) > 15


def test_a_refusal_is_its_exception() -> None:
    client, _ = connected(lambda request: refused(request, Status.BAD_SESSION))
    with pytest.raises(errors.DeviceTimeoutError, match="restarted"):
        client.verify()


def test_an_interrupted_request_is_waited_for_before_the_next() -> None:
    """Ctrl-C while the device computes: bytes sent into that would be lost."""
    client, port = connected(lambda _: b"")
    real_read = port.read

    def interrupted(size: int) -> bytes:
        port.read = real_read  # type: ignore[method-assign]
        raise KeyboardInterrupt

    port.read = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        client.verify()
    deadline = port.now + client.timing.verify_seconds()
    sent_at = []

    def answer(request: Frame) -> bytes:
        sent_at.append(port.now)
        return device(request)

    port.answer = answer
    client.hello()
    assert sent_at[0] >= deadline


def test_pieces_that_are_missing_are_asked_for_again() -> None:
    image = bytes(range(256)) * 4
    dropped = [1, 3]

    def answer(request: Frame) -> bytes:
        offset, length = struct.unpack("<4xII", request.payload)
        pieces = [(at, image[at : min(at + 248, offset + length)]) for at in range(offset, offset + length, 248)]
        kept = [piece for n, piece in enumerate(pieces) if n not in dropped]
        dropped.clear()
        return b"".join(ok(request, struct.pack("<I", at) + data) for at, data in kept)

    client, port = connected(answer)
    seen: list[tuple[int, int]] = []
    assert client.read(Region.IMAGE, 0, 1000, lambda done, total: seen.append((done, total))) == image[:1000]
    asked = [struct.unpack("<4xII", frame.payload) for frame in decoded(port)]
    assert asked == [(0, 1000), (248, 248), (744, 248)]
    assert seen[-1] == (1000, 1000)
    assert client.statistics.retransmissions == 2


def test_a_read_that_stays_silent_at_the_rate_of_hello_waits_for_no_fall_back() -> None:
    client, port = connected(lambda _: b"")
    start = port.now
    with pytest.raises(errors.DeviceTimeoutError, match="fell silent during READ"):
        client.read(Region.IMAGE, 0, 4)
    assert len(port.written) == 5
    assert port.now - start < 5 * 0.6, "half a second each and the line, nothing else"


def test_reading_nothing_sends_nothing() -> None:
    client, port = connected()
    assert client.read(Region.IMAGE, 100, 0) == b""
    assert not port.written


def decoded(port: ScriptedPort) -> list[Frame]:
    frames = FrameDecoder(256).feed(b"".join(port.written))
    return [frame for frame in frames if isinstance(frame, Frame)]


def test_a_device_that_never_takes_a_block_is_given_up() -> None:
    def answer(request: Frame) -> bytes:
        if request.type == Message.PAGES:
            return ok(request, struct.pack("<BI", 1, 0))
        return ok(request, struct.pack("<II", 0, 504))

    client, port = connected(answer)
    with pytest.raises(errors.DeviceTimeoutError, match="FLASH_DATA"):
        client.flash(bytes(1000), bytes(32))
    assert len(port.written) == 2 + 20 * 2


def test_an_answer_that_comes_in_between_two_pieces_of_a_frame_is_heard() -> None:
    """The third asking goes out gently, in pieces; the answer to the first one comes in behind the first piece."""
    client, port = connected(lambda _: b"")
    payload = bytes(range(client.echo_bytes))
    late = iter(["third asking"])
    write = port.write

    def answering(data: bytes) -> int:
        if len(port.written) == 2 and next(late, None):
            request = decoded(port)[0]
            port.incoming += ok(request, request.payload)
        return write(data)

    port.write = answering  # type: ignore[method-assign]
    assert client.echo(payload) == payload
    assert client.statistics.retransmissions == 2, "asked a fourth time for what had come in"
    assert len(port.written) == 4, "two whole frames, and the third in two pieces"


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_port_that_vanishes(method: str) -> None:
    client, port = connected()

    def gone(_: object) -> bytes:
        raise serial.SerialException("device disconnected")

    setattr(port, method, gone)
    with pytest.raises(errors.PortError, match="vanished"):
        client.verify()


def test_a_port_that_takes_no_data() -> None:
    client, port = connected()

    def stuck(_: bytes) -> int:
        raise serial.SerialTimeoutException("Write timeout")

    port.write = stuck  # type: ignore[method-assign]
    with pytest.raises(errors.DeviceTimeoutError, match="no more data"):
        client.verify()


def test_without_the_simulator_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    simulators_module.load_simulator.cache_clear()
    monkeypatch.setattr(simulators_module, "entry_points", lambda group: [])
    monkeypatch.setattr(serial, "protocol_handler_packages", ["serial.urlhandler"])
    with pytest.raises(errors.PortError, match=r"nnlite-mcu\[sim\]"):
        open_port("sim://microbit")


def test_a_simulator_that_cannot_be_loaded_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> object:
            raise ModuleNotFoundError("No module named 'unicorn'")

    simulators_module.load_simulator.cache_clear()
    monkeypatch.setattr(simulators_module, "entry_points", lambda group: [Entry()])
    with pytest.raises(errors.PortError, match=r"nnlite-mcu\[sim\]"):
        open_port("sim://microbit")
