"""A board's limits, read from TOML files that name the source of every number.

Also tells where the board's prebuilt firmware lies. Whether a network fits is the
planner's business. How to write one's own is in docs/PROFILES.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from nnlite.errors import IncompatibleError, UsageError
from nnlite.profile_file import EXTENDS, Field, ProfileTexts, profile_names, read_profile

__all__ = ["FirmwareLimits", "FirmwareMetadata", "Profile", "Symbol", "profile_names"]

_Count = Annotated[int, msgspec.Meta(ge=1, lt=2**32)]
_Waits = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Pin = Annotated[int, msgspec.Meta(ge=0, le=63)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
#: it becomes a text in C, a field of HELLO, and part of the prebuilt files' names
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
_Status = Literal["proven", "datasheet only"]
_Core = Literal["avr8", "cortex-m0", "cortex-m0+", "cortex-m4f"]
_Endianness = Literal["little", "big"]
_Format = Literal["float32", "float16", "int8"]


class Symbol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a function or an object of the firmware lies. Thumb bit cleared."""

    address: int
    size: int


class FirmwareMetadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `scripts/build_firmware` found out about a prebuilt image.

    Attributes
    ----------
    flash_bytes : bytes of code and constants in flash, the initial values of .data included.
    static_bytes : bytes of .data and .bss.
    arena_bytes : bytes left in RAM for networks.
    stack_bytes : deepest stack, by the call graph of the machine code.
    stack_bytes_of : the same for a board that is used for "inference", or on top of that for learning with "sgd",
        "momentum" or "adam".
    step_stack_bytes : what a training step with one sample and plain SGD takes of the stack, not counting its callers.
    symbols : functions and objects by name.
    """

    board: str
    firmware: str
    flash_bytes: int
    static_bytes: int
    arena_bytes: int
    stack_bytes: int
    stack_bytes_of: dict[str, int]
    step_stack_bytes: int
    symbols: dict[str, Symbol]


class FirmwareLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a firmware and its simulator need to know of a board: the table [firmware] of a profile.

    Lengths in bytes, times in microseconds. `flash_start` and `ram_start` are addresses; the pins are numbers as PSEL
    takes them; `flash_endurance_cycles` is how often a page may be erased, None where no source says. docs/PROFILES.md
    says what each is for.
    """

    flash_start: _Address
    firmware_reserve_bytes: _Count
    page_bytes: _Count
    write_bytes: _Count
    erase_page_us: _Count
    runs_while_writing: bool
    write_word_us: _Count
    ram_start: _Address
    stack_reserve_bytes: _Count
    uart_baud: _Count
    uart_fast_baud: _Count
    uart_fifo_bytes: _Count
    uart_tx_pin: _Pin
    uart_rx_pin: _Pin
    receive_buffer_bytes: _Count
    payload_bytes: _Count
    flash_endurance_cycles: _Count | None = None


