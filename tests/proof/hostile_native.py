"""Hostile images into the firmware's own checks and slots, built natively with sanitizers."""

from __future__ import annotations

import subprocess
from collections import Counter
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from nnlite.firmware.build import board_config
from nnlite.image import decode_header
from nnlite.link.wire import Status
from nnlite.memory import inference_bytes
from nnlite.profile import Profile
from tests.proof.fuzz_native import NO_GCC
from tests.proof.hostile_images import NO_ROOM_IN_RAM, check_of, fault_of, hostile_images
from tests.proof.judge import Violation
from tests.runtime import native

__all__ = ["NO_GCC", "build_hostile", "hostile_native"]

_HERE = Path(__file__).resolve().parent
_FIRMWARE = native.ROOT / "nnlite" / "firmware"
_PARTS = ("blake2s.c", "flash.c", "frame.c", "image.c", "journal.c", "slots.c", "uart.c")
#: where a native process may have memory and 32 bits reach
_SLOTS = {"SLOTS_ADDRESS": "0x10000000u", "SLOT_BYTES": "0x2000u", "SLOT_IMAGE_BYTES": "0x1C00u"}
#: so few that of the networks, which are small, some have no room
_ARENA_FLOATS = 8
_RESULT = np.dtype([(name, "<u4") for name in ("fault", "status", "detail", "serves")])
#: images that one process is given
_PIECE = 20_000


@lru_cache(maxsize=1)
def build_hostile() -> Path | None:
    """The driver; None without gcc."""
    gcc = native.gcc()
    if gcc is None:
        return None
    folder = Path(mkdtemp(prefix="nnlite-hostile-"))
    (folder / "board_config.h").write_text(board_config(Profile.load("microbit"), **_SLOTS), encoding="ascii")
    flags = ["-O1", "-g", "-fno-strict-aliasing", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags += [
        f"-DARENA_FLOATS={_ARENA_FLOATS}",
        f'-DARENA_FLOATS_TEXT="{_ARENA_FLOATS}"',
        "-Wno-conversion",
    ]
    flags += [f"-I{_FIRMWARE}", f"-I{folder}"]
    files = [_HERE / "hostile.c", *(_FIRMWARE / name for name in _PARTS), *native.sources()]
    return native.compile_c(gcc, flags, files, folder / "hostile")


def hostile_native(program: Path, count: int, seed: int) -> Counter[str]:
    """Throw `count` mutants at it. Gives how often each check refused one, and how many were "accepted".

    Raises
    ------
    Violation : it refuses with another number than the laptop, or not at all, or another model serves afterwards than
        should; or a sanitizer ended it.
    """
    found: Counter[str] = Counter()
    images = hostile_images(count, seed)
    good = next(image for image in hostile_images(count, seed) if _expected(image)[0] == "accepted")
    for start in range(0, count, _PIECE):
        sent = [good, *(next(images) for _ in range(min(_PIECE, count - start)))]
        stream = b"".join(len(image).to_bytes(4, "little") + image for image in sent)
        done = subprocess.run([program], input=stream, capture_output=True, check=False)
        if done.returncode:
            raise Violation(f"crash: {done.stderr[-2000:].decode(errors='replace')}")
        results = np.frombuffer(done.stdout, _RESULT).tolist()
        for image, result in zip(sent[1:], results[1:], strict=True):
            what, status, number = _expected(image)
            if result != (number, status, number, 1):
                raise Violation(f"wrong: the laptop says {what!r}, the firmware {result} of {image.hex()}")
            found[what] += 1
    return found


def _expected(image: bytes) -> tuple[str, Status, int]:
    """What the laptop says: which check refuses an image, or "accepted"; status; number of the fault, 0 for none."""
    fault = fault_of(image)
    if fault is not None:
        return check_of(image, fault), Status.BAD_IMAGE, fault.value
    sizes = decode_header(image, len(image)).sizes
    if inference_bytes(sizes) > 4 * _ARENA_FLOATS:
        return NO_ROOM_IN_RAM, Status.NO_MEMORY, 0
    return "accepted", Status.OK, 0
