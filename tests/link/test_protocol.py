"""Messages byte by byte, strict lengths, unknown fields, and one exception for each status."""

from __future__ import annotations

import contextlib
import json
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import errors
from nnlite.link import protocol, wire
from nnlite.link.protocol import (
    Credit,
    Hello,
    LearnReply,
    LearnSettings,
    ModelReply,
    ReadReply,
    Refusal,
    RunReply,
    Times,
)
from nnlite.link.refusal import refusal_error
from nnlite.link.timing import Timing
from nnlite.link.wire import HelloField, ImageFault, Message, NonFinite, Optimizer, Region, Status

DIGEST = bytes(range(32))


def field(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def slot_field(index: int, state: int = 1, length: int = 1684) -> bytes:
    return field(HelloField.SLOT, struct.pack(wire.SLOT_FIELD, index, state, 1, 7 + index, length, 3, DIGEST))


FIELDS = {
    HelloField.PROTOCOL: b"\x01\x02",
    HelloField.FIRMWARE: b"0.1.0",
    HelloField.BOARD: b"microbit",
    HelloField.UNIQUE_ID: bytes([8, 7, 6, 5, 4, 3, 2, 1]),
    HelloField.RECEIVE_BUFFER_BYTES: struct.pack("<I", 1024),
    HelloField.PAYLOAD_BYTES: struct.pack("<H", 256),
    HelloField.PAGE_BYTES: struct.pack("<I", 1024),
    HelloField.WRITE_BYTES: struct.pack("<I", 4),
    HelloField.SLOT_IMAGE_BYTES: struct.pack("<I", 113_664),
    HelloField.ARENA_BYTES: struct.pack("<I", 13_600),
    HelloField.CLOCK_HZ: struct.pack("<I", 16_000_000),
    HelloField.ERASE_PAGE_US: struct.pack("<I", 22_300),
    HelloField.ACTIVE_SLOT: b"\x01",
    HelloField.BAUD_RATES: struct.pack("<II", 115_200, 1_000_000),
    HelloField.LAST_ERROR: b"\x0a\x01",
    HelloField.TICK_HZ: (16_000_000).to_bytes(4, "little"),
    HelloField.SIMULATED: b"\x01",
    HelloField.UPTIME_SECONDS: struct.pack("<I", 86_400),
}


def hello_body(**changed: bytes | None) -> bytes:
    values = {tag: changed.get(tag.name, value) for tag, value in FIELDS.items()}
    return b"".join(field(tag, v) for tag, v in values.items() if v is not None) + slot_field(0, 4) + slot_field(1)


def test_requests_byte_by_byte() -> None:
    assert protocol.hello_request() == bytes([2, 2, 0, 0])
    sent = [True, False, True] + [False] * 6 + [True]
    assert protocol.flash_begin_request(9684, DIGEST, sent) == bytes([0xD4, 0x25, 0, 0]) + DIGEST + bytes([5, 2])
    assert protocol.baud_request(250_000) == bytes([0x90, 0xD0, 3, 0])
    assert protocol.pages_request(101, 10) == bytes([101, 0, 0, 0, 10, 0, 0, 0])
    assert protocol.flash_data_request(252, b"abcd") == bytes([252, 0, 0, 0]) + b"abcd"
    assert protocol.stream_request(258, b"wxyz") == bytes([2, 1, 0, 0]) + b"wxyz"
    assert protocol.read_request(Region.OUTPUT, 4, 512) == bytes([1, 0, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0])
    settings = LearnSettings(0.5, 300, Optimizer.ADAM, (0.75, 0.875), 0.25, 2.0, 4.0, 3, weighted=True, keep=False)
    begin = protocol.learn_begin_request(settings)
    assert begin[:12] == bytes([0, 0, 0, 0x3F, 0x2C, 1, 2, 1, 3, 0, 0, 0])
    assert begin[12:] == struct.pack("<5f", 0.75, 0.875, 0.25, 2.0, 4.0)
    assert protocol.learn_begin_request(replace(settings, weighted=False, keep=True))[7] == 2
    assert protocol.learn_begin_request(replace(settings, weighted=True, keep=True))[7] == 3
    assert protocol.learn_rate_request(0.5) == bytes([0, 0, 0, 0x3F])


def test_replies() -> None:
    model = struct.pack("<II", 5, 1684) + DIGEST
    assert protocol.decode_model(Message.VERIFY, model) == ModelReply(5, 1684, DIGEST)
    assert protocol.decode_credit(Message.FLASH_DATA, struct.pack("<II", 252, 1008)) == Credit(252, 1008)
    assert protocol.decode_run(struct.pack("<HHIIff", 1, 2, 7, 9, 0.5, 1.5)) == RunReply(
        1, struct.pack("<ff", 0.5, 1.5), Times(7, 9)
    )
    assert protocol.decode_read(struct.pack("<I", 9) + b"data") == ReadReply(9, b"data")
    assert protocol.decode_learn_begin(struct.pack("<I", 3600)) == 3600
    assert protocol.decode_learn(struct.pack("<IfII", 12, 0.25, 7, 9)) == LearnReply(12, 0.25, Times(7, 9))
    assert protocol.decode_reply(Message.RUN, bytes(4) + b"rest") == b"rest"
    refusal = struct.pack("<BBHII", 10, 2, 0, 33, 44)
    assert protocol.decode_reply(Message.RUN, refusal) == Refusal(10, 2, 33, 44)


@pytest.mark.parametrize(
    "decode",
    [
        lambda body: protocol.decode_model(Message.VERIFY, body),
        lambda body: protocol.decode_credit(Message.FLASH_DATA, body),
        protocol.decode_run,
        protocol.decode_learn_begin,
        protocol.decode_learn,
        lambda body: protocol.decode_reply(Message.RUN, b"\x01\0\0\0" + body),
        lambda body: protocol.decode_nothing(Message.LEARN_ABORT, body),
        protocol.decode_hello,
    ],
)
def test_a_reply_of_the_wrong_length_is_named(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(errors.IncompatibleError, match="bytes where"):
        decode(b"\x05")


@given(body=st.binary(max_size=300))
def test_whatever_a_device_says_hello_decodes_or_names_what_is_wrong(body: bytes) -> None:
    with contextlib.suppress(errors.IncompatibleError):
        assert protocol.decode_hello(body).payload_bytes >= 64


def test_hello() -> None:
    hello = protocol.decode_hello(hello_body())
    assert (hello.protocol, hello.firmware, hello.board) == ((1, 2), "0.1.0", "microbit")
    assert hello.unique_id == "0102030405060708"
    assert (hello.payload_bytes, hello.slot_image_bytes, hello.clock_hz) == (256, 113_664, 16_000_000)
    assert hello.baud_rates == (115_200, 1_000_000)
    assert hello.last_error == (Status.NON_FINITE, NonFinite.SAMPLE)
    assert (hello.tick_hz, hello.simulated) == (16_000_000, True)
    assert [slot.state.name for slot in hello.slots] == ["RETIRED", "VALID"]
    assert hello.serving is hello.slots[1]
    assert hello.serving.generation == 8
    assert protocol.decode_hello(hello_body(ACTIVE_SLOT=b"\xff")).serving is None


def test_hello_skips_what_it_does_not_know_and_takes_integers_of_any_width() -> None:
    known = protocol.decode_hello(hello_body())
    assert protocol.decode_hello(field(200, b"later") + hello_body(WRITE_BYTES=b"\x04") + field(201, b"")) == known


def test_hello_as_plain_values_is_json() -> None:
    plain = json.loads(json.dumps(protocol.decode_hello(hello_body()).to_dict()))
    assert plain["slots"][1]["state"] == "valid"
    assert plain["slots"][1]["digest"] == DIGEST.hex()
    assert plain["board"] == "microbit"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (hello_body(CLOCK_HZ=None), "CLOCK_HZ 0 times"),
        (hello_body() + field(HelloField.BOARD, b"x"), "BOARD 2 times"),
        (hello_body(CLOCK_HZ=bytes(4)), "gives 0 for CLOCK_HZ"),
        (hello_body(PAYLOAD_BYTES=b"\x10\0"), "gives 16 for PAYLOAD_BYTES"),
        (hello_body() + slot_field(2, state=9), "state 9"),
        (hello_body()[:-1], "more were due"),
    ],
)
def test_a_hello_that_cannot_be_used_is_named(body: bytes, message: str) -> None:
    with pytest.raises(errors.IncompatibleError, match=message):
        protocol.decode_hello(body)


