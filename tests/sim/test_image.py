"""Images of other people's firmware: ELF and Intel HEX, their names and lines, and files that are none."""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim import SimulatorError
from firmware_sim.image import Image
from nnlite.firmware.build import compiler
from nnlite.profile import Profile
from tests.sim.machine_code import hex_text

MAIN = """#include "wave.h"
extern void start(void);
__attribute__((section(".vectors"), used)) void *const vectors[2] = {(void *)0x20004000, (void *)start};
volatile unsigned level = 5;
volatile unsigned heard;
static __attribute__((noinline)) unsigned twice(unsigned n) {
    return n * 2 + heard; /* line 7 */
}
__attribute__((noinline, used)) void unused(void) { heard = 1; }
void start(void) {
    for (;;) {
        heard = twice(level);
        heard = wave(heard); /* line 13 */
    }
}
"""
WAVE = "static inline unsigned wave(unsigned n) {\n    return n ^ 0x55u; /* line 2 */\n}\n"
SCRIPT = """MEMORY { FLASH ( rx ) : ORIGIN = 0, LENGTH = 0x8000  RAM ( rwx ) : ORIGIN = 0x20000000, LENGTH = 0x4000 }
ENTRY(start)
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) } > FLASH
    .ARM.exidx : { *(.ARM.exidx*) } > FLASH
    .data : { *(.data .data.*) } > RAM AT > FLASH
    .bss (NOLOAD) : { *(.bss .bss.*) } > RAM
    MARKS
    /DISCARD/ : { *(.ARM.attributes) }
}
"""
SOFT = "-target thumb-freestanding-eabi -mcpu=cortex_m0"
HARD = "-target thumb-freestanding-eabihf -mcpu=cortex_m4+vfp4d16sp"


@cache
def build(target: str = SOFT, options: str = "-g", marks: str = "_end = .;") -> bytes:
    """A program of two files, as an ELF file."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "src").mkdir()
        (folder / "lib").mkdir()
        (folder / "src" / "main.c").write_text(MAIN, encoding="ascii")
        (folder / "lib" / "wave.h").write_text(WAVE, encoding="ascii")
        (folder / "chip.ld").write_text(SCRIPT.replace("MARKS", marks), encoding="ascii")
        flags = f"{target} -std=c99 -O1 -ffreestanding -ffunction-sections -nostdlib -Ilib {options}"
        link = "-T chip.ld -Wl,--gc-sections -o out.elf"
        command = [*compiler(), *flags.split(), "src/main.c", *link.split()]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        return (folder / "out.elf").read_bytes()


def load(content: bytes, name: str = "out.elf") -> Image:
    """Through a file, as a user gives it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return Image.load(path)


def inside(image: Image, function: str) -> list[int]:
    """Addresses of a function's halfwords."""
    symbol = image.symbols[function]
    return list(range(symbol.address, symbol.address + symbol.size, 2))


def test_pieces_and_names_of_an_elf_file() -> None:
    image = load(build())
    ((start, code), *more) = image.segments
    assert start == 0
    assert struct.unpack("<II", code[:8]) == (0x20004000, image.symbols["start"].address | 1)
    level = image.symbols["level"]
    assert (level.address, level.size) == (0x20000000, 4)
    assert (more[-1][1] if more else code)[-4:] == b"\5\0\0\0", "the value that level starts with is loaded into flash"
    assert all(start + len(data) <= 0x8000 for start, data in image.segments)
    assert {image.function_at(pc) for pc in inside(image, "twice")} == {"twice"}
    assert image.symbols["twice"].address % 2 == 0
    assert image.function_at(0) is None, "the vector table is no function"
    assert image.function_at(0x20000000) is None
    assert image.symbols["_end"].size == 0


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("target", [SOFT, HARD])
def test_lines_of_an_elf_file(target: str, version: int) -> None:
    image = load(build(target, f"-gdwarf-{version}"))
    assert "src/main.c:7" in {image.line_at(pc) for pc in inside(image, "twice")}
    assert {"src/main.c:12", "lib/wave.h:2"} <= {image.line_at(pc) for pc in inside(image, "start")}
    assert image.line_at(image.symbols["twice"].address) in ("src/main.c:6", "src/main.c:7")
    # `unused` was thrown away by the linker, its lines were left behind for address 0, where the vectors are.
    assert image.line_at(0) is None
    assert image.line_at(0x7000) is None
    assert image.line_at(0x20000000) is None


