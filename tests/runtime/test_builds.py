"""The C runtime under several compilers and levels: golden vectors bit for bit, warnings as errors, nothing foreign."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.golden.vectors import PATH
from tests.runtime import native

SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NATIVE = {
    "gcc -O0": (native.gcc(), ["-O0"]),
    "gcc -O2": (native.gcc(), ["-O2"]),
    "gcc -O3": (native.gcc(), ["-O3", "-march=native"]),
    "gcc -Os": (native.gcc(), ["-Os"]),
    "gcc sanitized": (native.gcc(), SANITIZED),
    "clang -O0": (native.clang(), ["-O0"]),
    "clang -O2": (native.clang(), ["-O2"]),
    "clang -Os": (native.clang(), ["-Os"]),
}
#: what a runtime may want from its compiler's library: binary32 arithmetic, and block moves
ARITHMETIC = ["fadd", "fsub", "fmul", "fdiv", "f2iz", "f2uiz", "i2f", "ui2f"]
COMPARISONS = ["fcmplt", "fcmpgt", "fcmple", "fcmpge", "fcmpeq", "fcmpun"]
MOVES = ["memcpy", "memcpy4", "memset", "memclr", "memclr4"]
ALLOWED = {f"__aeabi_{name}" for name in [*ARITHMETIC, *COMPARISONS, *MOVES]}


@pytest.mark.parametrize("build", NATIVE)
def test_golden_vectors_in_c(build: str, tmp_path: Path) -> None:
    compiler, flags = NATIVE[build]
    if compiler is None:
        pytest.skip(f"{build.partition(' ')[0]} is not installed")
    files = [*native.sources(), native.HERE / "golden.c", *native.LOOPS]
    program = native.compile_c(compiler, flags, files, tmp_path / "golden")
    done = subprocess.run([program, PATH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("level", ["-O2", "-Os"])
@pytest.mark.parametrize("chip", native.CHIPS)
def test_a_chip_build_needs_nothing_but_binary32(chip: str, level: str, tmp_path: Path) -> None:
    compiler = native.clang()
    if compiler is None:
        pytest.skip("ziglang is not installed")
    defined: set[str] = set()
    wanted: set[str] = set()
    for source in native.sources():
        flags = [*native.CHIPS[chip], level, "-ffreestanding", "-fno-builtin", "-c"]
        with native.compile_c(compiler, flags, [source], tmp_path / f"{source.stem}.o").open("rb") as stream:
            elf = ELFFile(stream)
            for symbol in elf.get_section_by_name(".symtab").iter_symbols():
                if symbol["st_info"]["bind"] == "STB_GLOBAL":
                    (wanted if symbol["st_shndx"] == "SHN_UNDEF" else defined).add(symbol.name)
            sizes = {section.name: section["sh_size"] for section in elf.iter_sections()}
            assert sizes.get(".data", 0) == 0, f"{source.name} has state"
            assert sizes.get(".bss", 0) == 0, f"{source.name} has state"
    assert all(name.startswith("nn_") for name in defined)
    foreign = {name for name in wanted - defined if not name.startswith("__aeabi_unwind")}
    assert foreign <= (ALLOWED if chip == "cortex_m0" else set()), foreign
