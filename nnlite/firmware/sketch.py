"""The firmware as an Arduino sketch, for a board whose bootloader and USB belong to Arduino's core.

The portable sources as they are, one HAL over Arduino's `Serial`, and a configuration of its own: the bootloader and
the sketch take the lower half of flash, the slots the upper one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from nnlite.errors import IncompatibleError, UsageError
from nnlite.firmware.build import board_config
from nnlite.profile import Profile

__all__ = ["sketch_files"]


@dataclass(frozen=True)
class _Limits:
    """What a sketch has of a board: slots above itself, and RAM that the core leaves.

    Attributes
    ----------
    slots_address : where the first of the two slots begins; they reach to the end of flash.
    arena_bytes : of RAM, for the work of networks.
    """

    slots_address: int
    arena_bytes: int


#: choices: a sketch may grow to 448 kB behind the bootloader's 64; half of RAM is left to Arduino's core and its heap
_BOARDS = {"nano33ble": _Limits(0x80000, 131_072)}
_HAL = ("arduino/hal.cpp", "nrf/nvmc.c", "nrf/registers.h")
#: Arduino's compiler is told neither: operations must not be fused, and the firmware reads bytes as words
_FLAGS = """\
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off", "no-strict-aliasing")
#endif
"""


def sketch_files(profile: Profile, name: str) -> dict[str, str]:
    """Path -> text of a sketch, which lies in a folder of the same name.

    Raises
    ------
    IncompatibleError : the board takes a .hex instead, or has no firmware.
    UsageError : Arduino's IDE opens no sketch of that name.
    """
    profile.require_firmware()
    if profile.name not in _BOARDS:
        raise IncompatibleError(
            f"the firmware of {profile.name} is no sketch, and takes no --to: it is a .hex; "
            f"there is a sketch for {', '.join(_BOARDS)}"
        )
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", name):
        raise UsageError(
            f"Arduino opens no sketch that is called {name!r}; name the folder with letters, digits, - and _"
        )
    limits = _BOARDS[profile.name]
    firmware = resources.files("nnlite") / "firmware"
    files = {
        f"{name}.ino": _text(firmware / "boards" / "arduino" / "sketch.ino"),
        "src/firmware/board_config.h": _config(profile, limits),
    }
    files |= {f"src/runtime/{file}": text for file, text in _sources(resources.files("nnlite") / "runtime")}
    files |= {f"src/firmware/{file}": text for file, text in _sources(firmware) if file != "main.c"}
    files |= {f"src/firmware/boards/{file}": _text(firmware / "boards" / file) for file in _HAL}
    return {file: _FLAGS + text if file.endswith(".c") else text for file, text in files.items()}


def _text(file: Traversable) -> str:
    return file.read_text(encoding="ascii")


def _sources(folder: Traversable) -> Iterator[tuple[str, str]]:
    """Name and text of the C in a folder."""
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith((".c", ".h")):
            yield file.name, _text(file)


def _config(profile: Profile, limits: _Limits) -> str:
    slot = (profile.flash_start + profile.flash_bytes - limits.slots_address) // 2 // profile.page_bytes
    return board_config(
        profile,
        RUNS_WHILE_WRITING="0 /* Arduino's core lies in flash */",
        SLOTS_ADDRESS=f"{limits.slots_address:#x}u /* the sketch must end below */",
        SLOT_BYTES=f"{slot * profile.page_bytes}u",
        SLOT_IMAGE_BYTES=f"{(slot - 1) * profile.page_bytes}u",
        ARENA_BYTES=f"{limits.arena_bytes}u",
        UART_FAST_BAUD=f"{profile.uart_baud}u /* USB has no rate, and the core takes an interrupt for each byte */",
        BOARD_LINE="Serial /* USB; Serial1 for the pins TX and RX */",
    )
