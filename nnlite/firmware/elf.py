"""What an ELF file of the firmware says: Intel HEX, sizes, symbols, deepest stack.

Needs pyelftools, which only a build needs.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from nnlite.firmware.stack import stack_bound
from nnlite.profile import FirmwareMetadata, Profile, Symbol

__all__ = ["UNUSED", "intel_hex", "metadata", "stack_depth"]

_ROOT = "startup_run"
#: what only learning calls of what answers a message
_LEARNING = (
    "learn_begin",
    "learn_commit",
    "learn_rate",
    "model_learn_flush",
    "model_learn_keep",
    "model_learn_word",
)
#: what a board does not call, by what it is used for; every other thing that a laptop may ask for counts
UNUSED = {
    "inference": _LEARNING,
    "sgd": ("apply_with_state",),
    "momentum": ("nn_adam_update",),
    "adam": ("nn_momentum_update",),
}
#: a training step, and what it does without where it is one of SGD with one sample and neither clips nor decays
_STEP = ("nn_forward_record", "nn_backward", "nn_apply")
_NOT_IN_A_STEP = ("apply_with_state", "clipping", "decay")


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


def stack_depth(elf_path: Path, without: Collection[str] = (), roots: Collection[str] = (_ROOT,)) -> int:
    """Deepest stack in bytes from reset on, or from other functions on, where some are not called.

    Raises
    ------
    IncompatibleError : the stack has no bound that the machine code tells.
    """
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        functions, _, _ = _symbols(elf)
        code = _code(elf)
        return max((stack_bound(functions, code, root, without) for root in roots if root in functions), default=0)


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
        step_stack_bytes=stack_depth(elf_path, _NOT_IN_A_STEP, _STEP),
        stack_bytes_of={activity: stack_depth(elf_path, without) for activity, without in UNUSED.items()},
        symbols=dict(sorted(symbols.items(), key=lambda item: (item[1].address, item[0]))),
    )