class _OfFirmware:
    """A number of the table [firmware], read as if it were the profile's own.

    Raises IncompatibleError where the profile has no such table: whoever asks for it wants to build, simulate or flash.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, profile: Profile, owner: type) -> int:
        if profile.firmware_limits is None:
            raise _no_firmware(profile.name)
        value = getattr(profile.firmware_limits, self._name)
        assert isinstance(value, int)
        return value


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Limits of one board. Lengths in bytes, times in microseconds, rates in baud and hertz.

    Attributes
    ----------
    name, title, chip : the board's name, as `load` takes it, and what people and the maker call board and chip.
    status : "proven" when firmware exists and its figures were held against it running, else "datasheet only".
    core, fpu, clock_hz : of the CPU; whether it computes floats itself.
    endianness : order of the bytes in a number, "little" or "big". Images are little-endian and read in place.
    formats : in which parameters may lie in flash. Networks of this version are "float32".
    flash_bytes, ram_bytes : all that there is.
    sources : where each number comes from, by field.
    flash_wait_states : most cycles that a fetch from flash waits for; None where no source says. A plan's cycles are
        counted without them, and it says so.
    firmware_limits : None for a board that no firmware was written for. The numbers in it can be read from the profile
        itself (`profile.page_bytes`), which raises IncompatibleError where there are none.
    """

    name: _Name
    title: _Text
    status: _Status
    chip: _Text
    core: _Core
    fpu: bool
    clock_hz: _Count
    endianness: _Endianness
    formats: Annotated[tuple[_Format, ...], msgspec.Meta(min_length=1)]
    flash_bytes: _Count
    ram_bytes: _Count
    sources: dict[str, _Text]
    flash_wait_states: _Waits | None = None
    firmware_limits: FirmwareLimits | None = msgspec.field(default=None, name="firmware")

    flash_start = _OfFirmware()
    firmware_reserve_bytes = _OfFirmware()
    page_bytes = _OfFirmware()
    write_bytes = _OfFirmware()
    erase_page_us = _OfFirmware()
    runs_while_writing = _OfFirmware()
    write_word_us = _OfFirmware()
    ram_start = _OfFirmware()
    stack_reserve_bytes = _OfFirmware()
    uart_baud = _OfFirmware()
    uart_fast_baud = _OfFirmware()
    uart_fifo_bytes = _OfFirmware()
    uart_tx_pin = _OfFirmware()
    uart_rx_pin = _OfFirmware()
    receive_buffer_bytes = _OfFirmware()
    payload_bytes = _OfFirmware()

    @classmethod
    def load(cls, name_or_path: str | Path) -> Profile:
        """A bundled profile by name, or one's own by the path of a TOML file.

        Raises
        ------
        UsageError : no bundled profile of that name, or a field that is wrong or missing.
        PathError : the file is missing or cannot be read.
        """
        texts = read_profile(name_or_path)
        merged = texts.merged()
        try:
            profile = msgspec.convert(merged, cls)
        except msgspec.ValidationError as error:
            field, message = _readable(error, merged)
            raise texts.error(message, field) from error
        profile._check(texts)
        if texts.texts[0].folder is not None:
            profile._check_own(texts)
        return profile

    def _check_own(self, texts: ProfileTexts) -> None:
        """By its name a board has its prebuilt firmware, so that another one must not bear it; and what was proven is
        that firmware.
        """
        if self.name not in profile_names():
            if self.status == "proven":
                raise texts.error(
                    "status: proven are the bundled boards, whose firmware was run; this one's is 'datasheet only'",
                    ("status",),
                )
            return
        bundled = Profile.load(self.name)
        for field, name in zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True):
            if field not in ("title", "sources") and getattr(self, field) != getattr(bundled, field):
                raise texts.error(
                    f"name: '{self.name}' is a bundled board with another {name}; give yours another name", ("name",)
                )

    def _check(self, texts: ProfileTexts) -> None:
        if self.fpu != (self.core in _WITH_FPU):
            having = f"is true for {', '.join(_WITH_FPU)} and false for every other core"
            raise texts.error(f"fpu {having}, and core is {self.core}", ("fpu",), ("core",))
        if self.status == "proven" and self.firmware_limits is None:
            raise texts.error(
                "a board whose status is proven has firmware, so the table [firmware] is needed; "
                "without it the status is 'datasheet only'",
                ("status",),
            )
        if self.firmware_limits is not None:
            self._check_firmware(texts)
        for text in texts.texts:
            sets = (text.sets(None) & _SOURCED) | (text.sets("firmware") & _SOURCED_OF_FIRMWARE)
            missing = sorted(sets - text.sets("sources"), key=_ORDER.index)
            if missing:
                anew = ", which it sets anew" if EXTENDS in text.table else ""
                raise ProfileTexts((text,)).error(
                    f"it names no source for {', '.join(missing)}{anew}; add it under [sources]",
                    *((missing[0],), ("firmware", missing[0])),
                )
        unknown = sorted(set(self.sources) - {*_ORDER})
        if unknown:
            raise texts.error(
                f"it has a source for {', '.join(unknown)}, which is no field of a profile", ("sources", unknown[0])
            )

    def _check_firmware(self, texts: ProfileTexts) -> None:
        def error(message: str, *names: str) -> UsageError:
            return texts.error(message, *(("firmware", name) for name in names), *((name,) for name in names))

        if self.flash_start % self.page_bytes:
            raise error(
                f"flash_start must be a multiple of page_bytes, {self.page_bytes:,}", "flash_start", "page_bytes"
            )
        if self.slot_bytes < 2 * self.page_bytes:
            raise error(
                f"there is no room for two slots of at least two pages: flash_bytes, {self.flash_bytes:,}, must be at "
                f"least firmware_reserve_bytes and four pages, {self.firmware_reserve_bytes + 4 * self.page_bytes:,}",
                *("firmware_reserve_bytes", "page_bytes", "flash_bytes"),
            )
        if self.firmware_reserve_bytes % self.page_bytes or self.page_bytes % self.write_bytes:
            raise error(
                f"firmware_reserve_bytes must be a multiple of page_bytes, {self.page_bytes:,}, and that one of "
                f"write_bytes, {self.write_bytes:,}",
                *("firmware_reserve_bytes", "page_bytes", "write_bytes"),
            )
        if self.uart_tx_pin == self.uart_rx_pin:
            raise error("uart_tx_pin and uart_rx_pin are the same pin", "uart_rx_pin", "uart_tx_pin")
        if self.payload_bytes * 4 > self.receive_buffer_bytes:
            raise error(
                f"payload_bytes may be a quarter of receive_buffer_bytes at most, {self.receive_buffer_bytes // 4:,}",
                *("payload_bytes", "receive_buffer_bytes"),
            )
        if self.stack_reserve_bytes + self.receive_buffer_bytes >= self.ram_bytes:
            raise error(
                f"stack_reserve_bytes and receive_buffer_bytes must be less than ram_bytes, {self.ram_bytes:,}",
                *("stack_reserve_bytes", "receive_buffer_bytes", "ram_bytes"),
            )

    @property
    def slot_bytes(self) -> int:
        """Bytes of one of the two slots: half of what the firmware leaves, in whole pages."""
        pages = (self.flash_bytes - self.firmware_reserve_bytes) // self.page_bytes
        return pages // 2 * self.page_bytes

    @property
    def slot_image_bytes(self) -> int:
        """Bytes of the largest image a slot holds: the slot less its record page."""
        return self.slot_bytes - self.page_bytes

    def slot_address(self, slot: int) -> int:
        """Address of the record page of slot 0 or 1."""
        return self.flash_start + self.firmware_reserve_bytes + slot * self.slot_bytes

    @property
    def flash_endurance_cycles(self) -> int | None:
        """How often a page may be erased; None where no source says."""
        if self.firmware_limits is None:
            raise _no_firmware(self.name)
        return self.firmware_limits.flash_endurance_cycles

    @cached_property
    def _prebuilt(self) -> _Prebuilt:
        try:
            return _Prebuilt(
                (_PREBUILT / f"{self.name}.hex").read_text(encoding="ascii"),
                (_PREBUILT / f"{self.name}.json").read_bytes(),
            )
        except FileNotFoundError:
            raise _no_firmware(self.name) from None

    @property
    def has_firmware(self) -> bool:
        """Whether a prebuilt firmware comes with the package."""
        try:
            self.require_firmware()
        except IncompatibleError:
            return False
        return True

    def require_firmware(self) -> None:
        """Raise IncompatibleError, which names the boards that have one, where no firmware comes with the package."""
        _ = self._prebuilt

    def firmware_hex(self) -> str:
        """The prebuilt firmware as Intel HEX."""
        return self._prebuilt.hex

    def firmware_lines(self) -> str:
        """Which source line of the prebuilt firmware lies where, as `firmware_sim.lines` writes it."""
        self.require_firmware()
        return (_PREBUILT / f"{self.name}.lines").read_text(encoding="ascii")

    def firmware_cycles(self) -> bytes:
        """What the prebuilt firmware's functions cost, as `nnlite.cycles` reads it."""
        self.require_firmware()
        return (_PREBUILT / f"{self.name}.cycles.json").read_bytes()

    @cached_property
    def firmware(self) -> FirmwareMetadata:
        """What is known about the prebuilt firmware."""
        return msgspec.json.decode(self._prebuilt.metadata, type=FirmwareMetadata)


