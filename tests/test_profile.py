"""Profiles: the bundled ones hold together, and a wrong one is refused by file, field and reason."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.errors import IncompatibleError, PathError, UsageError
from nnlite.profile import FirmwareLimits, Profile, profile_names
from nnlite.profile_file import ProfileText, read_profile

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
    document = r"choice: .|.*\b(Specification|Manual|schematic|datasheet|brief|variant\.cpp|\w+\.svd)\b.*[:,] ."
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
        ('name = "microbit"', 'name = ""', "name may be 1 to 32 small letters, digits, '_' and '-'"),
        ('name = "microbit"', "name = 'a\"; int x; \"'", "name may be 1 to 32 small letters"),
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
        ("[sources]", "[sources]\ncore = 3", "sources.core: expected `str`, got `int`"),
        ("[sources]", '[sources]\ncore = ""', "sources.core: expected `str` of length >= 1"),
        ("firmware_reserve_bytes = 32_768", "firmware_reserve_bytes = 262_144", "no room for two slots"),
        (
            "firmware_reserve_bytes = 32_768",
            "firmware_reserve_bytes = 33_000",
            "must be a multiple of page_bytes, 1,024",
        ),
        (
            "write_bytes = 4\n",
            "write_bytes = 3\n",
            "must be a multiple of page_bytes, 1,024, and that one of write_byt",
        ),
        ("uart_tx_pin = 24", "uart_tx_pin = 25", "uart_tx_pin and uart_rx_pin are the same pin"),
        ("flash_start = 0x0000_0000", "flash_start = 100", "flash_start must be a multiple of page_bytes"),
        (
            "stack_reserve_bytes = 1_024",
            "stack_reserve_bytes = 16_384",
            "stack_reserve_bytes and receive_buffer_bytes must be less than ram_bytes",
        ),
        ("cycles = 20_000", "cycles = 0", "firmware.flash_endurance_cycles: expected `int` >= 1"),
        ('endianness = "little"', 'endianness = "middle"', "endianness may be 'little', 'big'; invalid enum value"),
        ('["float32"]', '["float32", "bfloat16"]', "formats may be 'float32', 'float16', 'int8'; invalid enum value"),
        ('["float32"]', "[]", "formats: expected `array` of length >= 1"),
        ('["float32"]', '"float32"', "formats: expected `array`, got `str`"),
        ('endianness = "nrf51.svd', 'endianes = "nrf51.svd', "names no source for endianness; add it under [sources]"),
        ("page_bytes = 1_024", "page_bytes = 65_536", "there is no room for two slots"),
        ("ram_bytes = 16_384", "ram_bytes = 8_192", "'microbit' is a bundled board with another ram_bytes; give yours"),
        ("uart_tx_pin = 24", "uart_tx_pin = 23", "'microbit' is a bundled board with another firmware; give yours"),
        ("ram_bytes = 16_384", f"ram_bytes = 1{'0' * 5000}", "is not a TOML file"),
        ("fpu = false", f"fpu = {'[' * 100_000}", "is not a TOML file"),
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
    with pytest.raises(UsageError, match=r"own\.toml, line 1, is not a TOML file: byte 8 is not UTF-8"):
        Profile.load(path)


def test_without_the_firmware_table_a_profile_cannot_be_proven(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = re.sub(r"(?s)\[firmware\].*(?=\[sources\])", "", BUNDLED)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"own\.toml, line 4: a board whose status is .* \[firmware\] is needed"):
        Profile.load(path)
    path.write_text(text.replace('"proven"', '"datasheet only"').replace('"microbit"', '"mine"'), encoding="utf-8")
    assert Profile.load(path).firmware_limits is None


def test_a_board_without_firmware_says_so_and_names_those_that_have_one(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    own = BUNDLED.replace('name = "microbit"', 'name = "mine"')
    path.write_text(own, encoding="utf-8")
    with pytest.raises(UsageError, match=r"own\.toml, line \d: status: proven are the bundled boards"):
        Profile.load(path)
    path.write_text(own.replace('status = "proven"', 'status = "datasheet only"'), encoding="utf-8")
    with pytest.raises(
        IncompatibleError, match=r"no firmware for the board 'mine' yet; there is for microbit, microbit2, nano33ble"
    ):
        Profile.load(path).firmware_hex()


@pytest.mark.parametrize("field", FirmwareLimits.__struct_fields__)
def test_a_number_that_only_firmware_needs_is_refused_not_made_up(field: str) -> None:
    assert getattr(Profile.load("microbit"), field) >= 0
    with pytest.raises(IncompatibleError, match="no firmware for the board 'uno'"):
        getattr(Profile.load("uno"), field)


# ---- where it is wrong


def lines_of(text: str) -> ProfileText:
    return ProfileText("own.toml", Path(), text, tomllib.loads(text))


STATEMENTS = (
    """# a comment
name = '''
ram_bytes = 3
'''
"flash_bytes" = 1
firmware.page_bytes = [ # of an array
  1,

  2]
