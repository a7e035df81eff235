"""What each instruction counts for, from a disassembly made when it is first reached.

Cycles are an estimate: no wait states, no prefetch, no dependence on data. Cortex-M0 by the technical reference
manual's table (r0p0, 3.3, single-cycle multiplier); Cortex-M4 by its manual's (r0p1, 3.3 and 7.2), a divide taken as 7.
Instructions are exact: a condition-failed one inside an IT block is counted, with one cycle, as the manual does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import capstone
import capstone.arm

from firmware_sim.cpu.slots import (
    ABSENT,
    ALIGNS,
    CALL,
    COUNT_SHIFT,
    FLAG_SHIFT,
    FLOATS,
    IN_IT,
    MOVES_SP,
    SENDS,
    TAKEN_SHIFT,
    UNMASKS,
)

__all__ = ["disassemble", "entries", "operand_address"]

#: bytes that are disassembled at once
_WINDOW = 64

_BRANCH = re.compile(r"^(b|cb)(?!fc|fi|ic|kpt)")
_IT = re.compile(r"^it[te]{0,3}$")
_SEVERAL = ("push", "pop", "ldm", "stm", "vldm", "vstm", "vpush", "vpop")
#: all that the ARMv6-M manual has in 32 bits (ARM DDI 0419, A5.3)
_WIDE_ON_M0 = ("bl", "msr", "mrs", "dsb", "dmb", "isb", "udf")
#: nothing is executed behind these but by a jump
_LEAVES = re.compile(r"^(b|b\.w|bx|tbb|tbh|udf|udf\.w)$")


def _registers(operands: str) -> int:
    listed = re.search(r"\{(.*)\}", operands)
    count = 0
    for part in (listed[1] if listed else "").split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def _loads_pc(name: str, operands: str) -> bool:
    return "pc" in operands if name.startswith(("pop", "ldm")) else operands.startswith("pc,")


def _cycles(name: str, operands: str, m4: bool) -> tuple[int, int]:
    """Cycles, and those that a jump to elsewhere adds."""
    if name.startswith(_SEVERAL):
        return 1 + _registers(operands), 3 if "pc" in operands else 0
    if name in ("bl", "blx"):
        return 1, 3
    if _BRANCH.match(name):
        return 1, 2
    if name.startswith(("ldrd", "strd")):
        return 3, 0
    if name.startswith(("ldr", "vldr")):
        return 2, 2
    if name.startswith(("str", "vstr")):
        return (1 if m4 else 2), 0
    if name.startswith(("vdiv", "vsqrt")):
        return 14, 0
    if name.startswith(("vmla", "vmls", "vfma", "vfms", "vnml", "vfnm")):
        return 3, 0
    if name in ("udiv", "sdiv"):
        return 7, 0
    if name in ("dsb", "dmb", "isb", "mrs", "msr"):
        return (2 if m4 else 4), 0
    return 1, 2


def _moves_sp_down(name: str, operands: str) -> bool:
    if name.startswith(("push", "vpush")):
        return True
    if name.startswith(("sub", "mov", "add")):
        return operands.startswith("sp,")
    if name.startswith(("str", "stm", "vstm")):
        return "sp!" in operands or ("[sp" in operands and operands.endswith("!"))
    return name == "msr" and operands.startswith("msp")


def _flags(name: str, operands: str, size: int, m4: bool) -> int:
    flags = 0
    if name.startswith("bl") and not name.startswith(("blt", "ble", "blo", "bls")):
        flags |= CALL
    if _moves_sp_down(name, operands):
        flags |= MOVES_SP
    if m4 and name.startswith("v"):
        flags |= FLOATS
    if m4 and name.startswith(("ldm", "stm", "vldm", "vstm", "ldrd", "strd", "vldr", "vstr", "ldrex", "strex")):
        flags |= ALIGNS
    if not m4 and (name.startswith("cb") or _IT.match(name) or (size == 4 and name not in _WIDE_ON_M0)):
        flags |= ABSENT
    if name.startswith("cpsie") or name == "msr":
        flags |= UNMASKS
    if name == "sev":
        flags |= SENDS
    return flags


@lru_cache(maxsize=4096)
def _entry(mnemonic: str, operands: str, size: int, m4: bool, in_it: bool) -> int:
    name = mnemonic.split(".", maxsplit=1)[0]
    cycles, taken = _cycles(name, operands, m4)
    flags = _flags(name, operands, size, m4)
    instructions = 1
    if _IT.match(name):
        # The whole block counts here: Unicorn calls no hook for an instruction whose condition failed.
        instructions = cycles = len(name)
        taken = 0
    elif in_it:
        instructions, cycles, flags = 0, cycles - 1, flags | IN_IT
        if not _BRANCH.match(name) and not _loads_pc(name, operands):
            taken = 0
    return cycles | taken << TAKEN_SHIFT | instructions << COUNT_SHIFT | flags << FLAG_SHIFT


@lru_cache(maxsize=1)
def _decoder() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)


def disassemble(code: bytes, address: int) -> str:
    """The first instruction as text."""
    return next((f"{m} {o}".strip() for _, _, m, o in _decoder().disasm_lite(code, address)), "it")


def operand_address(code: tuple[bytes, int], registers: Mapping[str, int]) -> int | None:
    """Address of memory that a load or store at (bytes, address) accesses, None when it has no such operand."""
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    for instruction in decoder.disasm(*code, count=1):
        for operand in instruction.operands:
            if operand.type == capstone.arm.ARM_OP_MEM:
                base, index = (instruction.reg_name(r) for r in (operand.mem.base, operand.mem.index))
                return int(registers.get(base, 0) + registers.get(index, 0) + operand.mem.disp) & 0xFFFFFFFF
        listed = re.match(r"(\w+)!?, \{", instruction.op_str)
        if listed:
            return registers.get(listed[1])
    return None


def entries(code: memoryview, address: int, core: str) -> Iterator[tuple[int, int]]:
    """Address and entry (see `firmware_sim.cpu.slots`) of each instruction from `address` on, as far as the core gets
    without a jump.

    Parameters
    ----------
    code : the bytes from `address` on.
    core : "cortex-m0" or "cortex-m4f".
    """
    m4 = core != "cortex-m0"
    block = 0  # instructions left of an IT block
    start = 0
    while start < len(code):
        window, reached = bytes(code[start : start + _WINDOW]), 0
        for at, size, mnemonic, operands in _decoder().disasm_lite(window, address + start):
            yield at, _entry(mnemonic, operands, size, m4, block > 0)
            if not block and (_LEAVES.match(mnemonic) or _loads_pc(mnemonic, operands)):
                return
            block = len(mnemonic) - 1 if _IT.match(mnemonic) else max(0, block - 1)
            reached = at + size - address - start
        if not reached:
            return
        start += reached
