"""docs/PROTOCOL.md against the code: its numbers, its widths, its times, and each state's refusals on the firmware."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from enum import IntFlag
from pathlib import Path

import pytest

from firmware_sim import Board, Snapshot, open_board
from nnlite.device import Device
from nnlite.link import client, timing, wire
from nnlite.link.frame import Frame, encode_frame, encoded_frame_bytes
from nnlite.link.wire import HelloField, Message, Status
from nnlite.profile import Profile
from tests.sim.conversation import SESSION, answers, let_start
from tests.sim.test_messages import BEGIN, IMAGE, NET, ROW, Talk, begin, data, learn_begin, pages, read

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "float32": 4, "digest 32": 32}


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of the first table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows[2:]]


def paragraph(name: str) -> str:
    return next(part for part in PAGE.split("\n\n") if part.startswith(f"**{name}"))


# ---- numbers


def test_messages_have_their_numbers() -> None:
    assert {row[1]: int(row[0], 16) for row in table("Messages")} == {message.name: message for message in Message}


def test_statuses_have_their_numbers() -> None:
    assert {row[1]: int(row[0]) for row in table("Status")} == {status.name: status for status in Status}


def test_details_of_non_finite_are_in_their_order() -> None:
    (detail,) = [row[2] for row in table("Status") if row[1] == "NON_FINITE"]
    names = re.sub(r" \(.*?\)", "", detail.removeprefix("NonFinite: ")).split(", ")
    assert names == [kind.name.lower() for kind in wire.NonFinite]


def test_optimisers_regions_and_the_version() -> None:
    rows = {row[1]: row[2] for row in table("Messages")}
    optimisers = {int(number): name.lower() for number, name in re.findall(r"(\d) (SGD|momentum|Adam)\b", str(rows))}
    assert optimisers == {kind: kind.name.lower() for kind in wire.Optimizer}
    regions = {int(number) for number in re.findall(r"[Rr]egion (\d) (?:is|the)", paragraph("Read"))}
    assert regions == set(wire.Region)
    assert f"Version {wire.PROTOCOL_VERSION} is the one described here" in PAGE


FLAGS: dict[str, type[IntFlag]] = {
    "FLASH_COMMIT": wire.CommitFlag,
    "RUN": wire.RunFlag,
    "LEARN": wire.LearnFlag,
    "LEARN_BEGIN": wire.LearnBeginFlag,
}


@pytest.mark.parametrize("name", [message.name for message in Message])
def test_flags_have_their_bits(name: str) -> None:
    (request,) = [row[2] for row in table("Messages") if row[1] == name]
    assert {1 << int(bit) for bit in re.findall(r"bit (\d):", request)} == {int(flag) for flag in FLAGS.get(name, ())}


LAYOUTS: dict[str, tuple[str, str]] = {
    "HELLO": (wire.HELLO_REQUEST, ""),
    "VERIFY": ("", wire.MODEL_REPLY),
    "BAUD": (wire.BAUD_REQUEST, ""),
    "FLASH_BEGIN": (wire.FLASH_BEGIN_HEADER, wire.FLASH_CREDIT_REPLY),
    "FLASH_DATA": (wire.FLASH_DATA_HEADER, wire.FLASH_CREDIT_REPLY),
    "PAGES": (wire.PAGES_REQUEST, wire.PAGES_ENTRY),
    "RUN": (wire.RUN_HEADER, wire.RUN_REPLY),
    "READ": (wire.READ_REQUEST, wire.READ_REPLY_HEADER),
    "LEARN": (wire.RUN_HEADER, wire.LEARN_REPLY),
    "LEARN_BEGIN": (wire.LEARN_BEGIN_REQUEST, wire.LEARN_BEGIN_REPLY),
    "LEARN_RATE": (wire.LEARN_RATE_REQUEST, ""),
}


def width(text: str) -> int:
    """Bytes of the fields that a cell lists."""
    total = 8 if re.search(r", times(?:,|$)", text) else 0
    if "float32 each: " in text:
        text, last = text.split("float32 each: ")
        total += 4 * len(last.split(", "))
    for kind, times in re.findall(r"\b(u8|u16|u32|float32|digest 32)\b(?: x (\d))?", text):
        total += WIDTHS[kind] * int(times or 1)
    return total


@pytest.mark.parametrize("name", LAYOUTS)
def test_fields_have_their_widths(name: str) -> None:
    (row,) = [row for row in table("Messages") if row[1] == name]
    request, reply = LAYOUTS[name]
    assert width(row[2]) == struct.calcsize(request)
    if reply:
        assert width(row[3]) == struct.calcsize(reply)


# ---- HELLO


def hello_fields(board: Board) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each field that the firmware gives."""
    body = Talk(board).ask(Message.HELLO, bytes([2, 2, 0, 0]))
    assert isinstance(body, bytes)
    while body:
        yield body[0], body[2 : 2 + body[1]]
        body = body[2 + body[1] :]


