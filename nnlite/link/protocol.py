"""What each message says: requests to payloads, reply payloads to frozen values (docs/PROTOCOL.md, Messages).

No I/O and no state. What a refusal means to the user is `nnlite.link.refusal`'s business, what is sent when
`nnlite.link.transfer`'s and `nnlite.link.client`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nnlite.errors import IncompatibleError
from nnlite.link import wire
from nnlite.link.last_error import last_error_words, status_name
from nnlite.link.wire import HelloField, LearnBeginFlag, Message, Region, SlotState

__all__ = [
    "REPLY_HEADER_BYTES",
    "Credit",
    "Hello",
    "LearnReply",
    "LearnSettings",
    "ModelReply",
    "Page",
    "ReadReply",
    "Refusal",
    "RunReply",
    "Slot",
    "Times",
    "baud_request",
    "decode_credit",
    "decode_hello",
    "decode_learn",
    "decode_learn_begin",
    "decode_model",
    "decode_nothing",
    "decode_pages",
    "decode_read",
    "decode_reply",
    "decode_run",
    "flash_begin_request",
    "flash_data_request",
    "hello_request",
    "learn_begin_request",
    "learn_rate_request",
    "pages_request",
    "read_request",
    "stream_request",
]

REPLY_HEADER_BYTES = struct.calcsize(wire.REPLY_HEADER)
_WORD_BYTES = 4
_NO_SLOT = 255
#: FLASH_BEGIN and every reply of a fixed size must fit
_LEAST_PAYLOAD_BYTES = 64
_RENEW = "its firmware is of another version than this program, put the one of this version on it ('nnlite firmware')"


@dataclass(frozen=True)
class Refusal:
    """A reply whose status is not OK; what `detail`, `value` and `limit` mean depends on it (PROTOCOL.md, Status)."""

    status: int
    detail: int
    value: int
    limit: int


@dataclass(frozen=True)
class Slot:
    """One of the two places for a model.

    Attributes
    ----------
    index : 0 or 1.
    state : what the device found in it.
    flags : `layout.RecordFlag` bits.
    generation, length, erase_count : of the slot record; length in bytes of image.
    digest : BLAKE2s-256 of the image.
    """

    index: int
    state: SlotState
    flags: int
    generation: int
    length: int
    erase_count: int
    digest: bytes


@dataclass(frozen=True)
class Hello:
    """What a device says about itself.

    Attributes
    ----------
    protocol : oldest and newest version of the protocol.
    firmware, board : version of the firmware and name of the board's profile.
    unique_id : of the chip, as hex.
    receive_buffer_bytes, payload_bytes : of the device's end of the link.
    page_bytes, write_bytes, erase_page_us : of its flash.
    slot_image_bytes : largest image a slot holds.
    arena_bytes : RAM there is for networks.
    clock_hz : of its CPU.
    active_slot : index of the slot that serves, or None.
    slots : both slots.
    baud_rates : that it can be spoken to at; HELLO's first.
    last_error : status and detail of the last refusal since power-up.
    tick_hz : rate of the counter that it measures its own work with.
    simulated : whether it says that it is no real board.
    uptime_seconds : since power-up or reset.
    """

    protocol: tuple[int, int]
    firmware: str
    board: str
    unique_id: str
    receive_buffer_bytes: int
    payload_bytes: int
    page_bytes: int
    write_bytes: int
    slot_image_bytes: int
    arena_bytes: int
    clock_hz: int
    erase_page_us: int
    active_slot: int | None
    slots: tuple[Slot, ...]
    baud_rates: tuple[int, ...]
    last_error: tuple[int, int]
    tick_hz: int
    simulated: bool
    uptime_seconds: int

    @property
    def serving(self) -> Slot | None:
        """The slot that serves."""
        return next((slot for slot in self.slots if slot.index == self.active_slot), None)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON: states and the last error by name, digests as hex."""
        plain = asdict(self)
        plain["slots"] = [
            plain_slot | {"state": slot.state.name.lower(), "digest": slot.digest.hex()}
            for plain_slot, slot in zip(plain["slots"], self.slots, strict=True)
        ]
        plain |= {name: list(plain[name]) for name in ("protocol", "baud_rates")}
        status, detail = self.last_error
        words = last_error_words(status, detail)
        error = {"status": status_name(status), "detail": detail, "meaning": words} if status else None
        return plain | {"last_error": error}


@dataclass(frozen=True)
class ModelReply:
    """The model that serves: generation, bytes of image, BLAKE2s-256 digest."""

    generation: int
    length: int
    digest: bytes


@dataclass(frozen=True)
class Page:
    """A page of the slot that does not serve: its CRC-32; not `whole` when a cut has left it torn."""

    whole: bool
    crc: int


@dataclass(frozen=True)
class Credit:
    """Next offset that the device expects, and the first that may not be sent yet; both absolute."""

    next_offset: int
    limit: int


@dataclass(frozen=True)
class Times:
    """Ticks of the device's counter that a request took: its computing, and all of it from its last byte on."""

    computing: int
    device: int