firmware."write\\u005fbytes" = """
    '"""a\n\nb"""'
    """

[sources]
ram_bytes = "x"  # = [
'core' = "a \\u2028 b\u2028c"
[a.b]
c = { d = 1, e = "]" }
"""
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("name", 2),
        ("flash_bytes", 5),
        ("firmware", 6),
        ("firmware.page_bytes", 6),
        ("firmware.write_bytes", 10),
        ("sources", 14),
        ("sources.ram_bytes", 15),
        ("sources.core", 16),
        ("a.b", 17),
        ("a.b.c", 18),
        ("a.b.c.e", 18),
    ],
)
def test_the_line_of_a_field_is_found_however_it_is_written(
    tmp_path: Path, field: str, line: int, newline: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(STATEMENTS.replace("\n", newline).encode())
    assert read_profile(path).texts[0].line(tuple(field.split("."))) == line


def test_a_field_at_the_end_of_a_long_file_is_found_at_once() -> None:
    text = "".join(f"field_{n} = {n}\n" for n in range(20_000))
    assert lines_of(text).line(("field_19998",)) == 19_999


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("ram_bytes = 16_384", 'ram_bytes = "16 kB"', 'ram_bytes = "16 kB"'),
        ("fpu = false", "fpu = false\ncolour = 1", "colour = 1"),
        ("page_bytes = 1_024", "page_byte = 1_024", "page_byte = 1_024"),
        ("erase_page_us = 22_300\n", "", "[firmware]"),
        ("payload_bytes = 512", "payload_bytes = 1_024", "payload_bytes = 1_024"),
        ("[sources]", "[sources]\ncore = 3", "core = 3"),
        ('ram_bytes = "nRF51822', 'ram_byte = "nRF51822', "ram_bytes = 16_384"),
        ('write_bytes = "nRF51', 'write_byte = "nRF51', "write_bytes = 4"),
        ('["float32"]', '["float32",\n"bfloat16"]', 'formats = ["float32",'),
    ],
)
def test_a_message_names_the_line_of_the_field(tmp_path: Path, old: str, new: str, line: str) -> None:
    path = tmp_path / "own.toml"
    text = BUNDLED.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        Profile.load(path)
    assert str(caught.value).startswith(f"the profile {path}, line {text.splitlines().index(line) + 1}: ")


def test_a_field_that_is_missing_altogether_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(BUNDLED.replace("clock_hz = 16_000_000\n", ""), encoding="utf-8")
    with pytest.raises(UsageError, match=r"own\.toml: object missing required field `clock_hz`"):
        Profile.load(path)


# ---- extends

HEAD = 'name = "mine"\ntitle = "Mine"\nstatus = "datasheet only"\n'


def extending(folder: Path, base: str, rest: str = "", name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(f'extends = "{base}"\n{HEAD}{rest}', encoding="utf-8")
    return path


def test_what_extends_a_board_is_it_but_for_what_it_sets(tmp_path: Path) -> None:
    own = Profile.load(
        extending(
            tmp_path,
            "microbit",
            "ram_bytes = 32_768\n[firmware]\nuart_tx_pin = 9\n"
            '[sources]\nram_bytes = "another order code: QFAC"\nuart_tx_pin = "my schematic: P0.09"\n',
        )
    )
    base = Profile.load("microbit")
    assert base.firmware_limits is not None
    assert (own.name, own.title, own.status, own.has_firmware) == ("mine", "Mine", "datasheet only", False)
    assert (own.ram_bytes, own.flash_bytes, own.clock_hz) == (32_768, base.flash_bytes, base.clock_hz)
    assert own.firmware_limits == msgspec.structs.replace(base.firmware_limits, uart_tx_pin=9)
    changed = {"ram_bytes": "another order code: QFAC", "uart_tx_pin": "my schematic: P0.09"}
    assert own.sources == base.sources | changed


def test_a_source_is_dropped_with_the_value_that_it_spoke_of(tmp_path: Path) -> None:
    assert "core" in Profile.load("nano33ble").sources
    assert "core" in Profile.load(extending(tmp_path, "nano33ble")).sources
    assert "core" not in Profile.load(extending(tmp_path, "nano33ble", 'core = "cortex-m0"\nfpu = false\n')).sources


def test_extending_goes_on_over_files_relative_to_each(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    extending(tmp_path / "far", "pico", 'chip = "rp2040b"\n', "base.toml")
    own = Profile.load(extending(tmp_path, "far/base.toml", 'ram_bytes = 8\n[sources]\nram_bytes = "choice: small"\n'))
    assert (own.chip, own.ram_bytes, own.flash_bytes) == ("rp2040b", 8, Profile.load("pico").flash_bytes)


@pytest.mark.parametrize(
    ("base", "rest", "says"),
    [
        (
            "microbit",
            "ram_bytes = 8_192",
            r"own\.toml, line 5: it names no source for ram_bytes, which it sets anew",
        ),
        ("microbit", "[firmware]\nuart_tx_pin = 9", r"own\.toml, line 6: it names no source for uart_tx_pin, which it"),
        ("pico", "clock_hz = -1", r"own\.toml, line 5: clock_hz: expected `int` >= 1"),
        ("pico", "flash = 1", r"own\.toml, line 5: object contains unknown field `flash`"),
        (
            "pico",
            'core = "cortex-m4f"',
            r"own\.toml, line 5: fpu is true for cortex-m4f and false for every other core",
        ),
        ("pico", "firmware = 3", r"own\.toml, line 5: firmware: expected `object`, got `int`"),
        ("pico", 'flash_wait_states = "two"', r"own\.toml, line 5: flash_wait_states: expected `int`, got `str`"),
        ("pico", "sources = 3", r"own\.toml, line 5: sources: expected `object`, got `int`"),
        ("nano", "", r"own\.toml, line 1: extends: there is no board 'nano'; boards are microbit, .* give the path"),
        ("gone.toml", "", r"own\.toml, line 1: extends: cannot read the profile .*gone\.toml: No such file"),
        ("a\\u0000b.toml", "", r"own\.toml, line 1: extends: .* cannot be the path of a file"),
        ("own.toml", "", r"own\.toml, line 1: extends goes round in a circle: \S*own\.toml -> \S*own\.toml$"),
    ],
)
def test_what_extends_wrongly_is_told_where(tmp_path: Path, base: str, rest: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Profile.load(extending(tmp_path, base, rest))


@pytest.mark.parametrize("base", ["3", "[1]", "true"])
def test_extends_takes_a_name(tmp_path: Path, base: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"{HEAD}extends = {base}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"own\.toml, line 4: extends takes the name of a bundled profile or the path"):
        Profile.load(path)


def test_a_circle_is_named_with_all_that_is_on_it(tmp_path: Path) -> None:
    first, second = extending(tmp_path, "./b.toml", name="a.toml"), extending(tmp_path, "c.toml", name="b.toml")
    third = extending(tmp_path, "b.toml", name="c.toml")
    with pytest.raises(UsageError) as caught:
        Profile.load(first)
    circle = f"{first} -> {second} -> {third} -> {second}"
    assert str(caught.value) == f"the profile {third}, line 1: extends goes round in a circle: {circle}"


@pytest.mark.parametrize("field", ["name", "title", "status"])
def test_what_a_board_says_of_itself_is_not_passed_on(tmp_path: Path, field: str) -> None:
    path = extending(tmp_path, "microbit")
    path.write_text(re.sub(rf"(?m)^{field} = .*\n", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"own\.toml: object missing required field `{field}`"):
        Profile.load(path)


def test_a_fault_of_the_file_that_is_extended_is_told_as_its_own(tmp_path: Path) -> None:
    base = extending(tmp_path, "microbit", "ram_bytes = 8_192", "base.toml")
    with pytest.raises(UsageError, match=rf"{base}, line 5: it names no source for ram_bytes"):
        Profile.load(extending(tmp_path, "base.toml"))
    with pytest.raises(UsageError, match=rf"{base}, line 5: it names no source for ram_bytes"):
        Profile.load(extending(tmp_path, "base.toml", '[sources]\nram_bytes = "choice: of another file"\n'))
    base.write_text(f'extends = "microbit"\n{HEAD}ram_bytes = true\n', encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{base}, line 5 \(which .*own\.toml extends\): ram_bytes: expected `int`"):
        Profile.load(extending(tmp_path, "base.toml"))


def test_the_bundled_profile_by_its_path_is_the_bundled_profile() -> None:
    path = Path(str(resources.files("nnlite") / "profiles" / "microbit.toml"))
    assert Profile.load(path) == Profile.load("microbit")
    assert Profile.load(path).has_firmware


@pytest.mark.parametrize("name", profile_names())
def test_a_bundled_profile_bears_the_name_of_its_file(name: str) -> None:
    assert Profile.load(name).name == name


# ---- whatever stands in a file


@given(
    cuts=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 40)), min_size=1, max_size=4),
    words=st.lists(
        st.sampled_from(
            ["=", '"', "'", "[", "]", "\n", "[firmware]", "-1", "1e9", "true", "extends", "\0", "\u2028", "#"]
        )
        | st.text(max_size=4),
        min_size=4,
        max_size=4,
    ),
)
def test_a_spoilt_profile_loads_or_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]], words: list[str]
) -> None:
    text = BUNDLED
    for (at, count), word in zip(cuts, words, strict=False):
        text = text[:at] + word + text[at + count :]
    path = tmp_path_factory.getbasetemp() / "spoilt.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = refusal(path)
    line = re.match(rf"the profile {path}, line (\d+)\b", said or "")
    assert said is None or str(path) in said
    assert line is None or 1 <= int(line[1]) <= text.count("\n") + 1


def refusal(path: Path) -> str | None:
    try:
        Profile.load(path)
    except UsageError as error:
        return str(error)
    return None
