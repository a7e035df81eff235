"""Arguments and results of C functions on a Cortex-M (Procedure Call Standard for the Arm Architecture).

Integers and pointers take r0 to r3 and then the stack; floats the same, or s0 to s15 where the image passes them in the
FPU. What has 64 bits takes two registers, the first of them even, and an address that is a multiple of 8. Arrays lie on
the stack while the function runs, unless they are to lie elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.cpu.interface import Placed
from firmware_sim.errors import SimulatorError

__all__ = ["check_result", "place", "result"]

_CORE, _FLOATS = 4, 16  # registers that arguments are passed in
_KINDS = "integers of 32 bits, floats, numpy numbers of up to 64 bits, bytes and numpy arrays can be passed"


class _Registers:
    """Gives each argument its registers or its place on the stack (AAPCS32 6.5, and 7.1.2 for those of the FPU)."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.spilled = b""
        self._next = 0
        self._free = list(range(_FLOATS))

    def _spill(self, data: bytes) -> None:
        self.spilled += bytes(-len(self.spilled) % len(data)) + data

    def core(self, data: bytes) -> None:
        """A word, or two."""
        words = struct.unpack(f"<{len(data) // 4}I", data)
        if len(words) == 2:
            self._next += self._next % 2
        if self._next + len(words) > _CORE:
            self._next = _CORE  # what comes later goes to the stack, too
            self._spill(data)
        else:
            self.taken |= {f"r{self._next + n}": word for n, word in enumerate(words)}
            self._next += len(words)

    def fpu(self, data: bytes) -> None:
        """A float, or a double: in the first registers that are free, also between those that are taken."""
        words = struct.unpack(f"<{len(data) // 4}I", data)
        step = len(words)
        first = next((n for n in self._free if n % step == 0 and n + step - 1 in self._free), None)
        if first is None:
            self._free = []
            self._spill(data)
        else:
            self.taken |= {f"s{first + n}": word for n, word in enumerate(words)}
            self._free = [n for n in self._free if not first <= n < first + step]


def place(values: Sequence[object], sp: int, hard_float: bool, arrays_at: int | None) -> Placed:
    """Find a place for each argument of a call at stack pointer `sp`, for arrays from `arrays_at` on if given.

    Raises
    ------
    SimulatorError : an argument of a type that has no meaning in C here, or arrays of which one is a part of another.
    """
    arrays = {n: _array(value) for n, value in enumerate(values) if isinstance(value, np.ndarray | bytes)}
    offsets, content = _lay_out(arrays)
    base = sp - len(content) & ~7 if arrays_at is None else arrays_at
    registers = _Registers()
    for n, value in enumerate(values):
        if n in offsets:
            registers.core(struct.pack("<I", base + offsets[n]))
            continue
        data = _bytes_of(value, n + 1)
        if isinstance(value, float | np.floating) and hard_float:
            registers.fpu(data)
        else:
            registers.core(data)
    below = registers.spilled + bytes(-len(registers.spilled) % 8)
    stack = below + content.ljust(sp - base, b"\0") if arrays_at is None else below
    aside = None if arrays_at is None else (arrays_at, content)
    back = [(base + offsets[n], value) for n, value in enumerate(values) if isinstance(value, np.ndarray)]
    return Placed(registers.taken, sp & ~7, stack, aside, back, len(content))


def _lay_out(arrays: dict[int, npt.NDArray[Any]]) -> tuple[dict[int, int], bytes]:
    """Where each array lies behind the first, and all of them together; the same memory has one place."""
    offsets: dict[int, int] = {}
    found: dict[tuple[int, int], int] = {}
    content = b""
    for n, array in arrays.items():
        memory = array.ctypes.data, array.nbytes
        if memory not in found:
            other = next((m for m in offsets if np.may_share_memory(arrays[m], array)), None)
            if other is not None:
                raise SimulatorError(
                    f"arguments {other + 1} and {n + 1} share a part of their memory; pass the whole array twice, or "
                    "copies of the parts"
                )
            found[memory] = len(content)
            content += array.tobytes().ljust(array.nbytes + 7 & ~7, b"\0")
        offsets[n] = found[memory]
    return offsets, content


def _array(value: npt.NDArray[Any] | bytes) -> npt.NDArray[Any]:
    array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
    if not array.flags.c_contiguous or array.dtype.hasobject:
        raise SimulatorError(
            "an array that is passed to a board must be contiguous and of numbers; np.ascontiguousarray makes one"
        )
    return array


def _bytes_of(value: object, number: int) -> bytes:
    """What a number is in memory: a word or two."""
    if isinstance(value, np.float64):  # which is a float of Python's, too
        return struct.pack("<d", value)
    if isinstance(value, float | np.float32 | np.float16):
        try:
            return struct.pack("<f", value)
        except OverflowError:
            raise SimulatorError(
                f"argument {number} is {value!r}, more than a float of C holds; np.float64 passes a double"
            ) from None
    if isinstance(value, np.integer) and value.dtype.itemsize == 8:
        return (int(value) & 0xFFFFFFFF_FFFFFFFF).to_bytes(8, "little")
    if isinstance(value, int | np.integer | np.bool_):
        if -(2**31) <= int(value) < 2**32:
            return (int(value) & 0xFFFFFFFF).to_bytes(4, "little")
        raise SimulatorError(
            f"argument {number} is {value!r}, more than 32 bits; np.int64 and np.uint64 pass integers of 64 bits"
        )
    if isinstance(value, list | tuple | bytearray):
        raise SimulatorError(
            f"argument {number} is a {type(value).__name__}; pass np.array(values, np.int16), say: the chip sees the "
            "numbers as the array's dtype has them"
        )
    raise SimulatorError(f"argument {number} is {value!r}: {_KINDS}")


def check_result(kind: object) -> None:
    """Whether a function can return this.

    Raises
    ------
    SimulatorError : it cannot; which types it can.
    """
    if kind is None or kind in (int, float, bool):
        return
    number = isinstance(kind, type) and issubclass(kind, np.integer | np.float32 | np.float64 | np.bool_)
    if not (number and kind not in (np.integer, np.signedinteger, np.unsignedinteger)):
        name = kind.__name__ if isinstance(kind, type) else repr(kind)
        raise SimulatorError(
            f"returns={name}: a C function returns None, int, float, bool, or a number of numpy's such as np.int16 or "
            "np.float64"
        )


def result(kind: type | None, r0: int, r1: int, d0: int, hard_float: bool) -> Any:
    """What a function returned, from the registers that results are in: a type that `check_result` lets pass."""
    if kind is None:
        return None
    if kind is int:
        return r0
    if kind is bool:
        return bool(r0 & 0xFF)
    scalar = np.dtype(np.float32 if kind is float else kind)
    data = (d0 if hard_float and scalar.kind == "f" else r1 << 32 | r0).to_bytes(8, "little")
    value = np.frombuffer(data[: scalar.itemsize], scalar)[0]
    return float(value) if kind is float else value