@dataclass(frozen=True)
class RunReply:
    """Rows completed by a RUN frame, their outputs as float32 bytes (empty when they do not fit a frame), and times."""

    rows: int
    outputs: bytes
    times: Times


@dataclass(frozen=True)
class ReadReply:
    """One piece of what READ asked for."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class LearnSettings:
    """How a device is to learn.

    Attributes
    ----------
    learning_rate, batch_size, optimizer, betas, epsilon, weight_decay, clip_norm : as of `nnlite.recipe.Recipe`;
        optimizer by its number.
    last_layers : how many are trained, 0 for all.
    weighted : whether each row ends with its weight.
    keep : whether parameters will be set aside.
    """

    learning_rate: float
    batch_size: int
    optimizer: int
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    clip_norm: float
    last_layers: int
    weighted: bool
    keep: bool


@dataclass(frozen=True)
class LearnReply:
    """Samples seen since LEARN_BEGIN, the sum of the losses of those in this frame, and times."""

    samples_seen: int
    loss: float
    times: Times


def hello_request() -> bytes:
    """Payload of HELLO."""
    return struct.pack(wire.HELLO_REQUEST, wire.PROTOCOL_VERSION, wire.PROTOCOL_VERSION, 0)


def baud_request(rate: int) -> bytes:
    """Payload of BAUD."""
    return struct.pack(wire.BAUD_REQUEST, rate)


def pages_request(first: int, count: int) -> bytes:
    """Payload of PAGES."""
    return struct.pack(wire.PAGES_REQUEST, first, count)


def flash_begin_request(length: int, digest: bytes, sent: Sequence[bool]) -> bytes:
    """Payload of FLASH_BEGIN for an image of `length` bytes; for each page of it, whether it will be sent."""
    bits = sum(1 << page for page, is_sent in enumerate(sent) if is_sent)
    return struct.pack(wire.FLASH_BEGIN_HEADER, length, digest) + bits.to_bytes(-(-len(sent) // 8), "little")


def flash_data_request(offset: int, data: bytes) -> bytes:
    """Payload of FLASH_DATA."""
    return struct.pack(wire.FLASH_DATA_HEADER, offset) + data


def stream_request(position: int, words: bytes) -> bytes:
    """Payload of RUN and LEARN; `position` counts 32-bit words since the stream began."""
    return struct.pack(wire.RUN_HEADER, position) + words


def read_request(region: Region, offset: int, length: int) -> bytes:
    """Payload of READ."""
    return struct.pack(wire.READ_REQUEST, region, offset, length)


def learn_begin_request(settings: LearnSettings) -> bytes:
    """Payload of LEARN_BEGIN; floats are rounded to float32."""
    flags = LearnBeginFlag.WEIGHTED * settings.weighted | LearnBeginFlag.KEEP * settings.keep
    return struct.pack(
        wire.LEARN_BEGIN_REQUEST,
        settings.learning_rate,
        settings.batch_size,
        settings.optimizer,
        flags,
        settings.last_layers,
        *settings.betas,
        settings.epsilon,
        settings.weight_decay,
        settings.clip_norm,
    )


def learn_rate_request(learning_rate: float) -> bytes:
    """Payload of LEARN_RATE."""
    return struct.pack(wire.LEARN_RATE_REQUEST, learning_rate)


def decode_reply(message: Message, payload: bytes) -> bytes | Refusal:
    """What follows the status word of a reply, or the refusal that it is."""
    if len(payload) < REPLY_HEADER_BYTES:
        raise _malformed(message, payload, f"at least {REPLY_HEADER_BYTES}")
    status, detail, _ = struct.unpack_from(wire.REPLY_HEADER, payload)
    body = payload[REPLY_HEADER_BYTES:]
    if status == wire.Status.OK:
        return body
    return Refusal(status, detail, *_unpack(wire.ERROR_REPLY, message, body))


def decode_model(message: Message, body: bytes) -> ModelReply:
    """Body of VERIFY, ROLLBACK and both commits."""
    return ModelReply(*_unpack(wire.MODEL_REPLY, message, body))


def decode_pages(body: bytes, count: int) -> list[Page]:
    """Body of PAGES."""
    entry = struct.calcsize(wire.PAGES_ENTRY)
    if len(body) != count * entry:
        raise _malformed(Message.PAGES, body, str(count * entry))
    return [Page(bool(whole), crc) for whole, crc in struct.iter_unpack(wire.PAGES_ENTRY, body)]


def decode_credit(message: Message, body: bytes) -> Credit:
    """Body of FLASH_BEGIN and FLASH_DATA."""
    return Credit(*_unpack(wire.FLASH_CREDIT_REPLY, message, body))


def decode_run(body: bytes) -> RunReply:
    """Body of RUN."""
    header = struct.calcsize(wire.RUN_REPLY)
    rows, words, computing, device = _unpack(wire.RUN_REPLY, Message.RUN, body[:header])
    if len(body) != header + _WORD_BYTES * words:
        raise _malformed(Message.RUN, body, str(header + _WORD_BYTES * words))
    return RunReply(rows, body[header:], Times(computing, device))


def decode_read(body: bytes) -> ReadReply:
    """Body of one READ reply."""
    header = struct.calcsize(wire.READ_REPLY_HEADER)
    (offset,) = _unpack(wire.READ_REPLY_HEADER, Message.READ, body[:header])
    return ReadReply(offset, body[header:])


def decode_learn_begin(body: bytes) -> int:
    """Body of LEARN_BEGIN: arena bytes used."""
    (used,) = _unpack(wire.LEARN_BEGIN_REPLY, Message.LEARN_BEGIN, body)
    return int(used)


def decode_learn(body: bytes) -> LearnReply:
    """Body of LEARN."""
    samples_seen, loss, computing, device = _unpack(wire.LEARN_REPLY, Message.LEARN, body)
    return LearnReply(samples_seen, loss, Times(computing, device))


def decode_nothing(message: Message, body: bytes) -> None:
    """Body of a reply that is only a status."""
    if body:
        raise _malformed(message, body, "0")


def decode_hello(body: bytes) -> Hello:
    """Body of HELLO. Fields that this version does not know are skipped; the others it needs, all of them."""
    fields: dict[int, list[bytes]] = {}
    for tag, value in _fields(body):
        fields.setdefault(tag, []).append(value)

    def one(field: HelloField) -> bytes:
        values = fields.get(field, [])
        if len(values) != 1:
            raise IncompatibleError(f"the device's HELLO has {field.name} {len(values)} times, not once; {_RENEW}")
        return values[0]

    def integer(field: HelloField) -> int:
        # Its length tells how wide an integer is, so that a field can grow without a new version.
        return int.from_bytes(one(field), "little")

    def count(field: HelloField, least: int = 1) -> int:
        value = integer(field)
        if value < least:
            raise IncompatibleError(
                f"the device's HELLO gives {value} for {field.name}, at least {least} is needed; {_RENEW}"
            )
        return value

    def text(field: HelloField) -> str:
        return one(field).decode("ascii", "backslashreplace")

    active = integer(HelloField.ACTIVE_SLOT)
    rates = one(HelloField.BAUD_RATES)
    return Hello(
        protocol=_pair(one(HelloField.PROTOCOL)),
        firmware=text(HelloField.FIRMWARE),
        board=text(HelloField.BOARD),
        unique_id=one(HelloField.UNIQUE_ID)[::-1].hex(),
        receive_buffer_bytes=count(HelloField.RECEIVE_BUFFER_BYTES),
        payload_bytes=count(HelloField.PAYLOAD_BYTES, _LEAST_PAYLOAD_BYTES),
        page_bytes=count(HelloField.PAGE_BYTES),
        write_bytes=integer(HelloField.WRITE_BYTES),
        slot_image_bytes=integer(HelloField.SLOT_IMAGE_BYTES),
        arena_bytes=integer(HelloField.ARENA_BYTES),
        clock_hz=count(HelloField.CLOCK_HZ),
        erase_page_us=integer(HelloField.ERASE_PAGE_US),
        active_slot=None if active == _NO_SLOT else active,
        slots=tuple(_slot(value) for value in fields.get(HelloField.SLOT, [])),
        baud_rates=tuple(int.from_bytes(rates[at : at + 4], "little") for at in range(0, len(rates), 4)),
        last_error=_pair(one(HelloField.LAST_ERROR)),
        tick_hz=count(HelloField.TICK_HZ),
        simulated=bool(integer(HelloField.SIMULATED)),
        uptime_seconds=integer(HelloField.UPTIME_SECONDS),
    )


def _fields(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        header = body[at : at + 2]
        value = body[at + 2 : at + 2 + header[-1]]
        if len(header) < 2 or len(value) < header[1]:
            raise _malformed(Message.HELLO, body, "more")
        yield header[0], value
        at += 2 + header[1]


def _pair(value: bytes) -> tuple[int, int]:
    first, second = _unpack("<BB", Message.HELLO, value)
    return first, second


def _slot(value: bytes) -> Slot:
    index, state, *rest = _unpack(wire.SLOT_FIELD, Message.HELLO, value)
    if state not in SlotState._value2member_map_:
        raise IncompatibleError(
            f"the device's HELLO gives slot {index} the state {state}, which this version does not know; {_RENEW}"
        )
    return Slot(index, SlotState(state), *rest)


def _unpack(layout: str, message: Message, body: bytes) -> tuple[Any, ...]:
    if len(body) != struct.calcsize(layout):
        raise _malformed(message, body, str(struct.calcsize(layout)))
    return struct.unpack(layout, body)


def _malformed(message: Message, body: bytes, expected: str) -> IncompatibleError:
    return IncompatibleError(
        f"the device's answer to {message.name} has {len(body)} bytes where {expected} were due; {_RENEW}"
    )
