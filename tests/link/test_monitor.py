"""What is shown of a line: frames with their meaning, text, and what is broken."""

from __future__ import annotations

import pytest

from firmware_sim import Board
from nnlite.link.client import Client
from nnlite.link.frame import Frame, encode_frame
from nnlite.link.meaning import meaning, message_name
from nnlite.link.monitor import Piece, Splitter, Tap
from nnlite.link.port import open_port
from nnlite.link.wire import REPLY_BIT, Message

FRAME = encode_frame(Frame(Message.LEARN_ABORT | REPLY_BIT, 0, 7, 9, bytes(4)))


def kinds(*data: bytes) -> list[tuple[str, str]]:
    splitter = Splitter("received")
    pieces = [piece for part in data for piece in splitter.feed(part, 0.0)] + splitter.flush(1.0)
    return [(piece.kind, piece.message or piece.meaning) for piece in pieces]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((FRAME,), [("frame", "LEARN_ABORT")]),
        ((FRAME[:3], FRAME[3:] + FRAME), [("frame", "LEARN_ABORT")] * 2),
        ((b"\0\0\0",), []),
        ((b"boot\r\n" + FRAME,), [("text", "boot"), ("frame", "LEARN_ABORT")]),
        ((b"boot\r\n\0" + FRAME,), [("text", "boot"), ("frame", "LEARN_ABORT")]),
        ((b"no end",), [("text", "no end")]),
        ((FRAME[:5],), [("broken", f"half a frame: {FRAME[:5].hex(' ')}")]),
        ((FRAME[:5] + FRAME,), [("broken", f"no frame (cobs): {(FRAME[:5] + FRAME)[:16].hex(' ')} ...")]),
        ((FRAME[:-2] + b"\xff\0",), [("broken", f"no frame (crc): {FRAME[:-2].hex(' ')} ff")]),
    ],
)
def test_pieces(data: tuple[bytes, ...], expected: list[tuple[str, str]]) -> None:
    assert kinds(*data) == expected


def test_what_never_ends_is_not_kept_for_ever() -> None:
    splitter = Splitter("received")
    shown = [piece for _ in range(100) for piece in splitter.feed(b"\xff" * 100, 0.0)]
    assert {piece.kind for piece in shown} == {"broken"}
    assert sum(piece.payload_bytes for piece in shown) > 8_000


def test_a_whole_conversation_has_its_meanings(board: Board) -> None:
    """Flash, run, read, learn: every message of it has words, none is called malformed."""
    from nnlite.device import Device
    from nnlite.network import Network

    shown: list[Piece] = []
    net = Network([2, 3], seed=4)
    with Device(Client(Tap(open_port(board.url), shown.append))) as device:
        device.flash(Network([50, 60, 2], seed=5))  # large enough for another rate
        device.flash(net)
        device.echo(b"anybody there")
        device.predict([[1.0, 2.0]])
        device.learn([[1.0, 2.0]], [1], epochs=2, schedule="step", validation=([[1.0, 2.0]], [1]), patience=2)
        device.pull()
        device.rollback()
    assert {piece.kind for piece in shown} == {"frame"}
    assert {piece.message for piece in shown} == {message.name for message in Message if message != Message.LEARN_ABORT}
    assert not [piece for piece in shown if "malformed" in piece.meaning or "unknown" in piece.meaning]
    by_name = {(piece.direction, piece.message): piece for piece in shown}
    hello = by_name["received", "HELLO"]
    assert (hello.status, hello.meaning.startswith("microbit, firmware ")) == ("OK", True)
    assert by_name["sent", "FLASH_BEGIN"].meaning.startswith("an image of ")
    assert by_name["received", "ROLLBACK"].meaning.startswith("generation 2 serves")
    assert by_name["sent", "BAUD"].meaning == "115,200 baud from now on"
    assert by_name["sent", "PAGES"].meaning == "pages 0 to 1"
    assert by_name["received", "PAGES"].meaning == "1 pages, 0 torn"
    assert by_name["sent", "LEARN_BEGIN"].meaning == "sgd, learning rate 0.05, batch size 1"
    assert by_name["sent", "LEARN_RATE"].meaning == "learning rate 0.005"
    assert (by_name["sent", "LEARN_KEEP"].meaning, by_name["received", "LEARN_KEEP"].meaning) == ("", "")
    times = [piece.seconds for piece in shown]
    assert times == sorted(times)


def test_refusals_and_strangers() -> None:
    refusal = Frame(Message.RUN | REPLY_BIT, 0, 1, 1, bytes([4, 0, 0, 0]) + bytes(8))
    assert meaning(refusal) == "refused (detail 0, value 0, limit 0)"
    assert (message_name(Frame(0x7F, 0, 1, 1)), meaning(Frame(0x7F, 0, 1, 1))) == (
        "type 0x7f",
        "unknown to this version",
    )
    assert meaning(Frame(Message.HELLO | REPLY_BIT, 0, 1, 1, b"x")) == "malformed"
    assert meaning(Frame(Message.READ, 0, 1, 1, b"x")) == "malformed"
