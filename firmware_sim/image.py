"""A firmware image: what is loaded where, and what its addresses mean to a person.

Read from an ELF file, from Intel HEX, or from what comes with the package. Whether a board has memory there is the
board's business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.errors import MissingExtraError, SimulatorError
from firmware_sim.hexfile import parse_hex
from firmware_sim.lines import LineTable
from nnlite.profile import Profile, Symbol

__all__ = ["Image"]

#: linker marks of the main stack's two ends, by whose linker script: nnlite's, CMSIS and Nordic, then others
_STACK_ENDS = (
    ("stack_bottom", "stack_top"),
    ("__StackLimit", "__StackTop"),
    ("_sstack", "_estack"),
    ("__stack_limit", "__stack"),
)
#: linker marks where static memory ends, so that a stack above it may reach down to there
_STATICS_END = ("_end", "end", "__end__", "__bss_end__", "__bss_end", "_ebss", "__HeapLimit")
#: what the table of a prebuilt image calls the code that start-up copies to RAM
_CODE_IN_RAM = "ram_code"
_NOWHERE = (0, 0)
_SYMBOL = np.dtype([("name", "<u4"), ("value", "<u4"), ("size", "<u4"), ("info", "u1"), ("other", "u1"), ("in", "<u2")])
_OBJECT, _FUNCTION = 1, 2  # types of ELF symbols; 0 is a mark of the linker script or of assembly
_LOCAL, _WEAK, _GLOBAL = 0, 2, 1  # their bindings, the later the stronger
_HARD_FLOAT, _SOFT_FLOAT = 0x400, 0x200  # e_flags, ELF for the Arm Architecture 5.1.2


@dataclass(frozen=True)
class Image:
    """A firmware and its names.

    Attributes
    ----------
    segments : address and bytes of each piece that is programmed into the chip, rising.
    symbols : functions, objects, and linker marks with size 0, by name; empty when the file has none.
    hard_float : whether its functions pass floats in the FPU's registers.
    stack : lowest address of the main stack and its top, where that can be told.
    code_in_ram : between which addresses start-up copies code to RAM, (0, 0) for nowhere; None when nothing tells.
    """

    segments: tuple[tuple[int, bytes], ...]
    symbols: Mapping[str, Symbol] = field(default_factory=dict, repr=False)
    hard_float: bool = False
    stack: tuple[int, int] | None = None
    code_in_ram: tuple[int, int] | None = None
    _functions: tuple[tuple[int, int, str], ...] = field(default=(), repr=False)  # first address, end, name
    _read_lines: Callable[[], LineTable] = field(default=lambda: LineTable([], []), repr=False, compare=False)

    @classmethod
    def load(cls, path: str | Path) -> Image:
        """From an ELF file, known by its first bytes, or else an Intel HEX file.

        Raises
        ------
        SimulatorError : it cannot be read, is neither, is cut short or damaged, or is not for a Cortex-M.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise SimulatorError(f"cannot read the firmware {path}: {error.strerror}") from error
        if content.startswith(b"\x7fELF"):
            return _of_elf(content, str(path))
        try:
            return cls.of_hex(_hex_text(content))
        except SimulatorError as error:
            raise SimulatorError(f"cannot load the firmware {path}: {error}") from error

    @classmethod
    def of_hex(cls, text: str) -> Image:
        """From the text of an Intel HEX file, which has no names."""
        return cls(_segments(text))

    @classmethod
    def of_profile(cls, profile: Profile) -> Image:
        """The prebuilt firmware of a board, with the tables that were made when it was built.

        Raises
        ------
        IncompatibleError : there is none for the board.
        """
        symbols = profile.firmware.symbols
        stack = symbols["stack"]
        segments = _segments(profile.firmware_hex())
        copied = symbols.get(_CODE_IN_RAM)
        in_ram = _NOWHERE if copied is None else (copied.address, copied.address + copied.size)
        spaces = [(start, start + len(data)) for start, data in segments] + [in_ram]
        functions = ((s.address, s.size, name) for name, s in symbols.items() if s is not copied)
        return cls(
            segments,
            symbols,
            hard_float=profile.fpu,
            stack=(stack.address, stack.address + stack.size),
            code_in_ram=in_ram,
            _functions=_within(spaces, functions),
            _read_lines=lambda: LineTable.parse(profile.firmware_lines()),
        )

    def function_at(self, pc: int) -> str | None:
        """Name of the function that an instruction is part of."""
        index = bisect_right(self._functions, pc, key=lambda function: function[0]) - 1
        if index < 0 or pc >= self._functions[index][1]:
            return None
        return self._functions[index][2]

    def line_at(self, pc: int) -> str | None:
        """File and line of an instruction, as "src/main.c:42"; the innermost where code was inlined."""
        return self._lines.at(pc)

    @cached_property
    def _lines(self) -> LineTable:
        return self._read_lines()