def fields_on_the_page() -> dict[int, tuple[str, str]]:
    """Tag -> name and what stands behind it."""
    text = paragraph("HELLO").split("tag and value: ")[1].replace("\n", " ")
    found = re.split(r"\b(\d+) (?=[A-Z_]{4,}\b)", text)[1:]
    return {int(tag): (rest.split()[0].strip(","), rest) for tag, rest in zip(found[::2], found[1::2], strict=True)}


def test_hello_has_the_fields_of_the_page() -> None:
    page = fields_on_the_page()
    assert {tag: name for tag, (name, _) in page.items()} == {int(field): field.name for field in HelloField}
    with open_board("microbit") as board:
        let_start(board)
        got = list(hello_fields(board))
    assert {tag for tag, _ in got} == set(page)
    assert [tag for tag, _ in got].count(HelloField.SLOT) == 2
    for tag, value in got:
        name, text = page[tag]
        if name in ("FIRMWARE", "BOARD"):
            assert value.isascii()
        elif name == "BAUD_RATES":
            assert len(value) % 4 == 0
            assert int.from_bytes(value[:4], "little") == timing.BAUD
        else:
            expected = {"PROTOCOL": 2, "UNIQUE_ID": 8}.get(name) or width(text)
            assert len(value) == expected, name


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_payload_and_credit_are_as_the_page_says(name: str) -> None:
    """Room for a quarter of the buffer in a payload, and as many blocks as it holds, less 64 bytes."""
    profile = Profile.load(name)
    assert 4 * profile.payload_bytes <= profile.receive_buffer_bytes
    blocks = (profile.receive_buffer_bytes - 64) // (encoded_frame_bytes(profile.payload_bytes) + 1)
    length = 16_384
    count = -(-length // profile.page_bytes)
    with open_board(name) as board:
        let_start(board)
        talk = Talk(board)
        assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == 0
        bits = ((1 << count) - 1).to_bytes(-(-count // 8), "little")
        credit = talk.ask(Message.FLASH_BEGIN, begin(length=length, pages=bits))
    assert credit == struct.pack("<II", 0, blocks * (profile.payload_bytes - 4))


# ---- times


def test_the_laptops_times_are_those_of_the_code() -> None:
    rows = {row[0]: row[1] for row in table("Timeouts")}
    assert rows["laptop, for an answer"].startswith(f"{timing.PATIENCE_SECONDS} s")
    assert rows["laptop, tries"].startswith(f"{timing.ATTEMPTS}, ")
    assert f"{client._STALLS} windows in a row" in rows["laptop, tries"]
    assert rows["laptop, at a higher rate"].startswith(f"{timing.SILENCE_SECONDS} s of silence")
    assert f"behind {client._PATIENT_ATTEMPTS} windows or tries" in rows["laptop, at a higher rate"]
    late = rows["laptop, behind answers that come late"]
    assert f"{timing.PATIENCE_SECONDS} s longer" in late
    assert f"{client._BACKLOG_SECONDS:g} s at most" in late
    work = rows["laptop, work on the device"]
    for part in (
        f"{timing._PROGRAM_WORD_SECONDS * 1e6:g} us a word programmed",
        f"{timing._DIGEST_CYCLES_PER_BYTE} cycles a byte digested",
        f"{timing._CRC_CYCLES_PER_BYTE} a byte of CRC-32",
        f"{timing._CYCLES_PER_MULTIPLY_ACCUMULATE} cycles a multiply-accumulate and {timing._CYCLES_PER_ROW:,} a row",
    ):
        assert part in work


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_the_devices_half_second_is_one(name: str) -> None:
    """It holds a higher rate through 0.4 s of silence, and not through 0.6 s."""
    (row,) = [row for row in table("Timeouts") if row[0] == "device, at a higher rate"]
    assert row[1].startswith("0.5 s")
    fast = Profile.load(name).uart_fast_baud
    with open_board(name) as board:
        let_start(board)
        talk = Talk(board)
        assert talk.status(Message.HELLO, bytes([2, 2, 0, 0])) == 0
        assert talk.status(Message.BAUD, struct.pack("<I", fast)) == 0

        def echoes(sequence: int, baud: int) -> bool:
            board.set_rate(baud)
            board.write_line(b"\0" + encode_frame(Frame(Message.ECHO, 0, SESSION, sequence)), baud)
            return len(answers(board, 1, 0.05)) == 1

        assert echoes(10, fast)
        board.read_line(1, 0.4)
        assert echoes(11, fast)
        board.read_line(1, 0.6)
        assert echoes(12, timing.BAUD)


# ---- states

HELLO = (Message.HELLO, bytes([2, 2, 0, 0]), 0)
FLASH_BEGIN = (Message.FLASH_BEGIN, begin(), 0)
FLASH_DATA = (Message.FLASH_DATA, data(0, IMAGE), 0)
TRIAL = (Message.FLASH_COMMIT, b"", wire.CommitFlag.TRIAL)
LEARN_BEGIN = (Message.LEARN_BEGIN, learn_begin(batch_size=2, flags=wire.LearnBeginFlag.KEEP), 0)
LEARN = (Message.LEARN, struct.pack("<I", 0) + ROW + struct.pack("<I", 1), 0)
Steps = tuple[tuple[Message, bytes, int], ...]
STATES: dict[str, Steps] = {
    "no session": (),
    "open": (HELLO,),
    "receiving": (HELLO, FLASH_BEGIN),
    "on trial": (HELLO, FLASH_BEGIN, FLASH_DATA, TRIAL),
    "learning": (HELLO, LEARN_BEGIN),
    "learning on trial": (HELLO, FLASH_BEGIN, FLASH_DATA, TRIAL, LEARN_BEGIN),
}
#: each message as it is accepted in some state
WELL_FORMED: dict[Message, bytes] = dict.fromkeys(Message, b"") | {
    Message.HELLO: HELLO[1],
    Message.BAUD: struct.pack("<I", timing.BAUD),
    Message.PAGES: pages(0, 1),
    Message.FLASH_BEGIN: begin(),
    Message.FLASH_DATA: data(0, IMAGE),
    Message.RUN: struct.pack("<I", 0) + ROW,
    Message.READ: read(wire.Region.IMAGE, 0, 4),
    Message.LEARN_BEGIN: BEGIN,
    Message.LEARN: LEARN[1],
    Message.LEARN_RATE: struct.pack("<f", 0.1),
}


def names_in(cell: str) -> set[Message]:
    return {Message[name] for name in re.findall(r"\b[A-Z_]{3,}\b", cell) if name in Message.__members__}


@pytest.fixture(scope="module")
def refused() -> Iterator[Callable[[Steps, Status], set[Message]]]:
    """Steps to a state, and a status -> the messages that a board in that state answers so."""
    with open_board("microbit") as board:
        with Device.open(board.url) as device:
            device.flash(NET)
        board.boot()
        let_start(board)
        fresh = board.snapshot()

        def prepared(steps: Steps) -> tuple[Snapshot, int]:
            board.restore(fresh)
            talk = Talk(board)
            for message, payload, flags in steps:
                assert talk.status(message, payload, flags) == Status.OK
            return board.snapshot(), talk.sequence

        def tried(steps: Steps, status: Status) -> set[Message]:
            there, sequence = prepared(steps)
            found = set()
            for message, payload in WELL_FORMED.items():
                board.restore(there)
                talk = Talk(board)
                talk.sequence = sequence
                if talk.status(message, payload) == status:
                    found.add(message)
            return found

        yield tried


@pytest.mark.parametrize("state", [row[0] for row in table("States")])
def test_each_state_refuses_what_the_page_says_and_nothing_else(
    state: str, refused: Callable[[Steps, Status], set[Message]]
) -> None:
    (cell,) = [row[3] for row in table("States") if row[0] == state]
    if state == "no session":
        assert cell.startswith("all but HELLO")
        assert refused(STATES[state], Status.BAD_SESSION) == set(Message) - {Message.HELLO}
        return
    always, _, sometimes = cell.partition(";")
    got = refused(STATES[state], Status.BAD_STATE)
    if "before the last byte" in sometimes:
        assert got == names_in(cell)
        assert refused((*STATES[state], FLASH_DATA), Status.BAD_STATE) == names_in(always)
    elif "inside a batch" in sometimes:
        assert got == names_in(always)
        assert refused((*STATES[state], LEARN), Status.BAD_STATE) == names_in(cell)
    else:
        assert not sometimes
        assert got == names_in(always)


def test_the_states_are_all_there() -> None:
    assert [row[0] for row in table("States")] == list(STATES)
