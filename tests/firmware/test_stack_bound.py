"""The bound on the stack comes from machine code: what cannot be bounded is refused, and literals are no code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nnlite.errors import IncompatibleError
from nnlite.firmware.build import compiler
from nnlite.firmware.elf import stack_depth

HEAD = "#define KEEP __attribute__((noinline, used))\nvolatile unsigned sink;\nvoid startup_reset(void) {}\n"
ROOT = "void startup_run(void) { sink = work(sink); }\n"


def depth(folder: Path, source: str) -> int:
    """Compile for the Cortex-M0 and bound the stack from `startup_run` on."""
    file, elf = folder / "probe.c", folder / "probe.elf"
    file.write_text(HEAD + source + ROOT, encoding="ascii")
    target = "-target thumb-freestanding-eabi -mcpu=cortex_m0 -std=c99 -O2 -ffreestanding -Wl,--entry=startup_run"
    subprocess.run(
        [*compiler(), *target.split(), str(file), "-o", str(elf)], check=True, capture_output=True, cwd=folder
    )
    return stack_depth(elf)


def test_a_chain_of_calls_adds_up(tmp_path: Path) -> None:
    leaf = "KEEP unsigned leaf(unsigned n) { volatile unsigned room[8]; room[n & 7] = n; return room[0]; }\n"
    one = depth(tmp_path, "KEEP unsigned work(unsigned n) { return n + sink; }\n")
    two = depth(tmp_path, leaf + "KEEP unsigned work(unsigned n) { return leaf(n) + sink; }\n")
    assert two >= one + 32 + 8, "eight words of room, and where to return to"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("KEEP unsigned work(unsigned n) { return n < 2 ? n : n * work(n - 1) + work(n - 2); }\n", "recursive"),
        (
            (
                "unsigned work(unsigned n);\n"
                "KEEP unsigned other(unsigned n) { return sink + work(n + 1) + sink; }\n"
                "KEEP unsigned work(unsigned n) { return n == 9 ? n : other(n) + sink; }\n"
            ),
            "recursive",
        ),
        (
            "unsigned (*volatile pointer)(unsigned);\nKEEP unsigned work(unsigned n) { return pointer(n) + sink; }\n",
            "calls through the register",
        ),
        (
            "KEEP unsigned work(unsigned n) { volatile unsigned char room[n + 1]; room[n] = 1; return room[n]; }\n",
            "moves its stack pointer by a computed amount",
        ),
    ],
)
def test_what_has_no_bound_is_refused(tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(IncompatibleError, match=says):
        depth(tmp_path, source)


def test_literals_that_look_like_calls_are_no_calls(tmp_path: Path) -> None:
    """0x4780 is blx r0, 0xb5f0 pushes five registers."""
    literals = "KEEP unsigned work(unsigned n) { return (n ^ 0x47804780u) * 0xb5f0b5f1u + sink; }\n"
    assert depth(tmp_path, literals) == depth(
        tmp_path, "KEEP unsigned work(unsigned n) { return (n ^ 5u) * 3u + sink; }\n"
    )