def _hex_text(content: bytes) -> str:
    """The content of what may be an Intel HEX file."""
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text.lstrip().startswith(":"):
        raise SimulatorError(
            "it is neither an ELF file nor Intel HEX; give the linker's .elf, or convert it with objcopy -O ihex"
        )
    return text


@lru_cache(maxsize=4)
def _segments(text: str) -> tuple[tuple[int, bytes], ...]:
    """What an Intel HEX file programs; kept, since a test opens many boards of one image."""
    return _joined(parse_hex(text))


def _joined(pieces: Iterable[tuple[int, bytes]]) -> tuple[tuple[int, bytes], ...]:
    """Pieces that follow each other as one, in the order of their addresses."""
    segments: list[tuple[int, bytearray]] = []
    for address, data in sorted(piece for piece in pieces if piece[1]):
        end = segments[-1][0] + len(segments[-1][1]) if segments else -1
        if address < end:
            raise SimulatorError(
                f"two pieces of the firmware lie at {address:#010x}; build it again, or merge only one"
            )
        if address == end:
            segments[-1][1].extend(data)
        else:
            segments.append((address, bytearray(data)))
    return tuple((address, bytes(data)) for address, data in segments)


def _within(
    spaces: list[tuple[int, int]], functions: Iterable[tuple[int, int, str]]
) -> tuple[tuple[int, int, str], ...]:
    """First address, end and name of those that lie in one of the spaces, from address, size and name."""
    found = ((at, at + size, name) for at, size, name in functions if size)
    return tuple(sorted(f for f in found if any(start <= f[0] and f[1] <= end for start, end in spaces)))


def _of_elf(content: bytes, path: str) -> Image:
    """Everything but the lines, which are read when somebody asks."""
    _check_kind(content, path)
    try:
        from elftools.elf.elffile import ELFFile
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "an ELF file needs pyelftools, which is not installed: pip install 'nnlite-mcu[sim]'", name=error.name
        ) from error
    try:
        elf = ELFFile(BytesIO(content))
        flags = elf["e_flags"]
        loaded = [
            (s["p_vaddr"], s["p_paddr"], s["p_offset"], s["p_filesz"])
            for s in elf.iter_segments()
            if s["p_type"] == "PT_LOAD" and s["p_filesz"]
        ]
        table, names = _symbol_table(elf)
        hard_float = bool(flags & _HARD_FLOAT) or (not flags & _SOFT_FLOAT and _passes_floats_in_registers(elf))
    except Exception as error:  # pyelftools asserts, divides by and looks up what the file says
        raise _damaged(path) from error
    if any(offset + size > len(content) or address + size > 1 << 32 for _, address, offset, size in loaded):
        raise _damaged(path)
    if not loaded:
        raise SimulatorError(f"the firmware {path} has nothing to load; link it with a linker script for the chip")
    try:
        segments = _joined((address, content[offset : offset + size]) for _, address, offset, size in loaded)
    except SimulatorError as error:
        raise SimulatorError(f"cannot load the firmware {path}: {error}") from error
    symbols = _by_name(table, names)
    functions = _functions_of(table, names, [(at, at + size) for at, _, _, size in loaded])
    in_ram = _copied_code(loaded, functions) if functions else None
    starts = [start for start, _, _ in functions]
    stack = _stack(symbols, segments)
    return Image(
        segments, symbols, hard_float, stack, in_ram, functions, partial(LineTable.of_dwarf, content, functions=starts)
    )


def _check_kind(content: bytes, path: str) -> None:
    """Refuse an ELF file for another kind of machine, by its header (ELF specification, 1-3 to 1-6)."""
    if len(content) < 52:
        raise _damaged(path)
    if content[4] != 1 or content[5] != 1:
        kind = "64-bit" if content[4] == 2 else "big-endian" if content[5] == 2 else "damaged"
        raise SimulatorError(f"the firmware {path} is a {kind} ELF file; the chips here are 32-bit little-endian Arm")
    machine, use = int.from_bytes(content[18:20], "little"), int.from_bytes(content[16:18], "little")
    if machine != 40:
        maker = {3: "x86", 8: "MIPS", 83: "AVR", 94: "Xtensa", 243: "RISC-V"}.get(machine, f"machine {machine}")
        raise SimulatorError(f"the firmware {path} is built for {maker}; build it for Arm Cortex-M (thumb)")
    if use != 2:
        what = "an object file that is not linked" if use == 1 else "no program with fixed addresses"
        raise SimulatorError(f"the firmware {path} is {what}; link it with the chip's linker script and give that .elf")


