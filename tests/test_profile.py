"""Profiles: the bundled ones hold together, and a wrong one is refused by file, field and reason."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from nnlite.errors import IncompatibleError, PathError, UsageError
from nnlite.profile import Profile, profile_names

BUNDLED = (resources.files("nnlite") / "profiles" / "microbit.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", profile_names())
def test_slots_fill_the_flash_behind_the_firmware_in_whole_pages(name: str) -> None:
    profile = Profile.load(name)
    assert profile.slot_address(0) == profile.flash_start + profile.firmware_reserve_bytes
    assert profile.slot_address(0) % profile.page_bytes == 0
    assert profile.slot_bytes % profile.page_bytes == 0
    assert profile.slot_address(1) + profile.slot_bytes <= profile.flash_start + profile.flash_bytes


@pytest.mark.parametrize("name", profile_names())
def test_firmware_fits_its_place_and_its_parts_add_up(name: str) -> None:
    profile = Profile.load(name)
    firmware = profile.firmware
    assert firmware.board == name
    assert firmware.flash_bytes <= profile.firmware_reserve_bytes
    assert firmware.stack_bytes <= profile.stack_reserve_bytes
    assert profile.stack_reserve_bytes + firmware.static_bytes + firmware.arena_bytes == profile.ram_bytes


def test_an_unknown_board_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no board 'nobody'.*microbit, microbit2"):
        Profile.load("nobody")


def test_a_missing_file_is_a_path_error(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"none\.toml"):
        Profile.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ram_bytes = 16_384", "ram_bytes = -1", r"ram_bytes"),
        ("ram_bytes = 16_384", 'ram_bytes = "16 kB"', r"ram_bytes"),
        ("fpu = false", "fpu = false\ncolour = 1", r"colour"),
        ('core = "cortex-m0"', 'core = "z80"', r"core"),
        ("clock_hz = 16_000_000\n", "", r"clock_hz"),
        ("payload_bytes = 256", "payload_bytes = 512", r"payload_bytes"),
        ("[sources]", "[sources]\n[more]", r"."),
        ('ram_bytes = "nRF51822', 'ram_byte = "nRF51822', r"no source for ram_bytes"),
        ("firmware_reserve_bytes = 32_768", "firmware_reserve_bytes = 262_144", r"two slots"),
        ("name", "= name", r"TOML"),
    ],
)
def test_a_wrong_profile_names_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(BUNDLED.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        Profile.load(path)
    assert "own.toml" in str(caught.value)


def test_a_board_without_firmware_says_so(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(BUNDLED.replace('name = "microbit"', 'name = "mine"'), encoding="utf-8")
    with pytest.raises(IncompatibleError, match=r"no firmware for the board 'mine'"):
        Profile.load(path).firmware_hex()
