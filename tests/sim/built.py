"""Firmware of the tests, built with debugging information by the compiler that builds the project's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

FOLDER = Path(__file__).resolve().parent / "firmware"
_TARGETS = {
    "microbit": ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0", "-DTX_PIN=24"),
    "microbit2": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp", "-DTX_PIN=6"),
}
_FLAGS = ("-std=c99", "-g", "-ffreestanding", "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror")


@lru_cache(maxsize=1)
def _builds() -> Path:
    return Path(mkdtemp(prefix="nnlite-tests-"))


@lru_cache(maxsize=32)
def elf(board: str, source: str, optimise: str = "-O1") -> Path:
    """An ELF file of `firmware/<source>` with start-up code, for a board."""
    path = _builds() / f"{board}-{Path(source).stem}{optimise}.elf"
    files: Sequence[str] = [str(FOLDER / name) for name in ("start.c", source)]
    script = f"-Wl,-T,{FOLDER / 'cortex_m.ld'}"
    command = [sys.executable, "-m", "ziglang", "cc", *_TARGETS[board], *_FLAGS, optimise, *files, script]
    subprocess.run([*command, "-o", str(path)], check=True, cwd=FOLDER)
    return path


def line_of(source: str, mark: str) -> int:
    """Number of the line of `firmware/<source>` that has a comment which begins with `mark`."""
    lines = (FOLDER / source).read_text(encoding="ascii").splitlines()
    found = [n for n, line in enumerate(lines, start=1) if f"/* {mark} */" in line or f"/* {mark}:" in line]
    assert len(found) == 1, mark
    return found[0]