def _damaged(path: str) -> SimulatorError:
    return SimulatorError(f"the firmware {path} is cut short or damaged; copy or build it again")


def _symbol_table(elf: Any) -> tuple[npt.NDArray[Any], bytes]:
    """The symbols that are at an address, and the text of their names."""
    section = elf.get_section_by_name(".symtab")
    if section is None:
        return np.empty(0, _SYMBOL), b""
    content, names = section.data(), elf.get_section(section["sh_link"]).data()
    if len(content) != section["sh_size"]:
        raise ValueError("the table of symbols ends behind the file")
    table = np.frombuffer(content, _SYMBOL)
    # In no section, or in one of those with a meaning of their own but ABS: not defined, or not an address.
    return table[((table["in"] > 0) & (table["in"] < 0xFF00)) | (table["in"] == 0xFFF1)], names


def _passes_floats_in_registers(elf: Any) -> bool:
    """What the build attributes say where the header's flags do not: Tag_ABI_VFP_args is 1."""
    section = elf.get_section_by_name(".ARM.attributes")
    return section is not None and any(
        attribute.tag == "TAG_ABI_VFP_ARGS" and attribute.value == 1
        for part in section.iter_subsections()
        for file in part.iter_subsubsections()
        for attribute in file.iter_attributes()
    )


def _named(table: npt.NDArray[Any], names: bytes, types: tuple[int, ...]) -> Iterable[tuple[str, int, int, int]]:
    """Name, address, size and type of the symbols of some types, the weakest first; Thumb bit cleared."""
    for binding in (_LOCAL, _WEAK, _GLOBAL):
        chosen = table[(table["info"] >> 4 == binding) & np.isin(table["info"] & 15, types)]
        for start, address, size, info, *_ in chosen.tolist():
            end = names.find(b"\0", start)
            name = names[start : end if end >= 0 else None].decode(errors="replace")
            if name and not name.startswith("$"):  # $t and the like tell code from data
                kind = info & 15
                yield name, address & ~1 if kind == _FUNCTION else address, size, kind


def _by_name(table: npt.NDArray[Any], names: bytes) -> dict[str, Symbol]:
    """Every function, object and mark; of those with the same name the one that others can link to."""
    return {name: Symbol(at, size) for name, at, size, _ in _named(table, names, (0, _OBJECT, _FUNCTION))}


def _functions_of(
    table: npt.NDArray[Any], names: bytes, spaces: list[tuple[int, int]]
) -> tuple[tuple[int, int, str], ...]:
    """First address, end and name of each function; one of no size, from assembly, goes up to the next one."""
    sized: dict[int, tuple[int, str]] = {}
    for name, address, size, _ in _named(table, names, (_FUNCTION,)):
        if any(start <= address < end for start, end in spaces):
            sized[address] = size, name
    starts = sorted(sized)
    found = []
    for start, following in pairwise([*starts, 1 << 32]):
        size, name = sized[start]
        end = next(end for first, end in spaces if first <= start < end)
        found.append((start, min(start + size if size else end, following, end), name))
    return tuple(found)


def _copied_code(loaded: list[tuple[int, int, int, int]], functions: Iterable[tuple[int, int, str]]) -> tuple[int, int]:
    """Between which addresses code is executed elsewhere than it is loaded: the segments with a function in them."""
    starts = [start for start, _, _ in functions]
    spaces = [(at, at + size) for at, load, _, size in loaded if at != load]
    spaces = [(low, high) for low, high in spaces if any(low <= start < high for start in starts)]
    return (min(low for low, _ in spaces), max(high for _, high in spaces)) if spaces else _NOWHERE


def _stack(symbols: Mapping[str, Symbol], segments: tuple[tuple[int, bytes], ...]) -> tuple[int, int] | None:
    """Both ends of the main stack: as the linker script marks them, else from the statics up to where it starts."""
    for low, high in _STACK_ENDS:
        if low in symbols and high in symbols and symbols[low].address < symbols[high].address:
            return symbols[low].address, symbols[high].address
    top = int.from_bytes(segments[0][1][:4], "little")  # the first word of the vector table
    below = [symbols[name].address for name in _STATICS_END if name in symbols and symbols[name].address < top]
    return (max(below), top) if below and top % 4 == 0 else None
