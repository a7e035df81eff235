"""Profiles: the bundled ones hold together, and a wrong one is refused by file, field and reason."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from nnlite.errors import IncompatibleError, PathError, UsageError
from nnlite.profile import FirmwareLimits, Profile, profile_names

PROVEN = [name for name in profile_names() if Profile.load(name).status == "proven"]
BUNDLED = (resources.files("nnlite") / "profiles" / "microbit.toml").read_text(encoding="utf-8")


def test_the_bundled_profiles_say_what_they_are() -> None:
    assert PROVEN == ["microbit", "microbit2", "nano33ble"]
    assert set(profile_names()) - set(PROVEN) == {"pico", "uno"}


@pytest.mark.parametrize("name", profile_names())
def test_a_board_is_proven_exactly_when_it_has_firmware(name: str) -> None:
    profile = Profile.load(name)
    assert profile.has_firmware == (profile.status == "proven") == (profile.firmware_limits is not None)


@pytest.mark.parametrize("name", profile_names())
def test_every_source_is_a_document_or_says_that_it_is_a_choice(name: str) -> None:
    document = r"choice: .|.*\b(Specification|Manual|schematic|datasheet|brief|variant\.cpp)\b.*[:,] ."
    for field, source in Profile.load(name).sources.items():
        assert re.match(document, source), field


@pytest.mark.parametrize("name", PROVEN)
def test_slots_fill_the_flash_behind_the_firmware_in_whole_pages(name: str) -> None:
    profile = Profile.load(name)
    assert profile.slot_address(0) == profile.flash_start + profile.firmware_reserve_bytes
    assert profile.slot_address(0) % profile.page_bytes == 0
    assert profile.slot_bytes % profile.page_bytes == 0
    assert profile.slot_address(1) + profile.slot_bytes <= profile.flash_start + profile.flash_bytes


@pytest.mark.parametrize("name", PROVEN)
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
        ("ram_bytes = 16_384", 'ram_bytes = "16 kB"', "ram_bytes: expected `int`, got `str`"),
        ("ram_bytes = 16_384", "ram_bytes = 16.5", "ram_bytes: expected `int`, got `float`"),
        ("ram_bytes = 16_384", "ram_bytes = -1", "ram_bytes: expected `int` >= 1"),
        ("ram_bytes = 16_384", "ram_bytes = 0", "ram_bytes: expected `int` >= 1"),
        ("ram_bytes = 16_384", "ram_bytes = 4_294_967_296", "ram_bytes: expected `int` <= 4294967295"),
        ("uart_tx_pin = 24", "uart_tx_pin = 64", "firmware.uart_tx_pin: expected `int` <= 63"),
        ("flash_start = 0x0000_0000", "flash_start = -4", "firmware.flash_start: expected `int` >= 0"),
        ("fpu = false", "fpu = 0", "fpu: expected `bool`, got `int`"),
        (
            "fpu = false",
            "fpu = true",
            "fpu is true for cortex-m4f and false for every other core, and core is cortex-m0",
        ),
        ('name = "microbit"', 'name = ""', "name: expected `str` of length >= 1"),
        (
            "fpu = false",
            "fpu = false\ncolour = 1",
            "object contains unknown field `colour`; known are name, title, status,",
        ),
        ("page_bytes", "page_byte", "firmware: object contains unknown field `page_byte`; known are flash_start, "),
        ('core = "cortex-m0"', 'core = "z80"', "core may be 'avr8', 'cortex-m0', 'cortex-m0+', 'cortex-m4f'; invalid"),
        ('status = "proven"', 'status = "sure"', "status may be 'proven', 'datasheet only'; invalid enum value 'sure'"),
        ("clock_hz = 16_000_000\n", "", "object missing required field `clock_hz`"),
        ("erase_page_us = 22_300\n", "", "firmware: object missing required field `erase_page_us`"),
        (
            "payload_bytes = 512",
            "payload_bytes = 1_024",
            "payload_bytes may be a quarter of receive_buffer_bytes at most",
        ),
        ("[sources]", "[sources]\n[more]", "object contains unknown field `more`"),
        ('ram_bytes = "nRF51822', 'ram_byte = "nRF51822', "names no source for ram_bytes; add it under [sources]"),
        ('write_bytes = "nRF51', 'write_byte = "nRF51', "names no source for write_bytes; add it under [sources]"),
        ("[sources]", '[sources]\nraam = "x"', "has a source for raam, which is no field"),
        ("[sources]", "[sources]\ncore = 3", "sources[...]: expected `str`, got `int`"),
        ("[sources]", '[sources]\ncore = ""', "sources[...]: expected `str` of length >= 1"),
        ("firmware_reserve_bytes = 32_768", "firmware_reserve_bytes = 262_144", "no room for two slots"),
        ("flash_start = 0x0000_0000", "flash_start = 100", "flash_start must be a multiple of page_bytes"),
        (
            "stack_reserve_bytes = 1_024",
            "stack_reserve_bytes = 16_384",
            "stack_reserve_bytes must be less than ram_bytes",
        ),
        ("name", "= name", "is not a TOML file"),
        ("name", "name\x00", "is not a TOML file"),
    ],
)
def test_a_wrong_profile_names_file_field_and_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    assert old in BUNDLED
    path.write_text(BUNDLED.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        Profile.load(path)
    text = str(caught.value)
    assert text.startswith(f"the profile {path}")
    assert message in text
    assert "$" not in text


def test_a_profile_that_is_not_text_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b'name = "\xff"\n')
    with pytest.raises(UsageError, match=r"own\.toml is not a TOML file"):
        Profile.load(path)


def test_without_the_firmware_table_a_profile_cannot_be_proven(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = re.sub(r"(?s)\[firmware\].*(?=\[sources\])", "", BUNDLED)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"own\.toml: a board whose status is proven .* \[firmware\] is needed"):
        Profile.load(path)
    path.write_text(text.replace('"proven"', '"datasheet only"'), encoding="utf-8")
    assert Profile.load(path).firmware_limits is None


def test_a_board_without_firmware_says_so_and_names_those_that_have_one(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(BUNDLED.replace('name = "microbit"', 'name = "mine"'), encoding="utf-8")
    with pytest.raises(
        IncompatibleError, match=r"no firmware for the board 'mine' yet; there is for microbit, microbit2, nano33ble"
    ):
        Profile.load(path).firmware_hex()


@pytest.mark.parametrize("field", FirmwareLimits.__struct_fields__)
def test_a_number_that_only_firmware_needs_is_refused_not_made_up(field: str) -> None:
    assert getattr(Profile.load("microbit"), field) >= 0
    with pytest.raises(IncompatibleError, match="no firmware for the board 'uno'"):
        getattr(Profile.load("uno"), field)
