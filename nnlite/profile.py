"""A board's limits, read from a TOML file that names the source of every number.

Also tells where the board's prebuilt firmware lies. Whether a network fits is the
planner's business. How to write one's own is in docs/PROFILES.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec

from nnlite.errors import IncompatibleError, PathError, UsageError
from nnlite.files import check_path

__all__ = ["FirmwareLimits", "FirmwareMetadata", "Profile", "Symbol", "profile_names"]

_Count = Annotated[int, msgspec.Meta(ge=1, lt=2**32)]
_Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Pin = Annotated[int, msgspec.Meta(ge=0, le=63)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


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
    symbols : functions and objects by name.
    """

    board: str
    firmware: str
    flash_bytes: int
    static_bytes: int
    arena_bytes: int
    stack_bytes: int
    symbols: dict[str, Symbol]


class FirmwareLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a firmware and its simulator need to know of a board: the table [firmware] of a profile.

    Lengths in bytes, times in microseconds. `flash_start` and `ram_start` are addresses; the pins are numbers as PSEL
    takes them. docs/PROFILES.md says what each is for.
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
    flash_bytes, ram_bytes : all that there is.
    sources : where each number comes from, by field.
    firmware_limits : None for a board that no firmware was written for. The numbers in it can be read from the profile
        itself (`profile.page_bytes`), which raises IncompatibleError where there are none.
    """

    name: _Text
    title: _Text
    status: Literal["proven", "datasheet only"]
    chip: _Text
    core: Literal["avr8", "cortex-m0", "cortex-m0+", "cortex-m4f"]
    fpu: bool
    clock_hz: _Count
    flash_bytes: _Count
    ram_bytes: _Count
    sources: dict[str, _Text]
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
        text = str(name_or_path)
        if isinstance(name_or_path, str) and not text.endswith(".toml"):
            if text not in profile_names():
                raise UsageError(
                    f"there is no board '{text}'; boards are {', '.join(profile_names())}, "
                    "or give the path of a .toml profile"
                )
            content = (resources.files("nnlite") / "profiles" / f"{text}.toml").read_bytes()
        else:
            try:
                content = check_path(name_or_path).read_bytes()
            except OSError as error:
                raise PathError(
                    f"cannot read the profile {text}: {error.strerror}; name a file that can be read"
                ) from error
        try:
            profile = msgspec.toml.decode(content, type=cls)
        except msgspec.ValidationError as error:
            raise UsageError(f"the profile {text} is not usable: {_readable(error, cls)}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the profile {text} is not a TOML file: byte {error.start} is not UTF-8 text") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"the profile {text} is not a TOML file: {error}") from error
        profile._check(text)
        return profile

    def _check(self, where: str) -> None:
        if self.fpu != (self.core in _WITH_FPU):
            having = f"is true for {', '.join(_WITH_FPU)} and false for every other core"
            raise UsageError(f"the profile {where}: fpu {having}, and core is {self.core}")
        if self.status == "proven" and self.firmware_limits is None:
            raise UsageError(
                f"the profile {where}: a board whose status is proven has firmware, so the table [firmware] is needed; "
                "without it the status is 'datasheet only'"
            )
        if self.firmware_limits is not None:
            self._check_firmware(where)
        sourced = [*_SOURCED, *(_SOURCED_OF_FIRMWARE if self.firmware_limits is not None else ())]
        missing = [n for n in sourced if n not in self.sources]
        if missing:
            raise UsageError(f"the profile {where} names no source for {', '.join(missing)}; add it under [sources]")
        known = {*self.__struct_fields__, *FirmwareLimits.__struct_fields__}
        unknown = sorted(set(self.sources) - known)
        if unknown:
            raise UsageError(
                f"the profile {where} has a source for {', '.join(unknown)}, which is no field of a profile"
            )

    def _check_firmware(self, where: str) -> None:
        if self.flash_start % self.page_bytes or self.slot_bytes < 2 * self.page_bytes:
            raise UsageError(
                f"the profile {where} leaves no room for two slots of at least two pages; flash_start must be a "
                "multiple of page_bytes, and flash_bytes at least firmware_reserve_bytes and four pages"
            )
        if self.payload_bytes * 4 > self.receive_buffer_bytes:
            raise UsageError(f"the profile {where}: payload_bytes may be a quarter of receive_buffer_bytes at most")
        if self.stack_reserve_bytes >= self.ram_bytes:
            raise UsageError(f"the profile {where}: stack_reserve_bytes must be less than ram_bytes")

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

    @cached_property
    def firmware(self) -> FirmwareMetadata:
        """What is known about the prebuilt firmware."""
        return msgspec.json.decode(self._prebuilt.metadata, type=FirmwareMetadata)


#: numbers that need a source
_SOURCED = ("clock_hz", "flash_bytes", "ram_bytes")
#: where flash and RAM begin is the chip family's memory map, not a limit of the board
_SOURCED_OF_FIRMWARE = tuple(n for n in FirmwareLimits.__struct_fields__ if n not in {"flash_start", "ram_start"})
_WITH_FPU = ("cortex-m4f",)
_PREBUILT = resources.files("nnlite") / "firmware" / "prebuilt"


def _no_firmware(name: str) -> IncompatibleError:
    there = sorted(p.name.removesuffix(".hex") for p in _PREBUILT.iterdir() if p.name.endswith(".hex"))
    return IncompatibleError(f"there is no firmware for the board '{name}' yet; there is for {', '.join(there)}")


def _readable(error: msgspec.ValidationError, profile: type[Profile]) -> str:
    """What msgspec found, with the field first and what is allowed where msgspec keeps it to itself."""
    message = str(error)
    what, _, path = message.partition(" - at `$.")
    field = path.rstrip("`")
    if what.startswith("Invalid enum value"):
        allowed = get_args(get_type_hints(profile)[field])
        return f"{field} may be {', '.join(map(repr, allowed))}; {what[:1].lower()}{what[1:]}"
    if what.startswith("Object contains unknown field"):
        known = FirmwareLimits.__struct_fields__ if field else profile.__struct_encode_fields__
        what = f"{what}; known are {', '.join(known)}"
    return f"{field + ': ' if field else ''}{what[:1].lower()}{what[1:]}"


@dataclass(frozen=True)
class _Prebuilt:
    hex: str
    metadata: bytes


def profile_names() -> tuple[str, ...]:
    """Names of the bundled profiles, sorted."""
    folder = resources.files("nnlite") / "profiles"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))