#: what needs a source
_SOURCED = {"clock_hz", "endianness", "flash_bytes", "ram_bytes", "flash_wait_states"}
#: where flash and RAM begin is the chip family's memory map, not a limit of the board
_SOURCED_OF_FIRMWARE = {*FirmwareLimits.__struct_fields__} - {"flash_start", "ram_start"}
#: every field, in the order of the schema
_ORDER = (*Profile.__struct_fields__, *FirmwareLimits.__struct_fields__)
_ALLOWED = {
    name: get_args(choice)
    for name, choice in {"status": _Status, "core": _Core, "endianness": _Endianness, "formats": _Format}.items()
}
_WITH_FPU = ("cortex-m4f",)
_PREBUILT = resources.files("nnlite") / "firmware" / "prebuilt"


def _no_firmware(name: str) -> IncompatibleError:
    there = sorted(p.name.removesuffix(".hex") for p in _PREBUILT.iterdir() if p.name.endswith(".hex"))
    return IncompatibleError(f"there is no firmware for the board '{name}' yet; there is for {', '.join(there)}")


def _readable(error: msgspec.ValidationError, merged: dict[str, Any]) -> tuple[Field, str]:
    """Which field msgspec complains of, and what it found, the field first, with what is allowed where msgspec keeps it
    to itself.
    """
    what, _, path = str(error).partition(" - at `$.")
    what = what[:1].lower() + what[1:].replace(" | null", "")  # which TOML has not
    field = tuple(path.rstrip("`").replace("[...]", "").partition("[")[0].split(".")) if path else ()
    if path.endswith("[...]`"):  # msgspec does not name the key
        field += tuple(name for name, source in merged["sources"].items() if not isinstance(source, str) or not source)[
            :1
        ]
    dotted = ".".join(field)
    if "matching regex" in what:
        return field, f"{dotted} may be 1 to 32 small letters, digits, '_' and '-', a letter or digit first"
    if what.startswith("invalid enum value"):
        return field, f"{dotted} may be {', '.join(map(repr, _ALLOWED[field[0]]))}; {what}"
    if what.startswith("object contains unknown field"):
        known = FirmwareLimits.__struct_fields__ if field else (*Profile.__struct_encode_fields__, EXTENDS)
        what = f"{what}; known are {', '.join(known)}"
        return (*field, what.split("`")[1]), f"{dotted + ': ' if dotted else ''}{what}"
    return field, f"{dotted + ': ' if dotted else ''}{what}"


@dataclass(frozen=True)
class _Prebuilt:
    hex: str
    metadata: bytes
