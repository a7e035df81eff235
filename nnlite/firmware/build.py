"""Compile and link the firmware of one board with the Clang that comes in the ziglang package.

Gives an ELF file; what is read out of it (HEX, symbols, stack) is `elf`'s business.
The same sources and the same compiler give the same bytes from any folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path

from nnlite import __version__
from nnlite.errors import IncompatibleError
from nnlite.profile import Profile

__all__ = ["FIRMWARE_VERSION", "TARGETS", "board_config", "build_elf", "build_program", "compiler"]

#: the firmware is part of the package and says so in HELLO
FIRMWARE_VERSION = __version__

#: the compiler's options for a core
TARGETS = {
    "cortex-m0": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0"],
    "cortex-m4f": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"],
}
#: start-up and errata of a chip, in boards/nrf
_CHIPS = {
    "nrf51822": ("startup_nrf51822.c", "errata_nrf51822.c"),
    "nrf52833": ("startup_nrf52.c", "errata_nrf52.c"),
    "nrf52840": ("startup_nrf52.c", "errata_nrf52.c"),
}
_FLAGS = [
    "-std=c99",
    "-O2",
    "-g",
    "-fno-unroll-loops",
    "-fomit-frame-pointer",
    "-ffp-contract=off",
    "-ffreestanding",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-unwind-tables",  # nothing here unwinds, and they are flash
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Werror",
]


def compiler() -> list[str]:
    """The command that runs the compiler.

    Raises
    ------
    IncompatibleError : the ziglang package is not installed.
    """
    try:
        metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        raise IncompatibleError(
            "building firmware needs the package ziglang; install it, or use the prebuilt image"
        ) from None
    return [sys.executable, "-m", "ziglang", "cc"]


def board_config(profile: Profile, **others: str) -> str:
    """What the C sources include as board_config.h; `others` take the place of the profile's values, or are more."""
    values = {
        "BOARD_NAME": f'"{profile.name}"',
        "FIRMWARE_VERSION": f'"{FIRMWARE_VERSION}"',
        "CLOCK_HZ": f"{profile.clock_hz}u",
        "PAGE_BYTES": f"{profile.page_bytes}u",
        "WRITE_BYTES": f"{profile.write_bytes}u",
        "RUNS_WHILE_WRITING": f"{int(profile.runs_while_writing)}",
        "ERASE_PAGE_US": f"{profile.erase_page_us}u",
        "SLOTS_ADDRESS": f"{profile.slot_address(0):#x}u",
        "SLOT_BYTES": f"{profile.slot_bytes}u",
        "SLOT_IMAGE_BYTES": f"{profile.slot_image_bytes}u",
        "UART_BAUD": f"{profile.uart_baud}u",
        "UART_FAST_BAUD": f"{profile.uart_fast_baud}u",
        "UART_TX_PIN": f"{profile.uart_tx_pin}u",
        "UART_RX_PIN": f"{profile.uart_rx_pin}u",
        "RECEIVE_BUFFER_BYTES": f"{profile.receive_buffer_bytes}u",
        "PAYLOAD_BYTES": f"{profile.payload_bytes}u",
    }
    lines = [f"#define {name} {value}" for name, value in (values | others).items()]
    return "\n".join(["/* Written by the build from the board's profile. */", *lines, ""])


def _memory(profile: Profile) -> str:
    return (
        "MEMORY\n{\n"
        f"    FLASH ( rx ) : ORIGIN = {profile.flash_start:#x}, LENGTH = {profile.firmware_reserve_bytes:#x}\n"
        f"    RAM ( rwx ) : ORIGIN = {profile.ram_start:#x}, LENGTH = {profile.ram_bytes:#x}\n"
        "}\n"
        f"STACK_BYTES = {profile.stack_reserve_bytes};\n"
    )


def build_elf(profile: Profile, folder: Path, version: str = FIRMWARE_VERSION) -> Path:
    """Compile and link the firmware into `folder`; returns the path of the ELF file.

    Parameters
    ----------
    version : of the firmware, as HELLO tells it: another one for a test of an update.

    Raises
    ------
    IncompatibleError : no compiler, or the sources do not compile (with what the compiler said).
    """
    with resources.as_file(resources.files("nnlite") / "firmware") as firmware:
        return build_program(profile, folder, [firmware / "main.c"], version)


def build_program(profile: Profile, folder: Path, program: Sequence[Path], version: str = FIRMWARE_VERSION) -> Path:
    """The same with other sources in the place of main.c: of the firmware's, what they call is linked, and no more.

    Raises
    ------
    IncompatibleError : no compiler, no start-up code for the chip, or the sources do not compile (with what the
        compiler said).
    """
    if profile.chip not in _CHIPS:
        raise IncompatibleError(
            f"no start-up code for the chip of {profile.name}, {profile.chip}; there is for {', '.join(_CHIPS)}"
        )
    folder = folder.resolve()
    (folder / "board_config.h").write_text(board_config(profile, FIRMWARE_VERSION=f'"{version}"'), encoding="ascii")
    (folder / "memory.ld").write_text(_memory(profile), encoding="ascii")
    elf = folder / f"{profile.name}.elf"
    with resources.as_file(resources.files("nnlite")) as package:
        firmware = package / "firmware"
        family = firmware / "boards" / "nrf"
        parts = {*firmware.glob("*.c")} - {firmware / "main.c"}
        sources = [*sorted((package / "runtime").glob("*.c")), *sorted([*parts, *program])]
        sources += [family / name for name in ("hal.c", "nvmc.c", "startup.c", *_CHIPS[profile.chip])]
        command = [*compiler(), *TARGETS[profile.core], *_FLAGS, f"-I{folder}", f"-I{package / 'runtime'}"]
        command += [
            *map(str, sources),
            "-T",
            str(family / "firmware.ld"),
            "-Wl,--gc-sections",
            "-Wl,--entry=startup_reset",
            "-o",
            str(elf),
        ]
        # The linker looks for memory.ld in the folder it runs in.
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if result.returncode != 0:
        raise IncompatibleError(f"the firmware of {profile.name} does not build:\n{result.stderr.strip()}")
    return elf
