"""The committed table of source lines: it covers the firmware's own code, and is read as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.lines import LineTable
from nnlite.profile import Profile

PACKAGE = Path(__file__).resolve().parents[2] / "nnlite"
BOARDS = ["microbit", "microbit2", "nano33ble"]


@pytest.mark.parametrize("board", BOARDS)
def test_written_and_read_it_is_the_same(board: str) -> None:
    text = Profile.load(board).firmware_lines()
    assert LineTable.parse(text).text() == text
    assert len(text) < 60_000


@pytest.mark.parametrize("board", BOARDS)
def test_every_line_that_it_names_is_there(board: str) -> None:
    table = LineTable.parse(Profile.load(board).firmware_lines())
    lengths: dict[str, int] = {}
    for name, line in {place for place in table.places if place is not None}:
        if name not in lengths:
            lengths[name] = len((PACKAGE / name).read_text(encoding="ascii").splitlines())
        assert 1 <= line <= lengths[name], (name, line)
    assert {"firmware/main.c", "firmware/boards/nrf/hal.c", "runtime/dense.c"} <= set(lengths)


@pytest.mark.parametrize("board", BOARDS)
def test_every_instruction_of_our_own_functions_has_a_line(board: str) -> None:
    profile = Profile.load(board)
    table = LineTable.parse(profile.firmware_lines())
    ours = [s for name, s in profile.firmware.symbols.items() if name.startswith(("nn_", "startup_")) and s.size]
    flash = [s for s in ours if s.address < profile.firmware_reserve_bytes]
    assert len(flash) > 20
    assert all(table.at(symbol.address) for symbol in flash)


def test_a_gap_has_no_line() -> None:
    table = LineTable.parse("10 a.c 1+4 2+2\n16 b.h 9+2\n20 a.c 5+8\n")
    found = {pc: table.at(pc) for pc in range(0x0E, 0x2A, 2)}
    assert found == {
        **dict.fromkeys(found),
        **dict.fromkeys((0x10, 0x12), "a.c:1"),
        0x14: "a.c:2",
        0x16: "b.h:9",
        **dict.fromkeys(range(0x20, 0x28, 2), "a.c:5"),
    }
