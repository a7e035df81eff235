"""A board's limits, read from a TOML file that names the source of every number.

Also tells where the board's prebuilt firmware lies. Whether a network fits is the
planner's business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from nnlite.errors import IncompatibleError, PathError, UsageError

__all__ = ["FirmwareMetadata", "Profile", "Symbol", "profile_names"]

_Count = Annotated[int, msgspec.Meta(ge=1, lt=2**32)]
_Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
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


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Limits of one board. Lengths in bytes, times in microseconds, rates in baud and hertz.

    `status` is "proven" when firmware exists and its figures were held against the
    running chip, else "datasheet only". `sources` names where each number comes from.
    """

    name: _Text
    title: _Text
    status: Literal["proven", "datasheet only"]
    chip: _Text
    core: Literal["cortex-m0", "cortex-m4f"]
    fpu: bool
    clock_hz: _Count
    flash_start: _Address
    flash_bytes: _Count
    firmware_reserve_bytes: _Count
    page_bytes: _Count
    write_bytes: _Count
    erase_page_us: _Count
    write_word_us: _Count
    ram_start: _Address
    ram_bytes: _Count
    stack_reserve_bytes: _Count
    uart_baud: _Count
    uart_fifo_bytes: _Count
    uart_tx_pin: Annotated[int, msgspec.Meta(ge=0, le=63)]
    uart_rx_pin: Annotated[int, msgspec.Meta(ge=0, le=63)]
    receive_buffer_bytes: _Count
    payload_bytes: _Count
    sources: dict[str, str]

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
                content = Path(name_or_path).read_bytes()
            except OSError as error:
                raise PathError(f"cannot read the profile {text}: {error.strerror}") from error
        try:
            profile = msgspec.toml.decode(content, type=cls)
        except msgspec.ValidationError as error:
            raise UsageError(f"the profile {text} is not usable: {error}") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"the profile {text} is not a TOML file: {error}") from error
        profile._check(text)
        return profile

    def _check(self, where: str) -> None:
        if self.flash_start % self.page_bytes or self.slot_bytes < 2 * self.page_bytes:
            raise UsageError(f"the profile {where} leaves no room for two slots of at least two pages")
        if self.payload_bytes * 4 > self.receive_buffer_bytes:
            raise UsageError(f"the profile {where}: payload_bytes may be a quarter of receive_buffer_bytes at most")
        missing = [n for n in _SOURCED if n not in self.sources]
        if missing:
            raise UsageError(f"the profile {where} names no source for {', '.join(missing)}; add it under [sources]")

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
        folder = resources.files("nnlite") / "firmware" / "prebuilt"
        try:
            return _Prebuilt(
                (folder / f"{self.name}.hex").read_text(encoding="ascii"),
                (folder / f"{self.name}.json").read_bytes(),
            )
        except FileNotFoundError:
            raise IncompatibleError(f"there is no firmware for the board '{self.name}' yet") from None

    def firmware_hex(self) -> str:
        """The prebuilt firmware as Intel HEX."""
        return self._prebuilt.hex

    @cached_property
    def firmware(self) -> FirmwareMetadata:
        """What is known about the prebuilt firmware."""
        return msgspec.json.decode(self._prebuilt.metadata, type=FirmwareMetadata)

    def firmware_metadata(self) -> dict[str, object]:
        """The same as plain values, as it lies in the JSON file."""
        content = json.loads(self._prebuilt.metadata)
        assert isinstance(content, dict)
        return content


_SOURCED = (
    "clock_hz",
    "flash_bytes",
    "firmware_reserve_bytes",
    "page_bytes",
    "write_bytes",
    "erase_page_us",
    "write_word_us",
    "ram_bytes",
    "stack_reserve_bytes",
    "uart_baud",
    "uart_fifo_bytes",
    "uart_tx_pin",
    "uart_rx_pin",
    "receive_buffer_bytes",
    "payload_bytes",
)


@dataclass(frozen=True)
class _Prebuilt:
    hex: str
    metadata: bytes


def profile_names() -> tuple[str, ...]:
    """Names of the bundled profiles, sorted."""
    folder = resources.files("nnlite") / "profiles"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))
