"""Estimated cycles of each instruction, from a disassembly made once an image.

An estimate: no wait states, no prefetch, no dependence on data. Cortex-M0 by the technical reference manual's
table (r0p0, 3.3, single-cycle multiplier); Cortex-M4 by its manual's (r0p1, 3.3 and 7.2), a divide taken as 7.
"""

from __future__ import annotations

import re
from functools import lru_cache

import capstone
import numpy as np
import numpy.typing as npt

__all__ = ["TAKEN_SHIFT", "cycle_table"]

#: an entry holds the cycles in its low bits and, above these, what a taken branch adds
TAKEN_SHIFT = 8

_BRANCH = re.compile(r"^(b|cb)(?!fc|fi|ic|kpt)")


def _registers(operands: str) -> int:
    listed = re.search(r"\{(.*)\}", operands)
    count = 0
    for part in (listed[1] if listed else "").split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def _cycles(mnemonic: str, operands: str, m4: bool) -> tuple[int, int]:
    """Cycles, and those that a jump to elsewhere adds."""
    name = mnemonic.split(".", maxsplit=1)[0]
    if name.startswith(("push", "pop", "ldm", "stm", "vldm", "vstm", "vpush", "vpop")):
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


@lru_cache(maxsize=8)
def cycle_table(code: bytes, address: int, core: str) -> npt.NDArray[np.int64]:
    """One entry for each halfword from `address` on, not to be written to.

    Parameters
    ----------
    code : the image's bytes.
    core : "cortex-m0" or "cortex-m4f".
    """
    mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, mode)
    table = np.ones(len(code) // 2 + 1, np.int64) | 2 << TAKEN_SHIFT
    m4 = core != "cortex-m0"
    at = 0
    while at < len(code) - 1:
        step = 2
        for found, size, mnemonic, operands in decoder.disasm_lite(code[at:], address + at):
            own, taken = _cycles(mnemonic, operands, m4)
            table[(found - address) // 2] = own | taken << TAKEN_SHIFT
            step = found - address - at + size
        at += step  # what does not decode is data between the functions
    table.setflags(write=False)
    return table
