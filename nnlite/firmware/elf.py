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
#: jumps to it by its address, before there is a stack
_ENTRY = "startup_reset"
#: bl and blx, also with a condition; blo, bls, blt and ble are branches
_CALL = re.compile(r"blx?(\.w)?|blx?[a-z]{2}")


@dataclass(frozen=True)
class _Function:
    name: str
    frame_bytes: int
    calls: tuple[int, ...]  # addresses called, or jumped to outside the function


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


def _symbols(elf: ELFFile) -> tuple[dict[str, Symbol], dict[str, Symbol], dict[str, int]]:
    """Functions, objects, and every other named address, by name."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    functions: dict[str, Symbol] = {}
    objects: dict[str, Symbol] = {}
    marks: dict[str, int] = {}
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        if kind == "STT_FUNC":
            functions[symbol.name] = Symbol(symbol["st_value"] & ~1, symbol["st_size"])
        elif kind == "STT_OBJECT":
            objects[symbol.name] = Symbol(symbol["st_value"], symbol["st_size"])
        elif symbol.name and not symbol.name.startswith("$"):
            marks[symbol.name] = symbol["st_value"]
    return functions, objects, marks


def _frame(name: str, symbol: Symbol, code: list[capstone.CsInsn]) -> _Function:
    """Stack bytes of one function, from what its instructions do to sp.

    The depth is followed in the order of addresses; an epilogue in the middle pops what the
    code after it still has, so the depth never falls below that of the prologue's end.
    """
    depth = deepest = 0
    calls: list[int] = []
    far = 0  # what a veneer, the linker's jump between flash and RAM, puts into ip
    for at in code:
        target = int(at.op_str[1:], 0) & ~1 if at.op_str.startswith("#") else None
        if at.mnemonic.startswith(("push", "vpush")):
            width = 8 if "d" in at.op_str else 4
            depth += width * _registers(at.op_str)
        elif at.mnemonic.startswith(("sub", "add", "mov")) and at.op_str.startswith("sp,"):
            match = re.search(r"#(0x[0-9a-f]+|\d+)$", at.op_str)
            if match is None and not at.op_str.startswith("sp, r7"):  # r7 holds an earlier sp: it gives back
                raise IncompatibleError(f"{name} moves its stack pointer by a computed amount at {at.address:#x}")
            if match is not None and at.mnemonic.startswith("sub"):
                depth += int(match.group(1), 0)
        elif "sp" in at.op_str and at.mnemonic.startswith(("str", "stm")) and at.op_str.rstrip().endswith("]!"):
            match = re.search(r"#-(0x[0-9a-f]+|\d+)\]!", at.op_str)
            depth += int(match.group(1), 0) if match else 0
        elif _CALL.fullmatch(at.mnemonic) and target is not None:
            calls.append(target)
        elif at.mnemonic.startswith(("movw", "movt")) and at.op_str.startswith("ip, #"):
            half = int(at.op_str.partition("#")[2], 0)
            far = half if at.mnemonic.startswith("movw") else half << 16 | far
        elif at.mnemonic == "bx" and at.op_str == "ip" and far:
            calls.append(far & ~1)
        elif at.mnemonic.startswith("b") and target is not None:
            if not symbol.address <= target < symbol.address + symbol.size:
                calls.append(target)  # a tail call
        elif at.mnemonic.startswith(("blx", "bx")) and at.op_str != "lr" and name != _ENTRY:
            raise IncompatibleError(f"{name} calls through the register {at.op_str} at {at.address:#x}")
        deepest = max(deepest, depth)
    return _Function(name, deepest, tuple(calls))


def _registers(operands: str) -> int:
    """How many registers a list such as {r4, r5, r7, lr} or {d8-d11} names."""
    count = 0
    for part in operands.strip("{}").split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def _code(elf: ELFFile) -> list[tuple[int, bytes]]:
    """The stretches of .text, and of .data for what runs in RAM, that hold instructions and no literals, by the mapping
    symbols of the ARM ELF ABI.

    ELF for the Arm Architecture, 5.5.5: $t begins Thumb code, $d data, each up to the next one.
    """
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    marks = sorted(
        (symbol["st_value"], symbol.name[:2])
        for symbol in table.iter_symbols()
        if symbol.name[:2] in ("$t", "$d", "$a")
    )
    stretches: list[tuple[int, bytes]] = []
    for section in filter(None, map(elf.get_section_by_name, (".text", ".data"))):
        content, base = section.data(), section["sh_addr"]
        starts = [(at, kind) for at, kind in marks if base <= at < base + len(content)]
        ends = [at for at, _ in starts[1:]] + [base + len(content)] * bool(starts)
        stretches += [
            (at, content[at - base : end - base]) for (at, kind), end in zip(starts, ends, strict=True) if kind == "$t"
        ]
    return stretches


def stack_depth(elf_path: Path) -> int:
    """Deepest stack in bytes from reset on.

    A sum over the call graph: the firmware has no recursion, no calls through pointers and no
    arrays of a size not known at build time, and this refuses an image that has.
    """
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        symbols, _, _ = _symbols(elf)
        stretches = _code(elf)
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    functions: dict[int, _Function] = {}
    for name, symbol in symbols.items():
        code: list[capstone.CsInsn] = []
        for start, stretch in stretches:
            first = max(symbol.address, start)
            end = min(symbol.address + symbol.size, start + len(stretch))
            found = list(decoder.disasm(stretch[first - start : end - start], first)) if first < end else []
            if first < end and (not found or found[-1].address + found[-1].size != end):
                raise IncompatibleError(f"{name} does not decode behind {first:#x}; its stack cannot be bounded")
            code += found
        if code:
            functions[symbol.address] = _frame(name, symbol, code)

    def depth(address: int, path: tuple[int, ...]) -> int:
        function = functions.get(address)
        if function is None:
            raise IncompatibleError(
                f"{functions[path[-1]].name} calls {address:#x}, which is no function that is known"
            )
        if address in path:
            raise IncompatibleError(f"{function.name} is recursive, so its stack has no bound")
        return function.frame_bytes + max((depth(callee, (*path, address)) for callee in function.calls), default=0)

    return depth(next(a for a, f in functions.items() if f.name == _ROOT), ())


def metadata(elf_path: Path, profile: Profile, version: str) -> FirmwareMetadata:
    """Sizes, symbols and stack of one image."""
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        functions, objects, marks = _symbols(elf)
        flash = sum(s["p_filesz"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD")
    symbols = functions | objects
    symbols["stack"] = Symbol(marks["stack_bottom"], marks["stack_top"] - marks["stack_bottom"])
    ram_code = marks["ram_code_end"] - marks["ram_code_start"]
    if ram_code:
        symbols["ram_code"] = Symbol(marks["ram_code_start"], ram_code)
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
