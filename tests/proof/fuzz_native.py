"""The firmware's C files, built natively with sanitizers: the decoder under mutants, all of it under libFuzzer."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from nnlite.firmware.build import build_elf
from nnlite.link.frame import Frame
from nnlite.link.wire import Message
from nnlite.profile import Profile
from tests.proof.judge import Violation
from tests.runtime import native

__all__ = ["NO_FUZZER", "NO_GCC", "build_decoder", "build_guided", "fuzz_decoder", "fuzz_guided"]

NO_GCC = "gcc is not installed, and ziglang's clang has no sanitizers to link"
NO_FUZZER = "no clang with libFuzzer is installed (Debian: clang libclang-rt-14-dev)"

_HERE = Path(__file__).resolve().parent
_FIRMWARE = native.ROOT / "nnlite" / "firmware"
_STRICT = ["-std=c99", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fno-sanitize-recover=all"]
#: where a native process may have memory and 32 bits reach; small, since every input begins with an empty flash
_SLOTS = {"SLOTS_ADDRESS": 0x1000_0000, "SLOT_BYTES": 0x2000, "SLOT_IMAGE_BYTES": 0x1C00}
_ARENA_FLOATS = 2000


@lru_cache(maxsize=1)
def _folder() -> Path:
    return Path(mkdtemp(prefix="nnlite-fuzz-"))


def build_decoder() -> Path | None:
    """The decoder with its driver; None without gcc."""
    gcc = native.gcc()
    if gcc is None:
        return None
    program = _folder() / "fuzz_decoder"
    files = [str(_HERE / "fuzz_decoder.c"), str(_FIRMWARE / "frame.c")]
    flags = [*_STRICT, "-O2", "-fsanitize=address,undefined", f"-I{_FIRMWARE}"]
    subprocess.run([*gcc, *flags, *files, "-o", str(program)], check=True)
    return program


def fuzz_decoder(program: Path, count: int, seed: int) -> Counter[str]:
    """Run the driver. Counts as `fuzz_host` does.

    Raises
    ------
    Violation : a sanitizer or the driver ended it.
    """
    done = subprocess.run([program, str(seed), str(count)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Violation(f"crash: {done.stderr[-2000:]}")
    _, early, refused, same, wrong = map(int, done.stdout.split())
    return Counter(early=early, refused=refused, same=same, wrong=wrong)


def build_guided() -> Path | None:
    """The firmware of a micro:bit v1 without its HAL, with libFuzzer; None where that is not to be had."""
    clang = shutil.which("clang")
    if clang is None:
        return None
    folder = _folder()
    build_elf(Profile.load("microbit"), folder)  # for its board_config.h
    config = folder / "board_config.h"
    text = config.read_text()
    for name, value in _SLOTS.items():
        text, found = re.subn(rf"(?m)^#define {name} .*$", f"#define {name} {value:#x}u", text)
        assert found == 1, name
    config.write_text(text)
    sources = [path for path in sorted(_FIRMWARE.glob("*.c")) if path.name != "main.c"] + native.sources()
    program = folder / "fuzz_firmware"
    flags = [*_STRICT, "-O2", "-ffp-contract=off", "-fno-strict-aliasing", "-fsanitize=fuzzer,address,undefined"]
    flags += [f"-DARENA_FLOATS={_ARENA_FLOATS}", f'-DARENA_FLOATS_TEXT="{_ARENA_FLOATS}"']
    flags += [f"-I{folder}", f"-I{_FIRMWARE}"]
    command = [clang, *flags, str(_HERE / "fuzz_firmware.c"), *map(str, sources), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "libclang_rt" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return program


def fuzz_guided(program: Path, requests: list[Frame], count: int, seed: int) -> dict[str, int]:
    """Run `count` inputs, beginning with a real conversation in pieces that grow. Gives what libFuzzer counted last.

    Raises
    ------
    Violation : a crash, a sanitizer's finding, an input that takes longer than 10 s.
    """
    corpus = Path(mkdtemp(dir=_folder()))
    messages = [bytes([frame.type, frame.flags]) + frame.payload for frame in requests if frame.type != Message.HELLO]
    rows = [len(message).to_bytes(2, "little") + message for message in messages]
    for end in range(1, len(rows) + 1):
        (corpus / f"{end}").write_bytes(b"".join(rows[:end]))
    command = [program, f"-runs={count}", f"-seed={seed}", "-timeout=10", "-max_len=4096", "-len_control=0"]
    command += [f"-artifact_prefix={corpus}/", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode:
        raise Violation(f"crash: {done.stderr[-3000:]}")
    last = re.findall(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)[-1]
    return dict(zip(("inputs", "edges", "features", "corpus"), map(int, last), strict=True))
