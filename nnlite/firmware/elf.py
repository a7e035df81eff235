"""What an ELF file of the firmware says: Intel HEX, sizes, symbols, deepest stack.

Works on the machine code, so its figures hold for the image that ships. Needs pyelftools
and capstone, which only a build needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import capstone
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from nnlite.errors import IncompatibleError
from nnlite.profile import FirmwareMetadata, Profile, Symbol

__all__ = ["intel_hex", "metadata", "stack_depth"]

_ROOT = "startup_run"


@dataclass(frozen=True)
class _Function:
    name: str
    frame_bytes: int
    calls: tuple[int, ...]  # addresses called or jumped to


def intel_hex(elf_path: Path) -> str:
    """The loadable segments as Intel HEX, 16 bytes a line, in the order of their addresses."""
    lines: list[str] = []

    def record(kind: int, address: int, data: bytes) -> None:
        body = bytes([len(data), address >> 8 & 0xFF, address & 0xFF, kind]) + data
        lines.append(f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}")

    upper = 0
    with elf_path.open("rb") as stream:
        segments = sorted(
            (s["p_paddr"], s.data())
            for s in ELFFile(stream).iter_segments()
            if s["p_type"] == "PT_LOAD" and s["p_filesz"]
        )
    for start, data in segments:
        for offset in range(0, len(data), 16):
            address = start + offset
            if address >> 16 != upper:
                upper = address >> 16
                record(4, 0, upper.to_bytes(2, "big"))
            record(0, address & 0xFFFF, data[offset : offset + 16])
    record(1, 0, b"")
    return "\n".join(lines) + "\n"


def _symbols(elf: ELFFile) -> tuple[dict[str, Symbol], dict[str, int]]:
    """Functions and objects by name, and every other named address."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    sized: dict[str, Symbol] = {}
    marks: dict[str, int] = {}
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        if kind == "STT_FUNC":
            sized[symbol.name] = Symbol(symbol["st_value"] & ~1, symbol["st_size"])
        elif kind == "STT_OBJECT":
            sized[symbol.name] = Symbol(symbol["st_value"], symbol["st_size"])
        elif symbol.name and not symbol.name.startswith("$"):
            marks[symbol.name] = symbol["st_value"]
    return sized, marks


def _frame(function: str, code: list[capstone.CsInsn]) -> _Function:
    """Stack bytes of one function, from what its instructions do to sp.

    The depth is followed in the order of addresses; an epilogue in the middle pops what the
    code after it still has, so the depth never falls below that of the prologue's end.
    """
    depth = deepest = 0
    calls: list[int] = []
    for at in code:
        if at.mnemonic.startswith(("push", "vpush")):
            width = 8 if "d" in at.op_str else 4
            depth += width * _registers(at.op_str)
        elif at.mnemonic.startswith("sub") and at.op_str.startswith("sp"):
            match = re.search(r"#(0x[0-9a-f]+|\d+)$", at.op_str)
            if match is None:
                raise IncompatibleError(f"{function} moves its stack pointer by a computed amount at {at.address:#x}")
            depth += int(match.group(1), 0)
        elif "sp" in at.op_str and at.mnemonic.startswith(("str", "stm")) and at.op_str.rstrip().endswith("]!"):
            match = re.search(r"#-(0x[0-9a-f]+|\d+)\]!", at.op_str)
            depth += int(match.group(1), 0) if match else 0
        elif at.mnemonic.startswith("b") and at.op_str.startswith("#"):
            calls.append(int(at.op_str[1:], 0))
        elif (at.mnemonic == "blx" or (at.mnemonic == "bx" and at.op_str != "lr")) and not (
            function == "startup_reset" or function.startswith("__")
        ):
            raise IncompatibleError(f"{function} calls through a register at {at.address:#x}")
        deepest = max(deepest, depth)
    return _Function(function, deepest, tuple(calls))


def _registers(operands: str) -> int:
    """How many registers a list such as {r4, r5, r7, lr} or {d8-d11} names."""
    count = 0
    for part in operands.strip("{}").split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def stack_depth(elf_path: Path) -> int:
    """Deepest stack in bytes from reset on.

    A sum over the call graph: the firmware has no recursion, no calls through pointers and no
    arrays of a size not known at build time, and this refuses an image that has.
    """
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        sized, _ = _symbols(elf)
        section = elf.get_section_by_name(".text")
        text, base = section.data(), section["sh_addr"]
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.skipdata = True  # literal pools lie between the instructions
    functions: dict[int, _Function] = {}
    for name, symbol in sized.items():
        if base <= symbol.address < base + len(text) and symbol.size:
            at = symbol.address - base
            functions[symbol.address] = _frame(name, list(decoder.disasm(text[at : at + symbol.size], symbol.address)))

    def depth(address: int, path: tuple[int, ...]) -> int:
        function = functions[address]
        if address in path:
            raise IncompatibleError(f"{function.name} is recursive, so its stack has no bound")
        callees = {target & ~1 for target in function.calls} & functions.keys() - {address}
        return function.frame_bytes + max((depth(callee, (*path, address)) for callee in callees), default=0)

    return depth(next(a for a, f in functions.items() if f.name == _ROOT), ())


def metadata(elf_path: Path, profile: Profile, version: str) -> FirmwareMetadata:
    """Sizes, symbols and stack of one image."""
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        sized, marks = _symbols(elf)
        flash = sum(s["p_filesz"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD")
    symbols = dict(sized)
    symbols["stack"] = Symbol(marks["stack_bottom"], marks["stack_top"] - marks["stack_bottom"])
    symbols["arena"] = Symbol(marks["arena_start"], marks["arena_end"] - marks["arena_start"])
    return FirmwareMetadata(
        board=profile.name,
        firmware=version,
        flash_bytes=flash,
        static_bytes=marks["bss_end"] - marks["stack_top"],
        arena_bytes=symbols["arena"].size,
        stack_bytes=stack_depth(elf_path),
        symbols=dict(sorted(symbols.items(), key=lambda item: (item[1].address, item[0]))),
    )
