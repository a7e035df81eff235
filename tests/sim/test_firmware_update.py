"""Another firmware on a board that has models: it serves them on, and never misreads a slot of another format."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import Board, open_board
from nnlite import Device, Network, layout
from nnlite.cli import run
from nnlite.errors import IncompatibleError
from nnlite.firmware.build import build_elf
from nnlite.image import image_digest
from nnlite.link.wire import SlotState
from nnlite.profile import Profile

BOARDS = ("microbit", "microbit2")
FIRST, SECOND, THIRD = (Network([4, 8, 3], seed=seed) for seed in (1, 2, 3))
X = np.linspace(-2, 2, 20, dtype=np.float32).reshape(5, 4)
NEWER = "17.4.0-rc1"  # longer, so that what stands behind it in flash moves


@pytest.fixture(scope="module", params=BOARDS)
def newer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A board, and firmware of another version for it."""
    return request.param, build_elf(Profile.load(request.param), tmp_path_factory.mktemp("newer"), NEWER)


def flashed(board: Board, *nets: Network) -> bytes:
    """A board's flash after these were put on it."""
    with Device.open(board.url) as device:
        for net in nets:
            device.flash(net)
    return board.flash


def test_models_outlive_another_firmware(newer: tuple[str, Path]) -> None:
    name, image = newer
    with open_board(name) as old:
        before = flashed(old, FIRST, SECOND)
        with Device.open(old.url) as device:
            slots = device.info().slots
    with open_board(name, image) as board:
        board.load_flash(before)
        reserve = board.profile.firmware_reserve_bytes
        assert board.flash[:reserve] != before[:reserve]
        with Device.open(board.url) as device:
            assert device.info().firmware == NEWER
            assert device.info().slots == slots
            assert device.verify(SECOND).generation == 2
            np.testing.assert_array_equal(device.decision_function(X), SECOND.decision_function(X))
            device.learn(X, [0, 1, 2, 0, 1], learning_rate=0.1)
            assert device.rollback().generation == 2
            assert device.flash(THIRD).generation == 4  # one more than the highest, which was learned and taken back
            np.testing.assert_array_equal(device.decision_function(X), THIRD.decision_function(X))


def test_the_way_back_to_older_firmware_is_the_same(newer: tuple[str, Path]) -> None:
    name, image = newer
    with open_board(name, image) as board:
        flash = flashed(board, FIRST)
    with open_board(name) as board:
        board.load_flash(flash)
        with Device.open(board.url) as device:
            assert device.info().firmware != NEWER
            assert device.verify(FIRST).generation == 1


def test_a_hex_file_of_firmware_holds_nothing_where_slots_are() -> None:
    for name in BOARDS:
        profile = Profile.load(name)
        with open_board(name) as board:
            start = profile.firmware_reserve_bytes
            assert set(board.flash[start:]) == {0xFF}
            assert board.firmware_bytes <= start


# ---- slots of another format


def rewritten(board: Board, slot: int, form: int, **other: int) -> None:
    """Give a slot's record another format, and a CRC-32 that holds; fields by their offset as u32."""
    address = board.profile.slot_address(slot)
    record = bytearray(board.read_memory(address, layout.RECORD_BYTES))
    struct.pack_into("<H", record, 4, form)
    for name, value in other.items():
        struct.pack_into("<I", record, {"generation": 8, "length": 12}[name], value)
    crc = zlib.crc32(record[: layout.RECORD_CRC_OFFSET])
    struct.pack_into("<I", record, layout.RECORD_CRC_OFFSET, crc)
    board.write_memory(address, bytes(record))
    board.boot()


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("form", [0, 2, 0xFFFE])
def test_a_record_of_another_format_is_foreign_and_the_other_slot_serves(name: str, form: int) -> None:
    with open_board(name) as board:
        flashed(board, FIRST, SECOND)
        rewritten(board, 1, form, generation=0xFFFFFFF0, length=0xFFFFFFF0)
        with Device.open(board.url) as device:
            slots = device.info().slots
            assert [slot.state for slot in slots] == [SlotState.VALID, SlotState.FOREIGN]
            assert (slots[1].generation, slots[1].length) == (0, 0)  # nothing of it is taken for what it means here
            assert device.verify(FIRST).generation == 1
            np.testing.assert_array_equal(device.decision_function(X), FIRST.decision_function(X))
            with pytest.raises(IncompatibleError, match="no earlier model"):
                device.rollback()
            assert device.flash(THIRD).generation == 2  # it is written over
            assert [slot.state for slot in device.info().slots] == [SlotState.VALID, SlotState.VALID]


@pytest.mark.parametrize("name", BOARDS)
def test_two_foreign_slots_are_no_model_and_are_told_by_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_board(name) as board:
        flashed(board, FIRST, SECOND)
        for slot in (0, 1):
            rewritten(board, slot, 2)
        assert run(["info", "--port", board.url]) == 0
        assert capsys.readouterr().out.count("foreign") == 2
        with Device.open(board.url) as device:
            assert device.info().active_slot is None
            with pytest.raises(IncompatibleError, match="there is no model on the device"):
                device.predict(X)
            device.flash(THIRD)
            device.verify(THIRD)


@pytest.mark.parametrize("name", BOARDS)
def test_an_image_of_another_format_is_broken_whatever_its_digest_says(name: str) -> None:
    with open_board(name) as board:
        flashed(board, FIRST, SECOND)
        start = board.profile.slot_address(1)
        length = struct.unpack_from("<I", board.read_memory(start, layout.RECORD_BYTES), 12)[0]
        image = bytearray(board.read_memory(start + board.profile.page_bytes, length))
        image[4] = 2
        board.write_memory(start + board.profile.page_bytes, bytes(image))
        board.write_memory(start + 16, image_digest(bytes(image)))
        rewritten(board, 1, layout.RECORD_FORMAT)
        with Device.open(board.url) as device:
            assert [slot.state for slot in device.info().slots] == [SlotState.VALID, SlotState.BROKEN]
            assert device.verify(FIRST).generation == 1