def test_no_lines_and_no_names() -> None:
    with_lines, without = load(build()), load(build(options="-g0 -Wl,--strip-all"))
    assert [data for _, data in without.segments] == [data for _, data in with_lines.segments]
    assert without.line_at(inside(with_lines, "twice")[0]) is None
    assert without.function_at(inside(with_lines, "twice")[0]) is None
    assert without.symbols == {}
    assert without.stack is None


def test_floats_in_registers() -> None:
    assert load(build(HARD)).hard_float
    assert not load(build(SOFT)).hard_float


@pytest.mark.parametrize(
    ("marks", "stack"),
    [
        ("_end = .;", (0x20000008, 0x20004000)),
        ("end = .; __HeapLimit = 0x20000800;", (0x20000800, 0x20004000)),
        ("end = .; _sstack = 0x20001000; _estack = 0x20002000;", (0x20001000, 0x20002000)),
        ("__StackLimit = 0x20003000; __StackTop = 0x20004000; _end = .;", (0x20003000, 0x20004000)),
        ("__stack_limit = 0x20003800; __stack = 0x20004000;", (0x20003800, 0x20004000)),
        (
            "stack_bottom = 0x20003c00; stack_top = 0x20004000; __StackLimit = 1; __StackTop = 9;",
            (0x20003C00, 0x20004000),
        ),
        ("__StackLimit = 0x20004000; __StackTop = 0x20003000; _end = .;", (0x20000008, 0x20004000)),
        ("", None),
        ("_end = 0x20004000;", None),
    ],
)
def test_the_stack_of_a_linker_script(marks: str, stack: tuple[int, int] | None) -> None:
    assert load(build(options="-g0", marks=marks)).stack == stack


def test_pieces_of_intel_hex() -> None:
    image = load(hex_text(b"\1" * 40).encode(), "out.hex")
    assert image == Image(segments=((0, b"\1" * 40),))
    assert image.function_at(0) is None
    assert image.line_at(0) is None


def test_intel_hex_that_says_a_byte_twice() -> None:
    text = ":020000000102FB\n:020001000304F6\n:00000001FF\n"
    with pytest.raises(SimulatorError, match=r"out\.hex: two pieces of the firmware lie at 0x00000001"):
        load(text.encode(), "out.hex")


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
def test_the_prebuilt_firmware_has_names_and_lines(board: str) -> None:
    image = Image.of_profile(Profile.load(board))
    symbols = image.symbols
    code = inside(image, "nn_dense_forward")
    assert {image.function_at(pc) for pc in code} == {"nn_dense_forward"}
    source = Path(__file__).resolve().parents[2] / "nnlite" / "runtime" / "dense.c"
    names = {line.rpartition(":")[0] for pc in code if (line := image.line_at(pc))}
    inner = {"microbit": "runtime/core_m0.h", "microbit2": "runtime/core_m4f.h"}[board]
    assert names == {"runtime/dense.c", inner}
    text = source.read_text(encoding="ascii").splitlines()
    start = next(number for number, line in enumerate(text, start=1) if line.startswith("void nn_dense_forward("))
    end = text.index("}", start) + 1
    numbers = {int(line.rpartition(":")[2]) for pc in code if (line := image.line_at(pc)) and "dense.c" in line}
    assert numbers
    assert numbers <= set(range(start, end + 1))
    assert image.function_at(symbols["stack"].address) is None
    assert image.stack == (symbols["stack"].address, symbols["stack"].address + symbols["stack"].size)
    assert image.hard_float == (board == "microbit2")


# ---- what is no image ----


