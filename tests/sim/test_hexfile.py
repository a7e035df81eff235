"""Intel HEX: what is read, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import Board, SimulatorError, open_board
from firmware_sim.hexfile import parse_hex
from firmware_sim.image import Image
from nnlite.profile import Profile
from tests.sim.machine_code import HALT, hex_text, program

END = ":00000001FF\n"


@given(st.binary(max_size=600), st.integers(0, 0x8000))
def test_bytes_come_back_as_they_were_written(content: bytes, start: int) -> None:
    pieces = parse_hex(hex_text(content, start))
    assert b"".join(data for _, data in pieces) == content
    assert [address for address, _ in pieces] == list(range(start, start + len(content), 16))


@given(st.binary(min_size=1, max_size=64), st.data())
def test_a_changed_digit_is_noticed(content: bytes, data: st.DataObject) -> None:
    text = hex_text(content)
    at = data.draw(st.sampled_from([n for n, c in enumerate(text) if c not in ":\n"]))
    digit = data.draw(st.sampled_from([c for c in "0123456789ABCDEF" if c != text[at]]))
    with pytest.raises(SimulatorError, match="of the firmware is not an Intel HEX record"):
        parse_hex(text[:at] + digit + text[at + 1 :])


@given(st.binary(min_size=1, max_size=64), st.data())
def test_a_file_that_is_cut_short_is_noticed(content: bytes, data: st.DataObject) -> None:
    text = hex_text(content).rstrip("\n")
    with pytest.raises(SimulatorError, match=r"cut short|not an Intel HEX record"):
        parse_hex(text[: data.draw(st.integers(0, len(text) - 1))])


def test_the_upper_halves_of_addresses() -> None:
    linear = ":020000040003F7\n:01001000559A\n"
    segment = ":020000021000EC\n:01001000559A\n"
    assert parse_hex(linear + END) == [(0x30010, b"\x55")]
    assert parse_hex(segment + END) == [(0x10010, b"\x55")]
    assert parse_hex(":0400000500000041B6\n" + END) == []  # where to start: the vector table tells


@pytest.mark.parametrize(
    ("line", "text"),
    [(1, "hello\n"), (1, "00000001FF\n"), (2, ":0100000055AA\n:01000000\n"), (2, ":0100000055AA\n:0100010055AA\n")],
)
def test_the_line_is_named(line: int, text: str) -> None:
    with pytest.raises(SimulatorError, match=f"line {line} of the firmware"):
        parse_hex(text + END)


def test_a_firmware_file_boots(tmp_path: Path) -> None:
    path = tmp_path / "tiny.hex"
    path.write_text(hex_text(program(HALT)))
    with open_board("microbit", path) as board:
        board.run(28)
        assert (board.instructions, board.cycles) == (10, 30)  # ten jumps of 3 cycles each; the last is carried out
        assert board.firmware_bytes == len(program(HALT))


@pytest.mark.parametrize("content", [None, b"\xff\xfe", END.encode()[:-4], b":0100000055AA\n"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tiny.hex"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SimulatorError, match="firmware"):
        open_board("microbit", path)


def test_code_outside_the_flash_is_refused() -> None:
    beyond = ":020000040004F6\n:01001000559A\n" + END
    with pytest.raises(SimulatorError, match="bytes at 0x00040010, where microbit has no flash"):
        Board(Profile.load("microbit"), Image.of_hex(beyond))
