"""A frame in a few words, for people who watch the line (docs/PROTOCOL.md, Messages)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from nnlite.errors import NNLiteError
from nnlite.link import protocol, wire
from nnlite.link.frame import Frame
from nnlite.link.last_error import status_name as refusal_name
from nnlite.link.wire import Message, Optimizer, Region

__all__ = ["meaning", "message_name", "status_name"]


def message_name(frame: Frame) -> str:
    """Name of what a frame asks or answers."""
    number = frame.type & ~wire.REPLY_BIT
    return Message(number).name if number in Message._value2member_map_ else f"type {number:#04x}"


def status_name(frame: Frame) -> str:
    """Name of a reply's status."""
    return refusal_name(frame.payload[0] if frame.payload else -1)


def meaning(frame: Frame) -> str:
    """What a frame says; empty when its name says it all."""
    number = frame.type & ~wire.REPLY_BIT
    if number not in Message._value2member_map_:
        return "unknown to this version"
    message = Message(number)
    try:
        if not frame.type & wire.REPLY_BIT:
            return _REQUESTS.get(message, _nothing)(frame.payload)
        body = protocol.decode_reply(message, frame.payload)
        if isinstance(body, protocol.Refusal):
            return f"refused (detail {body.detail}, value {body.value}, limit {body.limit})"
        return _REPLIES[message](body)
    except (NNLiteError, struct.error):
        return "malformed"


def _nothing(_: bytes) -> str:
    return ""


def _hello_request(payload: bytes) -> str:
    oldest, newest, _ = struct.unpack(wire.HELLO_REQUEST, payload)
    return f"protocol {oldest} to {newest}"


def _flash_begin(payload: bytes) -> str:
    length, digest = struct.unpack_from(wire.FLASH_BEGIN_HEADER, payload)
    bits = payload[struct.calcsize(wire.FLASH_BEGIN_HEADER) :]
    pages = int.from_bytes(bits, "little").bit_count()
    return f"an image of {length:,} bytes, digest {digest.hex()[:16]}..., {pages} pages to come"


def _baud(payload: bytes) -> str:
    (rate,) = struct.unpack(wire.BAUD_REQUEST, payload)
    return f"{rate:,} baud from now on"


def _pages_request(payload: bytes) -> str:
    first, count = struct.unpack(wire.PAGES_REQUEST, payload)
    return f"pages {first:,} to {first + count:,}"


def _pages(body: bytes) -> str:
    pages = protocol.decode_pages(body, len(body) // struct.calcsize(wire.PAGES_ENTRY))
    torn = sum(not page.whole for page in pages)
    return f"{len(pages)} pages, {torn} torn"


def _flash_data(payload: bytes) -> str:
    header = struct.calcsize(wire.FLASH_DATA_HEADER)
    (offset,) = struct.unpack_from(wire.FLASH_DATA_HEADER, payload)
    return f"bytes {offset:,} to {offset + len(payload) - header:,}"


def _stream(payload: bytes) -> str:
    header = struct.calcsize(wire.RUN_HEADER)
    (position,) = struct.unpack_from(wire.RUN_HEADER, payload)
    return f"words {position:,} to {position + (len(payload) - header) // 4:,}"


def _read_request(payload: bytes) -> str:
    region, offset, length = struct.unpack(wire.READ_REQUEST, payload)
    name = Region(region).name.lower() if region in Region._value2member_map_ else f"region {region}"
    return f"{name}, bytes {offset:,} to {offset + length:,}"


def _learn_begin(payload: bytes) -> str:
    rate, batch_size, number, _, last_layers, *_ = struct.unpack(wire.LEARN_BEGIN_REQUEST, payload)
    name = Optimizer(number).name.lower() if number in Optimizer._value2member_map_ else f"optimiser {number}"
    layers = f", the last {last_layers} layers" if last_layers else ""
    return f"{name}, learning rate {rate:g}, batch size {batch_size}{layers}"


def _learn_rate(payload: bytes) -> str:
    (rate,) = struct.unpack(wire.LEARN_RATE_REQUEST, payload)
    return f"learning rate {rate:g}"


def _bytes(payload: bytes) -> str:
    return f"{len(payload):,} bytes"


def _hello(body: bytes) -> str:
    hello = protocol.decode_hello(body)
    serving = "no model" if hello.serving is None else f"generation {hello.serving.generation} serves"
    return f"{hello.board}, firmware {hello.firmware}, id {hello.unique_id}, {serving}"


def _model(body: bytes) -> str:
    model = protocol.decode_model(Message.VERIFY, body)
    return f"generation {model.generation} serves, {model.length:,} bytes, digest {model.digest.hex()[:16]}..."


def _credit(body: bytes) -> str:
    credit = protocol.decode_credit(Message.FLASH_DATA, body)
    return f"expects byte {credit.next_offset:,}, may take up to {credit.limit:,}"


def _run(body: bytes) -> str:
    reply = protocol.decode_run(body)
    return f"{reply.rows} rows, {len(reply.outputs) // 4} words of output"


def _read(body: bytes) -> str:
    piece = protocol.decode_read(body)
    return f"bytes {piece.offset:,} to {piece.offset + len(piece.data):,}"


def _learn(body: bytes) -> str:
    reply = protocol.decode_learn(body)
    return f"{reply.samples_seen:,} samples seen, their loss {reply.loss:g}"


def _arena(body: bytes) -> str:
    return f"{protocol.decode_learn_begin(body):,} bytes of RAM in use"


_REQUESTS: dict[Message, Callable[[bytes], str]] = {
    Message.HELLO: _hello_request,
    Message.ECHO: _bytes,
    Message.BAUD: _baud,
    Message.PAGES: _pages_request,
    Message.FLASH_BEGIN: _flash_begin,
    Message.FLASH_DATA: _flash_data,
    Message.RUN: _stream,
    Message.READ: _read_request,
    Message.LEARN_BEGIN: _learn_begin,
    Message.LEARN: _stream,
    Message.LEARN_RATE: _learn_rate,
}
_REPLIES: dict[Message, Callable[[bytes], str]] = {
    Message.HELLO: _hello,
    Message.VERIFY: _model,
    Message.ROLLBACK: _model,
    Message.ECHO: _bytes,
    Message.BAUD: _nothing,
    Message.PAGES: _pages,
    Message.FLASH_BEGIN: _credit,
    Message.FLASH_DATA: _credit,
    Message.FLASH_COMMIT: _model,
    Message.RUN: _run,
    Message.READ: _read,
    Message.LEARN_BEGIN: _arena,
    Message.LEARN: _learn,
    Message.LEARN_COMMIT: _model,
    Message.LEARN_ABORT: _nothing,
    Message.LEARN_RATE: _nothing,
    Message.LEARN_KEEP: _nothing,
}
