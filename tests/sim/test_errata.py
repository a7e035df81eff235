"""Start-up by revision of the silicon: what firmware/boards/nrf/errata_*.c and startup_*.c say is done, and no more."""

from __future__ import annotations

import pytest

from firmware_sim import Board, open_board
from nnlite.device import Device


def started(name: str, revision: int | None) -> Board:
    """A board that has answered, so it runs."""
    board = open_board(name, revision=revision)
    with Device.open(board.url) as device:
        assert device.info().board == name
    return board


@pytest.mark.parametrize("revision", [0, 1, 3, 4, 7])
def test_nrf51822(revision: int) -> None:
    chip = started("microbit", revision).chip
    assert (chip.clock.values[0x524], chip.clock.values[0x554]) == (3, 3)  # 16: RAMON, RAMONB
    workaround = (chip.clock.values.get(0x504), chip.gpiote.values.get(0xC18))
    assert workaround == ((0xC007FFDF, 0x8000) if revision in (0, 1, 3) else (None, None))  # 26
    assert chip.mpu.values.get(0x608) == (1 if revision == 4 else None)  # 59
    assert chip.uicr.values[0x004] == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("name", "revision", "locked"),
    [("microbit2", 1, False), ("microbit2", 2, True), ("nano33ble", 4, False), ("nano33ble", 5, True)],
)
def test_nrf52(name: str, revision: int, locked: bool) -> None:
    board = started(name, revision)
    chip = board.chip
    for offset in (0x10C, 0x110, 0x538):
        chip.clock.write(offset, 1)
    operations = chip.nvmc.operations
    board.reset()
    assert [chip.clock.read(offset) for offset in (0x10C, 0x110, 0x538)] == [1, 1, 1]  # not reset when expected
    board.run(64_000)
    assert [chip.clock.read(offset) for offset in (0x10C, 0x110, 0x538)] == [0, 0, 0]  # 36
    offsets = [*range(0x520, 0x538, 4), *range(0x540, 0x558, 4), *range(0x560, 0x574, 4)]
    assert [chip.temp.values.get(offset) for offset in offsets] == list(range(0x300, 0x311))  # 66
    assert chip.uicr.values[0x208] == (0xFFFFFF5A if locked else 0xFFFFFFFF)
    assert chip.clock.values.get(0x558) == (0x5A if locked else None)
    assert chip.scb.values[0x88] == 0x00F00000  # the FPU is on
    assert operations == int(locked)


@pytest.mark.parametrize(("name", "revision"), [("microbit2", 2), ("nano33ble", 5)])
def test_the_lasting_half_of_the_lock_is_opened_once(name: str, revision: int) -> None:
    board = started(name, revision)
    board.boot()
    with Device.open(board.url) as device:
        device.info()
    assert board.chip.nvmc.operations == 0
    assert board.chip.clock.values.get(0x558) == 0x5A


@pytest.mark.parametrize(("name", "port", "pin"), [("microbit", 0, 24), ("microbit2", 0, 6), ("nano33ble", 1, 3)])
def test_the_line_idles_high(name: str, port: int, pin: int) -> None:
    chip = started(name, None).chip
    assert chip.ports[port].drives(pin)