def altered(content: bytes, at: int, value: int, size: int = 2) -> bytes:
    """With another number in its header."""
    return content[:at] + value.to_bytes(size, "little") + content[at + size :]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda elf: elf[:40], "cut short or damaged"),
        (lambda elf: elf[:3000], "cut short or damaged"),
        (lambda elf: altered(elf, 18, 62), "built for machine 62; build it for Arm"),
        (lambda elf: altered(elf, 18, 3), "built for x86"),
        (lambda elf: altered(elf, 4, 2, 1), "64-bit ELF file; the chips here"),
        (lambda elf: altered(elf, 5, 2, 1), "big-endian ELF file"),
        (lambda elf: altered(elf, 4, 7, 1), "damaged ELF file"),
        (lambda elf: altered(elf, 16, 1), "not linked; link it"),
        (lambda elf: altered(elf, 16, 3), "no program with fixed addresses"),
        (lambda elf: altered(elf, 44, 0), "nothing to load; link it"),
        (lambda elf: b"", "neither an ELF file nor Intel HEX; give the linker's .elf"),
        (lambda elf: b"\0\x40\0\x20", "neither an ELF file nor Intel HEX"),
        (lambda elf: b"UF2\nabc", "neither an ELF file nor Intel HEX"),
        (lambda elf: b":0400000A9900C0DEBB\n:00000001FF\n", "kind 0x0a, which Intel HEX has not; a universal hex"),
        (lambda elf: b":0100000401FA\n:00000001FF\n", "line 1 of the firmware has 1 bytes, its kind 2"),
        (lambda elf: b":02000000AABB99\n", "no end record; it is cut short"),
    ],
)
def test_what_is_no_image_is_refused_by_name(change: object, says: str) -> None:
    assert callable(change)
    with pytest.raises(SimulatorError, match=says) as caught:
        load(change(build()))
    assert "out.elf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_object_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int level;\n", encoding="ascii")
    command = [*compiler(), *SOFT.split(), "-c", "main.c", "-o", "main.o"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    with pytest.raises(SimulatorError, match=r"main\.o is an object file that is not linked"):
        Image.load(tmp_path / "main.o")


@pytest.mark.parametrize("name", ["missing.elf", "."])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SimulatorError, match="cannot read the firmware"):
        Image.load(tmp_path / name)


def use(content: bytes) -> None:
    """Load it and ask for everything; what cannot be used is refused as such."""
    try:
        image = load(content)
    except SimulatorError:
        return
    for pc in (0, 2, 0x40, 0x7FFE, 0x20000000):
        image.function_at(pc)
        image.line_at(pc)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_an_elf_file_cut_anywhere(data: st.DataObject) -> None:
    content = build(options="-g -gdwarf-5")
    with pytest.raises(SimulatorError, match="cut short or damaged"):
        load(content[: data.draw(st.integers(4, len(content) - 1))])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_an_elf_file_with_any_bytes_changed(data: st.DataObject) -> None:
    content = bytearray(build(options=f"-gdwarf-{data.draw(st.sampled_from([4, 5]))}"))
    # Half of the changes hit the headers, which are at both ends.
    ends = st.one_of(st.integers(0, 300), st.integers(len(content) - 900, len(content) - 1))
    for at in data.draw(st.lists(st.one_of(ends, st.integers(0, len(content) - 1)), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    use(bytes(content))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_debug_information_costs_the_lines_only(data: st.DataObject) -> None:
    from elftools.elf.elffile import ELFFile

    content = build(options=f"-gdwarf-{data.draw(st.sampled_from([2, 5]))}")
    with TemporaryDirectory() as folder:
        (Path(folder) / "out.elf").write_bytes(content)
        with (Path(folder) / "out.elf").open("rb") as stream:
            debug = [s for s in ELFFile(stream).iter_sections() if s.name.startswith(".debug_")]
            spans = [(s["sh_offset"], s["sh_size"]) for s in debug if s["sh_size"]]
    changed = bytearray(content)
    for start, size in data.draw(st.lists(st.sampled_from(spans), min_size=1, max_size=4)):
        changed[start + data.draw(st.integers(0, size - 1))] = data.draw(st.integers(0, 255))
    whole, image = load(content), load(bytes(changed))
    assert image == whole
    for pc in inside(whole, "start"):
        image.line_at(pc)
        assert image.function_at(pc) == "start"


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x7fELF", b"\x7fELF\1\1\1", b":"]))
def test_any_bytes(tail: bytes, head: bytes) -> None:
    use(head + tail)