@pytest.mark.parametrize(
    ("message", "refusal", "error", "text"),
    [
        (Message.RUN, Refusal(Status.BAD_SESSION, 0, 0, 0), errors.DeviceTimeoutError, "restarted"),
        (Message.RUN, Refusal(Status.NO_MODEL, 0, 0, 0), errors.IncompatibleError, "no model on the device; flash one"),
        (Message.FLASH_BEGIN, Refusal(Status.TOO_LARGE, 0, 200_000, 113_664), errors.DoesNotFitError, "113,664"),
        (Message.READ, Refusal(Status.TOO_LARGE, 0, 9, 8), errors.DeviceError, "TOO_LARGE"),
        (
            Message.LEARN_BEGIN,
            Refusal(Status.NO_MEMORY, 0, 20_000, 13_600),
            errors.DoesNotFitError,
            "20,000 bytes of RAM",
        ),
        (
            Message.FLASH_COMMIT,
            Refusal(Status.BAD_IMAGE, ImageFault.PARAMETER_TYPE, 0, 0),
            errors.IncompatibleError,
            "parameter type",
        ),
        (Message.FLASH_COMMIT, Refusal(Status.BAD_IMAGE, 99, 0, 0), errors.IncompatibleError, "number 99"),
        (Message.FLASH_COMMIT, Refusal(Status.BAD_DIGEST, 0, 0, 0), errors.IntegrityError, "Flash again"),
        (Message.VERIFY, Refusal(Status.BAD_DIGEST, 0, 0, 0), errors.IntegrityError, "out of service"),
        (Message.LEARN_COMMIT, Refusal(Status.FLASH_FAILED, 0, 0x8000, 0), errors.IntegrityError, "0x8000"),
        (Message.LEARN, Refusal(Status.NON_FINITE, NonFinite.SAMPLE, 17, 0), errors.DataError, "word 17"),
        (Message.RUN, Refusal(Status.NON_FINITE, NonFinite.OUTPUT, 17, 0), errors.DataError, "output"),
        (
            Message.LEARN,
            Refusal(Status.NON_FINITE, NonFinite.OUTPUT, 17, 0),
            errors.DivergedError,
            "17 samples an output",
        ),
        (
            Message.LEARN,
            Refusal(Status.NON_FINITE, NonFinite.PARAMETER, 5, 0),
            errors.DivergedError,
            "smaller learning rate",
        ),
        (Message.LEARN, Refusal(Status.BAD_LABEL, 0, 7, 7), errors.DataError, "no class 7"),
        (Message.ROLLBACK, Refusal(Status.NO_OTHER_MODEL, 0, 0, 0), errors.IncompatibleError, "no earlier model"),
        (Message.HELLO, Refusal(Status.BAD_VERSION, 0, 2, 3), errors.IncompatibleError, "versions 2 to 3"),
        (Message.RUN, Refusal(Status.BAD_MESSAGE, 0x20, 5, 4), errors.DeviceError, "BAD_MESSAGE"),
        (Message.RUN, Refusal(Status.BAD_STATE, 0, 0, 0), errors.DeviceError, "BAD_STATE"),
        (Message.RUN, Refusal(Status.BAD_POSITION, 0, 5, 0), errors.DeviceError, "BAD_POSITION"),
        (Message.LEARN_BEGIN, Refusal(Status.BAD_ARGUMENT, 0, 0, 0), errors.DeviceError, "BAD_ARGUMENT"),
        (Message.RUN, Refusal(77, 1, 2, 3), errors.DeviceError, "status 77"),
    ],
    ids=str,
)
def test_every_status_has_its_exception(
    message: Message, refusal: Refusal, error: type[errors.NNLiteError], text: str
) -> None:
    raised = refusal_error(message, refusal)
    assert type(raised) is error
    assert text in str(raised)


def test_no_status_is_forgotten() -> None:
    for status in Status:
        for message in Message:
            assert "status" not in str(refusal_error(message, Refusal(status, 1, 2, 3)))


def test_timing_bounds_grow_with_the_work() -> None:
    timing = Timing.of(protocol.decode_hello(hello_body()))
    assert timing.slot_bytes == 1684
    assert timing.erase_seconds(2) == pytest.approx(3 * 0.0223)
    assert timing.pages_seconds(3) == pytest.approx(3 * 1024 * 100 / 16e6)
    assert timing.compute_seconds(2, 375) == pytest.approx(2 * (20_000 + 700 * 375) / 16e6)
    assert timing.learn_commit_seconds(1684) > timing.program_seconds(1684) + timing.commit_seconds(1684)


def test_hello_is_a_value() -> None:
    assert isinstance(protocol.decode_hello(hello_body()), Hello)
    assert protocol.decode_hello(hello_body()) == protocol.decode_hello(hello_body())
